package faults

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/wreckon/wreckon/targets"
)

// Planned is one fault of a plan, and what does it.
type Planned struct {
	Spec  Spec
	Fault Fault
	Then  []Planned // of Spec.Then
}

// Plan makes the faults of specs, and those that follow them. All errors come at once. Faults placed by events need links that are
// an Exchanges, too.
func Plan(specs []Spec, t targets.Topology, with Means) ([]Planned, error) {
	planned := make([]Planned, len(specs))
	var errs []error
	for i, s := range specs {
		err := Check(s, t)
		if err == nil {
			planned[i], err = plan(s, t, with)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("plan %s: %w", s.ID, err))
		}
	}
	return planned, errors.Join(errs...)
}

func plan(s Spec, t targets.Topology, with Means) (p Planned, err error) {
	k, err := Lookup(s.Kind)
	if err != nil {
		return p, err
	}
	p.Spec = s
	if p.Fault, err = k.New(s, t, with); err != nil {
		return p, err
	}
	for _, next := range s.Then {
		then, err := plan(next, t, with)
		if err != nil {
			return p, fmt.Errorf("%s: %w", next.ID, err)
		}
		p.Then = append(p.Then, then)
	}
	return p, nil
}

// Schedule runs faults: each at its time after start, or at its point. It returns when all of them are healed. errs[i] belongs to
// planned[i], with those that follow it. When ctx is cancelled, what is in force is healed at once, and what has not begun does not
// begin. A fault whose point is not reached waits for ctx or Disarm.
func (g *Guard) Schedule(ctx context.Context, start time.Time, planned []Planned) (errs []error) {
	return g.Start(ctx, start, planned)()
}

// Start is Schedule, in the background: it returns when every fault that waits for a point is armed. wait returns what Schedule does,
// and must be called, once.
func (g *Guard) Start(ctx context.Context, start time.Time, planned []Planned) (wait func() []error) {
	errs := make([]error, len(planned))
	var running sync.WaitGroup
	var order []int
	for i, p := range planned {
		if p.Spec.When == nil {
			order = append(order, i)
			continue
		}
		g.place(ctx, &running, p, func(err error) { errs[i] = err })
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(planned[a].Spec.At, planned[b].Spec.At) })
	running.Go(func() {
		for _, i := range order {
			p := planned[i]
			if err := sleep(ctx, time.Until(start.Add(p.Spec.At))); err != nil {
				errs[i] = fmt.Errorf("inject %s: its time did not come: %w", p.Spec.ID, err)
				continue
			}
			e, err := g.enter(p.Spec, p.Fault) // here and not below: of two faults at one time, the first in the plan comes first
			if err != nil {
				errs[i] = err
				continue
			}
			running.Go(func() { errs[i] = g.hold(ctx, start, e) })
		}
	})
	return func() []error {
		running.Wait()
		return errs
	}
}

// Run is Schedule for one fault whose time has come.
func (g *Guard) Run(ctx context.Context, start time.Time, p Planned) error {
	e, err := g.enter(p.Spec, p.Fault)
	if err != nil {
		return err
	}
	return g.hold(ctx, start, e)
}

// hold injects a fault, keeps it until its time is over, counted from start, and heals it.
func (g *Guard) hold(ctx context.Context, start time.Time, e *guarded) error {
	_, err := g.inject(ctx, e)
	if err == nil {
		_ = sleep(ctx, time.Until(start.Add(e.spec.At+e.spec.For))) // however it ends, the fault is healed
	}
	_, healErr := g.Heal(ctx, e.spec.ID)
	return errors.Join(err, healErr)
}
