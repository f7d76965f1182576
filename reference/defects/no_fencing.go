package defects

import (
	"context"
	"fmt"

	"github.com/wreckon/wreckon/reference/gateway"
	"github.com/wreckon/wreckon/reference/intent"
	"github.com/wreckon/wreckon/reference/message"
	"github.com/wreckon/wreckon/reference/parts"
)

// NoFencing makes payments rely on the lease alone: its key is that of the lease, and its token is shown to nobody who would refuse it.
var NoFencing = Defect{
	Name: "no-fencing",
	Story: "A distributed lock makes sure that one worker charges an order. Since only its holder can be charging, each holder uses a key of its " +
		"own, which keeps the logs apart. A worker dies with a request on its way; a retrying proxy, a full queue, a slow link holds that request " +
		"for three seconds. The lock expires as it should, the next worker takes it and charges. Then the first request arrives. It carries " +
		"the lower number, and the gateway was never asked to compare. A lock can say who may begin; it cannot call back what has begun.",
	Reveals: []string{"zombie-lease"},
	Falls:   "fencing",
	Apply: func(p *parts.Parts) {
		p.Charge = func(t intent.Tools) intent.Performer { return trusting{intent.Leased(t)} }
	},
}

type trusting struct{ leased intent.Performer }

func (p trusting) Perform(ctx context.Context, d message.Delivery, e intent.Effect) error {
	fenced := e.Call
	e.Call = func(ctx context.Context, call gateway.Call) (gateway.Answer, error) {
		call.Key, call.Fenced = fmt.Sprintf("%s/%s/lease-%d", e.OrderID, e.Step, call.Token), false
		return fenced(ctx, call)
	}
	return p.leased.Perform(ctx, d, e)
}
