package defects

import (
	"context"
	"crypto/rand"
	"log/slog"

	"github.com/wreckon/wreckon/reference/gateway"
	"github.com/wreckon/wreckon/reference/intent"
	"github.com/wreckon/wreckon/reference/message"
	"github.com/wreckon/wreckon/reference/outbox"
	"github.com/wreckon/wreckon/reference/parts"
	"github.com/wreckon/wreckon/reference/store"
)

// DedupKeyPerPublish makes relays give a message its id when they publish it, and payments charge once for each id.
var DedupKeyPerPublish = Defect{
	Name: "dedup-key-per-publish",
	Story: "Everything downstream drops what it has seen by the id of the message, the broker, the inbox, and the gateway, which gets it as the " +
		"idempotency key. That is a sound design, as long as a message has the same id whenever it is sent. Here the producer's library mints " +
		"a UUID in its publish function, where it is convenient. A relay that dies after the broker has stored a message, and before it has " +
		"marked the row, publishes the row again: under an id that nobody has seen. Each layer checks, each finds it new, and the card is " +
		"charged again.",
	Reveals: []string{"crash-between-publish-and-mark"},
	Falls:   "no-duplicate-effects",
	Apply: func(p *parts.Parts) {
		p.Forward = underNewIDs
		p.Charge = func(t intent.Tools) intent.Performer { return onceForEachID{t} }
	},
}

func underNewIDs(ctx context.Context, rows []outbox.Row, pub outbox.Publisher, mark outbox.Mark, log *slog.Logger) (int, error) {
	return outbox.PublishThenMark(ctx, rows, minting{pub}, mark, log)
}

type minting struct{ outbox.Publisher }

func (p minting) Publish(ctx context.Context, m message.Message) error {
	m.ID = rand.Text()
	return p.Publisher.Publish(ctx, m)
}

type onceForEachID struct{ intent.Tools }

func (p onceForEachID) Perform(ctx context.Context, d message.Delivery, e intent.Effect) error {
	one, cancel := context.WithTimeout(ctx, p.Timeout)
	defer cancel()
	answer, err := e.Call(one, gateway.Call{OrderID: e.OrderID, Key: d.ID, Trace: d.Trace})
	if err != nil {
		return err
	}
	return p.DB.Write(ctx, func(tx *store.Tx) error {
		seen, err := p.Inbox.Arrive(tx, d)
		if err != nil || seen.Done {
			return err
		}
		if _, err := e.Record(tx, answer, d.Number); err != nil {
			return err
		}
		return p.Inbox.Done(tx, d)
	})
}
