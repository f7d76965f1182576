package api

import (
	"context"
	"fmt"

	"github.com/wreckon/wreckon/reference/audit"
	"github.com/wreckon/wreckon/reference/broker"
	"github.com/wreckon/wreckon/reference/inbox"
	"github.com/wreckon/wreckon/reference/message"
	"github.com/wreckon/wreckon/reference/orders"
	"github.com/wreckon/wreckon/reference/store"
	"github.com/wreckon/wreckon/reference/telemetry"
)

// NewCloser makes the handler of orders.closed events, which moves orders to the state in which the saga ended them; see CloseOnce.
type NewCloser func(s *Service, in *inbox.Inbox) broker.Handler

// CloseOnce takes each event once, and lets no order leave its end.
func CloseOnce(s *Service, in *inbox.Inbox) broker.Handler {
	return func(ctx context.Context, d message.Delivery) error {
		return in.Once(ctx, d, func(tx *store.Tx) error {
			closed, err := orders.Decode[orders.Closed](d.Message)
			if err != nil {
				return err
			}
			telemetry.About(ctx, telemetry.Job{ID: closed.OrderID})
			return s.close(tx, d, closed)
		})
	}
}

func (s *Service) close(tx *store.Tx, d message.Delivery, closed orders.Closed) error {
	var state string
	if err := tx.Row(`SELECT state FROM orders WHERE order_id = ?`, []any{closed.OrderID}, &state); err != nil {
		// The event that began all this was committed with the order: if there is none, no waiting will bring it.
		return inbox.Permanent(fmt.Errorf("close order %s: %w", closed.OrderID, unknown(err)))
	}
	if state == closed.State || state != orders.Pending && state != orders.Quarantined {
		return nil // an end is an end; only what is set aside may be taken up again
	}
	_, err := tx.Exec(`UPDATE orders SET state = ?, version = version + 1 WHERE order_id = ?`, closed.State, closed.OrderID)
	if err != nil {
		return fmt.Errorf("close order: %w", err)
	}
	return s.Trail.Append(tx, audit.Entry{
		OrderID: closed.OrderID, Transition: closed.State, Attempt: d.Number, Detail: closed.Detail, Trace: d.Trace,
	})
}
