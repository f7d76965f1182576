// Package region carries transfers in two regions: one is active, and the other holds a copy and takes over.
//
// Promise: a transfer that was acknowledged survives the region that acknowledged it, and is posted once. One region at a time is active. A
// region that was, and does not know that it is no more, can neither acknowledge anything nor have an effect.
//
// How: a coordinator lends the active region its seat, for a while. Each time the seat goes to somebody else an epoch begins, with a number
// that grows. The active region hands each entry of its journal to the other before it commits it; the other refuses whoever comes with an
// older epoch than it has seen, and so does the party that transfers are posted at. The clock says when it is time to take over; what it
// says is not what keeps the two apart. When the other cannot be reached, the coordinator is told so first: it will not promote a region
// that does not have everything. When it is back, it is copied anew.
//
// The journal is the audit trail, one hash chain that both regions hold. What is written twice under one number shows.
//
// Cost: a round trip between the regions for each entry, one after the other; after a failure, the rest of the lease. An active region that
// reaches neither the other nor the coordinator acknowledges nothing. Breaks: with the coordinator, of which there is one: while it is away
// nobody is promoted, and when the lease is over nobody is active.
//
// It must never know what a transfer does at the other side.
package region

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/wreckon/wreckon/reference/audit"
	"github.com/wreckon/wreckon/reference/broker"
	"github.com/wreckon/wreckon/reference/idempotency"
	"github.com/wreckon/wreckon/reference/policy"
	"github.com/wreckon/wreckon/reference/store"
)

// Source is what the journal is called in the audit trail. Both regions write it, one at a time.
const Source = "regions"

// The states of a transfer.
const (
	Pending = "pending"
	Posted  = "posted"
)

// Schema is what a region holds: the transfers, the journal that brought them about, and the newest epoch that it was shown, with the newest
// turn of it.
var Schema = store.Schema{Name: "region", SQL: `
	CREATE TABLE transfers (
		transfer_id TEXT PRIMARY KEY,
		account     TEXT NOT NULL,
		amount      INTEGER NOT NULL,
		state       TEXT NOT NULL,
		version     INTEGER NOT NULL,
		trace       TEXT NOT NULL
	) WITHOUT ROWID;
	CREATE INDEX transfers_open ON transfers (transfer_id) WHERE state = 'pending';
	CREATE TABLE journal (seq INTEGER PRIMARY KEY, entry BLOB NOT NULL);
	CREATE TABLE shown (id INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, turn INTEGER NOT NULL);
	INSERT INTO shown VALUES (1, 0, 0)`}

// Transfer is what a client asks for.
type Transfer struct {
	TransferID string `json:"transfer_id"`
	Account    string `json:"account"`
	Amount     int64  `json:"amount"`
}

// Validate says what is wrong with a transfer.
func (t Transfer) Validate() error {
	if t.TransferID == "" || t.Account == "" || t.Amount <= 0 {
		return errors.New("transfer_id, account and an amount above 0 are needed")
	}
	return nil
}

// Status is a transfer as clients see it.
type Status struct {
	Transfer
	State   string `json:"state"`
	Version uint64 `json:"version"`
}

// Entry is one entry of the journal: its link in the audit trail, and how the transfer is from then on.
type Entry struct {
	Line audit.Line `json:"line"`
	Status
	Trace string `json:"trace"`

	Key    string `json:"key,omitempty"` // of the request, where it begins a transfer
	Print  string `json:"print,omitempty"`
	Answer []byte `json:"answer,omitempty"`
}

// Errors that callers tell apart.
var (
	ErrUnknown   = errors.New("no such transfer")
	ErrTaken     = errors.New("transfer exists already, under another idempotency key")
	ErrElsewhere = errors.New("this region is not active: ask the other") // nothing happened
	ErrOld       = errors.New("a newer epoch has begun")
	ErrDiverged  = errors.New("the copy does not continue what is here")
)

// Region is one of the two.
type Region struct {
	Name  string
	Owner string // this process, and no other before or after it
	DB    *store.DB
	Trail audit.Trail
	Peer  *Client // the other region
	Seat  *Client // the coordinator
	Ask   Ask
	Send  Send // how an entry gets to the other: Hand, at the time that a Copy says
	Lease time.Duration
	Poll  time.Duration // how often it looks for transfers to post
	Slots int           // posted at once

	Backoff *policy.Backoff
	Meter   *broker.Meter
	Log     *slog.Logger

	writing sync.Mutex // the journal is written by one at a time
	busy    sync.Map   // transfers that somebody is posting

	mu   sync.Mutex
	term standing
}

