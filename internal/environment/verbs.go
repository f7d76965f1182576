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
func (p *Processes) Start(ctx context.Context, name string) error {
	c, err := p.find(name)
	if err != nil {
		return fmt.Errorf("start %s: %w", name, err)
	}
	return p.start(ctx, c)
}

// Kill sends SIGKILL to the component's process group and returns when the component is reaped. A paused one dies as well.
func (p *Processes) Kill(ctx context.Context, name string) error {
	_, i, err := p.tell(name, syscall.SIGKILL)
	if err != nil {
		return fmt.Errorf("kill %s: %w", name, err)
	}
	if err := i.awaitGone(ctx); err != nil {
		return fmt.Errorf("kill %s: %w", name, err)
	}
	return nil
}

// Terminate sends SIGTERM to the component's process group and returns when the component is reaped. After grace it is killed, and
// the error is ErrGraceExceeded; when ctx ends first it is left as it is.
func (p *Processes) Terminate(ctx context.Context, name string, grace time.Duration) error {
	c, err := p.find(name)
	var i *incarnation
	if err == nil {
		i, err = c.signal(syscall.SIGTERM, nil, func(i *incarnation) {
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
	_, err = c.signal(syscall.SIGKILL, i)
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

// Pause sends SIGSTOP to the component's process group and returns when the kernel shows every thread of it stopped.
func (p *Processes) Pause(ctx context.Context, name string) error {
	c, i, err := p.tell(name, syscall.SIGSTOP)
	if err == nil {
		err = i.until(ctx, func() (bool, error) { return groupStopped(i.pid) })
	}
	if err != nil {
		return fmt.Errorf("pause %s: %w", name, err)
	}
	p.record(c, i.pid, history.OutcomePaused, "")
	return nil
}

// Resume sends SIGCONT to the component's process group and returns when the kernel shows no thread of it stopped.
func (p *Processes) Resume(ctx context.Context, name string) error {
	c, i, err := p.tell(name, syscall.SIGCONT)
	if err == nil {
		err = i.until(ctx, func() (bool, error) { return groupContinued(i.pid) })
	}
	if err != nil {
		return fmt.Errorf("resume %s: %w", name, err)
	}
	p.record(c, i.pid, history.OutcomeResumed, "")
	return nil
}

// Alive tells whether the component's process exists. A paused one does.
func (p *Processes) Alive(name string) bool {
	c, err := p.find(name)
	return err == nil && c.running() != nil
}

// Probe asks the component's readiness probe once.
func (p *Processes) Probe(ctx context.Context, name string) error {
	c, err := p.find(name)
	if err == nil && c.running() == nil {
		err = errNotRunning
	}
	if err == nil && c.Ready != nil {
		err = c.Ready(ctx)
	}
	if err != nil {
		return fmt.Errorf("probe %s: %w", name, err)
	}
	return nil
}

// tell sends a signal to a component's process group.
func (p *Processes) tell(name string, sig syscall.Signal) (*component, *incarnation, error) {
	c, err := p.find(name)
	if err != nil {
		return nil, nil, err
	}
	i, err := c.signal(sig, nil)
	return c, i, err
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
