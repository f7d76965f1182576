// Package audit is a service's record of what it did: one entry for each transition, in one gapless hash chain.
//
// Promise: a transition and its entry are committed together or not at all; entries are numbered 1, 2, 3 without a gap; and every
// entry's hash covers the one before it, so that one that was changed, dropped or slipped in later shows. Entries leave the
// service through its outbox, so the trail arrives complete, if late.
//
// How: Append reads the head of the chain and writes the next link inside the caller's transaction. Cost: the chain is one more
// place where writers of a service must queue; with one writer per file they do that anyway. Breaks: whoever can rewrite the whole
// file can rewrite the whole chain, or cut its end off, and the chain alone does not show it. Therefore the service that collects the trails
// writes a Checkpoint over all of them every now and then: of each source how many entries there are, and one hash over the last of each. To hide
// something, all trails must be rewritten, and that of the checkpoints; give their hashes to somebody else if that is your adversary.
//
// It must never know what the transitions mean.
package audit

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/wreckon/wreckon/reference/message"
	"github.com/wreckon/wreckon/reference/outbox"
	"github.com/wreckon/wreckon/reference/store"
)

// Schema is the chain of one source.
var Schema = store.Schema{Name: "audit", SQL: `
	CREATE TABLE audit (seq INTEGER PRIMARY KEY, hash TEXT NOT NULL, body TEXT NOT NULL)`}

// Entry says that something happened to an order.
type Entry struct {
	OrderID    string
	Transition string // accepted, charged, ...
	Step       string // of the order: charge, ship; "" for the order itself
	Attempt    int    // which delivery of the command led here, from 1
	Detail     string
	Trace      string
	Actor      string // who did it, where a person did
	Amount     int64  // what it was about, where that decides who may

	Checkpoint *Checkpoint // of all trails, where the entry is one
}

// Body is what is hashed, with its fields in the order in which they are written.
type Body struct {
	Source     string `json:"source"`
	Seq        uint64 `json:"seq"`
	At         string `json:"at"`
	OrderID    string `json:"order_id"`
	Transition string `json:"transition"`
	Step       string `json:"step"`
	Attempt    int    `json:"attempt"`
	Detail     string `json:"detail"`
	Trace      string `json:"trace"`
	Actor      string `json:"actor,omitempty"`
	Amount     int64  `json:"amount,omitempty"`

	Checkpoint *Checkpoint `json:"checkpoint,omitempty"`
}

// Line is an entry as it travels and as it is served. Body is the exact text that was hashed.
type Line struct {
	Cursor int64  `json:"cursor,omitempty"` // position in the audit service's own store, from 1
	Source string `json:"source"`
	Seq    uint64 `json:"seq"`
	Hash   string `json:"hash"`
	Body   string `json:"body"`
}

// Hash is a link: hex(sha256(prev + "\n" + body)). The first prev is "".
func Hash(prev, body string) string {
	sum := sha256.Sum256([]byte(prev + "\n" + body))
	return hex.EncodeToString(sum[:])
}

// Trail is where a service writes its entries.
type Trail interface {
	// Append records e as part of tx.
	Append(tx *store.Tx, e Entry) error
	// Run does what the trail has to do beside that, until ctx ends.
	Run(ctx context.Context) error
}

// Open makes the trail of a source; see Transactional. box and pub are ways out of the service: nil where it has no broker, and the trail is read
// where it is written.
type Open func(source string, db *store.DB, box *outbox.Box, pub outbox.Publisher) Trail

// Transactional is the trail that keeps the promise: an entry is a row of the transaction it tells about, and so is the message that it leaves with.
func Transactional(source string, _ *store.DB, box *outbox.Box, _ outbox.Publisher) Trail {
	return transactional{NewChain(source, box)}
}

type transactional struct{ chain Chain }

func (t transactional) Append(tx *store.Tx, e Entry) error { return t.chain.Link(tx, e) }

func (t transactional) Run(context.Context) error { return nil }

// Chain is the chain of one source in its own database, and the way out of it.
type Chain struct {
	Source string
	Send   func(tx *store.Tx, m message.Message) error // nil: the trail stays here and is read with After
}

// NewChain is a chain whose entries leave through an outbox; nil: they stay.
func NewChain(source string, box *outbox.Box) Chain {
	if box == nil {
		return Chain{Source: source}
	}
	return Chain{Source: source, Send: box.AddBulk}
}

// Link adds one entry to the end of the chain, and sends it. There must be one at a time who does: it takes the transaction's turn.
func (c Chain) Link(tx *store.Tx, e Entry) error {
	if err := tx.Turn(); err != nil {
		return fmt.Errorf("append audit entry: %w", err)
	}
	seq, prev, err := head(tx)
	if err != nil {
		return fmt.Errorf("append audit entry: %w", err)
	}
	body, err := json.Marshal(Body{
		Source: c.Source, Seq: seq + 1, At: time.Now().UTC().Format(time.RFC3339Nano),
		OrderID: e.OrderID, Transition: e.Transition, Step: e.Step, Attempt: e.Attempt, Detail: e.Detail, Trace: e.Trace,
		Actor: e.Actor, Amount: e.Amount, Checkpoint: e.Checkpoint,
	})
	if err != nil {
		return fmt.Errorf("append audit entry: %w", err)
	}
	line := Line{Source: c.Source, Seq: seq + 1, Hash: Hash(prev, string(body)), Body: string(body)}
	if _, err := tx.Exec(`INSERT INTO audit (seq, hash, body) VALUES (?, ?, ?)`, line.Seq, line.Hash, line.Body); err != nil {
		return fmt.Errorf("append audit entry: %w", err)
	}
	if c.Send == nil {
		return nil
	}
	data, err := json.Marshal(line)
	if err != nil {
		return fmt.Errorf("append audit entry: %w", err)
	}
	return c.Send(tx, message.Message{Subject: "audit." + c.Source, Trace: e.Trace, Data: data})
}

func head(tx *store.Tx) (seq uint64, hash string, err error) {
	err = tx.Row(`SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1`, nil, &seq, &hash)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, "", nil
	}
	return seq, hash, err
}

// After reads up to limit entries of the chain in db whose numbers are above after, in order. Their cursors are their numbers.
func After(ctx context.Context, db *store.DB, source string, after int64, limit int) ([]Line, error) {
	rows, err := db.Query(ctx, `SELECT seq, hash, body FROM audit WHERE seq > ? ORDER BY seq LIMIT ?`, after, limit)
	if err != nil {
		return nil, fmt.Errorf("read audit chain: %w", err)
	}
	defer rows.Close()
	var lines []Line
	for rows.Next() {
		line := Line{Source: source}
		if err := rows.Scan(&line.Seq, &line.Hash, &line.Body); err != nil {
			return nil, fmt.Errorf("read audit chain: %w", err)
		}
		line.Cursor = int64(line.Seq)
		lines = append(lines, line)
	}
	return lines, rows.Err()
}

// Head is the last link of the chain in db: 0 and "" for an empty one.
func Head(ctx context.Context, db *store.DB) (seq uint64, hash string, err error) {
	err = db.Row(ctx, `SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1`, nil, &seq, &hash)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, "", fmt.Errorf("read head of audit chain: %w", err)
	}
	return seq, hash, nil
}
