// Package reconcile finds what our books and a party outside say differently, and has the books put right.
//
// Why there is anything to find: a call to a party outside can end without anyone knowing how. Package intent asks again, under the same key,
// and not for ever. When it gives up, the command is set aside, its order is quarantined, and our books say that nobody knows. The other side
// knows. Where it has done what it was asked for, a parcel is on its way for an order that we do not count as shipped: that is drift.
//
// Promise: a step that was set aside without an answer, and that the other side has done, is in our books as done, soon after the other side
// answers again; it was done once; and the audit trail says that it was found, and by whom.
//
// How: every now and then it lists the doubts, which are commands that were set aside and have no outcome. One that is younger than a lease
// is left alone: a call may still be on its way. Of each other one it asks the other side what it has, which changes nothing. What is there is
// asked for again, under the key that it was always asked for: so the repair is the ordinary way to an answer, with its inbox, its lease and
// its audit entry, and cannot be wrong in a way of its own. It never does a step, and never undoes one, because two tables differ: the books are
// behind wherever work is in flight, and to repair what is merely late is to do it twice.
//
// What the other side does not have is no drift: nothing was done, or it is still on its way. It is left to people, and asked about again.
//
// Cost: one question for each doubt and round, no more than the doubts that there are. One that is set aside again and again is looked at
// more seldom each time. Breaks: where the other side cannot be asked what it has, or answers from a copy that is behind.
//
// It must never know what a step means.
package reconcile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/wreckon/wreckon/reference/gateway"
	"github.com/wreckon/wreckon/reference/orders"
	"github.com/wreckon/wreckon/reference/policy"
	"github.com/wreckon/wreckon/reference/quarantine"
	"github.com/wreckon/wreckon/reference/store"
)

// Name is who has put the books right, in the audit trail.
const Name = "reconciler"

// Doubt is a command that was set aside, and nobody knows what has become of its step.
type Doubt struct {
	Letter  string
	OrderID string
	Step    string
	Command []byte
	Trace   string
}

// Tools is what a Repair works with.
type Tools struct {
	Gateway *gateway.Client
	Desk    quarantine.Desk
}

// Repair finds out what became of a doubt and has the books put right. false: they are not wrong. See AskTheOtherSide.
type Repair func(ctx context.Context, t Tools, d Doubt) (mended bool, err error)

// AskTheOtherSide is the repair that keeps the promise: what is there is asked for again, under its old key; what is not there is left.
func AskTheOtherSide(ctx context.Context, t Tools, d Doubt) (bool, error) {
	there, err := t.Gateway.Has(ctx, d.Step, d.OrderID)
	if err != nil || !there {
		return false, err
	}
	return true, t.Desk.TakeUp(ctx, Name, d.OrderID)
}

// Reconciler looks after the doubts of one service.
type Reconciler struct {
	DB      *store.DB
	Tools   Tools
	Repair  Repair
	Rest    time.Duration // how long a doubt is left alone, for each time that its order was set aside
	Timeout time.Duration // of one repair
	Log     *slog.Logger

	mu   sync.Mutex
	left map[string]bool // letters that were looked at, and are for people
}

// Run looks after them until told ends, and finishes what it is at, for as long as work lasts.
func (r *Reconciler) Run(told, work context.Context) error {
	for policy.Sleep(told, r.Rest/4) == nil {
		doubts, err := r.doubts(told, time.Now())
		if err != nil {
			r.Log.WarnContext(told, "could not look for doubts", "error", err)
		}
		for _, d := range doubts {
			r.one(work, d)
		}
	}
	return nil
}

func (r *Reconciler) one(ctx context.Context, d Doubt) {
	ctx, cancel := context.WithTimeout(ctx, r.Timeout)
	defer cancel()
	mended, err := r.Repair(ctx, r.Tools, d)
	switch {
	case errors.Is(err, quarantine.ErrNoLetter): // a person was quicker
	case err != nil:
		r.Log.InfoContext(ctx, "doubt remains", "order", d.OrderID, "step", d.Step, "error", err)
	case mended:
		r.Log.WarnContext(ctx, "the books were behind", "order", d.OrderID, "step", d.Step)
	default:
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.left == nil {
			r.left = map[string]bool{}
		}
		r.left[d.Letter] = true
	}
}

// unknown are commands that were set aside, and whose step has no outcome.
const unknown = ` FROM dead_letters l JOIN intents i ON i.message = l.id WHERE l.settled = '' AND i.outcome = ''`

// doubts lists those that have rested for long enough, the oldest first.
func (r *Reconciler) doubts(ctx context.Context, now time.Time) (all []Doubt, err error) {
	rows, err := r.DB.Query(ctx, `SELECT l.id, l.order_id, l.subject, l.payload, l.trace`+unknown+`
		AND l.dead_at + ?1 * (1 + (SELECT count(*) FROM dead_letters s WHERE s.order_id = l.order_id AND s.settled <> '')) <= ?2
		ORDER BY l.dead_at, l.id`, r.Rest.Milliseconds(), now.UnixMilli())
	if err != nil {
		return nil, fmt.Errorf("read doubts: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var d Doubt
		var subject string
		if err := rows.Scan(&d.Letter, &d.OrderID, &subject, &d.Command, &d.Trace); err != nil {
			return nil, fmt.Errorf("read doubts: %w", err)
		}
		d.Step = orders.StepOf(subject)
		all = append(all, d)
	}
	return all, rows.Err()
}

// Waiting is how many doubts nobody has looked at.
func (r *Reconciler) Waiting(ctx context.Context) (n int64, err error) {
	rows, err := r.DB.Query(ctx, `SELECT l.id`+unknown)
	if err != nil {
		return 0, fmt.Errorf("count doubts: %w", err)
	}
	defer rows.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	for rows.Next() {
		var letter string
		if err := rows.Scan(&letter); err != nil {
			return 0, fmt.Errorf("count doubts: %w", err)
		}
		if !r.left[letter] {
			n++
		}
	}
	return n, rows.Err()
}
