package defects

import (
	"context"

	"github.com/wreckon/wreckon/reference/broker"
	"github.com/wreckon/wreckon/reference/parts"
)

// AckBeforeWork makes payments acknowledge a command when it comes in, and work on it when there is time.
var AckBeforeWork = Defect{
	Name: "ack-before-work",
	Story: "The client library acknowledges on receipt, unless told otherwise; or somebody told it to, because redeliveries during slow calls " +
		"looked like a bug. Commands now wait in the memory of the process. While the gateway is quick nobody notices. When it is slow the queue " +
		"grows, the queue makes the memory grow, and the memory makes somebody restart the process. The broker has nothing to deliver again: " +
		"every command was acknowledged.",
	Reveals: []string{"gateway-brownout"},
	Falls:   "no-lost-work",
	Apply:   func(p *parts.Parts) { p.Receive = ackOnReceipt() },
}

func ackOnReceipt() broker.Receive {
	free := make(chan struct{}, 8)
	return func(ctx context.Context, in *broker.Incoming, handle broker.Handler) {
		in.Ack()
		release := in.Hold()
		go func() {
			defer release()
			select {
			case free <- struct{}{}:
			case <-ctx.Done():
				return
			}
			defer func() { <-free }()
			for n := 1; handle(ctx, in.Delivery()) != nil; n++ {
				if in.Backoff().Wait(ctx, n) != nil {
					return
				}
			}
		}()
	}
}
