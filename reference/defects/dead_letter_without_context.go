package defects

import (
	"github.com/wreckon/wreckon/reference/audit"
	"github.com/wreckon/wreckon/reference/inbox"
	"github.com/wreckon/wreckon/reference/outbox"
	"github.com/wreckon/wreckon/reference/parts"
	"github.com/wreckon/wreckon/reference/quarantine"
	"github.com/wreckon/wreckon/reference/store"
)

// DeadLetterWithoutContext makes services keep of a dead letter that there was one.
var DeadLetterWithoutContext = Defect{
	Name: "dead-letter-without-context",
	Story: "Payloads hold addresses and cards, and a table of dead letters is kept for longer than either may be. So the payload is blanked when a " +
		"letter is written, the trace with it, because it leads to logs that hold the same. The reason stays, and the id. When the " +
		"cause is mended and somebody wants to send three hundred letters again, there is nothing to send: what was to be done, for " +
		"whom, and for how much, was in the part that is gone.",
	Reveals: []string{"poisoned-orders"},
	Falls:   "dead-letters-accounted",
	Apply:   func(p *parts.Parts) { p.SetAside = blanked },
}

func blanked(service string, box *outbox.Box, trail audit.Trail) func(*store.Tx, *inbox.Letter) error {
	answer := quarantine.Answer(service, box, trail)
	return func(tx *store.Tx, letter *inbox.Letter) error {
		err := answer(tx, letter)
		letter.Data, letter.Trace = []byte{}, ""
		return err
	}
}
