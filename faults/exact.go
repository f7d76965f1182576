package faults

import (
	"context"
	"fmt"
	"time"

	"github.com/wreckon/wreckon/faults/wire"
	"github.com/wreckon/wreckon/targets"
)

// What becomes of the message at whose point a process was struck: Spec.Frame.
const (
	FramePass = "pass"
	FrameDrop = "drop"
)

// exact strikes a process while a message is held, so that the process is gone, or stopped, exactly there.
type exact struct {
	*trigger
	process Fault
	frame   wire.Fate
}

// atPoint makes a kind of process fault one that can also be placed by an event.
func atPoint(newProcess func(Spec, targets.Topology, Means) (Fault, error)) func(Spec, targets.Topology, Means) (Fault, error) {
	return func(s Spec, t targets.Topology, with Means) (Fault, error) {
		f, err := newProcess(s, t, with)
		if err != nil || s.When == nil {
			return f, err
		}
		tr, err := newTrigger(s, t, with.Links)
		if err != nil {
			return nil, err
		}
		x := &exact{trigger: tr, process: f}
		if s.Frame == FrameDrop {
			x.frame = wire.Fate{Action: wire.Drop}
		}
		return x, nil
	}
}

// Inject is called while the message is held. It lets the message go once the process is seen to be struck.
func (f *exact) Inject(ctx context.Context) (Evidence, error) {
	start := time.Now()
	e, err := f.process.Inject(ctx)
	if err == nil {
		f.bitten()
		f.decide(f.frame, 0)
		e.Probe = fmt.Sprintf("%s %s: %s", f.when.Point, f.exchange(), e.Probe)
	}
	return f.evidence(start, e.Probe, e.Detail), err
}

// Heal brings the process back. Where the strike failed, the message is still held, and goes first: it may be what the process waits for.
func (f *exact) Heal(ctx context.Context) (Evidence, error) {
	f.disarm()
	e, err := f.process.Heal(ctx)
	return f.evidence(time.Now().Add(-e.Took), e.Probe, joined(e.Detail, f.became())), err
}

// became says what became of the message, as far as it is over.
func (f *exact) became() string {
	select {
	case o := <-f.over:
		f.over <- o
		switch {
		case f.frame.Action == wire.Drop:
			return "the held message was dropped"
		case f.when.Point == PointBefore && o.Deliveries == 0:
			return "the held message was not delivered: its connection had ended"
		case f.when.Point == PointAfter && !o.Returned:
			return "the held message was not delivered: its connection had ended"
		}
		return "the held message was delivered"
	default:
		return ""
	}
}
