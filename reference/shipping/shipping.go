// Package shipping hands parcels to the gateway.
//
// Promise: an order is shipped once, however often that is asked for; an address nobody can deliver to is reported, and not tried again.
// Package intent says how.
//
// It must never know what the parcel cost.
package shipping

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
const Name = "shipping"

// Dispatcher does shipping commands.
type Dispatcher struct {
	Inbox   *inbox.Inbox
	Perform intent.Performer
	Gateway *gateway.Client
	Box     *outbox.Box
	Trail   audit.Trail
}

// Handle takes one command.
func (s *Dispatcher) Handle(ctx context.Context, d message.Delivery) error {
	order, err := orders.Decode[orders.Order](d.Message)
	if err != nil {
		return s.Inbox.Failed(ctx, d, err)
	}
	if step := orders.StepOf(d.Subject); step != orders.Ship {
		return s.Inbox.Failed(ctx, d, inbox.Permanent(fmt.Errorf("no such shipping command: %s", step)))
	}
	return s.Perform.Perform(ctx, d, intent.Effect{
		OrderID: order.OrderID,
		Step:    orders.Ship,
		Of:      orders.Ship,
		Call: func(ctx context.Context, call gateway.Call) (gateway.Answer, error) {
			return s.Gateway.Ship(ctx, call, order.Address)
		},
		Record: func(tx *store.Tx, a gateway.Answer, attempt int) (string, error) {
			return s.record(tx, d, order.OrderID, a, attempt)
		},
	})
}

// record writes what follows from the gateway's answer: the audit entry, and the reply to the saga.
func (s *Dispatcher) record(tx *store.Tx, d message.Delivery, orderID string, a gateway.Answer, attempt int) (string, error) {
	outcome, detail := orders.Shipped, a.ID
	if a.Refused {
		outcome, detail = orders.Undeliverable, a.Reason
	}
	err := s.Trail.Append(tx, audit.Entry{
		OrderID: orderID, Transition: outcome, Step: orders.Ship, Attempt: attempt, Detail: detail, Trace: d.Trace,
	})
	if err != nil {
		return "", err
	}
	reply, err := orders.Reply{OrderID: orderID, Step: orders.Ship, Outcome: outcome, Detail: detail}.Message(Name, d.Trace)
	if err != nil {
		return "", err
	}
	return outcome, s.Box.Add(tx, reply)
}
