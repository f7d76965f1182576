package metering

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/wreckon/wreckon/reference/audit"
	"github.com/wreckon/wreckon/reference/broker"
	"github.com/wreckon/wreckon/reference/gateway"
	"github.com/wreckon/wreckon/reference/inbox"
	"github.com/wreckon/wreckon/reference/message"
	"github.com/wreckon/wreckon/reference/outbox"
	"github.com/wreckon/wreckon/reference/policy"
	"github.com/wreckon/wreckon/reference/store"
)

// Ingester collects readings and has them billed.
type Ingester struct {
	DB      *store.DB
	Inbox   *inbox.Inbox
	Box     *outbox.Box
	Trail   audit.Trail
	Claim   Claim
	Cut     Cut
	Settle  Settle
	Send    Send
	Window  time.Duration // how long readings are collected before a batch is made of them
	Backoff *policy.Backoff
	Meter   *broker.Meter
	Log     *slog.Logger
}

// Claim gives an account to whoever asks, until he gives it back, or says that somebody has it. See OneAtATime.
type Claim func(account string) (giveBack func(), ok bool)

// OneAtATime gives an account to nobody else, for however long it takes.
func OneAtATime() Claim {
	var busy sync.Map
	return func(account string) (func(), bool) {
		_, taken := busy.LoadOrStore(account, true)
		return func() { busy.Delete(account) }, !taken
	}
}

// Send has a batch billed, once, however often it is sent, and gives the numbers of the lines that were refused.
type Send func(ctx context.Context, b Batch, lines []gateway.Line) (refused []uint64, err error)

// Write commits what it is given as one transaction.
type Write func(parts ...func(tx *store.Tx) error) error

// Settle has a batch sent, and writes down what follows: the balance of the account, and the end of the batch. See InOneTransaction.
type Settle func(send func() error, write Write, balance, end func(tx *store.Tx) error) error

// InOneTransaction writes both when the batch was answered, or neither.
func InOneTransaction(send func() error, write Write, balance, end func(tx *store.Tx) error) error {
	if err := send(); err != nil {
		return err
	}
	return write(balance, end)
}

// Arrived takes one reading. One that is there already, or was billed, is known by its number, whatever brought it.
func (in *Ingester) Arrived(ctx context.Context, d message.Delivery) error {
	return in.Inbox.Once(ctx, d, func(tx *store.Tx) error {
		r, err := decode[Numbered](d.Message)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(`INSERT INTO ledger (account) VALUES (?) ON CONFLICT DO NOTHING`, r.Account); err != nil {
			return fmt.Errorf("open account: %w", err)
		}
		_, err = tx.Exec(`INSERT INTO waiting (account, number, reading_id, meter, amount, trace) SELECT ?1, ?2, ?3, ?4, ?5, ?6
			WHERE ?2 >= (SELECT next FROM ledger WHERE account = ?1) ON CONFLICT DO NOTHING`,
			r.Account, r.Number, r.ReadingID, r.Meter, r.Amount, d.Trace)
		if err != nil {
			return fmt.Errorf("collect reading: %w", err)
		}
		return nil
	})
}

// Run bills what has come in, window after window, until told ends, and finishes what it is at, for as long as work lasts.
func (in *Ingester) Run(told, work context.Context) error {
	var lanes sync.WaitGroup
	defer lanes.Wait()
	for policy.Sleep(told, in.Window) == nil {
		accounts, err := in.due(told)
		if err != nil {
			in.Log.WarnContext(told, "could not look for readings", "error", err)
			continue
		}
		for _, account := range accounts {
			giveBack, ok := in.Claim(account)
			if !ok {
				continue
			}
			lanes.Go(func() {
				defer giveBack()
				in.account(told, work, account)
			})
		}
	}
	return nil
}

// movable selects what the next batch of each account begins with, and the batches that were not answered.
const movable = `SELECT account FROM ledger JOIN waiting USING (account) WHERE number = next UNION SELECT account FROM batches`

func (in *Ingester) due(ctx context.Context) (accounts []string, err error) {
	rows, err := in.DB.Query(ctx, movable)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var account string
		if err := rows.Scan(&account); err != nil {
			return nil, err
		}
		accounts = append(accounts, account)
	}
	return accounts, rows.Err()
}

// account bills one batch of an account. While there is no answer it tries again; what is left when told ends is for the next process.
func (in *Ingester) account(told, work context.Context, account string) {
	in.Meter.InHand.Add(1)
	defer func() {
		in.Meter.InHand.Add(-1)
		in.Meter.Done.Add(1)
	}()
	for tries := 1; told.Err() == nil; tries++ {
		err := in.batch(work, account)
		if err == nil {
			return
		}
		in.Log.InfoContext(work, "batch was not billed", "account", account, "tries", tries, "error", err)
		_ = in.Backoff.Wait(told, tries) // the loop sees that told has ended
	}
}

