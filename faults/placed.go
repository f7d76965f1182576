package faults

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// The life of a fault that is placed by an event. It is armed when Schedule begins, or when the fault before it has bitten, and waits.
// The first exchange at its point is held, and only then is the fault begun: an undo record, a begin in the history, and so on, as
// with any other. So the history's begin is the moment at which the point was reached. A fault of each n-th exchange is one fault: it
// begins at the first of them and ends when the load is over.

// Disarm says that the load is over: faults whose point was not reached are disarmed and never begin, and those of each n-th
// exchange end. It returns at once; Schedule returns when they are healed.
func (g *Guard) Disarm() { g.end() }

// ErrNotReached is wrapped where a fault's point did not come.
var ErrNotReached = errors.New("its point was not reached")

// place arms a fault, before it returns, and sees to the rest of its life in a goroutine of its own.
func (g *Guard) place(ctx context.Context, running *sync.WaitGroup, p Planned, done func(error)) {
	f, ok := p.Fault.(awaiting)
	if !ok {
		done(fmt.Errorf("arm %s: %s cannot be placed by an event", p.Spec.ID, p.Spec.Kind))
		return
	}
	var mu sync.Mutex
	var followers []error // errors of those that follow, as they end
	var following sync.WaitGroup
	f.onBite(func() {
		for _, next := range p.Then {
			g.place(ctx, &following, next, func(err error) {
				mu.Lock()
				defer mu.Unlock()
				followers = append(followers, err)
			})
		}
	})
	if err := f.arm(); err != nil {
		f.disarm()
		done(err)
		return
	}
	running.Go(func() {
		err := g.await(ctx, p.Spec, f)
		following.Wait()
		done(errors.Join(append([]error{err}, followers...)...))
	})
}

// await is the life of an armed fault.
func (g *Guard) await(ctx context.Context, s Spec, f awaiting) error {
	defer f.disarm()
	if err := g.reach(ctx, f); err != nil {
		return fmt.Errorf("inject %s: %s: %w", s.ID, f.where(), err)
	}
	e, err := g.enter(s, f)
	if err != nil {
		return err
	}
	_, err = g.inject(ctx, e)
	switch {
	case err != nil:
	case s.When.Every > 0:
		select {
		case <-g.over:
		case <-ctx.Done():
		}
	default:
		_ = sleep(ctx, s.For) // however it ends, the fault is healed
	}
	_, healErr := g.Heal(ctx, s.ID)
	return errors.Join(err, healErr)
}

// reach waits for a fault's point. What was reached just before the load was said to be over counts.
func (g *Guard) reach(ctx context.Context, f awaiting) error {
	select {
	case <-f.reached():
		return nil
	case <-g.over:
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrNotReached, context.Cause(ctx))
	}
	select {
	case <-f.reached():
		return nil
	default:
		return ErrNotReached
	}
}
