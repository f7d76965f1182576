// Package inbox turns a broker's "at least once" into "once": a message that was worked on is not worked on again.
//
// Promise: of all deliveries of one message, exactly one transaction of the handler commits. A message that can never be handled
// does not come back for ever either: after MaxFailures permanent failures it is a dead letter, with all that is needed to look
// into it and send it again.
//
// How: the message's id is a row, written in the same transaction as the work. A delivery whose row says done is only counted. It is
// not enough to look for the row first and work afterwards: two deliveries at once would both find nothing.
//
// Cost: two small writes in a transaction that writes anyway, and a table to prune: not younger than the longest time a message may
// take to come again. Breaks: effects outside the database are not undone by a rollback; for those, see package intent.
//
// It must never know what a message means, or how it is acknowledged: the caller does that after the commit.
package inbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/wreckon/wreckon/reference/message"
	"github.com/wreckon/wreckon/reference/store"
	"github.com/wreckon/wreckon/reference/telemetry"
)

// MaxFailures is how often a message may fail for good before it is set aside.
const MaxFailures = 3

// Schema is the record of messages, and of those set aside.
var Schema = store.Schema{Name: "inbox", SQL: `
	CREATE TABLE inbox (
		id         TEXT PRIMARY KEY,
		deliveries INTEGER NOT NULL,
		failures   INTEGER NOT NULL DEFAULT 0,
		done       INTEGER NOT NULL DEFAULT 0,
		first_at   INTEGER NOT NULL
	) WITHOUT ROWID;
	CREATE TABLE dead_letters (
		id       TEXT PRIMARY KEY,
		order_id TEXT NOT NULL,
		subject  TEXT NOT NULL,
		trace    TEXT NOT NULL,
		payload  BLOB NOT NULL,
		reason   TEXT NOT NULL,
		attempts INTEGER NOT NULL,
		first_at INTEGER NOT NULL,
		dead_at  INTEGER NOT NULL,
		settled  TEXT NOT NULL DEFAULT ''
	)`}

// Inbox is a consumer's record in its own database.
type Inbox struct {
	DB       *store.DB
	Failures int // how often a message may fail for good; 0: MaxFailures
	// Dead does, in the transaction that sets a letter aside, what the rest of the system must hear about it; it may give the
	// letter its OrderID. nil: nothing.
	Dead func(tx *store.Tx, letter *Letter) error
}

// permanent marks an error that no retry will change.
type permanent struct{ error }

func (p permanent) Unwrap() error { return p.error }

// Permanent says that a message failed in a way no retry will change.
func Permanent(err error) error { return permanent{err} }

// Once runs fn in a transaction, unless an earlier delivery's transaction was committed. nil means the message is dealt with, now or
// before or as a dead letter, and can be acknowledged.
func (in *Inbox) Once(ctx context.Context, d message.Delivery, fn func(tx *store.Tx) error) error {
	err := in.DB.Write(ctx, func(tx *store.Tx) error {
		seen, err := in.Arrive(tx, d)
		if err != nil || seen.Done {
			return err
		}
		if err := fn(tx); err != nil {
			return err
		}
		return in.Done(tx, d)
	})
	return in.Failed(ctx, d, err)
}

// Seen is what is known of a message.
type Seen struct {
	Done       bool
	Deliveries int // this one included
	Failures   int
}

// Arrive counts the delivery in tx and says what is known of the message. The broker's own count wins where it is higher: it knows
// deliveries that were killed before they could write anything.
func (in *Inbox) Arrive(tx *store.Tx, d message.Delivery) (Seen, error) {
	var s Seen
	err := tx.Row(`INSERT INTO inbox (id, deliveries, first_at) VALUES (?1, ?2, ?3)
		ON CONFLICT (id) DO UPDATE SET deliveries = CASE WHEN inbox.deliveries < ?2 THEN ?2 ELSE inbox.deliveries + 1 END
		RETURNING done, deliveries, failures`,
		[]any{d.ID, max(1, d.Number), time.Now().UnixMilli()}, &s.Done, &s.Deliveries, &s.Failures)
	if err != nil {
		return s, fmt.Errorf("record delivery of %s: %w", d.ID, err)
	}
	return s, nil
}

// Done marks the message as dealt with, in the transaction that deals with it.
func (in *Inbox) Done(tx *store.Tx, d message.Delivery) error {
	if _, err := tx.Exec(`UPDATE inbox SET done = 1 WHERE id = ?`, d.ID); err != nil {
		return fmt.Errorf("record %s as done: %w", d.ID, err)
	}
	return nil
}

// Failed takes the error of a handler whose transaction was rolled back. A permanent one is counted where it survives a crash, and
// with the last of them the message becomes a dead letter and Failed returns nil. Any other error is returned as it is.
func (in *Inbox) Failed(ctx context.Context, d message.Delivery, failure error) error {
	var p permanent
	if !errors.As(failure, &p) {
		return failure
	}
	err := in.DB.Write(ctx, func(tx *store.Tx) error {
		seen, err := in.Arrive(tx, d)
		if err != nil {
			return err
		}
		if seen.Done {
			failure = nil
			return nil
		}
		if _, err := tx.Exec(`UPDATE inbox SET failures = failures + 1 WHERE id = ?`, d.ID); err != nil {
			return fmt.Errorf("count failure of %s: %w", d.ID, err)
		}
		if seen.Failures+1 < cmp.Or(in.Failures, MaxFailures) {
			return nil
		}
		failure = nil
		tx.After(func() { telemetry.Count(ctx, telemetry.DeadLetters) })
		return in.bury(tx, d, p.Error(), seen.Failures+1)
	})
	if err != nil {
		return err
	}
	return failure
}

// Redeliveries is how many deliveries in db were not the first of their message.
func Redeliveries(ctx context.Context, db *store.DB) (int64, error) {
	return db.Count(ctx, `SELECT coalesce(sum(deliveries - 1), 0) FROM inbox`)
}
