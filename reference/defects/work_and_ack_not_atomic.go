package defects

import (
	"context"
	"time"

	"github.com/wreckon/wreckon/reference/broker"
	"github.com/wreckon/wreckon/reference/parts"
)

// WorkAndAckNotAtomic makes the ingester acknowledge readings as they come, and write them down a window later.
var WorkAndAckNotAtomic = Defect{
	Name: "work-and-ack-not-atomic",
	Story: "A row for each reading is a write for each reading, and the point of collecting was to have fewer. So readings are collected in memory, " +
		"and written down together when the window is over; and as the broker delivers again what is not acknowledged in time, they are " +
		"acknowledged when they come in. Between the two there is a fifth of a second. A process that dies in it takes some readings with it " +
		"that nobody will deliver again, and the account whose number is missing waits for it, with everything behind it.",
	Reveals: []string{"metering-delivery"},
	Falls:   "no-lost-work",
	Of:      "metering",
	Apply:   func(p *parts.Parts) { p.MeterReceive = writtenDownLater },
}

func writtenDownLater(ctx context.Context, in *broker.Incoming, handle broker.Handler) {
	in.Ack()
	release := in.Hold()
	time.AfterFunc(200*time.Millisecond, func() {
		defer release()
		_ = handle(ctx, in.Delivery()) // a failed write is in the log
	})
}
