package defects

import (
	"context"

	"github.com/wreckon/wreckon/reference/api"
	"github.com/wreckon/wreckon/reference/message"
	"github.com/wreckon/wreckon/reference/outbox"
	"github.com/wreckon/wreckon/reference/parts"
	"github.com/wreckon/wreckon/reference/store"
)

// PublishBeforeCommit makes the api publish an order's event itself, and commit the order when the broker has confirmed.
var PublishBeforeCommit = Defect{
	Name: "publish-before-commit",
	Story: "A team reads that the event must not be lost, so the handler publishes it first and commits the order only when the broker has " +
		"confirmed; if publishing fails, it rolls back and answers 503. One day the broker stores an event and the confirmation is lost on its " +
		"way back. The handler believes that nothing happened. Downstream the order is reserved, charged and shipped, and in the order table " +
		"there is no such order. Support cannot find it, and the customer has been told to try again.",
	Reveals: []string{"lost-acks"},
	Falls:   "atomic-outcome",
	Apply:   func(p *parts.Parts) { p.Announce = publishFirst },
}

func publishFirst(_ *store.DB, _ *outbox.Box, pub outbox.Publisher) api.Announce {
	return func(ctx context.Context, event message.Message, commit api.Commit) error {
		if err := pub.Publish(ctx, event); err != nil {
			return err
		}
		return commit(ctx, func(*store.Tx) error { return nil })
	}
}
