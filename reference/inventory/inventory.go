// Package inventory keeps the stock: it reserves what an order needs, and releases what an order gives back.
//
// Promise: a reservation is made once for each order, however often it is asked for; what is on hand and what is reserved always add up
// to what was delivered; an order gets all it asks for or nothing.
//
// How: the effect is in our own database, so it, the reply and the audit entry are one transaction with the inbox, and there is nothing
// that could be half done. This is the simple kind of participant; package intent is for the other kind.
//
// It must never know why somebody wants the goods.
package inventory

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/wreckon/wreckon/reference/audit"
	"github.com/wreckon/wreckon/reference/inbox"
	"github.com/wreckon/wreckon/reference/message"
	"github.com/wreckon/wreckon/reference/orders"
	"github.com/wreckon/wreckon/reference/outbox"
	"github.com/wreckon/wreckon/reference/store"
	"github.com/wreckon/wreckon/reference/telemetry"
)

// Name is the service's name in replies.
const Name = "inventory"

// Schema is the stock and who has reserved what of it. Two records are there from the beginning: a product that is sold out, and one
// whose record was damaged, as records are in every warehouse.
var Schema = store.Schema{Name: "stock", SQL: `
	CREATE TABLE stock (
		sku       TEXT PRIMARY KEY,
		delivered INTEGER NOT NULL,
		on_hand   INTEGER NOT NULL,
		reserved  INTEGER NOT NULL DEFAULT 0
	) WITHOUT ROWID;
	INSERT INTO stock (sku, delivered, on_hand) VALUES ('none-left', 0, 0), ('poison', 0, -1);
	CREATE TABLE reservations (
		order_id TEXT PRIMARY KEY,
		sku      TEXT NOT NULL,
		quantity INTEGER NOT NULL,
		in_force INTEGER NOT NULL
	) WITHOUT ROWID`}

// delivered is how much of a product there is when it is first asked for.
const delivered = 1_000_000_000

// Shift moves quantity of a product from the shelf to the reserved pile as part of tx, or back if it is negative.
type Shift func(tx *store.Tx, sku string, quantity int) error

// NewShift makes the Shift of a warehouse; see InPlace.
type NewShift func(db *store.DB) Shift

// InPlace counts in the transaction that makes or gives back the reservation.
func InPlace(*store.DB) Shift {
	return func(tx *store.Tx, sku string, quantity int) error {
		_, err := tx.Exec(`UPDATE stock SET on_hand = on_hand - ?1, reserved = reserved + ?1 WHERE sku = ?2`, quantity, sku)
		if err != nil {
			return fmt.Errorf("move stock: %w", err)
		}
		return nil
	}
}

// Warehouse does inventory commands.
type Warehouse struct {
	DB    *store.DB
	Shift Shift
	Inbox *inbox.Inbox
	Box   *outbox.Box
	Trail audit.Trail
}

// Handle takes one command.
func (w *Warehouse) Handle(ctx context.Context, d message.Delivery) error {
	return w.Inbox.Once(ctx, d, func(tx *store.Tx) error {
		order, err := orders.Decode[orders.Order](d.Message)
		if err != nil {
			return err
		}
		step := orders.StepOf(d.Subject)
		telemetry.About(ctx, telemetry.Job{ID: order.OrderID + "/" + step, Parent: order.OrderID})
		switch step {
		case orders.Reserve:
			return w.reserve(tx, d, order)
		case orders.Release:
			return w.release(tx, d, order)
		default:
			return inbox.Permanent(fmt.Errorf("no such inventory command: %s", step))
		}
	})
}

func (w *Warehouse) reserve(tx *store.Tx, d message.Delivery, o orders.Order) error {
	if has, _, err := reservation(tx, o.OrderID); err != nil || has {
		return err // reserved, and answered, before: the same command under another id
	}
	onHand, err := stock(tx, o.SKU)
	if err != nil {
		return err
	}
	if onHand < o.Quantity {
		return w.tell(tx, d, o, orders.Reserve, orders.OutOfStock)
	}
	if err := w.Shift(tx, o.SKU, o.Quantity); err != nil {
		return err
	}
	_, err = tx.Exec(`INSERT INTO reservations (order_id, sku, quantity, in_force) VALUES (?, ?, ?, 1)`, o.OrderID, o.SKU, o.Quantity)
	if err != nil {
		return fmt.Errorf("reserve stock: %w", err)
	}
	return w.tell(tx, d, o, orders.Reserve, orders.Reserved)
}

func (w *Warehouse) release(tx *store.Tx, d message.Delivery, o orders.Order) error {
	_, inForce, err := reservation(tx, o.OrderID)
	if err != nil || !inForce {
		return err
	}
	if err := w.Shift(tx, o.SKU, -o.Quantity); err != nil {
		return err
	}
	if _, err := tx.Exec(`UPDATE reservations SET in_force = 0 WHERE order_id = ?`, o.OrderID); err != nil {
		return fmt.Errorf("release stock: %w", err)
	}
	return w.tell(tx, d, o, orders.Release, orders.Released)
}

func reservation(tx *store.Tx, id string) (exists, inForce bool, err error) {
	err = tx.Row(`SELECT in_force FROM reservations WHERE order_id = ?`, []any{id}, &inForce)
	if errors.Is(err, sql.ErrNoRows) {
		return false, false, nil
	}
	if err != nil {
		return false, false, fmt.Errorf("read reservation: %w", err)
	}
	return true, inForce, nil
}

// stock is how much of a product is on hand.
func stock(tx *store.Tx, sku string) (onHand int, err error) {
	_, err = tx.Exec(`INSERT INTO stock (sku, delivered, on_hand) VALUES (?1, ?2, ?2) ON CONFLICT DO NOTHING`, sku, delivered)
	if err != nil {
		return 0, fmt.Errorf("read stock: %w", err)
	}
	if err := tx.Row(`SELECT on_hand FROM stock WHERE sku = ?`, []any{sku}, &onHand); err != nil {
		return 0, fmt.Errorf("read stock: %w", err)
	}
	if onHand < 0 {
		return 0, inbox.Permanent(fmt.Errorf("read stock: record of %q is damaged: %d on hand", sku, onHand))
	}
	return onHand, nil
}

func (w *Warehouse) tell(tx *store.Tx, d message.Delivery, o orders.Order, step, outcome string) error {
	err := w.Trail.Append(tx, audit.Entry{
		OrderID: o.OrderID, Transition: outcome, Step: orders.Reserve, Attempt: d.Number, Trace: d.Trace,
	})
	if err != nil {
		return err
	}
	reply, err := orders.Reply{OrderID: o.OrderID, Step: step, Outcome: outcome}.Message(Name, d.Trace)
	if err != nil {
		return err
	}
	return w.Box.Add(tx, reply)
}
