package defects

import (
	"context"

	"github.com/wreckon/wreckon/reference/gateway"
	"github.com/wreckon/wreckon/reference/intent"
	"github.com/wreckon/wreckon/reference/message"
	"github.com/wreckon/wreckon/reference/orders"
	"github.com/wreckon/wreckon/reference/parts"
)

// TimeoutTakenForRefusal makes payments report a charge that it got no answer to as declined.
var TimeoutTakenForRefusal = Defect{
	Name: "timeout-taken-for-refusal",
	Story: "The client of the gateway returns an error, and the handler has two cases: charged, and not charged. A timeout is an error, so it is not " +
		"charged, and the order is compensated, cleanly, with everything given back that was taken, as far as anybody knows. The gateway has the " +
		"money. It charged in time and answered too late, and nobody will ever ask it again.",
	Reveals: []string{"late-reply-after-timeout"},
	Falls:   "atomic-outcome",
	Apply: func(p *parts.Parts) {
		p.Charge = func(t intent.Tools) intent.Performer { return twoCases{intent.Leased(t)} }
	},
}

type twoCases struct{ leased intent.Performer }

func (p twoCases) Perform(ctx context.Context, d message.Delivery, e intent.Effect) error {
	if call := e.Call; e.Step == orders.Charge {
		e.Call = func(ctx context.Context, c gateway.Call) (gateway.Answer, error) {
			answer, err := call(ctx, c)
			if err != nil {
				return gateway.Answer{Refused: true, Reason: err.Error()}, nil
			}
			return answer, nil
		}
	}
	return p.leased.Perform(ctx, d, e)
}
