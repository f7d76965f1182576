package defects

import (
	"context"

	"github.com/wreckon/wreckon/reference/broker"
	"github.com/wreckon/wreckon/reference/message"
	"github.com/wreckon/wreckon/reference/parts"
)

// LostTraceOnRedelivery makes payments forget the trace of a message that comes again.
var LostTraceOnRedelivery = Defect{
	Name: "lost-trace-on-redelivery",
	Story: "The tracing library puts the context of a message into a table when the message comes in, and takes it out when the handler returns. " +
		"The handler of a message that comes again runs in a process that never had it, or finds the entry taken; the library starts a new trace, " +
		"or none. Every dashboard is whole as long as all goes well. The orders that somebody searches for, the ones that were " +
		"interrupted half-way, are those whose charge cannot be found under their trace.",
	Reveals: []string{"crash-between-effect-and-record"},
	Falls:   "traced",
	Apply:   func(p *parts.Parts) { p.Receive = withoutTraceAgain },
}

func withoutTraceAgain(ctx context.Context, in *broker.Incoming, handle broker.Handler) {
	broker.AfterWork(ctx, in, func(ctx context.Context, d message.Delivery) error {
		if d.Number > 1 {
			d.Trace = ""
		}
		return handle(ctx, d)
	})
}
