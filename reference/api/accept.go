// Package api is the front of the order service: it accepts orders, says how they are, and lets clients change their notes.
//
// Promise: an order that was acknowledged is in the database, and so is the event that sets everything else in motion, and the audit
// entry that says so. A request may be repeated under its Idempotency-Key as often as the client likes. A 4xx answer means that nothing
// happened; a 5xx, like no answer, that the client cannot know and should repeat.
//
// It must never know how an order is carried out, only how it ended.
package api

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/wreckon/wreckon/reference/audit"
	"github.com/wreckon/wreckon/reference/idempotency"
	"github.com/wreckon/wreckon/reference/message"
	"github.com/wreckon/wreckon/reference/orders"
	"github.com/wreckon/wreckon/reference/outbox"
	"github.com/wreckon/wreckon/reference/policy"
	"github.com/wreckon/wreckon/reference/store"
)

// Schema is the table of orders.
var Schema = store.Schema{Name: "orders", SQL: `
	CREATE TABLE orders (
		order_id TEXT PRIMARY KEY,
		state    TEXT NOT NULL,
		version  INTEGER NOT NULL,
		note     TEXT NOT NULL DEFAULT '',
		trace    TEXT NOT NULL,
		amount   INTEGER NOT NULL,
		body     BLOB NOT NULL
	) WITHOUT ROWID;
	CREATE INDEX orders_pending ON orders (order_id) WHERE state = 'pending'`}

// Announce makes the event of a new order go out if, and only if, commit does. add puts what it adds into commit's transaction.
type Announce func(ctx context.Context, event message.Message, commit Commit) error

// Commit runs the transaction that accepts an order, with also as a part of it.
type Commit func(ctx context.Context, also func(tx *store.Tx) error) error

// NewAnnounce makes an Announce; see ThroughOutbox.
type NewAnnounce func(db *store.DB, box *outbox.Box, pub outbox.Publisher) Announce

// ThroughOutbox announces by a row in the same transaction. No broker is needed to accept an order.
func ThroughOutbox(_ *store.DB, box *outbox.Box, _ outbox.Publisher) Announce {
	return func(ctx context.Context, event message.Message, commit Commit) error {
		return commit(ctx, func(tx *store.Tx) error { return box.Add(tx, event) })
	}
}

// Request is an order as it is asked for.
type Request struct {
	Key         string // the client's, the same for every repeat
	Fingerprint string // of the body
	Trace       string
	Order       orders.Order
	Body        []byte
	Answer      []byte // for the client, if it is new
}

// Enter puts the order of a request into the table as a part of tx. before is the answer that the key got earlier: then nothing is to be
// done. See ByKey.
type Enter func(tx *store.Tx, r Request) (before []byte, err error)

// ByKey enters an order once for each key, and remembers the answer with it.
func ByKey(tx *store.Tx, r Request) (before []byte, err error) {
	before, err = idempotency.Claim(tx, r.Key, r.Fingerprint, r.Answer)
	if err != nil || before != nil {
		return before, err
	}
	added, err := tx.Exec(`INSERT INTO orders (order_id, state, version, trace, amount, body) VALUES (?, ?, 1, ?, ?, ?) ON CONFLICT DO NOTHING`,
		r.Order.OrderID, orders.Pending, r.Trace, r.Order.Amount, r.Body)
	if err != nil {
		return nil, fmt.Errorf("insert order: %w", err)
	}
	if added == 0 {
		return nil, ErrTaken
	}
	return nil, nil
}

// Admit accepts an order if the gate is open; see AskFirst.
type Admit func(gate, accept func() error) error

// AskFirst has nothing happen where the gate is shut.
func AskFirst(gate, accept func() error) error {
	if err := gate(); err != nil {
		return err
	}
	return accept()
}

// Service is the order service's front, without its HTTP.
type Service struct {
	DB       *store.DB
	Trail    audit.Trail
	Enter    Enter
	Announce Announce
	Read     Read
	Print    Print
	Gate     *policy.Gate // keeps orders out while too much waits to be sent
	Admit    Admit
	Unsure   int // status of an answer that says that nobody knows: 503, or clients take it for something else
}

// Print is what a request is known by beside its key; see idempotency.Fingerprint.
type Print func(payload []byte) string

