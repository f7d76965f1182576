package defects

import (
	"context"
	"crypto/rand"

	"github.com/wreckon/wreckon/reference/gateway"
	"github.com/wreckon/wreckon/reference/intent"
	"github.com/wreckon/wreckon/reference/message"
	"github.com/wreckon/wreckon/reference/orders"
	"github.com/wreckon/wreckon/reference/parts"
)

// CompensationNotIdempotent makes payments ask for each refund under a key of its own.
var CompensationNotIdempotent = Defect{
	Name: "compensation-not-idempotent",
	Story: "Charges have idempotency keys, after the incident. Refunds go through the same client, and the key is made from the id of the charge " +
		"request, which a refund has none of; so the helper falls back to a random one, and everybody is happy that there is a key. " +
		"The answer to a refund gets lost as often as that to a charge. The refund is asked for again, as it should be, under another random key, " +
		"and the customer, who gets his money twice, does not write to support.",
	Reveals: []string{"slow-compensation"},
	Falls:   "compensation-order",
	Apply: func(p *parts.Parts) {
		p.Charge = func(t intent.Tools) intent.Performer { return randomRefunds{intent.Leased(t)} }
	},
}

type randomRefunds struct{ leased intent.Performer }

func (p randomRefunds) Perform(ctx context.Context, d message.Delivery, e intent.Effect) error {
	if call := e.Call; e.Step == orders.Refund {
		e.Call = func(ctx context.Context, c gateway.Call) (gateway.Answer, error) {
			c.Key = rand.Text()
			return call(ctx, c)
		}
	}
	return p.leased.Perform(ctx, d, e)
}
