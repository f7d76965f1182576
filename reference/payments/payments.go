// Package payments charges cards and gives the money back, at the gateway.
//
// Promise: an order is charged once and refunded at most once, however often either is asked for; a declined card is not charged, and
// not asked again. Package intent says how.
//
// It must never know what is sold.
package payments

import (
	"context"
	"fmt"

	"github.com/wreckon/wreckon/reference/audit"
	"github.com/wreckon/wreckon/reference/gateway"
	"github.com/wreckon/wreckon/reference/inbox"
	"github.com/wreckon/wreckon/reference/intent"
	"github.com/wreckon/wreckon/reference/message"
	"github.com/wreckon/wreckon/reference/orders"
	"github.com/wreckon/wreckon/reference/outbox"
	"github.com/wreckon/wreckon/reference/store"
)

// Name is the service's name in replies.
const Name = "payments"

// Cashier does payment commands.
type Cashier struct {
	Inbox   *inbox.Inbox
	Perform intent.Performer
	Gateway *gateway.Client
	Box     *outbox.Box
	Trail   audit.Trail
}

// Handle takes one command.
func (c *Cashier) Handle(ctx context.Context, d message.Delivery) error {
	order, err := orders.Decode[orders.Order](d.Message)
	if err != nil {
		return c.Inbox.Failed(ctx, d, err)
	}
	effect := intent.Effect{OrderID: order.OrderID, Step: orders.StepOf(d.Subject), Of: orders.Charge}
	switch effect.Step {
	case orders.Charge:
		effect.Call = func(ctx context.Context, call gateway.Call) (gateway.Answer, error) {
			return c.Gateway.Charge(ctx, call, order.Amount, order.Card)
		}
	case orders.Refund:
		effect.Call = func(ctx context.Context, call gateway.Call) (gateway.Answer, error) {
			return c.Gateway.Refund(ctx, call, order.Amount)
		}
	default:
		return c.Inbox.Failed(ctx, d, inbox.Permanent(fmt.Errorf("no such payment command: %s", effect.Step)))
	}
	effect.Record = func(tx *store.Tx, a gateway.Answer, attempt int) (string, error) {
		return c.record(tx, d, effect, a, attempt)
	}
	return c.Perform.Perform(ctx, d, effect)
}

// record writes what follows from the gateway's answer: the audit entry, and the reply to the saga.
func (c *Cashier) record(tx *store.Tx, d message.Delivery, e intent.Effect, a gateway.Answer, attempt int) (string, error) {
	outcome, detail := orders.Charged, a.ID
	switch {
	case a.Refused:
		outcome, detail = orders.Declined, a.Reason
	case e.Step == orders.Refund:
		outcome = orders.Refunded
	}
	err := c.Trail.Append(tx, audit.Entry{
		OrderID: e.OrderID, Transition: outcome, Step: orders.Charge, Attempt: attempt, Detail: detail, Trace: d.Trace,
	})
	if err != nil {
		return "", err
	}
	reply, err := orders.Reply{OrderID: e.OrderID, Step: e.Step, Outcome: outcome, Detail: detail}.Message(Name, d.Trace)
	if err != nil {
		return "", err
	}
	return outcome, c.Box.Add(tx, reply)
}
