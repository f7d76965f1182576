package faults

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/wreckon/wreckon/history"
)

// Undo is a record on disk of what must be undone. Begin returns once the record would survive a SIGKILL of the harness; only then
// does the fault begin. Done tells that it is undone.
type Undo interface {
	Begin(id, what string) error
	Done(id string) error
}

// Recorder is where the guard writes its events.
type Recorder interface {
	Record(history.Event) (seq uint64)
}

// ErrOrder is wrapped by refusals: the fault is not in a state for it, or one that is in force forbids it.
var ErrOrder = errors.New("illegal order of faults")

// Limits of one Inject and one Heal, on top of what the fault itself must wait for.
const (
	injectLimit = 10 * time.Second
	healLimit   = 15 * time.Second
)

// state is where a fault stands. Only these steps are legal:
//
//	idle -> injecting -> in force | doubtful -> healing -> healed | stuck
//	stuck -> healing;  healed -> injecting
type state int

const (
	idle      state = iota
	injecting       // asked for; perhaps waiting for another one on its aim to settle
	inForce         // confirmed
	doubtful        // Inject failed: it may be in force all the same, and must be healed
	healing
	stuck // Heal failed: it may be in force still, and can be healed again
	healed
)

func (s state) String() string {
	return [...]string{"idle", "being injected", "in force", "doubtful", "being healed", "stuck", "healed"}[s]
}

// Guard stands around every fault of a run. It refuses illegal orders, has an undo record on disk before a fault begins and until
// it is healed, and writes each fault as an interval of its own into the history: begin, confirmed, end, healed, or failed where one
// of these could not be. It is safe for use from any goroutine.
type Guard struct {
	recorder Recorder
	undo     Undo

	mu     sync.Mutex
	faults []*guarded // in the order they were asked for
	over   chan struct{}
	end    func() // closes over, once
}

// guarded is one fault and where it stands. Its fields are the guard's, under its mutex.
type guarded struct {
	spec    Spec
	fault   Fault
	state   state
	ended   bool          // the end of the interval is recorded
	settled chan struct{} // closed when neither injecting nor healing
}

// NewGuard makes a guard for one run.
func NewGuard(recorder Recorder, undo Undo) *Guard {
	over := make(chan struct{})
	return &Guard{recorder: recorder, undo: undo, over: over, end: sync.OnceFunc(func() { close(over) })}
}

// Inject begins a fault and returns when it is confirmed, with what showed it. After an error other than ErrOrder the fault is
// doubtful and must be healed. A fault on the same edge or component that is just being injected or healed is waited for.
func (g *Guard) Inject(ctx context.Context, spec Spec, f Fault) (Evidence, error) {
	e, err := g.enter(spec, f)
	if err != nil {
		return Evidence{}, err
	}
	return g.inject(ctx, e)
}

// enter registers a fault as being injected; its place among others is decided here.
func (g *Guard) enter(spec Spec, f Fault) (*guarded, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, e := range g.faults {
		if e.spec.ID != spec.ID {
			continue
		}
		if e.state != healed {
			return nil, fmt.Errorf("inject %s: it is %v: %w", spec.ID, e.state, ErrOrder)
		}
		g.faults = append(g.faults[:i], g.faults[i+1:]...)
		break
	}
	e := &guarded{spec: spec, fault: f, state: injecting, settled: make(chan struct{})}
	g.faults = append(g.faults, e)
	return e, nil
}

func (g *Guard) inject(ctx context.Context, e *guarded) (Evidence, error) {
	ctx, cancel := context.WithTimeout(ctx, injectLimit+patience(e.spec))
	defer cancel()
	err := g.admit(ctx, e)
	if err == nil {
		if err = g.undo.Begin(e.spec.ID, e.spec.Kind+" "+e.spec.Target()); err != nil {
			err = fmt.Errorf("write undo record: %w", err)
		}
	}
	if err != nil { // nothing was done to the target
		g.record(e, history.OutcomeFailed, Evidence{Detail: err.Error()})
		g.settle(e, healed)
		return Evidence{}, fmt.Errorf("inject %s: %w", e.spec.ID, err)
	}
	g.record(e, history.OutcomeBegin, Evidence{})
	evidence, err := attempt(ctx, e.fault.Inject)
	if err != nil {
		evidence.Detail = joined(evidence.Detail, err.Error())
		g.record(e, history.OutcomeFailed, evidence)
		g.settle(e, doubtful)
		return evidence, fmt.Errorf("inject %s: %w", e.spec.ID, err)
	}
	g.record(e, history.OutcomeConfirmed, evidence)
	g.settle(e, inForce)
	return evidence, nil
}

