package defects

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/wreckon/wreckon/reference/gateway"
	"github.com/wreckon/wreckon/reference/intent"
	"github.com/wreckon/wreckon/reference/message"
	"github.com/wreckon/wreckon/reference/parts"
	"github.com/wreckon/wreckon/reference/store"
)

// DedupCheckThenAct makes payments look whether an order was charged, charge it, and then write down that it was.
var DedupCheckThenAct = Defect{
	Name: "dedup-check-then-act",
	Story: "The consumer is idempotent, says the review: it looks for a payment of the order, and charges only if there is none. So it is, as " +
		"long as deliveries come one after the other. When the gateway is slower than the broker's patience, or a pause of the machine is " +
		"longer, the same command is delivered again while the first is still being worked on. Both look, both find nothing, both charge. " +
		"The gateway would have noticed, had the two calls had the same idempotency key; but the key holds the number of the attempt, because " +
		"a retry is a new request, is it not.",
	Reveals: []string{"zombie-worker", "zombie-payment", "late-reply-after-timeout", "duplicate-delivery",
		"crash-between-effect-and-record"},
	Falls: "no-duplicate-effects",
	Apply: func(p *parts.Parts) { p.Charge = func(t intent.Tools) intent.Performer { return checkThenAct{t} } },
}

type checkThenAct struct{ intent.Tools }

func (p checkThenAct) Perform(ctx context.Context, d message.Delivery, e intent.Effect) error {
	var outcome string
	err := p.DB.Row(ctx, `SELECT outcome FROM intents WHERE order_id = ? AND step = ?`, []any{e.OrderID, e.Step}, &outcome)
	if err == nil {
		return nil
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	key := fmt.Sprintf("%s/%s/%d", e.OrderID, e.Step, d.Number)
	one, cancel := context.WithTimeout(ctx, p.Timeout)
	defer cancel()
	answer, err := e.Call(one, gateway.Call{OrderID: e.OrderID, Key: key, Trace: d.Trace})
	if err != nil {
		return err
	}
	return p.DB.Write(ctx, func(tx *store.Tx) error {
		outcome, err := e.Record(tx, answer, d.Number)
		if err != nil {
			return err
		}
		_, err = tx.Exec(`INSERT INTO intents (order_id, step, key, outcome) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING`,
			e.OrderID, e.Step, key, outcome)
		if err != nil {
			return err
		}
		if _, err := p.Inbox.Arrive(tx, d); err != nil {
			return err
		}
		return p.Inbox.Done(tx, d)
	})
}
