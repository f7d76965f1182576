package inbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/wreckon/wreckon/reference/message"
	"github.com/wreckon/wreckon/reference/store"
)

// Letter is a message that is set aside, with all that is needed to look into it and send it again.
type Letter struct {
	message.Message
	OrderID  string // "" when not even that could be read
	Reason   string // the last error
	Attempts int
	First    time.Time // when it was first delivered
	Dead     time.Time // when it was set aside
}

func (in *Inbox) bury(tx *store.Tx, d message.Delivery, reason string, attempts int) error {
	letter := Letter{Message: d.Message, Reason: reason, Attempts: attempts, Dead: time.Now()}
	var first int64
	if err := tx.Row(`SELECT first_at FROM inbox WHERE id = ?`, []any{d.ID}, &first); err != nil {
		return fmt.Errorf("set %s aside: %w", d.ID, err)
	}
	letter.First = time.UnixMilli(first)
	if in.Dead != nil {
		if err := in.Dead(tx, &letter); err != nil {
			return fmt.Errorf("set %s aside: %w", d.ID, err)
		}
	}
	_, err := tx.Exec(`INSERT INTO dead_letters (id, order_id, subject, trace, payload, reason, attempts, first_at, dead_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		d.ID, letter.OrderID, letter.Subject, letter.Trace, letter.Data, letter.Reason, letter.Attempts, first, letter.Dead.UnixMilli())
	if err != nil {
		return fmt.Errorf("set %s aside: %w", d.ID, err)
	}
	return in.Done(tx, d)
}

const letterColumns = `id, order_id, subject, trace, payload, reason, attempts, first_at, dead_at`

// Letters are the messages set aside in db that nobody has settled, oldest first.
func Letters(ctx context.Context, db *store.DB) ([]Letter, error) {
	rows, err := db.Query(ctx, `SELECT `+letterColumns+` FROM dead_letters WHERE settled = '' ORDER BY dead_at, id`)
	if err != nil {
		return nil, fmt.Errorf("read dead letters: %w", err)
	}
	defer rows.Close()
	var letters []Letter
	for rows.Next() {
		var l Letter
		if err := l.scan(func(into ...any) error { return rows.Scan(into...) }); err != nil {
			return nil, fmt.Errorf("read dead letters: %w", err)
		}
		letters = append(letters, l)
	}
	return letters, rows.Err()
}

// Of finds, in tx, the letter of an order that nobody has settled; ok is false if there is none.
func Of(tx *store.Tx, orderID string) (l Letter, ok bool, err error) {
	err = l.scan(func(into ...any) error {
		return tx.Row(`SELECT `+letterColumns+` FROM dead_letters WHERE order_id = ? AND settled = '' LIMIT 1`, []any{orderID}, into...)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return l, false, nil
	}
	if err != nil {
		return l, false, fmt.Errorf("read dead letter of %s: %w", orderID, err)
	}
	return l, true, nil
}

func (l *Letter) scan(row func(into ...any) error) error {
	var first, dead int64
	err := row(&l.ID, &l.OrderID, &l.Subject, &l.Trace, &l.Data, &l.Reason, &l.Attempts, &first, &dead)
	l.First, l.Dead = time.UnixMilli(first), time.UnixMilli(dead)
	return err
}

// Settle marks the letter as dealt with. It is kept, with what was done.
func (l Letter) Settle(tx *store.Tx, how string) error {
	if _, err := tx.Exec(`UPDATE dead_letters SET settled = ? WHERE id = ?`, how, l.ID); err != nil {
		return fmt.Errorf("settle dead letter %s: %w", l.ID, err)
	}
	return nil
}
