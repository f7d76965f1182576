package defects

import (
	"net/http"

	"github.com/wreckon/wreckon/reference/parts"
)

// UnknownCommitTakenForFailure makes the api refuse an order whose COMMIT was not answered.
var UnknownCommitTakenForFailure = Defect{
	Name: "unknown-commit-taken-for-failure",
	Story: "The function returns an error, so the transaction was rolled back: that is what the driver's documentation says of every other call. " +
		"The handler answers 409, and the customer goes elsewhere. COMMIT is the one call whose error may come after the fact. The connection " +
		"broke behind it; the order is there, and so is its event, and it is charged and shipped to somebody who was told that nothing happened.",
	Reveals: []string{"commit-unknown"},
	Falls:   "no-phantom-effects",
	Of:      "reference-postgres",
	Apply:   func(p *parts.Parts) { p.Unsure = http.StatusConflict },
}
