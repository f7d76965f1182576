package faults

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/wreckon/wreckon/targets"
)

// Sessions is what a fault needs of a target whose components hold sessions of their clients.
type Sessions interface {
	// EndSessions has a component end every session but those of the harness, and returns how many they were once none of them is left.
	EndSessions(ctx context.Context, component string) (ended int, err error)
}

// endSessions is over when it has happened.
type endSessions struct {
	component string
	with      Means
	struck    bool
}

func newEndSessions(s Spec, _ targets.Topology, with Means) (Fault, error) {
	if with.Sessions == nil || with.Processes == nil {
		return nil, fmt.Errorf("%s needs a target that ends sessions", s.Kind)
	}
	return &endSessions{component: s.Component, with: with}, nil
}

func (f *endSessions) Inject(ctx context.Context) (Evidence, error) {
	start := time.Now()
	f.struck = true
	ended, err := f.with.Sessions.EndSessions(ctx, f.component)
	e := Evidence{Took: time.Since(start), Connections: int64(ended)}
	switch {
	case err != nil:
		return e, fmt.Errorf("end sessions: %w", err)
	case ended == 0:
		return e, fmt.Errorf("nobody had a session at %s", f.component)
	}
	e.Probe = fmt.Sprintf("%s does not list the %d sessions any more that it was told to end", f.component, ended)
	return e, nil
}

// Heal has nothing to undo: it shows that the component is there, and stayed.
func (f *endSessions) Heal(ctx context.Context) (Evidence, error) {
	if !f.struck {
		return nothing, nil
	}
	start := time.Now()
	if err := ready(ctx, f.with.Processes, f.component); err != nil {
		return Evidence{Took: time.Since(start)}, fmt.Errorf("after the fault: %w", err)
	}
	f.struck = false
	return Evidence{Probe: f.component + " answers", Took: time.Since(start)}, nil
}

// sessions refuses components that cannot be told to end any.
func sessions(s Spec, t targets.Topology) error {
	c, ok := t.Component(s.Component)
	if !ok || c.Sessions {
		return nil // an unknown one is refused elsewhere
	}
	var with []string
	for _, c := range t.Components {
		if c.Sessions {
			with = append(with, c.Name)
		}
	}
	if len(with) == 0 {
		return fmt.Errorf("%s needs a PostgreSQL that Wreckon knows how to connect to, and this target declares none", s.Kind)
	}
	return fmt.Errorf("%s is no PostgreSQL that Wreckon knows how to connect to: %s applies to %s", s.Component, s.Kind, strings.Join(with, ", "))
}