// Read reads an order; see FromTable.
type Read func(ctx context.Context, db *store.DB, id string) (Status, error)

// FromTable reads an order where it is written.
func FromTable(ctx context.Context, db *store.DB, id string) (Status, error) {
	st := Status{OrderID: id}
	err := db.Row(ctx, `SELECT state, version, note FROM orders WHERE order_id = ?`, []any{id}, &st.State, &st.Version, &st.Note)
	if err != nil {
		return Status{}, unknown(err)
	}
	return st, nil
}

// What a client did wrong, so that nothing happened.
var (
	ErrTaken   = errors.New("order exists already, under another idempotency key")
	ErrUnknown = errors.New("no such order")
)

// Status is an order as clients see it.
type Status struct {
	OrderID string `json:"order_id"`
	State   string `json:"state"`
	Version uint64 `json:"version"`
	Note    string `json:"note"`
}

// Accept takes an order, once for each key, and returns the answer that every request with this key gets.
func (s *Service) Accept(ctx context.Context, key, trace string, o orders.Order) (answer []byte, err error) {
	body, err := json.Marshal(o)
	if err != nil {
		return nil, fmt.Errorf("accept order: %w", err)
	}
	fingerprint := s.Print(body)
	// A repeat is answered without a transaction. It may also slip past here, while the first is being carried out: see below.
	if before, err := idempotency.Lookup(ctx, s.DB, key, fingerprint); err != nil || before != nil {
		return before, err
	}
	event, err := o.Created(trace)
	if err != nil {
		return nil, fmt.Errorf("accept order: %w", err)
	}
	fresh, err := json.Marshal(struct {
		OrderID string `json:"order_id"`
		State   string `json:"state"`
		Version uint64 `json:"version"`
	}{o.OrderID, orders.Pending, 1})
	if err != nil {
		return nil, fmt.Errorf("accept order: %w", err)
	}
	request := Request{Key: key, Fingerprint: fingerprint, Trace: trace, Order: o, Body: body, Answer: fresh}
	accept := func(ctx context.Context, also func(*store.Tx) error) error {
		return s.DB.Write(ctx, func(tx *store.Tx) error {
			before, err := s.Enter(tx, request)
			if err != nil {
				return err
			}
			if answer = fresh; before != nil {
				answer = before
				return nil
			}
			if err := also(tx); err != nil {
				return err
			}
			return s.Trail.Append(tx, audit.Entry{OrderID: o.OrderID, Transition: "accepted", Attempt: 1, Trace: trace})
		})
	}
	// A repeat of what was accepted is never turned away; only what is new is.
	err = s.Admit(func() error { return s.Gate.Admit(ctx) }, func() error { return s.Announce(ctx, event, accept) })
	if err != nil {
		return nil, fmt.Errorf("accept order: %w", err)
	}
	return answer, nil
}

// Amend changes the note of an order if its version is still the one given. If it is not, changed is false, and the status is how the
// order is now.
func (s *Service) Amend(ctx context.Context, id string, version uint64, note string) (st Status, changed bool, err error) {
	err = s.DB.Write(ctx, func(tx *store.Tx) error {
		st = Status{OrderID: id}
		var trace string
		err := tx.Row(`SELECT state, version, note, trace FROM orders WHERE order_id = ?`, []any{id}, &st.State, &st.Version, &st.Note, &trace)
		if err != nil {
			return unknown(err)
		}
		if changed = st.Version == version; !changed {
			return nil
		}
		st.Version, st.Note = version+1, note
		if _, err := tx.Exec(`UPDATE orders SET version = ?, note = ? WHERE order_id = ?`, st.Version, note, id); err != nil {
			return fmt.Errorf("update order: %w", err)
		}
		return s.Trail.Append(tx, audit.Entry{
			OrderID: id, Transition: "amended", Attempt: 1, Detail: fmt.Sprintf("version %d", st.Version), Trace: trace,
		})
	})
	if err != nil {
		return Status{}, false, fmt.Errorf("amend order: %w", err)
	}
	return st, changed, nil
}

func unknown(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return ErrUnknown
	}
	return fmt.Errorf("read order: %w", err)
}

// Open is how many orders have not ended.
func (s *Service) Open(ctx context.Context) (int64, error) {
	return s.DB.Count(ctx, `SELECT count(*) FROM orders WHERE state = 'pending'`)
}
