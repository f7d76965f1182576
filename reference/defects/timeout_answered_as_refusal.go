package defects

import (
	"net/http"

	"github.com/wreckon/wreckon/reference/parts"
)

// TimeoutAnsweredAsRefusal makes the api publish first, and call what it does not know a refusal.
var TimeoutAnsweredAsRefusal = Defect{
	Name: "timeout-answered-as-refusal",
	Story: "Answers of the 500 kind wake somebody up, and clients repeat them. So an order that could not be taken, for whatever reason, is answered " +
		"with a conflict: the client shows a message, and the customer tries another shop. The reason was that the broker's confirmation did " +
		"not come back. The event is there; the order that nobody has taken is charged and shipped, to a customer who was told that it was " +
		"refused, and who has bought the thing elsewhere.",
	Reveals: []string{"confirmations-lost"},
	Falls:   "no-phantom-effects",
	Apply:   func(p *parts.Parts) { p.Announce, p.Unsure = publishFirst, http.StatusConflict },
}
