// Package outbox sends messages that are true: a message leaves if, and only if, the transaction that wrote it committed.
//
// Promise: every message added in a committed transaction is published at least once, the messages of one lane in the order in
// which they were committed. A message of a transaction that rolled back is never published.
//
// How: Add writes a row in the caller's transaction. A Relay reads the rows that are not marked as sent, oldest first, publishes
// each and waits for the broker's word that it is stored, and only then marks it. If it dies between the two, the row is published
// again under the same id: the broker drops that copy if it is quick, the consumer's inbox if it is not.
//
// The relay asks for rows that are not sent, never for rows after the last one it saw. Remembering a position loses messages
// wherever a transaction with a lower id can commit after one with a higher id. In SQLite it cannot; the query costs nothing more,
// and survives the move to a database where it can.
//
// Cost: a write for each message and another to mark it, a few milliseconds of polling where the relay is another process, and a
// table of sent rows to prune in a quiet hour. Breaks: nothing here deduplicates; without an inbox at the other end, at least once
// is what you get.
//
// It must never know what the messages mean, nor which broker takes them.
package outbox

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/wreckon/wreckon/reference/message"
	"github.com/wreckon/wreckon/reference/store"
)

// Schema is the table of messages. Rows are found by the partial index, so that sent ones cost nothing.
var Schema = store.Schema{Name: "outbox", SQL: `
	CREATE TABLE outbox (
		id       INTEGER PRIMARY KEY AUTOINCREMENT,
		msg_id   TEXT NOT NULL,
		subject  TEXT NOT NULL,
		trace    TEXT NOT NULL,
		data     BLOB NOT NULL,
		bulk     INTEGER NOT NULL,
		added_at INTEGER NOT NULL,
		sent_at  INTEGER
	);
	CREATE INDEX outbox_unsent ON outbox (id) WHERE sent_at IS NULL`}

// Box is where a service puts its messages. Its zero value is not usable: see NewBox.
type Box struct {
	sender string
	added  chan struct{}
}

// NewBox is the outbox of a sender, whose name makes the message ids unique among all senders.
func NewBox(sender string) *Box {
	return &Box{sender: sender, added: make(chan struct{}, 1)}
}

// Added is signalled, soon after, when rows were committed in this process.
func (b *Box) Added() <-chan struct{} { return b.added }

// Add puts m into the outbox as part of tx. An empty ID is replaced by the sender and the row.
func (b *Box) Add(tx *store.Tx, m message.Message) error { return b.add(tx, m, 0) }

// AddBulk is Add for the lane where order and completeness count and delay does not: the relay sends many of these as one message,
// their Data as lines.
func (b *Box) AddBulk(tx *store.Tx, m message.Message) error { return b.add(tx, m, 1) }

func (b *Box) add(tx *store.Tx, m message.Message, bulk int) error {
	_, err := tx.Exec(`INSERT INTO outbox (msg_id, subject, trace, data, bulk, added_at) VALUES (?, ?, ?, ?, ?, ?)`,
		m.ID, m.Subject, m.Trace, m.Data, bulk, time.Now().UnixMilli())
	if err != nil {
		return fmt.Errorf("add to outbox: %w", err)
	}
	tx.After(b.signal)
	return nil
}

func (b *Box) signal() {
	select {
	case b.added <- struct{}{}:
	default:
	}
}

// Unsent is how many messages wait in db.
func Unsent(ctx context.Context, db *store.DB) (int64, error) {
	return db.Count(ctx, `SELECT count(*) FROM outbox WHERE sent_at IS NULL`)
}

// Lag is for how long the oldest of them has waited.
func Lag(ctx context.Context, db *store.DB) (time.Duration, error) {
	since, err := db.Count(ctx, `SELECT coalesce(min(added_at), 0) FROM outbox WHERE sent_at IS NULL`)
	if err != nil || since == 0 {
		return 0, err
	}
	return max(0, time.Since(time.UnixMilli(since))), nil
}

// Row is one message in the table.
type Row struct {
	ID   int64
	Bulk bool
	message.Message
}

// Pick is a condition on the rows that a relay takes, the oldest first; see Unmarked.
type Pick string

// Unmarked takes what is not marked as sent, however late it has come.
const Unmarked Pick = `sent_at IS NULL`

func read(ctx context.Context, db *store.DB, pick Pick, sender string, limit int) ([]Row, error) {
	rows, err := db.Query(ctx, `SELECT id, msg_id, subject, trace, data, bulk FROM outbox WHERE `+string(pick)+` ORDER BY id LIMIT ?`, limit)
	if err != nil {
		return nil, fmt.Errorf("read outbox: %w", err)
	}
	defer rows.Close()
	var batch []Row
	for rows.Next() {
		var r Row
		if err := rows.Scan(&r.ID, &r.Message.ID, &r.Subject, &r.Trace, &r.Data, &r.Bulk); err != nil {
			return nil, fmt.Errorf("read outbox: %w", err)
		}
		if r.Message.ID == "" {
			r.Message.ID = sender + "-" + strconv.FormatInt(r.ID, 10)
		}
		batch = append(batch, r)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read outbox: %w", err)
	}
	return batch, nil
}
