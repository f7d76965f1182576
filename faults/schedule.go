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
}

// Plan makes the faults of specs. All errors come at once.
func Plan(specs []Spec, t targets.Topology, links Links, processes Processes) ([]Planned, error) {
	planned := make([]Planned, len(specs))
	var errs []error
	for i, s := range specs {
		k, err := Lookup(s.Kind)
		if err == nil {
			err = k.Applies(s, t)
		}
		if err == nil {
			planned[i].Spec = s
			planned[i].Fault, err = k.New(s, t, links, processes)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("plan %s: %w", s.ID, err))
		}
	}
	return planned, errors.Join(errs...)
}

// Schedule runs faults, each at its time after start, and returns when all of them are healed. errs[i] belongs to planned[i]. When
// ctx is cancelled, what is in force is healed at once, and what has not begun does not begin.
func (g *Guard) Schedule(ctx context.Context, start time.Time, planned []Planned) (errs []error) {
	errs = make([]error, len(planned))
	order := make([]int, len(planned))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(planned[a].Spec.At, planned[b].Spec.At) })
	var running sync.WaitGroup
	defer running.Wait()
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
	return errs
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
