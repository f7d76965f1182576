// Package saga carries an order through its steps, and back if one of them cannot be done.
//
// Promise: every order that was created ends, as completed, compensated or quarantined; a step is asked for only after the one before it
// is known to be done; what was done is undone in reverse order.
//
// How: a table says what each reply means in each state. One transaction notes the reply in the log, moves the saga on and puts the next
// command into the outbox; so a crash finds the saga before the step or after it, with its command on the way, never between.
//
// A step that was set aside is for a person: the saga rests as quarantined, and goes on, or gives up, when one has decided.
//
// An order may say until when it is wanted. From then on no further step of it is begun, and what was done is undone; a step that was asked for
// before is waited for, and an order whose last step was asked for in time is completed, however late.
//
// There are no timeouts: a saga that has waited long does not know more than one that has waited briefly, and compensating a step that
// may yet happen is how money gets lost. Cost: an order is as slow as its slowest step. Breaks: a participant that never answers holds
// its orders open; they are listed, not guessed about.
//
// It must never know how a step is done.
package saga

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/wreckon/wreckon/reference/audit"
	"github.com/wreckon/wreckon/reference/inbox"
	"github.com/wreckon/wreckon/reference/message"
	"github.com/wreckon/wreckon/reference/orders"
	"github.com/wreckon/wreckon/reference/outbox"
	"github.com/wreckon/wreckon/reference/store"
	"github.com/wreckon/wreckon/reference/telemetry"
)

// Schema is where each saga is, and the log of how it came there.
var Schema = store.Schema{Name: "saga", SQL: `
	CREATE TABLE sagas (
		order_id TEXT PRIMARY KEY,
		state    TEXT NOT NULL,
		ended    INTEGER NOT NULL DEFAULT 0,
		asked    TEXT NOT NULL DEFAULT '',
		trace    TEXT NOT NULL,
		amount   INTEGER NOT NULL,
		body     BLOB NOT NULL
	) WITHOUT ROWID;
	CREATE INDEX sagas_open ON sagas (order_id) WHERE ended = 0;
	CREATE TABLE saga_log (
		n        INTEGER PRIMARY KEY,
		order_id TEXT NOT NULL,
		event    TEXT NOT NULL,
		state    TEXT NOT NULL,
		at       INTEGER NOT NULL
	)`}

// The states between the steps. A saga ends in a state of its order.
const (
	Reserving = "reserving"
	Charging  = "charging"
	Shipping  = "shipping"
	Refunding = "refunding"
	Releasing = "releasing"
)

// Move is what a reply means: the state it leads to, and the step to ask for next; none if the saga has ended.
type Move struct{ State, Ask string }

// Moves says what each reply means in each state.
type Moves map[string]map[string]Move

// Forward is the whole life of an order: forward as long as it goes, and back in reverse order.
var Forward = Moves{
	Reserving: {
		orders.Reserved:   {Charging, orders.Charge},
		orders.OutOfStock: {orders.Compensated, ""},
	},
	Charging: {
		orders.Charged:  {Shipping, orders.Ship},
		orders.Declined: {Releasing, orders.Release},
	},
	Shipping: {
		orders.Shipped:       {orders.Completed, ""},
		orders.Undeliverable: {Refunding, orders.Refund},
	},
	Refunding: {orders.Refunded: {Releasing, orders.Release}},
	Releasing: {orders.Released: {orders.Compensated, ""}},
}

// Overdue is Forward where there is no time left for the next step: what was done is undone.
var Overdue = Moves{
	Reserving: {orders.Reserved: {Releasing, orders.Release}},
	Charging:  {orders.Charged: {Refunding, orders.Refund}},
}

// asking is where a saga stands that has asked for a step.
var asking = map[string]string{
	orders.Reserve: Reserving, orders.Charge: Charging, orders.Ship: Shipping, orders.Refund: Refunding, orders.Release: Releasing,
}

// ErrEarly says that a person's decision has overtaken the news that there was something to decide. It comes again.
var ErrEarly = errors.New("the order is not set aside yet")

// next finds the move for a reply. A command that could not be worked on ends the saga wherever it is, until a person decides.
func (moves Moves) next(state string, r orders.Reply) (m Move, ok bool, err error) {
	_, open := moves[state]
	decided := r.Outcome == orders.Retry || r.Outcome == orders.GiveUp
	switch {
	case open && r.Outcome == orders.SetAside:
		return Move{orders.Quarantined, ""}, true, nil
	case decided && state == asking[r.Step]:
		return m, false, ErrEarly
	case state == orders.Quarantined && r.Outcome == orders.Retry:
		return Move{asking[r.Step], r.Step}, true, nil
	case state == orders.Quarantined && r.Outcome == orders.GiveUp:
		return Move{orders.Compensated, ""}, true, nil
	}
	m, ok = moves[state][r.Outcome]
	return m, ok, nil
}

// Orchestrator carries orders through.
type Orchestrator struct {
	DB    *store.DB
	Inbox *inbox.Inbox
	Box   *outbox.Box
	Trail audit.Trail
	Moves Moves // see Forward
	Late  Moves // in place of Moves where an order's time is up; see Overdue
	Keep  Keep  // see Table
	Log   *slog.Logger
}

