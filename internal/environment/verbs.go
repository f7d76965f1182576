package environment

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/wreckon/wreckon/history"
)

// ErrGraceExceeded tells that a component was still running when its grace was over, and had to be killed.
var ErrGraceExceeded = errors.New("grace exceeded")

// Start starts a component and returns when it is ready. Of one that runs already it waits until it is ready. The error is like
// that of StartAll.
func (p *Components) Start(ctx context.Context, name string) error {
	c, err := p.find(name)
	if err != nil {
		return fmt.Errorf("start %s: %w", name, err)
	}
	return p.start(ctx, c)
}

// Kill ends the component with SIGKILL, and all that it started, and returns when the component is reaped. A paused one dies as well.
func (p *Components) Kill(ctx context.Context, name string) error {
	_, i, err := p.tell(ctx, name, syscall.SIGKILL)
	if err != nil {
		return fmt.Errorf("kill %s: %w", name, err)
	}
	if err := i.awaitGone(ctx); err != nil {
		return fmt.Errorf("kill %s: %w", name, err)
	}
	return nil
}

// Terminate tells the component to end, with SIGTERM (or what the image of its container wants instead), and returns when the component is reaped. After grace it is killed, and
// the error is ErrGraceExceeded; when ctx ends first it is left as it is.
func (p *Components) Terminate(ctx context.Context, name string, grace time.Duration) error {
	c, err := p.find(name)
	var i *incarnation
	if err == nil {
		i, err = c.signal(ctx, syscall.SIGTERM, nil, func(i *incarnation) {
			p.record(c, i.pid, history.OutcomeTerminated, fmt.Sprintf("grace %v", grace))
		})
	}
	if err != nil {
		return fmt.Errorf("terminate %s: %w", name, err)
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-i.gone:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("terminate %s: process %d is not gone: %w", name, i.pid, ctx.Err())
	case <-timer.C:
	}
	_, err = c.signal(ctx, syscall.SIGKILL, i)
	if errors.Is(err, errNotRunning) {
		return nil // just in time
	}
	if err == nil {
		err = i.awaitGone(ctx)
	}
	if err != nil {
		return fmt.Errorf("terminate %s: %w after %v: %w", name, ErrGraceExceeded, grace, err)
	}
	return fmt.Errorf("terminate %s: %w: still running after %v, killed", name, ErrGraceExceeded, grace)
}

// awaitGone waits until a process is reaped.
func (i *incarnation) awaitGone(ctx context.Context) error {
	select {
	case <-i.gone:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("process %d is not gone: %w", i.pid, ctx.Err())
	}
}

// Pause stops the component, and all that it started, and returns when it is shown to stand still: a process and its group are sent
// SIGSTOP, a container is frozen.
func (p *Components) Pause(ctx context.Context, name string) error {
	if err := p.tellAndSee(ctx, name, syscall.SIGSTOP, history.OutcomePaused); err != nil {
		return fmt.Errorf("pause %s: %w", name, err)
	}
	return nil
}

// Resume lets the component go on, and returns when nothing of it is shown to stand still.
func (p *Components) Resume(ctx context.Context, name string) error {
	if err := p.tellAndSee(ctx, name, syscall.SIGCONT, history.OutcomeResumed); err != nil {
		return fmt.Errorf("resume %s: %w", name, err)
	}
	return nil
}

// Alive tells whether the component exists. A paused one does.
func (p *Components) Alive(name string) bool {
	c, err := p.find(name)
	return err == nil && c.running() != nil
}

// Probe asks the component's readiness probe once. One that has done its work and ended is ready.
func (p *Components) Probe(ctx context.Context, name string) error {
	c, err := p.find(name)
	if err == nil && c.once() {
		return nil // it has served, or the start would have failed
	}
	var i *incarnation
	if err == nil {
		if i = c.running(); i == nil {
			err = errNotRunning
		}
	}
	if err == nil && c.Ready != nil {
		err = c.Ready(ctx)
	}
	if err == nil {
		if asked, ok := i.Running.(Asked); ok {
			err = asked.Serves(ctx)
		}
	}
	if err != nil {
		return fmt.Errorf("probe %s: %w", name, err)
	}
	return nil
}

// tell sends a signal to a component.
func (p *Components) tell(ctx context.Context, name string, sig syscall.Signal) (*component, *incarnation, error) {
	c, err := p.find(name)
	if err != nil {
		return nil, nil, err
	}
	i, err := c.signal(ctx, sig, nil)
	return c, i, err
}

// tellAndSee sends a signal to a component, waits until it shows, and records it.
func (p *Components) tellAndSee(ctx context.Context, name string, sig syscall.Signal, what history.Outcome) error {
	c, i, err := p.tell(ctx, name, sig)
	if err == nil {
		err = i.until(ctx, func() (bool, error) { return i.Shows(ctx, sig) })
	}
	if err == nil {
		p.record(c, i.pid, what, "")
	}
	return err
}

// until waits for a condition that only the kernel can show, by asking often.
func (i *incarnation) until(ctx context.Context, holds func() (bool, error)) error {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		if ok, err := holds(); ok || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-i.gone:
			return fmt.Errorf("process %d ended: %s", i.pid, i.how)
		case <-ctx.Done():
			return fmt.Errorf("process %d has not changed: %w", i.pid, ctx.Err())
		}
	}
}
