package defects

import (
	"context"
	"errors"
	"time"

	"github.com/wreckon/wreckon/reference/gateway"
	"github.com/wreckon/wreckon/reference/intent"
	"github.com/wreckon/wreckon/reference/message"
	"github.com/wreckon/wreckon/reference/parts"
	"github.com/wreckon/wreckon/reference/policy"
)

// PermanentErrorRetried makes payments ask again where it was told no.
var PermanentErrorRetried = Defect{
	Name: "permanent-error-retried",
	Story: "The HTTP client that everybody uses here asks again by itself, ten times, whenever the status is not 2xx; that has saved many a night. " +
		"402 is not 2xx. A declined card is declined eleven times, and then the client returns an error, as it does for a timeout, and the " +
		"service does what it does after a timeout: it waits, and asks again, five times over, before it believes it. Fifty-five times is what the " +
		"gateway is asked to charge a card that was declined the first time. The bank has a word for this, and a fee.",
	Reveals: []string{"slow-compensation"},
	Falls:   "bounded-retries",
	Apply: func(p *parts.Parts) {
		p.Charge = func(t intent.Tools) intent.Performer { return insisting{intent.Leased(t)} }
	},
}

type insisting struct{ leased intent.Performer }

func (p insisting) Perform(ctx context.Context, d message.Delivery, e intent.Effect) error {
	once := e.Call
	e.Call = func(ctx context.Context, call gateway.Call) (gateway.Answer, error) {
		for n := range 11 {
			answer, err := once(ctx, call)
			if err != nil || !answer.Refused || n == 10 && call.Try >= 5 {
				return answer, err
			}
			if err := policy.Sleep(ctx, 10*time.Millisecond); err != nil {
				return answer, err
			}
		}
		return gateway.Answer{}, errors.New("it was not 2xx, eleven times")
	}
	return p.leased.Perform(ctx, d, e)
}
