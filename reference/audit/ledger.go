package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/wreckon/wreckon/reference/inbox"
	"github.com/wreckon/wreckon/reference/message"
	"github.com/wreckon/wreckon/reference/store"
)

// LedgerSchema is the trails of all sources, in one place.
var LedgerSchema = store.Schema{Name: "ledger", SQL: `
	CREATE TABLE ledger (
		cursor INTEGER PRIMARY KEY,
		source TEXT NOT NULL,
		seq    INTEGER NOT NULL,
		hash   TEXT NOT NULL,
		body   TEXT NOT NULL,
		UNIQUE (source, seq)
	)`}

// Ledger collects the trails. An entry is in it once, whatever number of messages brought it; the order in which entries of different
// sources come in means nothing.
type Ledger struct {
	DB    *store.DB
	Inbox *inbox.Inbox
}

// Handle takes one message, which holds one entry in each line.
func (l *Ledger) Handle(ctx context.Context, d message.Delivery) error {
	return l.Inbox.Once(ctx, d, func(tx *store.Tx) error {
		for text := range bytes.Lines(d.Data) {
			var line Line
			if err := json.Unmarshal(text, &line); err != nil {
				return inbox.Permanent(fmt.Errorf("decode audit entry: %w", err))
			}
			if err := enter(tx, line); err != nil {
				return err
			}
		}
		return nil
	})
}

func enter(tx *store.Tx, line Line) error {
	added, err := tx.Exec(`INSERT INTO ledger (cursor, source, seq, hash, body)
		VALUES ((SELECT coalesce(max(cursor), 0) + 1 FROM ledger), ?, ?, ?, ?) ON CONFLICT (source, seq) DO NOTHING`,
		line.Source, line.Seq, line.Hash, line.Body)
	if err != nil {
		return fmt.Errorf("enter audit entry: %w", err)
	}
	if added == 1 {
		return nil
	}
	var had string
	if err := tx.Row(`SELECT hash FROM ledger WHERE source = ? AND seq = ?`, []any{line.Source, line.Seq}, &had); err != nil {
		return fmt.Errorf("enter audit entry: %w", err)
	}
	if had != line.Hash {
		return inbox.Permanent(fmt.Errorf("enter audit entry: %w: %s %d", ErrRewritten, line.Source, line.Seq))
	}
	return nil
}

// ErrRewritten says that a source sent two entries with one number.
var ErrRewritten = errors.New("audit entry was rewritten")

// After reads up to limit entries with a cursor above after, in the order of their cursors, which run from 1 without a gap.
func (l *Ledger) After(ctx context.Context, after int64, limit int) ([]Line, error) {
	rows, err := l.DB.Query(ctx,
		`SELECT cursor, source, seq, hash, body FROM ledger WHERE cursor > ? ORDER BY cursor LIMIT ?`, after, limit)
	if err != nil {
		return nil, fmt.Errorf("read ledger: %w", err)
	}
	defer rows.Close()
	var lines []Line
	for rows.Next() {
		var line Line
		if err := rows.Scan(&line.Cursor, &line.Source, &line.Seq, &line.Hash, &line.Body); err != nil {
			return nil, fmt.Errorf("read ledger: %w", err)
		}
		lines = append(lines, line)
	}
	return lines, rows.Err()
}
