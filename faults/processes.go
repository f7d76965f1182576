package faults

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/wreckon/wreckon/targets"
)

// The kinds that are done to processes: crash, pause, terminate and rolling-restart.

// defaultGrace is how long a drain may take when nothing is said.
const defaultGrace = 5 * time.Second

func graceOf(s Spec) time.Duration {
	if s.Grace > 0 {
		return s.Grace
	}
	return defaultGrace
}

// processFault strikes one component, and brings it back.
type processFault struct {
	component string
	processes Processes
	strike    func(ctx context.Context) (detail string, err error)
	shows     func(ctx context.Context) (saw string, err error)
	undo      func(ctx context.Context) error
	struck    bool
}

func newProcessFault(s Spec, processes Processes) (*processFault, error) {
	if processes == nil {
		return nil, fmt.Errorf("%s needs processes", s.Kind)
	}
	if s.Component == "" {
		return nil, fmt.Errorf("%s needs a component", s.Kind)
	}
	f := &processFault{component: s.Component, processes: processes}
	f.shows, f.undo = f.isGone, f.restart
	return f, nil
}

func newCrash(s Spec, _ targets.Topology, with Means) (Fault, error) {
	f, err := newProcessFault(s, with.Processes)
	if err != nil {
		return nil, err
	}
	f.strike = func(ctx context.Context) (string, error) { return "", with.Processes.Kill(ctx, s.Component) }
	return f, nil
}

func newTerminate(s Spec, _ targets.Topology, with Means) (Fault, error) {
	f, err := newProcessFault(s, with.Processes)
	if err != nil {
		return nil, err
	}
	f.strike = func(ctx context.Context) (string, error) {
		return terminate(ctx, with.Processes, s.Component, graceOf(s))
	}
	return f, nil
}

func newPause(s Spec, _ targets.Topology, with Means) (Fault, error) {
	f, err := newProcessFault(s, with.Processes)
	if err != nil {
		return nil, err
	}
	f.strike = func(ctx context.Context) (string, error) { return "", with.Processes.Pause(ctx, s.Component) }
	f.shows = f.isStopped
	f.undo = func(ctx context.Context) error { return with.Processes.Resume(ctx, s.Component) }
	return f, nil
}

// terminate tells a component to end. One that outlives its grace is killed and gone all the same: that is for a checker to judge,
// and is told as a detail.
func terminate(ctx context.Context, processes Processes, component string, grace time.Duration) (detail string, err error) {
	err = processes.Terminate(ctx, component, grace)
	if err != nil && ctx.Err() == nil && !processes.Alive(component) {
		return err.Error(), nil
	}
	return "", err
}

func (f *processFault) Inject(ctx context.Context) (Evidence, error) {
	start := time.Now()
	if !f.processes.Alive(f.component) {
		return Evidence{}, fmt.Errorf("before the fault: %s does not run", f.component)
	}
	f.struck = true
	detail, err := f.strike(ctx)
	if err != nil {
		return Evidence{Took: time.Since(start)}, err
	}
	saw, err := f.shows(ctx)
	return Evidence{Probe: saw, Took: time.Since(start), Detail: detail}, err
}

// Heal leaves a process alone that Inject never touched: what another fault or its own death did to it is not hidden.
func (f *processFault) Heal(ctx context.Context) (Evidence, error) {
	if !f.struck {
		return nothing, nil
	}
	start := time.Now()
	if err := f.undo(ctx); err != nil {
		return Evidence{Took: time.Since(start)}, err
	}
	if err := ready(ctx, f.processes, f.component); err != nil {
		return Evidence{Took: time.Since(start)}, fmt.Errorf("after the fault: %w", err)
	}
	f.struck = false
	took := time.Since(start)
	return Evidence{Probe: fmt.Sprintf("%s is ready again after %v", f.component, round(took)), Took: took}, nil
}

func (f *processFault) restart(ctx context.Context) error {
	if f.processes.Alive(f.component) {
		return nil
	}
	return f.processes.Start(ctx, f.component)
}

func (f *processFault) isGone(ctx context.Context) (string, error) {
	return gone(ctx, f.processes, f.component)
}

func (f *processFault) isStopped(ctx context.Context) (string, error) {
	if !f.processes.Alive(f.component) {
		return "", fmt.Errorf("%s is gone, not stopped", f.component)
	}
	err := unanswered(ctx, f.processes, f.component)
	if !errors.Is(err, context.DeadlineExceeded) {
		return "", fmt.Errorf("probe %s: saw %s, not silence", f.component, answer(err))
	}
	return fmt.Sprintf("%s exists and answers nothing within %v", f.component, silence), nil
}

// gone shows that a process does not exist, and that nobody answers in its place.
func gone(ctx context.Context, processes Processes, component string) (string, error) {
	if processes.Alive(component) {
		return "", fmt.Errorf("%s still runs", component)
	}
	err := unanswered(ctx, processes, component)
	if err == nil {
		return "", fmt.Errorf("probe %s: saw an answer, though its process is gone", component)
	}
	return fmt.Sprintf("%s is gone, and its probe sees: %v", component, err), nil
}

// unanswered is the error of a probe that has only a short time.
func unanswered(ctx context.Context, processes Processes, component string) error {
	ctx, cancel := context.WithTimeout(ctx, silence)
	defer cancel()
	err := processes.Probe(ctx, component)
	if err != nil && ctx.Err() != nil {
		return errors.Join(err, ctx.Err()) // however the environment puts it: it was still waiting
	}
	return err
}

func answer(err error) string {
	if err == nil {
		return "an answer"
	}
	return err.Error()
}

// ready waits until a component's own probe answers.
func ready(ctx context.Context, processes Processes, component string) error {
	for {
		err := processes.Probe(ctx, component)
		if err == nil {
			return nil
		}
		if !processes.Alive(component) {
			return fmt.Errorf("%s does not run: %w", component, err)
		}
		if waited := sleep(ctx, every); waited != nil {
			return fmt.Errorf("%s is not ready: %w", component, errors.Join(err, waited))
		}
	}
}
