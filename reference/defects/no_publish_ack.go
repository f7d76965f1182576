package defects

import (
	"context"
	"log/slog"

	"github.com/wreckon/wreckon/reference/outbox"
	"github.com/wreckon/wreckon/reference/parts"
)

// NoPublishAck makes relays go on as soon as a message is handed to the connection.
var NoPublishAck = Defect{
	Name: "no-publish-ack",
	Story: "Publishing is a function that returns, and when it has returned the message is sent. It is; it is in the buffer of a connection. The " +
		"broker's word that it has stored it comes later, on another path, to a future that nobody looks at, because waiting for it made " +
		"the relay ten times slower. When the connection breaks, what was in the buffer is gone, and the rows are marked.",
	Reveals: []string{"broker-partition"},
	Falls:   "no-lost-work",
	Apply:   func(p *parts.Parts) { p.Forward = fireAndForget },
}

func fireAndForget(ctx context.Context, rows []outbox.Row, pub outbox.Publisher, mark outbox.Mark, _ *slog.Logger) (int, error) {
	for _, parcel := range outbox.Parcels(rows) {
		go func() { _ = pub.Publish(ctx, parcel.Message) }()
	}
	return len(rows), mark(ctx, rows)
}
