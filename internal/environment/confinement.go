package environment

import (
	"context"
	"errors"
	"fmt"
	"syscall"
)

// Confinement is what a host can do that runs each component in a container, beside what any host can. Each verb returns when the
// engine says that it has happened, or why not.
type Confinement interface {
	Disconnect(ctx context.Context, name string) error
	Connect(ctx context.Context, name string) error
	LimitCPU(ctx context.Context, name string, cpus float64) error
	Throttled(ctx context.Context, name string) (periods uint64, err error)
	Starve(ctx context.Context, name string) error // returns when the kernel has killed it
}

var errNotContained = errors.New("it does not run in a container")

// Disconnect takes a component off its network. Connections stay open and fall silent.
func (p *Components) Disconnect(ctx context.Context, name string) error {
	return p.confine("disconnect", name, func(c Confinement) error { return c.Disconnect(ctx, name) })
}

// Connect puts a component back on its network, under the same name and address. Of one that is there it has nothing to do.
func (p *Components) Connect(ctx context.Context, name string) error {
	return p.confine("connect", name, func(c Confinement) error { return c.Connect(ctx, name) })
}

// LimitCPU gives a component so many processors at most; 0: as many as there are.
func (p *Components) LimitCPU(ctx context.Context, name string, cpus float64) error {
	return p.confine("limit processors of", name, func(c Confinement) error { return c.LimitCPU(ctx, name, cpus) })
}

// Throttled is in how many periods of the scheduler a component had to wait because its share of the processors was used up, since it was
// started.
func (p *Components) Throttled(ctx context.Context, name string) (periods uint64, err error) {
	return periods, p.confine("count how often the kernel throttled", name, func(c Confinement) error {
		periods, err = c.Throttled(ctx, name)
		return err
	})
}

// Starve gives a component no more memory than it has until the kernel kills it, and returns when it is reaped. It has as much as before when it is
// started again, or if ctx ends first.
func (p *Components) Starve(ctx context.Context, name string) error {
	return p.confine("starve", name, func(host Confinement) error {
		c, err := p.find(name)
		if err != nil {
			return err
		}
		i := c.running()
		if i == nil {
			return errNotRunning
		}
		told := func(sig syscall.Signal) {
			c.mu.Lock()
			i.told = sig // its end is asked for, whoever brings it about
			c.mu.Unlock()
		}
		told(syscall.SIGKILL)
		if err := host.Starve(ctx, name); err != nil {
			told(0)
			return err
		}
		return i.awaitGone(ctx)
	})
}

func (p *Components) confine(what, name string, do func(Confinement) error) error {
	c, ok := p.host.(Confinement)
	if !ok {
		return fmt.Errorf("%s %s: %w", what, name, errNotContained)
	}
	if err := do(c); err != nil {
		return fmt.Errorf("%s %s: %w", what, name, err)
	}
	return nil
}
