package defects

import (
	"context"

	"github.com/wreckon/wreckon/reference/api"
	"github.com/wreckon/wreckon/reference/message"
	"github.com/wreckon/wreckon/reference/outbox"
	"github.com/wreckon/wreckon/reference/parts"
	"github.com/wreckon/wreckon/reference/store"
)

// EventInSecondTransaction makes the api commit an order, and then its event.
var EventInSecondTransaction = Defect{
	Name: "event-in-second-transaction",
	Story: "There is an outbox, as the book says. The repository that saves an order opens a transaction, and so does the one that saves an outbox " +
		"row; the service calls one after the other, and each of them is tested. A process that dies between the two leaves an order of " +
		"which nobody is told. Its client asks again, and is told by the idempotency table that all is well.",
	Reveals: []string{"crash-at-commit"},
	Falls:   "no-lost-work",
	Of:      "reference-postgres",
	Apply:   func(p *parts.Parts) { p.Announce = commitThenAdd },
}

func commitThenAdd(db *store.DB, box *outbox.Box, _ outbox.Publisher) api.Announce {
	return func(ctx context.Context, event message.Message, commit api.Commit) error {
		fresh := false
		if err := commit(ctx, func(*store.Tx) error { fresh = true; return nil }); err != nil || !fresh {
			return err
		}
		return db.Write(ctx, func(tx *store.Tx) error { return box.Add(tx, event) })
	}
}