func (in *Ingester) batch(ctx context.Context, account string) error {
	var b Batch
	err := in.DB.Write(ctx, func(tx *store.Tx) (err error) {
		b, err = in.Cut(tx, account)
		return err
	})
	if err != nil || b == (Batch{}) {
		return err
	}
	lines, err := in.lines(ctx, b)
	if err != nil {
		return err
	}
	var refused []uint64
	send := func() (err error) {
		refused, err = in.Send(ctx, b, lines)
		return err
	}
	write := func(parts ...func(*store.Tx) error) error {
		return in.DB.Write(context.WithoutCancel(ctx), func(tx *store.Tx) error {
			for _, part := range parts {
				if err := part(tx); err != nil {
					return fmt.Errorf("settle batch %s: %w", b.Key(), err)
				}
			}
			return nil
		})
	}
	return in.Settle(send, write,
		func(tx *store.Tx) error { return balance(tx, lines, refused) },
		func(tx *store.Tx) error { return in.end(tx, b, lines, refused) })
}

// lines reads what a batch holds. It does not change any more.
func (in *Ingester) lines(ctx context.Context, b Batch) (lines []gateway.Line, err error) {
	rows, err := in.DB.Query(ctx, `SELECT number, reading_id, meter, amount, trace FROM waiting WHERE account = ? AND number BETWEEN ? AND ?
		ORDER BY number`, b.Account, b.First, b.Last)
	if err != nil {
		return nil, fmt.Errorf("read batch %s: %w", b.Key(), err)
	}
	defer rows.Close()
	for rows.Next() {
		l := gateway.Line{Account: b.Account}
		if err := rows.Scan(&l.Number, &l.OrderID, &l.Meter, &l.Amount, &l.Trace); err != nil {
			return nil, fmt.Errorf("read batch %s: %w", b.Key(), err)
		}
		lines = append(lines, l)
	}
	return lines, rows.Err()
}

func balance(tx *store.Tx, lines []gateway.Line, refused []uint64) error {
	for _, l := range lines {
		column := "billed"
		if slices.Contains(refused, l.Number) {
			column = "refused"
		}
		_, err := tx.Exec(`UPDATE ledger SET `+column+` = `+column+` + ? WHERE account = ?`, l.Amount, l.Account)
		if err != nil {
			return err
		}
	}
	return nil
}

// end forgets a batch and tells everybody what became of it.
func (in *Ingester) end(tx *store.Tx, b Batch, lines []gateway.Line, refused []uint64) error {
	for _, l := range lines {
		outcome := "billed"
		if slices.Contains(refused, l.Number) {
			outcome = "refused"
		}
		err := in.Trail.Append(tx, audit.Entry{OrderID: l.OrderID, Transition: outcome, Step: "bill", Attempt: b.Attempt,
			Detail: "batch " + b.Key(), Trace: l.Trace})
		if err != nil {
			return err
		}
	}
	if _, err := tx.Exec(`DELETE FROM waiting WHERE account = ? AND number BETWEEN ? AND ?`, b.Account, b.First, b.Last); err != nil {
		return err
	}
	if _, err := tx.Exec(`DELETE FROM batches WHERE account = ? AND first = ?`, b.Account, b.First); err != nil {
		return err
	}
	news, err := encode(SubjectSettled, "", Settlement{Account: b.Account, First: b.First, Last: b.Last, Refused: refused})
	if err != nil {
		return err
	}
	return in.Box.Add(tx, news)
}

// Movable is how many accounts have something to bill that does not wait for a reading before it.
func (in *Ingester) Movable(ctx context.Context) (int64, error) {
	return in.DB.Count(ctx, `SELECT count(*) FROM (`+movable+`)`)
}

// Observe emits what the accounts come to.
func (in *Ingester) Observe(ctx context.Context, emit func(any) error) error {
	for _, sum := range []struct{ name, query string }{
		{"amount billed", `SELECT coalesce(sum(billed), 0) FROM ledger`},
		{"amount refused", `SELECT coalesce(sum(refused), 0) FROM ledger`},
		{"amount waiting", `SELECT coalesce(sum(amount), 0) FROM waiting`},
	} {
		if err := total(ctx, in.DB, emit, sum.name, sum.query); err != nil {
			return err
		}
	}
	return nil
}