// Created takes an orders.created event and begins.
func (o *Orchestrator) Created(ctx context.Context, d message.Delivery) error {
	return o.Inbox.Once(ctx, d, func(tx *store.Tx) error {
		order, err := orders.Decode[orders.Order](d.Message)
		if err != nil {
			return err
		}
		telemetry.About(ctx, telemetry.Job{ID: order.OrderID})
		added, err := o.Keep.Begin(tx, order, d)
		if err != nil {
			return fmt.Errorf("begin saga: %w", err)
		}
		if !added {
			return nil // begun already
		}
		s := saga{order: order, trace: d.Trace, attempt: d.Number}
		if err := o.log(tx, s, "created", Reserving); err != nil {
			return err
		}
		if err := o.audit(tx, s, "started", ""); err != nil {
			return err
		}
		if order.Overdue(time.Now()) { // nothing was done
			s.state = Reserving
			tx.After(func() { telemetry.Count(ctx, telemetry.Overdue) })
			return o.move(tx, s, Move{orders.Compensated, ""}, orders.Reply{Outcome: orders.Overdue})
		}
		return o.ask(tx, s, orders.Reserve)
	})
}

// saga is one order under way.
type saga struct {
	order   orders.Order
	state   string
	trace   string
	attempt int
}

// Replied takes a reply and moves on.
func (o *Orchestrator) Replied(ctx context.Context, d message.Delivery) error {
	return o.Inbox.Once(ctx, d, func(tx *store.Tx) error {
		reply, err := orders.Decode[orders.Reply](d.Message)
		if err != nil {
			return err
		}
		telemetry.About(ctx, telemetry.Job{ID: reply.OrderID})
		s, err := o.load(tx, reply.OrderID)
		if err != nil {
			return err
		}
		s.attempt = d.Number
		if op := telemetry.Of(ctx); op.Recorded() { // what follows is caused by this reply
			s.trace = op.Trace()
		}
		m, ok, err := o.Moves.next(s.state, reply)
		if err != nil {
			return err
		}
		if !ok {
			// A reply to a step that is over: sent twice under two ids. It was heard the first time.
			o.Log.InfoContext(ctx, "reply does not fit", "order", reply.OrderID, "state", s.state, "outcome", reply.Outcome)
			return nil
		}
		if back, next := o.Late[s.state][reply.Outcome]; next && s.order.Overdue(time.Now()) {
			m, reply.Outcome = back, orders.Overdue
			tx.After(func() { telemetry.Count(ctx, telemetry.Overdue) })
		}
		return o.move(tx, s, m, reply)
	})
}

func (o *Orchestrator) load(tx *store.Tx, id string) (s saga, err error) {
	var body []byte
	s.state, s.trace, body, err = o.Keep.Load(tx, id)
	if errors.Is(err, sql.ErrNoRows) {
		return s, inbox.Permanent(fmt.Errorf("load saga of order %q: %w", id, err))
	}
	if err == nil {
		err = json.Unmarshal(body, &s.order)
	}
	if err != nil {
		return s, fmt.Errorf("load saga of order %q: %w", id, err)
	}
	return s, nil
}

func (o *Orchestrator) move(tx *store.Tx, s saga, m Move, reply orders.Reply) error {
	ended := m.Ask == ""
	if err := o.Keep.Move(tx, s.order.OrderID, m); err != nil {
		return fmt.Errorf("move saga: %w", err)
	}
	if err := o.log(tx, s, reply.Outcome, m.State); err != nil {
		return err
	}
	if ended {
		return o.end(tx, s, m.State, reply)
	}
	if forward(s.state) && !forward(m.State) {
		if err := o.audit(tx, s, "compensating", reply.Outcome); err != nil {
			return err
		}
	}
	return o.ask(tx, s, m.Ask)
}

func forward(state string) bool { return state == Reserving || state == Charging || state == Shipping }

func (o *Orchestrator) end(tx *store.Tx, s saga, state string, reply orders.Reply) error {
	if err := o.audit(tx, s, "ended", state); err != nil {
		return err
	}
	closed := orders.Closed{OrderID: s.order.OrderID, State: state, Detail: reply.Outcome}
	if reply.Detail != "" {
		closed.Detail += ": " + reply.Detail
	}
	m, err := closed.Message(s.trace)
	if err != nil {
		return err
	}
	return o.Box.Add(tx, m)
}

func (o *Orchestrator) ask(tx *store.Tx, s saga, step string) error {
	m, err := s.order.Command(step, s.trace)
	if err != nil {
		return err
	}
	return o.Box.Add(tx, m)
}

func (o *Orchestrator) log(tx *store.Tx, s saga, event, state string) error {
	_, err := tx.Exec(`INSERT INTO saga_log (order_id, event, state, at) VALUES (?, ?, ?, ?)`,
		s.order.OrderID, event, state, time.Now().UnixMilli())
	if err != nil {
		return fmt.Errorf("write saga log: %w", err)
	}
	return nil
}

func (o *Orchestrator) audit(tx *store.Tx, s saga, transition, detail string) error {
	return o.Trail.Append(tx, audit.Entry{
		OrderID: s.order.OrderID, Transition: transition, Attempt: s.attempt, Detail: detail, Trace: s.trace,
	})
}
