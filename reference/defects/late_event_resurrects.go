package defects

import (
	"context"

	"github.com/wreckon/wreckon/reference/api"
	"github.com/wreckon/wreckon/reference/audit"
	"github.com/wreckon/wreckon/reference/broker"
	"github.com/wreckon/wreckon/reference/inbox"
	"github.com/wreckon/wreckon/reference/message"
	"github.com/wreckon/wreckon/reference/orders"
	"github.com/wreckon/wreckon/reference/parts"
	"github.com/wreckon/wreckon/reference/store"
)

// LateEventResurrects makes the api take the newest event for the truth, whatever was before.
var LateEventResurrects = Defect{
	Name: "late-event-resurrects",
	Story: "To set a state is idempotent, so the handler that closes orders needs no inbox, said the review: twice the same state is the same " +
		"state. Twice the same event is not the same moment. An order is set aside; somebody looks into it and gives it up, and its money " +
		"goes back. Then the broker, which never heard that the first event was handled, delivers it again, and the order that has " +
		"ended is set aside once more. Somebody will look into it, and perhaps ship it this time.",
	Reveals: []string{"late-events"},
	Falls:   "legal-lifecycle",
	Apply:   func(p *parts.Parts) { p.Close = lastEventWins },
}

func lastEventWins(s *api.Service, _ *inbox.Inbox) broker.Handler {
	return func(ctx context.Context, d message.Delivery) error {
		closed, err := orders.Decode[orders.Closed](d.Message)
		if err != nil {
			return err
		}
		return s.DB.Write(ctx, func(tx *store.Tx) error {
			_, err := tx.Exec(`UPDATE orders SET state = ?, version = version + 1 WHERE order_id = ?`, closed.State, closed.OrderID)
			if err != nil {
				return err
			}
			return s.Trail.Append(tx, audit.Entry{OrderID: closed.OrderID, Transition: closed.State, Attempt: d.Number, Trace: d.Trace})
		})
	}
}
