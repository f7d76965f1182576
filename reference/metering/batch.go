package metering

import (
	"database/sql"
	"errors"
	"fmt"

	"github.com/wreckon/wreckon/reference/store"
)

// IngesterSchema is what has arrived and waits, the batches that are on their way, and the balance of each account. next is the number that
// the next batch of an account begins with.
var IngesterSchema = store.Schema{Name: "ingester", SQL: `
	CREATE TABLE waiting (
		account    TEXT NOT NULL,
		number     INTEGER NOT NULL,
		reading_id TEXT NOT NULL,
		meter      TEXT NOT NULL,
		amount     INTEGER NOT NULL,
		trace      TEXT NOT NULL,
		PRIMARY KEY (account, number)
	) WITHOUT ROWID;
	CREATE TABLE batches (
		account  TEXT NOT NULL,
		first    INTEGER NOT NULL,
		last     INTEGER NOT NULL,
		attempts INTEGER NOT NULL DEFAULT 0,
		PRIMARY KEY (account, first)
	) WITHOUT ROWID;
	CREATE TABLE ledger (
		account TEXT PRIMARY KEY,
		next    INTEGER NOT NULL DEFAULT 1,
		billed  INTEGER NOT NULL DEFAULT 0,
		refused INTEGER NOT NULL DEFAULT 0
	) WITHOUT ROWID`}

// Batch is a run of an account's readings, from First to Last.
type Batch struct {
	Account     string
	First, Last uint64
	Attempt     int // how often it was about to be sent, this time included
}

// Key names what a batch brings about. It is the same for the same readings.
func (b Batch) Key() string { return fmt.Sprintf("%s/%d-%d", b.Account, b.First, b.Last) }

// Cut says which batch of an account is sent next, as part of tx, and writes it down. The zero Batch: none. See OldestFirst.
type Cut func(tx *store.Tx, account string) (Batch, error)

// OldestFirst sends the batch that was not answered, as it is, before another one is cut.
func OldestFirst(tx *store.Tx, account string) (Batch, error) {
	if b, err := Unanswered(tx, account); err != nil || b != (Batch{}) {
		return b, err
	}
	return CutNext(tx, account)
}

// Unanswered finds the oldest batch of an account that is on its way. The zero Batch: none is.
func Unanswered(tx *store.Tx, account string) (Batch, error) {
	b := Batch{Account: account}
	err := tx.Row(`UPDATE batches SET attempts = attempts + 1 WHERE account = ?1 AND first = (SELECT min(first) FROM batches WHERE account = ?1)
		RETURNING first, last, attempts`, []any{account}, &b.First, &b.Last, &b.Attempt)
	if errors.Is(err, sql.ErrNoRows) {
		return Batch{}, nil
	}
	return b, err
}

// maxBatch bounds what one batch holds.
const maxBatch = 50

// CutNext makes a batch of the readings that have arrived and that no batch holds, up to the first that has not. The zero Batch: there
// are none.
func CutNext(tx *store.Tx, account string) (Batch, error) {
	b := Batch{Account: account, Attempt: 1}
	if err := tx.Row(`SELECT next FROM ledger WHERE account = ?`, []any{account}, &b.First); err != nil {
		return Batch{}, err
	}
	err := tx.Row(`WITH RECURSIVE run (n) AS (
			SELECT number FROM waiting WHERE account = ?1 AND number = ?2
			UNION ALL SELECT number FROM waiting, run WHERE account = ?1 AND number = n + 1 AND number < ?2 + ?3)
		SELECT coalesce(max(n), 0) FROM run`, []any{account, b.First, maxBatch}, &b.Last)
	if err != nil || b.Last == 0 {
		return Batch{}, err
	}
	if _, err := tx.Exec(`UPDATE ledger SET next = ? WHERE account = ?`, b.Last+1, account); err != nil {
		return Batch{}, err
	}
	_, err = tx.Exec(`INSERT INTO batches (account, first, last, attempts) VALUES (?, ?, ?, 1)`, account, b.First, b.Last)
	return b, err
}
