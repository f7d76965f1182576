package environment

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/wreckon/wreckon/history"
)

// Recorder is where the environment says what happened to components, as events of kind process: started, ready, paused, resumed,
// terminated (told to end; its exit follows), and, once it is reaped, killed or exited. Token is the process id on the machine that
// runs it; Value says how it ended.
type Recorder interface {
	Record(history.Event) (seq uint64)
}

// Options say where logs go and who is told. The zero value works: no logs on disk, no records.
type Options struct {
	LogDir      string        // one NAME.log for each component; "": none
	LogLimit    int64         // bytes of each log that are kept; 0: 32 MB
	ReadyWithin time.Duration // how long a component may take from its start until its probe answers; 0: 10 s
	Host        Host          // nil: this machine, without an undo log
	Record      Recorder      // nil: nothing is recorded
	// OnExit is told when a component dies that was not told to, and that no Start or StartAll was waiting for (they say it
	// themselves). It is called from a goroutine of the environment, which Close waits for: it must return soon and not call Close.
	OnExit func(name string, how error)
}

// ErrClosed tells that the environment was closed.
var ErrClosed = errors.New("environment is closed")

// Components are the components of one run. The methods are safe for concurrent use.
type Components struct {
	opts   Options
	host   Host
	closed atomic.Bool
	finish sync.Once
	wait   sync.WaitGroup // one for each incarnation until it is reaped and reported

	mu         sync.Mutex
	components map[string]*component
	order      []*component
}

// New makes an environment without components. Close ends it.
func New(opts Options) *Components {
	if opts.LogLimit == 0 {
		opts.LogLimit = 32 << 20
	}
	if opts.ReadyWithin == 0 {
		opts.ReadyWithin = 10 * time.Second
	}
	if opts.Host == nil {
		opts.Host = newMachine(nil)
	}
	return &Components{opts: opts, host: opts.Host, components: map[string]*component{}}
}

// Place gives each component its addresses. It is called once, before the first component starts.
func (p *Components) Place(ctx context.Context, wants []Want) (map[string]Place, error) {
	return p.host.Place(ctx, wants)
}

// Contained tells that each component runs in a container, with files of its own.
func (p *Components) Contained() bool { return p.host.Contained() }

// Images names what the containers of components were made from; empty for processes.
func (p *Components) Images() map[string]string { return p.host.Images() }

// Add makes a component known. It does not start it. Names are unique: a name that is known already keeps its first process.
func (p *Components) Add(proc Process) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.components[proc.Name] != nil {
		return
	}
	c := &component{Process: proc, log: &componentLog{limit: p.opts.LogLimit}}
	if p.opts.LogDir != "" {
		c.log.path = filepath.Join(p.opts.LogDir, proc.Name+".log")
	}
	p.components[proc.Name] = c
	p.order = append(p.order, c)
}

// StartAll starts every component at once, but for those that wait for another, and returns when all are ready. The error says of the first that failed how it died, or
// that it never got ready, and ends with the last lines of its log. What was started stays for Close.
func (p *Components) StartAll(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	all := p.all()
	procs := make([]Process, len(all))
	for i, c := range all {
		procs[i] = c.Process
	}
	if err := p.host.Prepare(ctx, procs); err != nil {
		return err
	}
	var starts sync.WaitGroup
	turns := newTurns(all)
	for _, c := range all {
		starts.Go(func() {
			err := turns.await(ctx, c)
			if err == nil {
				err = p.startIn(ctx, c, turns)
			}
			if err != nil {
				cancel(err) // the first one counts: nobody waits for the rest
			}
		})
	}
	starts.Wait()
	return context.Cause(ctx)
}

// Stop tells every component that runs to end, all at once, and kills what has not ended after grace. The errors are those of
// Terminate.
func (p *Components) Stop(ctx context.Context, grace time.Duration) error {
	all := p.all()
	errs := make([]error, len(all))
	var stops sync.WaitGroup
	for i, c := range all {
		if c.running() != nil {
			stops.Go(func() { errs[i] = p.Terminate(ctx, c.Name, grace) })
		}
	}
	stops.Wait()
	return errors.Join(errs...)
}

// Close kills and reaps every component, closes the logs, and lets the host remove what it made. It records nothing: the history is sealed by then.
// Whatever is not gone when ctx ends is named in the error. Close is idempotent.
func (p *Components) Close(ctx context.Context) error {
	p.closed.Store(true)
	all := p.all()
	errs := make([]error, len(all))
	var ends sync.WaitGroup
	for n, c := range all {
		if i := c.running(); i != nil {
			ends.Go(func() { errs[n] = c.end(ctx, i) })
		}
	}
	ends.Wait()
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close environment: %w", err)
	}
	p.wait.Wait()
	p.finish.Do(func() {
		if err := p.host.Close(ctx); err != nil {
			errs = append(errs, err)
		}
		for _, c := range p.all() {
			if err := c.log.close(); err != nil {
				errs = append(errs, fmt.Errorf("log of %s: %w", c.Name, err))
			}
		}
	})
	return errors.Join(errs...)
}

// end kills an incarnation and waits until it is gone.
func (c *component) end(ctx context.Context, i *incarnation) error {
	if _, err := c.signal(ctx, syscall.SIGKILL, i); err != nil && !errors.Is(err, errNotRunning) {
		return fmt.Errorf("kill %s: %w", c.Name, err)
	}
	if err := i.awaitGone(ctx); err != nil {
		return fmt.Errorf("reap %s: %w", c.Name, err)
	}
	return nil
}

func (p *Components) all() []*component {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]*component(nil), p.order...)
}

func (p *Components) find(name string) (*component, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c := p.components[name]; c != nil {
		return c, nil
	}
	return nil, fmt.Errorf("component %s is not known", name)
}

func (p *Components) record(c *component, pid int, what history.Outcome, value string) {
	if p.opts.Record != nil && !p.closed.Load() {
		p.opts.Record.Record(history.Event{
			Kind: history.KindProcess, Unit: history.NoUnit, Component: c.Name, Outcome: what, Token: uint64(pid), Value: value,
		})
	}
}
