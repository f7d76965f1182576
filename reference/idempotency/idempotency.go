// Package idempotency lets a client repeat a request without fear: the same key and the same payload get the same answer, word for
// word, and the work is done once.
//
// Promise: of all requests with one key, one is carried out; the others get its answer. A key that comes with another payload is an
// error of the client, and says so.
//
// How: key, fingerprint of the payload and answer are a row in the transaction that does the work. There is no moment at which the
// work is done and the answer not stored, or the other way round.
//
// Cost: a row for each request, kept as long as a client may repeat it. Breaks: once a row is pruned, its key is new again.
//
// It must never know what is asked, or how it is carried.
package idempotency

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/wreckon/wreckon/reference/store"
)

// ErrMismatch says that a key came again with another payload.
var ErrMismatch = errors.New("idempotency key was used with another payload")

// Schema is the table of answers.
var Schema = store.Schema{Name: "idempotency", SQL: `
	CREATE TABLE idempotency (key TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, answer BLOB NOT NULL) WITHOUT ROWID`}

// Fingerprint identifies a payload.
func Fingerprint(payload []byte) string {
	sum := sha256.Sum256(payload)
	return hex.EncodeToString(sum[:])
}

// Lookup finds the answer that was given to key; nil if there is none yet.
func Lookup(ctx context.Context, db *store.DB, key, fingerprint string) (answer []byte, err error) {
	return stored(func(into ...any) error {
		return db.Row(ctx, `SELECT fingerprint, answer FROM idempotency WHERE key = ?`, []any{key}, into...)
	}, fingerprint)
}

// Claim stores answer for key as part of tx. If the key was there before, it stores nothing and returns the answer of then.
func Claim(tx *store.Tx, key, fingerprint string, answer []byte) (before []byte, err error) {
	added, err := tx.Exec(`INSERT INTO idempotency (key, fingerprint, answer) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`,
		key, fingerprint, answer)
	if err != nil {
		return nil, fmt.Errorf("claim idempotency key: %w", err)
	}
	if added == 1 {
		return nil, nil
	}
	return stored(func(into ...any) error {
		return tx.Row(`SELECT fingerprint, answer FROM idempotency WHERE key = ?`, []any{key}, into...)
	}, fingerprint)
}

func stored(scan func(...any) error, fingerprint string) ([]byte, error) {
	var had string
	var answer []byte
	err := scan(&had, &answer)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read idempotency key: %w", err)
	}
	if had != fingerprint {
		return nil, ErrMismatch
	}
	return answer, nil
}