// admit waits until no earlier fault on the same aim is between two states, and refuses what clashes with one in force.
func (g *Guard) admit(ctx context.Context, e *guarded) error {
	for {
		wait, err := g.obstacle(e)
		if err != nil || wait == nil {
			return err
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return fmt.Errorf("wait for another fault on %s: %w", e.spec.Target(), context.Cause(ctx))
		}
	}
}

func (g *Guard) obstacle(e *guarded) (wait <-chan struct{}, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, o := range g.faults {
		if o == e { // later ones wait for this one
			return wait, nil
		}
		if !sameAim(o.spec, e.spec) || onMessage(o.spec) && onMessage(e.spec) {
			continue
		}
		switch o.state {
		case injecting, healing:
			wait = o.settled
		case inForce, doubtful, stuck:
			if why := clash(o.spec, e.spec); why != "" {
				return nil, fmt.Errorf("%s is %v: %s: %w", o.spec.ID, o.state, why, ErrOrder)
			}
		}
	}
	return wait, nil
}

// Heal ends a fault and returns when it is shown to be gone. Healing what was never injected, or is healed, does nothing. The
// attempt has its own deadline and goes on when ctx is cancelled; after an error it may be repeated.
func (g *Guard) Heal(ctx context.Context, id string) (Evidence, error) {
	e, err := g.leave(ctx, id)
	if e == nil || err != nil {
		return Evidence{}, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), healLimit+patience(e.spec))
	defer cancel()
	evidence, err := attempt(ctx, e.fault.Heal)
	if err != nil {
		evidence.Detail = joined(evidence.Detail, err.Error())
		g.record(e, history.OutcomeFailed, evidence)
		g.settle(e, stuck)
		return evidence, fmt.Errorf("heal %s: %w", id, err)
	}
	err = g.undo.Done(id)
	g.record(e, history.OutcomeHealed, evidence)
	g.settle(e, healed)
	if err != nil {
		return evidence, fmt.Errorf("heal %s: close undo record: %w", id, err)
	}
	return evidence, nil
}

// leave puts a fault into healing, after what is going on with it. Nil: there is nothing to heal.
func (g *Guard) leave(ctx context.Context, id string) (*guarded, error) {
	for {
		g.mu.Lock()
		var e *guarded
		for _, f := range g.faults {
			if f.spec.ID == id {
				e = f
			}
		}
		if e == nil || e.state == healed {
			g.mu.Unlock()
			return nil, nil
		}
		if e.state != injecting && e.state != healing {
			e.state, e.settled = healing, make(chan struct{})
			first := !e.ended
			e.ended = true
			g.mu.Unlock()
			if first {
				g.record(e, history.OutcomeEnd, Evidence{})
			}
			return e, nil
		}
		now, settled := e.state, e.settled
		g.mu.Unlock()
		select {
		case <-settled:
		case <-ctx.Done():
			return nil, fmt.Errorf("heal %s: it is %v: %w", id, now, context.Cause(ctx))
		}
	}
}

// HealAll heals whatever is not healed, the latest first. It is for the end of a run, however that came about.
func (g *Guard) HealAll(ctx context.Context) error {
	g.mu.Lock()
	ids := make([]string, len(g.faults))
	for i, e := range g.faults {
		ids[len(ids)-1-i] = e.spec.ID
	}
	g.mu.Unlock()
	var errs []error
	for _, id := range ids {
		_, err := g.Heal(ctx, id)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (g *Guard) settle(e *guarded, s state) {
	g.mu.Lock()
	defer g.mu.Unlock()
	e.state = s
	close(e.settled)
}

func (g *Guard) record(e *guarded, o history.Outcome, evidence Evidence) {
	event := history.Event{Kind: history.KindFault, Outcome: o, Unit: history.NoUnit, Op: e.spec.Kind, Component: e.spec.Target(), Key: e.spec.ID}
	if evidence != (Evidence{}) {
		value, _ := json.Marshal(evidence) // of strings and numbers: it cannot fail
		event.Value = string(value)
	}
	g.recorder.Record(event)
}

// attempt makes an error of a panic: whatever a fault does, the ones in force must still be healed.
func attempt(ctx context.Context, verb func(context.Context) (Evidence, error)) (e Evidence, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	return verb(ctx)
}

func joined(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}

// patience is what a fault may take beyond the ordinary: drains that use up their grace, turns, delays that its probes wait for.
func patience(s Spec) time.Duration {
	p := 4 * s.Delay
	if s.Kind == "terminate" || s.Kind == "rolling-restart" {
		p += time.Duration(len(components(s)))*(graceOf(s)+restarts) + s.For
	}
	return p
}
