package environment

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/wreckon/wreckon/history"
	"github.com/wreckon/wreckon/internal/container"
)

var errNotRunning = errors.New("not running")

// component is one component over all its restarts.
type component struct {
	Process
	log *componentLog

	mu  sync.Mutex
	now *incarnation // the last one started
}

// incarnation is a component from one start until it is reaped.
type incarnation struct {
	Running
	pid  int
	gone chan struct{}
	how  string // how it ended: "exit status 1"; set before gone is closed

	// guarded by the component's lock
	ended   bool           // reaped: what it was called may be another's from now on
	told    syscall.Signal // the last signal that was meant to end it; 0: nobody told it to
	toldAt  time.Time      // when
	awaited int            // how many wait for it to get ready, and will say it if it dies
	ready   bool           // recorded as such
}

func (c *component) running() *incarnation {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now == nil || c.now.ended {
		return nil
	}
	return c.now
}

// signal sends a signal to a component, and only to that incarnation if one is given. It holds the lock against reaping, so that it
// certainly is still ours, and that whatever sent says of it comes before its end.
func (c *component) signal(ctx context.Context, sig syscall.Signal, only *incarnation, sent ...func(*incarnation)) (*incarnation, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := c.now
	if i == nil || i.ended || only != nil && i != only {
		return nil, errNotRunning
	}
	if err := i.Signal(ctx, sig); err != nil {
		return nil, err
	}
	if sig == syscall.SIGKILL || sig == syscall.SIGTERM {
		i.told, i.toldAt = sig, time.Now()
	}
	for _, say := range sent {
		say(i)
	}
	return i, nil
}

// start makes sure that the component runs, and waits until it is ready.
func (p *Components) start(ctx context.Context, c *component) error { return p.startIn(ctx, c, nil) }

// startIn is start, with those who wait for it.
func (p *Components) startIn(ctx context.Context, c *component, t turns) error {
	i, err := p.launch(ctx, c)
	if err != nil {
		return fmt.Errorf("start %s: %w", c.Name, err)
	}
	t.reached(c, container.Started)
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, p.patience(c))
	defer cancel()
	if c.once() {
		err = i.awaitGone(ctx)
	} else {
		err = i.becomeReady(ctx, c.Ready, probeWithin)
		if asked, ok := i.Running.(Asked); ok && err == nil {
			err = i.becomeReady(ctx, asked.Serves, p.patience(c))
		}
	}

	c.mu.Lock()
	i.awaited--
	ended := i.ended // also where the probe has answered: nobody else says it
	if err == nil && !ended && !i.ready {
		i.ready = true
		p.record(c, i.pid, history.OutcomeReady, "")
	}
	c.mu.Unlock()
	if err == nil && (!ended || c.once() && i.how == EndedWell) {
		t.reached(c, container.Ready)
		t.reached(c, container.Ended)
		return nil
	}
	switch {
	case ended:
		<-i.gone // its log is complete
		return fmt.Errorf("start %s: ended before it was ready: %s%s", c.Name, i.how, c.log.quote())
	case err != nil:
		return fmt.Errorf("start %s: not ready after %v: %w%s", c.Name, time.Since(began).Round(time.Millisecond), err, c.log.quote())
	}
	return nil
}

// imagesWithin is how long a component may take to get ready at least that is not a program of ours: somebody else's server may make itself a
// database first.
const imagesWithin = 90 * time.Second

// patience is how long a component may take from its start until it is ready.
func (p *Components) patience(c *component) time.Duration {
	if c.Container != nil {
		return max(p.opts.ReadyWithin, imagesWithin)
	}
	return p.opts.ReadyWithin
}

// once tells that the component is to do its work and end.
func (c *component) once() bool { return c.Container != nil && c.Container.Once }

// launch starts the component unless it runs, and counts the caller as waiting for it.
func (p *Components) launch(ctx context.Context, c *component) (*incarnation, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p.closed.Load() {
		return nil, ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if c.now != nil && !c.now.ended {
		c.now.awaited++
		return c.now, nil
	}
	output, input, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	running, err := p.host.Start(ctx, c.Process, input)
	if err != nil {
		output.Close()
		return nil, err
	}
	i := &incarnation{Running: running, pid: running.PID(), gone: make(chan struct{}), awaited: 1}
	c.now = i
	c.log.begin(i.pid)
	p.record(c, i.pid, history.OutcomeStarted, "")
	p.wait.Go(func() { p.reap(c, i, output) })
	return i, nil
}

// reap copies the output of an incarnation to its log, and says when it is gone.
func (p *Components) reap(c *component, i *incarnation, output *os.File) {
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		c.log.copy(output)
	}()
	i.Wait()

	c.mu.Lock()
	i.how = i.Reap()
	i.ended = true
	alone := i.told == 0 && i.awaited == 0 && !(c.once() && i.how == EndedWell)
	switch i.told { // before the log is read to its end: how long a component took to go is judged by this event
	case 0:
		how := i.how + ", not asked for"
		if c.once() && i.how == EndedWell {
			how = i.how + ": it has done its work"
		}
		p.record(c, i.pid, history.OutcomeExited, how)
	case syscall.SIGTERM:
		p.record(c, i.pid, history.OutcomeExited, fmt.Sprintf("%s, %v after SIGTERM", i.how, time.Since(i.toldAt).Round(time.Millisecond)))
	default:
		p.record(c, i.pid, history.OutcomeKilled, i.how)
	}
	c.mu.Unlock()

	// A child in a group of its own may keep the pipe open for ever.
	_ = output.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
	<-copied
	output.Close()
	close(i.gone)
	if alone && p.opts.OnExit != nil {
		p.opts.OnExit(c.Name, fmt.Errorf("%s%s", i.how, c.log.quote()))
	}
}

// probeWithin bounds one readiness probe: a component that accepts a connection and then says nothing is asked again.
const probeWithin = time.Second

// becomeReady asks the probe until it answers, each time for so long, or the process is gone or ctx ends.
func (i *incarnation) becomeReady(ctx context.Context, probe func(context.Context) error, within time.Duration) error {
	if probe == nil {
		return nil
	}
	asked, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { // a probe under way need not notice that the process died
		select {
		case <-i.gone:
			cancel()
		case <-asked.Done():
		}
	}()
	began := time.Now()
	for {
		once, done := context.WithTimeout(asked, within)
		err := probe(once)
		done()
		if err == nil {
			return nil
		}
		pause := time.NewTimer(pollEvery(time.Since(began)))
		select {
		case <-pause.C:
		case <-asked.Done():
			pause.Stop()
			return fmt.Errorf("%w: last probe: %w", cause(ctx, i), err)
		}
	}
}

// cause says why nobody asks any more.
func cause(ctx context.Context, i *incarnation) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return fmt.Errorf("process %d is gone", i.pid)
}

// pollEvery is short at first, where it decides how soon a restarted component is in use again.
func pollEvery(since time.Duration) time.Duration {
	switch {
	case since < 200*time.Millisecond:
		return 2 * time.Millisecond
	case since < 2*time.Second:
		return 10 * time.Millisecond
	}
	return 50 * time.Millisecond
}
