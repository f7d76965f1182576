package faults

import (
	"context"
	"fmt"
	"time"

	"github.com/wreckon/wreckon/targets"
)

// The kinds that are done to the container of a component, and not to its process: disconnect, cpu-limit and out-of-memory.

// Containers is what faults need of an environment in which each component runs in a container of its own. Each verb returns when the
// engine says that it has happened.
type Containers interface {
	// Disconnect takes a component off its network. Connect puts it back, under the same name and address.
	Disconnect(ctx context.Context, component string) error
	Connect(ctx context.Context, component string) error
	// LimitCPU gives a component so many processors at most, from 0.01; 0: as many as there are.
	LimitCPU(ctx context.Context, component string, cpus float64) error
	// Throttled is in how many periods the kernel has made a component wait because its share was used up.
	Throttled(ctx context.Context, component string) (periods uint64, err error)
	// Starve gives a component no more memory than it has until the kernel kills it, and returns when it is reaped. When ctx ends first it is
	// left alive. In any case there is as much memory as before afterwards.
	Starve(ctx context.Context, component string) error
}

// newContainerFault is what the kinds have in common. Their own verbs need containers, the rest is that of processes.
func newContainerFault(s Spec, with Means) (*processFault, error) {
	if with.Containers == nil {
		return nil, fmt.Errorf("%s needs components in containers: --env docker", s.Kind)
	}
	return newProcessFault(s, with.Processes)
}

func newDisconnect(s Spec, _ targets.Topology, with Means) (Fault, error) {
	f, err := newContainerFault(s, with)
	if err != nil {
		return nil, err
	}
	f.strike = func(ctx context.Context) (string, error) { return "", with.Containers.Disconnect(ctx, s.Component) }
	f.shows = f.isOutOfReach
	f.undo = func(ctx context.Context) error { return with.Containers.Connect(ctx, s.Component) }
	return f, nil
}

// isOutOfReach shows that a component goes on, and that nobody finds it.
func (f *processFault) isOutOfReach(ctx context.Context) (string, error) {
	if !f.processes.Alive(f.component) {
		return "", fmt.Errorf("%s is gone, not disconnected", f.component)
	}
	err := unanswered(ctx, f.processes, f.component)
	if err == nil {
		return "", fmt.Errorf("probe %s: saw an answer, though it is on no network", f.component)
	}
	return fmt.Sprintf("%s runs, is on no network, and its probe sees: %v", f.component, err), nil
}

// starvesWithin is how long a component may take to want more than it may have.
const starvesWithin = 9 * time.Second

func newCPULimit(s Spec, _ targets.Topology, with Means) (Fault, error) {
	f, err := newContainerFault(s, with)
	if err != nil {
		return nil, err
	}
	var before uint64
	f.strike = func(ctx context.Context) (string, error) {
		var err error
		if before, err = with.Containers.Throttled(ctx, s.Component); err != nil {
			return "", err
		}
		return "", with.Containers.LimitCPU(ctx, s.Component, s.CPUs)
	}
	// A component that does little is within any limit, and nothing is done to it.
	f.shows = func(ctx context.Context) (string, error) {
		ctx, cancel := context.WithTimeout(ctx, starvesWithin)
		defer cancel()
		for {
			now, err := with.Containers.Throttled(ctx, s.Component)
			switch {
			case err == nil && now > before:
				return fmt.Sprintf("%s may use %g processors, and the kernel makes it wait", s.Component, s.CPUs), nil
			case err == nil:
				err = sleep(ctx, every)
			}
			if err != nil {
				return "", fmt.Errorf("%s never used up its share of %g processors: %w", s.Component, s.CPUs, err)
			}
		}
	}
	f.undo = func(ctx context.Context) error { return with.Containers.LimitCPU(ctx, s.Component, 0) }
	return f, nil
}

func newOutOfMemory(s Spec, _ targets.Topology, with Means) (Fault, error) {
	f, err := newContainerFault(s, with)
	if err != nil {
		return nil, err
	}
	f.strike = func(ctx context.Context) (string, error) {
		ctx, cancel := context.WithTimeout(ctx, starvesWithin)
		defer cancel()
		if err := with.Containers.Starve(ctx, s.Component); err != nil {
			return "", err
		}
		return "the kernel killed it for want of memory", nil
	}
	return f, nil
}

// reconnectable refuses components that a disconnect would not cut off.
func reconnectable(s Spec, t targets.Topology) error {
	for _, e := range t.Edges {
		if to, ok := t.Component(e.To); ok && e.From == s.Component && len(to.Names) > 0 {
			return fmt.Errorf("disconnect would leave %s in force: whom %s dials by name it finds within its container, off every network; cut its edges with partition",
				e.Name(), s.Component)
		}
	}
	return nil
}

// shares refuses shares of a processor that no kernel gives.
func shares(s Spec, _ targets.Topology) error {
	if s.CPUs < minCPUs || s.CPUs > maxCPUs {
		return fmt.Errorf("cpu-limit needs cpus from %g to %g, as in cpus: 0.05, not %g", minCPUs, maxCPUs, s.CPUs)
	}
	return nil
}

const (
	minCPUs = 0.01
	maxCPUs = 64.0
)

// CheckEnvironment says which faults of a plan need an environment of containers; nil where it is one.
func CheckEnvironment(specs []Spec, contained bool) error {
	if contained {
		return nil
	}
	for _, s := range All(specs) {
		if k, err := Lookup(s.Kind); err == nil && k.Contained {
			return fmt.Errorf("%s is a %s of %s, which needs components in containers: run it with --env docker, or say environment: docker in the scenario", s.ID, s.Kind, s.Component)
		}
	}
	return nil
}
