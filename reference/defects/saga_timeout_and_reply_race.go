package defects

import (
	"context"
	"sync"
	"time"

	"github.com/wreckon/wreckon/reference/broker"
	"github.com/wreckon/wreckon/reference/choreography"
	"github.com/wreckon/wreckon/reference/message"
	"github.com/wreckon/wreckon/reference/orders"
	"github.com/wreckon/wreckon/reference/parts"
)

// SagaTimeoutAndReplyRace makes inventory release what nobody has paid for after a second.
var SagaTimeoutAndReplyRace = Defect{
	Name: "saga-timeout-and-reply-race",
	Story: "Goods that are reserved and never paid for are goods that nobody can buy. So inventory waits for the news of the payment, and after a " +
		"while takes the silence for an answer, releases the goods, and the order ends. Payments knows nothing of that. It has asked for the " +
		"money, is waiting for an answer itself, gets it, and tells; shipping hears that the order is paid, and ships it. The customer has " +
		"paid for goods that have arrived, for an order that never came about, and the shelf has one item less than the books.",
	Reveals: []string{"choreography-slow-gateway"},
	Falls:   "atomic-outcome",
	Of:      "choreography",
	Apply:   func(p *parts.Parts) { p.Listen = silenceIsAnAnswer },
}

func silenceIsAnAnswer(a *choreography.Dancer) broker.Handler {
	news, heard := choreography.News(a), map[string]*time.Timer{}
	var mu sync.Mutex
	return func(ctx context.Context, d message.Delivery) error {
		r, err := orders.Decode[orders.Reply](d.Message)
		if err == nil && a.First == orders.Reserve {
			mu.Lock()
			if t := heard[r.OrderID]; t != nil {
				t.Stop()
			} else if r.Outcome == orders.Reserved {
				late := d
				late.ID += "/silence"
				heard[r.OrderID] = time.AfterFunc(time.Second, func() { _ = a.Step(ctx, late, orders.Release, r.OrderID) })
			}
			mu.Unlock()
		}
		return news(ctx, d)
	}
}
