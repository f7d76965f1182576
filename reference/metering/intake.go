package metering

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/wreckon/wreckon/reference/audit"
	"github.com/wreckon/wreckon/reference/idempotency"
	"github.com/wreckon/wreckon/reference/inbox"
	"github.com/wreckon/wreckon/reference/message"
	"github.com/wreckon/wreckon/reference/outbox"
	"github.com/wreckon/wreckon/reference/store"
)

// IntakeSchema is the table of readings.
var IntakeSchema = store.Schema{Name: "readings", SQL: `
	CREATE TABLE readings (
		reading_id TEXT PRIMARY KEY,
		account    TEXT NOT NULL,
		number     INTEGER NOT NULL,
		amount     INTEGER NOT NULL,
		state      TEXT NOT NULL,
		version    INTEGER NOT NULL DEFAULT 1,
		trace      TEXT NOT NULL,
		UNIQUE (account, number)
	) WITHOUT ROWID;
	CREATE INDEX readings_open ON readings (reading_id) WHERE state = 'received'`}

// Errors that callers tell apart.
var (
	ErrUnknown = errors.New("no such reading")
	ErrTaken   = errors.New("reading exists already, under another idempotency key")
)

// Status is a reading as clients see it.
type Status struct {
	ReadingID string `json:"reading_id"`
	State     string `json:"state"`
	Version   uint64 `json:"version"`
}

// Intake accepts readings, and knows what became of them.
type Intake struct {
	DB    *store.DB
	Inbox *inbox.Inbox
	Box   *outbox.Box
	Trail audit.Trail
}

// Accept takes a reading, once for each key, and returns the answer that every request with this key gets.
func (in *Intake) Accept(ctx context.Context, key, trace string, r Reading) (answer []byte, err error) {
	body, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("accept reading: %w", err)
	}
	if answer, err = json.Marshal(Status{r.ReadingID, Received, 1}); err != nil {
		return nil, fmt.Errorf("accept reading: %w", err)
	}
	err = in.DB.Write(ctx, func(tx *store.Tx) error {
		before, err := idempotency.Claim(tx, key, idempotency.Fingerprint(body), answer)
		if err != nil {
			return err
		}
		if before != nil {
			answer = before
			return nil
		}
		return in.enter(tx, trace, r)
	})
	if err != nil {
		return nil, fmt.Errorf("accept reading: %w", err)
	}
	return answer, nil
}

// enter numbers a reading. Transactions of one file commit one after the other, so the numbers of an account are in the order of
// acceptance and have no gap.
func (in *Intake) enter(tx *store.Tx, trace string, r Reading) error {
	n := Numbered{Reading: r}
	added, err := tx.Exec(`INSERT INTO readings (reading_id, account, number, amount, state, trace) VALUES (?1, ?2,
		(SELECT coalesce(max(number), 0) + 1 FROM readings WHERE account = ?2), ?3, ?4, ?5) ON CONFLICT DO NOTHING`,
		r.ReadingID, r.Account, r.Amount, Received, trace)
	if err != nil {
		return err
	}
	if added == 0 {
		return ErrTaken
	}
	if err := tx.Row(`SELECT number FROM readings WHERE reading_id = ?`, []any{r.ReadingID}, &n.Number); err != nil {
		return err
	}
	event, err := encode(SubjectReceived, trace, n)
	if err != nil {
		return err
	}
	if err := in.Box.Add(tx, event); err != nil {
		return err
	}
	return in.note(tx, r.ReadingID, Received, fmt.Sprintf("number %d of %s", n.Number, r.Account), trace, 1)
}

func (in *Intake) note(tx *store.Tx, id, transition, detail, trace string, attempt int) error {
	return in.Trail.Append(tx, audit.Entry{OrderID: id, Transition: transition, Attempt: attempt, Detail: detail, Trace: trace})
}

// Settled takes the news of a batch.
func (in *Intake) Settled(ctx context.Context, d message.Delivery) error {
	return in.Inbox.Once(ctx, d, func(tx *store.Tx) error {
		s, err := decode[Settlement](d.Message)
		if err != nil {
			return err
		}
		for number := s.First; number <= s.Last; number++ {
			end := Settled
			if slices.Contains(s.Refused, number) {
				end = Quarantined
			}
			if err := in.end(tx, d, s.Account, number, end); err != nil {
				return err
			}
		}
		return nil
	})
}

func (in *Intake) end(tx *store.Tx, d message.Delivery, account string, number uint64, end string) error {
	var id, trace string
	err := tx.Row(`UPDATE readings SET state = ?1, version = version + 1 WHERE account = ?2 AND number = ?3 AND state = ?4
		RETURNING reading_id, trace`, []any{end, account, number, Received}, &id, &trace)
	if errors.Is(err, sql.ErrNoRows) {
		return nil // an end is an end
	}
	if err != nil {
		return fmt.Errorf("settle number %d of %s: %w", number, account, err)
	}
	return in.note(tx, id, end, "", trace, d.Number)
}

// Status reads a reading.
func (in *Intake) Status(ctx context.Context, id string) (Status, error) {
	s := Status{ReadingID: id}
	err := in.DB.Row(ctx, `SELECT state, version FROM readings WHERE reading_id = ?`, []any{id}, &s.State, &s.Version)
	if errors.Is(err, sql.ErrNoRows) {
		return s, ErrUnknown
	}
	if err != nil {
		return s, fmt.Errorf("read reading: %w", err)
	}
	return s, nil
}

// Open is how many readings have not ended.
func (in *Intake) Open(ctx context.Context) (int64, error) {
	return in.DB.Count(ctx, `SELECT count(*) FROM readings WHERE state = 'received'`)
}

// Observe emits the state of every reading, and what they come to.
func (in *Intake) Observe(ctx context.Context, emit func(any) error) error {
	rows, err := in.DB.Query(ctx, `SELECT reading_id, state, version FROM readings ORDER BY reading_id`)
	if err != nil {
		return fmt.Errorf("read readings: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var s Status
		if err := rows.Scan(&s.ReadingID, &s.State, &s.Version); err != nil {
			return fmt.Errorf("read readings: %w", err)
		}
		if err := emit(map[string]any{"op": "state", "order_id": s.ReadingID, "value": s.State, "version": s.Version}); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read readings: %w", err)
	}
	return total(ctx, in.DB, emit, "amount received", `SELECT coalesce(sum(amount), 0) FROM readings`)
}

// total emits one number that a query counts.
func total(ctx context.Context, db *store.DB, emit func(any) error, name, query string) error {
	n, err := db.Count(ctx, query)
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	return emit(map[string]any{"op": "total", "key": name, "value": strconv.FormatInt(n, 10)})
}
