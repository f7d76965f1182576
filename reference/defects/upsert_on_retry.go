package defects

import (
	"fmt"

	"github.com/wreckon/wreckon/reference/api"
	"github.com/wreckon/wreckon/reference/orders"
	"github.com/wreckon/wreckon/reference/parts"
	"github.com/wreckon/wreckon/reference/store"
)

// UpsertOnRetry makes the api write an order that comes again over the one that is there.
var UpsertOnRetry = Defect{
	Name: "upsert-on-retry",
	Story: "Clients repeat a request when they got no answer, so the handler must be idempotent, and an upsert is: the same order written twice " +
		"is the same row. The table of idempotency keys was dropped as a second copy of that idea. A repeat after some milliseconds does " +
		"write what is there. But a client that has waited for its whole timeout comes back when the order is shipped, and the upsert writes " +
		"pending over completed. The event goes out again, and is rightly dropped as one that was seen. Nobody works on that order any more: " +
		"the parcel has arrived, and the customer's page says that it is being prepared, for ever.",
	Reveals: []string{"commit-ack-lost"},
	Falls:   "no-lost-work",
	Apply:   func(p *parts.Parts) { p.Enter = upsert },
}

func upsert(tx *store.Tx, r api.Request) (before []byte, err error) {
	_, err = tx.Exec(`INSERT INTO orders (order_id, state, version, trace, amount, body) VALUES (?, ?, 1, ?, ?, ?) ON CONFLICT (order_id)
		DO UPDATE SET state = excluded.state, version = excluded.version, trace = excluded.trace, amount = excluded.amount, body = excluded.body`,
		r.Order.OrderID, orders.Pending, r.Trace, r.Order.Amount, r.Body)
	if err != nil {
		return nil, fmt.Errorf("upsert order: %w", err)
	}
	return nil, nil
}
