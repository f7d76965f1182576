// Package intent brings about one effect at a party outside, once, although the wish for it may arrive many times and every call may
// end without anyone knowing how.
//
// Promise: all calls for one step of one order carry the same idempotency key, whoever makes them, whenever, after whatever crash; and
// one outcome is recorded, together with everything that follows from it.
//
// How, in three moments. First a transaction writes the intent with its key, or finds the one that is there, and takes the lease on it.
// Then the gateway is called, outside any transaction, and again under the same key as long as the lease lasts. Then a second transaction
// gives the lease back and records the outcome, the reply and the audit entry. A crash before the first leaves nothing; after it, the
// key; during the call, the key and an effect nobody knows of yet, which the next call with this key finds out about.
//
// The lease is not what makes it right, the key is. The lease keeps two deliveries from asking at once, and its fencing token keeps a
// worker that was asleep from recording what another has recorded; the gateway is shown it, too, and refuses what comes late. Doing a
// step and undoing it are under one lease, so that a late charge cannot land behind the refund.
//
// While the gateway answers nobody, calls are held back (policy.Breaker), and the command goes back to the broker, without lease and uncounted.
//
// It is not asked for ever: each call is counted before it is made, and after MaxTries the command is set aside for a person. What became
// of it is not known then, and is found out by trying again, under the old key.
//
// Cost: two transactions for one effect, one more for each call beyond the first, and after a crash a wait until the dead worker's lease expires. Breaks: if the party outside
// forgets the key before we stop asking.
//
// It must never know what the effect is.
package intent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/wreckon/wreckon/reference/broker"
	"github.com/wreckon/wreckon/reference/gateway"
	"github.com/wreckon/wreckon/reference/inbox"
	"github.com/wreckon/wreckon/reference/lease"
	"github.com/wreckon/wreckon/reference/message"
	"github.com/wreckon/wreckon/reference/policy"
	"github.com/wreckon/wreckon/reference/store"
	"github.com/wreckon/wreckon/reference/telemetry"
)

// Schema is the table of intents.
var Schema = store.Schema{Name: "intent", SQL: `
	CREATE TABLE intents (
		order_id TEXT NOT NULL,
		step     TEXT NOT NULL,
		key      TEXT NOT NULL,
		outcome  TEXT NOT NULL DEFAULT '',
		message  TEXT NOT NULL DEFAULT '',
		tries    INTEGER NOT NULL DEFAULT 0,
		PRIMARY KEY (order_id, step)
	) WITHOUT ROWID`}

// MaxTries is how often the gateway is called for one message. With waits that grow to a second it lasts for half a minute, not
// counting the time for which calls are held back.
const MaxTries = 25

// errExhausted says that the gateway was called often enough.
var errExhausted = errors.New("the gateway gave no answer, however often it was called")

// Effect is what is to be brought about.
type Effect struct {
	OrderID string
	Step    string // charge, refund, ship
	Of      string // the step that is done or undone, which the lease is on: charge, for a refund, too
	Call    func(ctx context.Context, call gateway.Call) (gateway.Answer, error)
	// Record writes down what follows from the answer, in the transaction that records the outcome, which it names. attempt is the
	// number of deliveries it took.
	Record func(tx *store.Tx, answer gateway.Answer, attempt int) (outcome string, err error)
}

// Performer brings effects about. Perform returns nil once the message that asked for it can be acknowledged.
type Performer interface {
	Perform(ctx context.Context, d message.Delivery, e Effect) error
}

// Tools is what a Performer works with.
type Tools struct {
	DB      *store.DB
	Inbox   *inbox.Inbox
	Owner   string        // of leases: this process, and no other before or after it
	Lease   time.Duration // how long a worker may be silent before another takes over
	Timeout time.Duration // of one call to the gateway
	Backoff *policy.Backoff
	Tries   int // how often one message may call the gateway; 0: MaxTries
	Log     *slog.Logger
}

// New makes a Performer; see Leased.
type New func(Tools) Performer

// Leased is the Performer that keeps the promise.
func Leased(t Tools) Performer {
	if t.Tries == 0 {
		t.Tries = MaxTries
	}
	return leased{t}
}

type leased struct{ Tools }

func (p leased) Perform(ctx context.Context, d message.Delivery, e Effect) error {
	telemetry.About(ctx, telemetry.Job{ID: e.OrderID + "/" + e.Step, Parent: e.OrderID})
	begun, err := p.begin(ctx, d, e)
	if err != nil || begun.done {
		return p.Inbox.Failed(ctx, d, err)
	}
	answer, err := p.call(ctx, d, e, &begun)
	if err != nil {
		return p.giveUp(ctx, d, e, begun, err)
	}
	return p.finish(ctx, d, e, begun, answer)
}

// intention is an intent under a lease.
type intention struct {
	done    bool // nothing is left to do
	key     string
	attempt int
	tries   int // calls made, and the one that is about to be
	lease   lease.Lease
}

