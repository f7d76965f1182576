package defects

import "github.com/wreckon/wreckon/reference/parts"

// RefusedAfterCommit makes the api ask whether too much waits when it has accepted an order.
var RefusedAfterCommit = Defect{
	Name: "refused-after-commit",
	Story: "Backpressure came later, as a wrapper around the handlers: it counts what waits and answers 429 where that is too much. To count right it " +
		"runs behind the handler, when the new row is there. So the order is stored, its event is in the outbox, and the customer is told to try " +
		"again later, or elsewhere. The wrapper is tested, with a handler that does nothing. On the day on which it is needed, everybody who was " +
		"turned away is charged.",
	Reveals: []string{"backpressure"},
	Falls:   "no-phantom-effects",
	Apply: func(p *parts.Parts) {
		p.Admit = func(gate, accept func() error) error {
			if err := accept(); err != nil {
				return err
			}
			return gate()
		}
	},
}
