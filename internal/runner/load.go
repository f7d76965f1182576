package runner

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/wreckon/wreckon/faults"
	"github.com/wreckon/wreckon/history"
	"github.com/wreckon/wreckon/workloads"
)

// The baseline: enough units to see every kind of the mix now and then, and short, since it is paid in every run.
const (
	baselineRate = 40
	baselineFor  = 300 * time.Millisecond
)

// baseline drives a short load without faults. A target that does not work without faults is an error, not a violation.
func (r *run) baseline(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, baselineWithin)
	defer cancel()
	spec := r.Plan.Workload
	spec.Phases = []workloads.Phase{{Rate: baselineRate, For: baselineFor}}
	spec.Repeats, spec.Clashes = 0, 0 // each unit is accepted once
	stats := r.load(ctx, spec, "baseline")
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	if ok := stats.Tries[workloads.Submit].OK; ok != spec.Units() {
		return "", fmt.Errorf("%d of %d units were not accepted before any fault: see the logs of the run", spec.Units()-ok, spec.Units())
	}
	how, b, err := r.settle(ctx, baselineWithin)
	if err != nil {
		return "", err
	}
	if how != settled {
		return "", fmt.Errorf("%d of %d units did not finish before any fault (%+v): see the logs of the run", b.Open, spec.Units(), b)
	}
	if err := r.sys.Totals(ctx); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d units finished", spec.Units()), nil
}

// load drives one load against the target, and counts its units as used.
func (r *run) load(ctx context.Context, spec workloads.Spec, name string) workloads.Stats {
	spec.First = r.units
	ops := spec.Operations(workloads.Stream(r.Plan.Seed, "run/"+name).Uint64())
	r.units += history.Unit(spec.Units())
	return workloads.Run(ctx, ops, spec, r.sys.Client(), r.tap, r.rec)
}

// reachWithin is how long after the load a fault's point is still waited for: what the target still has to do for the last units.
const reachWithin = time.Second

// chaos drives the load and injects the faults beside it. It ends when the load is over and every fault is healed. Faults placed by
// events are armed before the first operation, and disarmed a while after the last.
//
// A fault that could not be injected, confirmed or healed is in the history as failed and is judged there; here it is only shown.
//
// A stop condition ends the load and what is in force; everything after goes on as always.
func (r *run) chaos(whole context.Context) (string, error) {
	ctx, stop := context.WithCancelCause(whole)
	defer stop(nil)
	planned, err := faults.Plan(r.Plan.Faults, r.Target.Topology, r.means())
	if err != nil {
		return "", err
	}
	r.guard = faults.NewGuard(r.tap, r.undo)
	r.tap.stop.Store(&stop)
	defer r.tap.stop.Store(nil)
	var stats workloads.Stats
	var errs []error
	var both sync.WaitGroup
	scheduled := make(chan struct{})
	wait := r.guard.Start(ctx, time.Now(), planned)
	both.Go(func() {
		errs = wait()
		close(scheduled)
	})
	operating, stopOperating := context.WithCancel(ctx)
	both.Go(func() { r.sys.Operate(operating) })
	both.Go(func() {
		defer stopOperating()
		stats = r.load(ctx, r.Plan.Workload, "chaos")
		select {
		case <-scheduled:
		case <-time.After(reachWithin):
		case <-ctx.Done():
		}
		r.guard.Disarm()
	})
	both.Wait()
	r.note("lateness", stats.Late)
	r.note("load", stats)
	if whole.Err() != nil {
		return "", context.Cause(whole)
	}
	var why stopCondition
	if errors.As(context.Cause(ctx), &why) {
		r.aborted = fmt.Sprintf("%s, %s into the run", string(why), r.rec.Now().Round(time.Millisecond))
		r.note("aborted", r.aborted)
		r.Observer.Note("the load is ended early: " + string(why))
		return "ended early: " + stats.String(), nil
	}
	if err := errors.Join(errs...); err != nil {
		r.Observer.Note(err.Error())
	}
	return stats.String(), nil
}

// means are what the faults of this run are injected with.
func (r *run) means() faults.Means {
	with := faults.Means{Links: r.proxies, Processes: r.env}
	if r.env.Contained() {
		with.Containers = r.env
	}
	with.Sessions, _ = r.sys.(faults.Sessions)
	return with
}

// heal makes sure that nothing injected is left: every fault is undone and every component is there.
func (r *run) heal(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, healWithin)
	defer cancel()
	if r.guard == nil {
		return "", nil
	}
	if err := r.guard.HealAll(ctx); err != nil {
		return "", err
	}
	for _, c := range r.Target.Topology.Components {
		if c.External {
			continue
		}
		if err := r.env.Probe(ctx, c.Name); err != nil {
			return "", fmt.Errorf("%s does not answer after every fault was healed: %w", c.Name, err)
		}
	}
	return "", nil
}
