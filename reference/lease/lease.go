// Package lease lets one worker at a time hold something, and survives the worker.
//
// Promise: while a lease has not expired, nobody else gets it. After it expired somebody may, and then the old holder, who may be
// alive and not know it (a long pause, a slow disk), is told so by Release: his token is no longer the newest.
//
// How: a row for each resource, with its owner, the time it expires, and a fencing token that grows with each acquisition and never
// shrinks. Expiry keeps work from being stuck behind the dead; the token keeps the undead from finishing it. Neither does without
// the other: a holder cannot know, by looking at a clock, that it is not about to be paused.
//
// Cost: a row for each resource, for ever, because the token must go on growing. Breaks: an effect outside the database must be
// protected by its own receiver, with the token or, as here, with an idempotency key.
//
// It must never know what is held.
package lease

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/wreckon/wreckon/reference/store"
	"github.com/wreckon/wreckon/reference/telemetry"
)

// ErrLost says that the lease was taken by somebody else since.
var ErrLost = errors.New("lease lost")

// HeldError says who holds the lease, and until when.
type HeldError struct {
	Resource string
	Owner    string
	Until    time.Time
}

func (e *HeldError) Error() string {
	return fmt.Sprintf("lease on %s is held by %s until %s", e.Resource, e.Owner, e.Until.Format(time.RFC3339Nano))
}

// Schema is the table of leases. An owner of "" holds nothing.
var Schema = store.Schema{Name: "lease", SQL: `
	CREATE TABLE leases (
		resource   TEXT PRIMARY KEY,
		owner      TEXT NOT NULL,
		token      INTEGER NOT NULL,
		expires_at INTEGER NOT NULL
	) WITHOUT ROWID;
	CREATE INDEX leases_held ON leases (resource) WHERE owner <> ''`}

// Lease is something held.
type Lease struct {
	Resource string
	Owner    string
	Token    uint64 // higher than that of every lease on the resource before it
	Expires  time.Time
	Over     string // whose lease had expired when this one was taken; "" if nobody held one
}

// Acquire takes the lease on a resource as part of tx, or returns a *HeldError.
func Acquire(tx *store.Tx, resource, owner string, ttl time.Duration) (Lease, error) {
	return AcquireAt(tx, resource, owner, time.Now(), ttl)
}

// AcquireAt is Acquire by a clock that shows now. All who use one database must go by the same.
func AcquireAt(tx *store.Tx, resource, owner string, now time.Time, ttl time.Duration) (Lease, error) {
	l := Lease{Resource: resource, Owner: owner, Expires: now.Add(ttl)}
	err := tx.Row(`SELECT owner FROM leases WHERE resource = ?`, []any{resource}, &l.Over)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return Lease{}, fmt.Errorf("acquire lease on %s: %w", resource, err)
	}
	taken, err := tx.Exec(`INSERT INTO leases (resource, owner, token, expires_at) VALUES (?1, ?2, 1, ?3)
		ON CONFLICT (resource) DO UPDATE SET owner = ?2, token = leases.token + 1, expires_at = ?3
		WHERE leases.owner = '' OR leases.expires_at <= ?4`,
		resource, owner, l.Expires.UnixMilli(), now.UnixMilli())
	if err != nil {
		return Lease{}, fmt.Errorf("acquire lease on %s: %w", resource, err)
	}
	var holder string
	var expires int64
	err = tx.Row(`SELECT owner, token, expires_at FROM leases WHERE resource = ?`, []any{resource}, &holder, &l.Token, &expires)
	if err != nil {
		return Lease{}, fmt.Errorf("acquire lease on %s: %w", resource, err)
	}
	if taken == 0 {
		return Lease{}, &HeldError{Resource: resource, Owner: holder, Until: time.UnixMilli(expires)}
	}
	return l, nil
}

// Count counts l as a takeover, if it is one, once tx is committed.
func Count(ctx context.Context, tx *store.Tx, l Lease) {
	if l.Over != "" && l.Over != l.Owner {
		tx.After(func() { telemetry.Count(ctx, telemetry.LeaseTakeovers) })
	}
}

// Release gives l back as part of tx. It returns ErrLost if somebody else has taken it since: then nothing that tx wrote on the
// strength of l may be committed. A lease that only expired is not lost.
func Release(tx *store.Tx, l Lease) error {
	released, err := tx.Exec(`UPDATE leases SET owner = '' WHERE resource = ? AND token = ? AND owner = ?`, l.Resource, l.Token, l.Owner)
	if err != nil {
		return fmt.Errorf("release lease on %s: %w", l.Resource, err)
	}
	if released == 0 {
		return fmt.Errorf("release lease on %s with token %d: %w", l.Resource, l.Token, ErrLost)
	}
	return nil
}

// Extend makes l last until l.Expires as part of tx. It returns ErrLost if somebody else has taken it since, or it was given back.
func Extend(tx *store.Tx, l Lease) error {
	extended, err := tx.Exec(`UPDATE leases SET expires_at = ? WHERE resource = ? AND token = ? AND owner = ?`,
		l.Expires.UnixMilli(), l.Resource, l.Token, l.Owner)
	if err != nil {
		return fmt.Errorf("extend lease on %s: %w", l.Resource, err)
	}
	if extended == 0 {
		return fmt.Errorf("extend lease on %s with token %d: %w", l.Resource, l.Token, ErrLost)
	}
	return nil
}

// Held lists the leases in db that were taken and not given back, expired or not.
func Held(ctx context.Context, db *store.DB) ([]Lease, error) {
	rows, err := db.Query(ctx, `SELECT resource, owner, token, expires_at FROM leases WHERE owner <> '' ORDER BY resource`)
	if err != nil {
		return nil, fmt.Errorf("read leases: %w", err)
	}
	defer rows.Close()
	var held []Lease
	for rows.Next() {
		var l Lease
		var expires int64
		if err := rows.Scan(&l.Resource, &l.Owner, &l.Token, &expires); err != nil {
			return nil, fmt.Errorf("read leases: %w", err)
		}
		l.Expires = time.UnixMilli(expires)
		held = append(held, l)
	}
	return held, rows.Err()
}