// Accept takes a transfer, once for each key, and returns the answer that every request with this key gets.
func (r *Region) Accept(ctx context.Context, key, trace string, t Transfer) (answer []byte, err error) {
	body, err := json.Marshal(t)
	if err != nil {
		return nil, fmt.Errorf("accept transfer: %w", err)
	}
	fresh := Status{Transfer: t, State: Pending, Version: 1}
	if answer, err = json.Marshal(fresh); err != nil {
		return nil, fmt.Errorf("accept transfer: %w", err)
	}
	err = r.write(ctx, func(tx *store.Tx) (*Entry, error) {
		e := &Entry{Status: fresh, Trace: trace, Key: key, Print: idempotency.Fingerprint(body), Answer: answer}
		before, err := idempotency.Claim(tx, key, e.Print, answer)
		if err != nil {
			return nil, err
		}
		if before != nil {
			answer = before
			return nil, nil
		}
		switch _, err := load(tx, t.TransferID); {
		case err == nil:
			return nil, ErrTaken
		case !errors.Is(err, ErrUnknown):
			return nil, err
		}
		return e, r.note(tx, e, "accepted")
	})
	if err != nil {
		return nil, fmt.Errorf("accept transfer: %w", err)
	}
	return answer, nil
}

// Status reads a transfer. That the region was still active when it had read it is what makes it the truth.
func (r *Region) Status(ctx context.Context, id string) (Status, error) {
	e, err := scan(func(into ...any) error {
		return r.DB.Row(ctx, selectTransfer+` WHERE transfer_id = ?`, []any{id}, into...)
	})
	if _, ok := r.leads(); !ok {
		return Status{}, ErrElsewhere
	}
	if err != nil && !errors.Is(err, ErrUnknown) {
		err = fmt.Errorf("read transfer: %w", err)
	}
	return e.Status, err
}

const selectTransfer = `SELECT transfer_id, account, amount, state, version, trace FROM transfers`

func scan(row func(into ...any) error) (e Entry, err error) {
	err = row(&e.TransferID, &e.Account, &e.Amount, &e.State, &e.Version, &e.Trace)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrUnknown
	}
	return e, err
}

func load(tx *store.Tx, id string) (Entry, error) {
	return scan(func(into ...any) error { return tx.Row(selectTransfer+` WHERE transfer_id = ?`, []any{id}, into...) })
}

// note links an entry to the end of the journal.
func (r *Region) note(tx *store.Tx, e *Entry, transition string) (err error) {
	step := ""
	if transition == Posted {
		step = "post"
	}
	err = r.Trail.Append(tx, audit.Entry{OrderID: e.TransferID, Transition: transition, Step: step, Attempt: 1, Detail: r.Name, Trace: e.Trace})
	if err == nil {
		e.Line, err = audit.Last(tx, Source)
	}
	return err
}

// Open is how many transfers are not posted yet.
func (r *Region) Open(ctx context.Context) (int64, error) {
	return r.DB.Count(ctx, `SELECT count(*) FROM transfers WHERE state = 'pending'`)
}

// Observe emits how long the journal is and, if this region is the active one, what came of the transfers.
func (r *Region) Observe(ctx context.Context, emit func(any) error) error {
	seq, hash, err := audit.Head(ctx, r.DB)
	if err != nil {
		return err
	}
	total := func(name string, n int64) error {
		return emit(map[string]any{"op": "total", "key": name, "value": fmt.Sprint(n)})
	}
	if err := total("entries "+r.Name, int64(seq)); err != nil || !r.Active() {
		return err
	}
	if err := emit(map[string]any{"op": "audit-head", "source": Source, "seq": seq, "hash": hash}); err != nil {
		return err
	}
	posted, err := r.DB.Count(ctx, `SELECT coalesce(sum(amount), 0) FROM transfers WHERE state = 'posted'`)
	if err != nil {
		return err
	}
	if err := total("amount posted", posted); err != nil {
		return err
	}
	all, err := r.list(ctx, selectTransfer+` ORDER BY transfer_id`)
	if err != nil {
		return err
	}
	for _, e := range all {
		err := emit(map[string]any{"op": "state", "order_id": e.TransferID, "value": e.State, "version": e.Version})
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *Region) list(ctx context.Context, query string, args ...any) (list []Entry, err error) {
	rows, err := r.DB.Query(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("read transfers: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		e, err := scan(rows.Scan)
		if err != nil {
			return nil, fmt.Errorf("read transfers: %w", err)
		}
		list = append(list, e)
	}
	return list, rows.Err()
}
