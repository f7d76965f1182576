package environment

import (
	"context"
	"fmt"

	"github.com/wreckon/wreckon/internal/container"
)

// turns say when those who wait for others may start: a channel for each component and each thing that can be waited for, which is closed as soon
// as it is so. None: nobody waits.
type turns map[turn]chan struct{}

type turn struct {
	component string
	when      container.When
}

func newTurns(all []*component) turns {
	t := turns{}
	for _, c := range all {
		for _, when := range []container.When{container.Started, container.Ready, container.Ended} {
			t[turn{c.Name, when}] = make(chan struct{})
		}
	}
	return t
}

// reached says that it is so.
func (t turns) reached(c *component, when container.When) {
	if at := t[turn{c.Name, when}]; at != nil {
		close(at)
	}
}

// await waits for what must be so before a component starts.
func (t turns) await(ctx context.Context, c *component) error {
	if c.Container == nil {
		return nil
	}
	for _, a := range c.Container.After {
		so := t[turn{a.Component, a.When}]
		if so == nil {
			return fmt.Errorf("start %s: it waits for %s, which is no component", c.Name, a.Component)
		}
		select {
		case <-so:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}