func (p leased) begin(ctx context.Context, d message.Delivery, e Effect) (intention, error) {
	var in intention
	var held *lease.HeldError
	err := p.DB.Write(ctx, func(tx *store.Tx) error {
		seen, err := p.Inbox.Arrive(tx, d)
		if err != nil {
			return err
		}
		in.attempt = seen.Deliveries
		if in.done = seen.Done; in.done {
			return nil
		}
		var outcome string
		if in.key, outcome, err = intend(tx, e); err != nil {
			return err
		}
		if in.done = outcome != ""; in.done { // asked for by another message, and answered then
			return p.Inbox.Done(tx, d)
		}
		in.lease, err = lease.Acquire(tx, e.OrderID+"/"+e.Of, p.Owner, p.Lease)
		if errors.As(err, &held) {
			return nil // the delivery is counted all the same
		}
		if err != nil {
			return err
		}
		lease.Count(ctx, tx, in.lease)
		in.tries, err = p.count(tx, d, e)
		return err
	})
	if err == nil && held != nil {
		return in, &broker.Later{After: time.Until(held.Until) + p.Backoff.Delay(1), Err: held}
	}
	return in, err
}

// intend writes the intent down, or finds what was written before. The key is minted in the same statement that makes sure there is only
// one: looking first and minting after would let two workers mint two.
func intend(tx *store.Tx, e Effect) (key, outcome string, err error) {
	_, err = tx.Exec(`INSERT INTO intents (order_id, step, key) VALUES (?1, ?2, ?1 || '/' || ?2 || '/1') ON CONFLICT DO NOTHING`,
		e.OrderID, e.Step)
	if err != nil {
		return "", "", fmt.Errorf("record intent to %s %s: %w", e.Step, e.OrderID, err)
	}
	err = tx.Row(`SELECT key, outcome FROM intents WHERE order_id = ? AND step = ?`, []any{e.OrderID, e.Step}, &key, &outcome)
	if err != nil {
		return "", "", fmt.Errorf("record intent to %s %s: %w", e.Step, e.OrderID, err)
	}
	return key, outcome, nil
}

// count counts a call that is about to be made, so that a crash cannot make us forget it.
func (p leased) count(tx *store.Tx, d message.Delivery, e Effect) (tries int, err error) {
	err = tx.Row(`UPDATE intents SET tries = CASE message WHEN ?3 THEN tries + 1 ELSE 1 END, message = ?3
		WHERE order_id = ?1 AND step = ?2 RETURNING tries`, []any{e.OrderID, e.Step, d.ID}, &tries)
	if err != nil {
		return 0, fmt.Errorf("count call to %s %s: %w", e.Step, e.OrderID, err)
	}
	if tries > p.Tries {
		return tries, inbox.Permanent(errExhausted)
	}
	return tries, nil
}

// call asks the gateway until it answers, but begins no call that could outlive the lease.
func (p leased) call(ctx context.Context, d message.Delivery, e Effect, in *intention) (gateway.Answer, error) {
	call := gateway.Call{OrderID: e.OrderID, Key: in.key, Token: in.lease.Token, Fenced: true, Trace: d.Trace}
	var failure error
	for {
		call.Try = in.tries
		if time.Until(in.lease.Expires) < p.Timeout {
			return gateway.Answer{}, errors.Join(errors.New("lease is running out"), failure)
		}
		d.Extend()
		one, cancel := context.WithTimeout(ctx, p.Timeout)
		answer, err := e.Call(one, call)
		cancel()
		if err == nil || errors.Is(err, gateway.ErrSuperseded) || errors.As(err, new(*policy.OpenError)) {
			return answer, err
		}
		failure = err
		p.Log.InfoContext(ctx, "outcome unknown", "order", e.OrderID, "step", e.Step, "key", in.key, "try", in.tries, "error", err)
		d.Extend()
		// The waits go on growing from lease to lease and from process to process.
		if err := p.Backoff.Wait(ctx, in.tries); err != nil {
			return gateway.Answer{}, errors.Join(err, failure)
		}
		err = p.DB.Write(ctx, func(tx *store.Tx) (err error) {
			in.tries, err = p.count(tx, d, e)
			return err
		})
		if err != nil {
			return gateway.Answer{}, errors.Join(err, failure)
		}
	}
}

// giveUp gives the lease back, so that the next delivery need not wait for it to expire. A call that was held back was not made, and does not
// count.
func (p leased) giveUp(ctx context.Context, d message.Delivery, e Effect, in intention, cause error) error {
	after := p.Backoff.Delay(in.tries)
	var open *policy.OpenError
	held := errors.As(cause, &open)
	if held {
		after = max(0, time.Until(open.Until)) + p.Backoff.Delay(1)
	}
	err := p.DB.Write(context.WithoutCancel(ctx), func(tx *store.Tx) error {
		if err := lease.Release(tx, in.lease); err != nil || !held {
			return err
		}
		_, err := tx.Exec(`UPDATE intents SET tries = tries - 1 WHERE order_id = ? AND step = ? AND message = ?`, e.OrderID, e.Step, d.ID)
		if err != nil {
			return fmt.Errorf("take back call to %s %s: %w", e.Step, e.OrderID, err)
		}
		return nil
	})
	if errors.Is(err, lease.ErrLost) {
		err = nil
	}
	return &broker.Later{After: after, Err: errors.Join(cause, err)}
}

func (p leased) finish(ctx context.Context, d message.Delivery, e Effect, in intention, answer gateway.Answer) error {
	return p.DB.Write(context.WithoutCancel(ctx), func(tx *store.Tx) error {
		if err := lease.Release(tx, in.lease); err != nil {
			return err
		}
		outcome, err := e.Record(tx, answer, in.attempt)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(`UPDATE intents SET outcome = ? WHERE order_id = ? AND step = ?`, outcome, e.OrderID, e.Step); err != nil {
			return fmt.Errorf("record outcome of %s %s: %w", e.Step, e.OrderID, err)
		}
		return p.Inbox.Done(tx, d)
	})
}
