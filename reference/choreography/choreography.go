// Package choreography carries an order through its steps without anybody who would see all of them: each service hears what the others
// have done, and does what follows.
//
// Promise: the same as that of package saga. Every order ends; a step is done only after the one before it; what was done is undone in
// reverse order.
//
// How: for each service a table says which news means which step of its own. The step is done once for each piece of news, as a command
// would be, and its outcome is news again. News does not hold the order; each service keeps a copy of every order that it has heard of,
// and news of one that it has not heard of yet comes again later: two streams have no order between them.
//
// Cost: a copy of each order in each service; and to know where an order is, one must ask everybody, or wait until it has ended. What
// follows what stands in as many tables as there are services: a new step changes several. Breaks: there is nobody who could notice that
// news has no reader.
//
// It must never know how a step is done.
package choreography

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/wreckon/wreckon/reference/broker"
	"github.com/wreckon/wreckon/reference/inbox"
	"github.com/wreckon/wreckon/reference/message"
	"github.com/wreckon/wreckon/reference/orders"
	"github.com/wreckon/wreckon/reference/store"
)

// Schema is the copies of the orders that a service has heard of.
var Schema = store.Schema{Name: "choreography", SQL: `
	CREATE TABLE heard (order_id TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID`}

// Steps says which outcome, told by whomever, means which step.
type Steps map[string]string

// What follows what: forward as long as it goes, and back in reverse order. A reservation follows the order itself.
var (
	Inventory = Steps{orders.Declined: orders.Release, orders.Refunded: orders.Release}
	Payments  = Steps{orders.Reserved: orders.Charge, orders.Undeliverable: orders.Refund}
	Shipping  = Steps{orders.Charged: orders.Ship}
)

// ErrEarly says that news has overtaken the order that it is about. It comes again.
var ErrEarly = errors.New("the order is not known yet")

// Dancer is a service's part: it listens to the others, and has its own steps done.
type Dancer struct {
	DB    *store.DB
	Inbox *inbox.Inbox
	Steps Steps
	First string         // the step that an order begins with, where it is one of ours
	Do    broker.Handler // does a step as if it had been commanded to
}

// Listen makes the handler of what other services tell; see News.
type Listen func(*Dancer) broker.Handler

// Created takes the news that an order is there.
func (a *Dancer) Created(ctx context.Context, d message.Delivery) error {
	order, err := orders.Decode[orders.Order](d.Message)
	if err != nil {
		return a.Inbox.Failed(ctx, d, err)
	}
	err = a.DB.Write(ctx, func(tx *store.Tx) error {
		_, err := tx.Exec(`INSERT INTO heard (order_id, body) VALUES (?, ?) ON CONFLICT DO NOTHING`, order.OrderID, d.Data)
		return err
	})
	if err != nil {
		return fmt.Errorf("keep copy of order %s: %w", order.OrderID, err)
	}
	if a.First == "" {
		return nil
	}
	return a.Step(ctx, d, a.First, order.OrderID)
}

// News is the handler that does what follows, or nothing where nothing does.
func News(a *Dancer) broker.Handler {
	return func(ctx context.Context, d message.Delivery) error {
		r, err := orders.Decode[orders.Reply](d.Message)
		if err != nil {
			return a.Inbox.Failed(ctx, d, err)
		}
		step := a.follows(r)
		if step == "" {
			return nil
		}
		return a.Step(ctx, d, step, r.OrderID)
	}
}

// follows is the step that an outcome means; "": none of ours. What a person wants to be tried again is done by whoever has set it aside.
func (a *Dancer) follows(r orders.Reply) string {
	if r.Outcome == orders.Retry && (r.Step == a.First || a.does(r.Step)) {
		return r.Step
	}
	return a.Steps[r.Outcome]
}

func (a *Dancer) does(step string) bool {
	for _, own := range a.Steps {
		if own == step {
			return true
		}
	}
	return false
}

// Step has one step of an order done, as what a piece of news means. The news is what the step is known by when it comes again.
func (a *Dancer) Step(ctx context.Context, d message.Delivery, step, orderID string) error {
	var body []byte
	err := a.DB.Row(ctx, `SELECT body FROM heard WHERE order_id = ?`, []any{orderID}, &body)
	if errors.Is(err, sql.ErrNoRows) {
		return ErrEarly
	}
	if err != nil {
		return fmt.Errorf("read copy of order %s: %w", orderID, err)
	}
	d.Subject, d.Data = orders.CommandSubject(step), body
	return a.Do(ctx, d)
}

// ends says which outcome ends an order, and in which state.
var ends = map[string]string{
	orders.Shipped: orders.Completed, orders.Released: orders.Compensated, orders.OutOfStock: orders.Compensated,
	orders.SetAside: orders.Quarantined, orders.GiveUp: orders.Compensated,
}

// Ends hands the news that ends an order to whoever closes orders, as the event that an orchestrator would send.
func Ends(in *inbox.Inbox, closed broker.Handler) broker.Handler {
	return func(ctx context.Context, d message.Delivery) error {
		r, err := orders.Decode[orders.Reply](d.Message)
		if err != nil {
			return in.Failed(ctx, d, err)
		}
		state, ok := ends[r.Outcome]
		if !ok {
			return nil
		}
		data, err := json.Marshal(orders.Closed{OrderID: r.OrderID, State: state, Detail: r.Outcome})
		if err != nil {
			return fmt.Errorf("close order %s: %w", r.OrderID, err)
		}
		d.Subject, d.Data = orders.SubjectClosed, data
		return closed(ctx, d)
	}
}
