package runner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/wreckon/wreckon/targets"
)

// How a target was seen to end. They are the Value of the phase event that ends quiesce.
const (
	settled  = "settled"  // no unit open, nothing queued, pending or running
	idle     = "idle"     // units open, and yet nothing queued, pending or running, for long enough: nobody will finish them
	deadline = "deadline" // still busy, or still unreachable, at the deadline
)

const (
	askEvery   = 25 * time.Millisecond
	settledFor = 75 * time.Millisecond   // between two equal looks, so that nothing slipped from one component to the next unseen; one alone: the next look
	idleFor    = 1500 * time.Millisecond // longer than any retry of the target waits
)

// quiesce waits until the target is idle, and says how it ended. At the deadline it says what is still open.
func (r *run) quiesce(ctx context.Context) (string, error) {
	how, b, err := r.settle(ctx, r.Plan.Quiesce)
	if err != nil {
		return "", err
	}
	if how != settled {
		r.note("stuck", b)
		r.Observer.Note(fmt.Sprintf("not finished: %d open, %d queued or pending, %d running", b.Open, b.Queued, b.InProgress))
	}
	return how, nil
}

// settle looks at the target until nothing moves any more. A look counts only if the one before it was the same: the same units
// open, nothing handled in between and no new effect.
func (r *run) settle(ctx context.Context, within time.Duration) (how string, b targets.Backlog, err error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	enough := settledFor
	if r.alone() {
		enough = askEvery / 2
	}
	var since time.Duration // when what is seen now was seen first
	var last targets.Backlog
	var effects uint64
	lastErr := errors.New("nobody has looked yet") // why the look before does not count; nil: it does
	for {
		seen, err := r.sys.Backlog(ctx)
		now, applied := r.rec.Now(), r.counts().Effects
		if err != nil || lastErr != nil || seen != last || applied != effects || !seen.Quiet() {
			since, last, effects = now, seen, applied
		}
		lastErr = err
		quiet := now - since
		switch {
		case err == nil && seen.Quiet() && seen.Open == 0 && quiet >= enough:
			return settled, seen, nil
		case err == nil && seen.Quiet() && quiet >= idleFor:
			return idle, seen, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			if cause := context.Cause(ctx); cause != context.DeadlineExceeded {
				return "", last, cause
			}
			if lastErr != nil {
				r.Observer.Note("the target could not be asked whether it is idle: " + lastErr.Error())
			}
			return deadline, last, nil
		}
	}
}

// alone tells that the target is one component: what it has taken in is in it, and it says so itself.
func (r *run) alone() bool {
	n := 0
	for _, c := range r.Target.Topology.Components {
		if !c.External || c.Foreign {
			n++
		}
	}
	return n == 1
}

// observe reads the final states, the outboxes, the dead letters, the leases and the rest of the audit trail into the history.
func (r *run) observe(ctx context.Context) (string, error) {
	r.stopFollow() // from here on the trail is read to its end, by us alone
	if err := r.sys.Observe(ctx); err != nil {
		return "", err
	}
	return "", nil
}
