package defects

import (
	"context"
	"log/slog"

	"github.com/wreckon/wreckon/reference/outbox"
	"github.com/wreckon/wreckon/reference/parts"
)

// MarkBeforePublish makes relays mark rows as sent before they send them.
var MarkBeforePublish = Defect{
	Name: "mark-before-publish",
	Story: "Two instances of a relay sent every message twice, so somebody made each of them claim its rows by marking them as sent in one " +
		"statement, and publish what it had claimed. The duplicates were gone. A publish that fails is logged. For months none does; then " +
		"the broker is away for two seconds during an upgrade, and every row that was claimed in those two seconds is marked as sent, is not " +
		"with the broker, and will not be looked at again. The log says so, in a line nobody reads.",
	Reveals: []string{"broker-partition", "crash-between-commit-and-publish"},
	Falls:   "no-lost-work",
	Apply:   func(p *parts.Parts) { p.Forward = markThenPublish },
}

func markThenPublish(ctx context.Context, rows []outbox.Row, pub outbox.Publisher, mark outbox.Mark, log *slog.Logger) (int, error) {
	if err := mark(ctx, rows); err != nil {
		return 0, err
	}
	for _, parcel := range outbox.Parcels(rows) {
		if err := pub.Publish(ctx, parcel.Message); err != nil {
			log.Error("publish failed", "message", parcel.ID, "error", err)
		}
	}
	return len(rows), nil
}
