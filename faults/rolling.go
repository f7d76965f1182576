package faults

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/wreckon/wreckon/targets"
)

// rollingRestart is a process over time: Inject performs all of it, and Heal only sees to it that everybody is there.
type rollingRestart struct {
	components []string
	grace      time.Duration
	turn       time.Duration // from one component to the next, if it is not ready later than that
	processes  Processes
	struck     []string // those that Inject has told to end
}

func newRollingRestart(s Spec, _ targets.Topology, with Means) (Fault, error) {
	if with.Processes == nil {
		return nil, fmt.Errorf("%s needs processes", s.Kind)
	}
	list := components(s)
	if len(list) == 0 {
		return nil, fmt.Errorf("%s needs components", s.Kind)
	}
	return &rollingRestart{components: list, grace: graceOf(s), turn: s.For / time.Duration(len(list)), processes: with.Processes}, nil
}

// Inject restarts the components one after the other, spread over the time that the fault holds. Each is seen gone, and then ready,
// before the next is touched.
func (f *rollingRestart) Inject(ctx context.Context) (Evidence, error) {
	start := time.Now()
	var took, details []string
	for _, c := range f.components {
		began := time.Now()
		detail, err := f.restart(ctx, c)
		if detail != "" {
			details = append(details, detail)
		}
		if err != nil {
			return Evidence{Took: time.Since(start), Detail: strings.Join(append(details, took...), "; ")}, fmt.Errorf("restart %s: %w", c, err)
		}
		took = append(took, fmt.Sprintf("%s in %v", c, round(time.Since(began))))
		if err := sleep(ctx, time.Until(began.Add(f.turn))); err != nil {
			return Evidence{Took: time.Since(start), Detail: strings.Join(append(details, took...), "; ")}, fmt.Errorf("after %s: %w", c, err)
		}
	}
	return Evidence{
		Probe:  "each was gone, and came back as a new process that is ready: " + strings.Join(took, ", "),
		Took:   time.Since(start),
		Detail: strings.Join(details, "; "),
	}, nil
}

func (f *rollingRestart) restart(ctx context.Context, component string) (detail string, err error) {
	if !f.processes.Alive(component) {
		return "", fmt.Errorf("before the fault: %s does not run", component)
	}
	f.struck = append(f.struck, component)
	if detail, err = terminate(ctx, f.processes, component, f.grace); err != nil {
		return detail, err
	}
	if _, err = gone(ctx, f.processes, component); err != nil {
		return detail, err
	}
	if err = f.processes.Start(ctx, component); err != nil {
		return detail, err
	}
	return detail, ready(ctx, f.processes, component)
}

// Heal starts what an interrupted Inject left down, and shows that every component it has restarted is ready.
func (f *rollingRestart) Heal(ctx context.Context) (Evidence, error) {
	if len(f.struck) == 0 {
		return nothing, nil
	}
	start := time.Now()
	for _, c := range f.struck {
		if !f.processes.Alive(c) {
			if err := f.processes.Start(ctx, c); err != nil {
				return Evidence{Took: time.Since(start)}, fmt.Errorf("start %s: %w", c, err)
			}
		}
		if err := ready(ctx, f.processes, c); err != nil {
			return Evidence{Took: time.Since(start)}, fmt.Errorf("after the fault: %w", err)
		}
	}
	saw := strings.Join(f.struck, ", ") + ": ready"
	f.struck = nil
	return Evidence{Probe: saw, Took: time.Since(start)}, nil
}
