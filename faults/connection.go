package faults

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/wreckon/wreckon/targets"
)

const (
	silence = 150 * time.Millisecond // an edge that answers nothing for so long, beyond what it took before, is cut
	patient = time.Second            // for a probe that should be answered
	settle  = 2 * time.Second        // until an edge must have answered before a fault, and for the next probe of a kind
	every   = 5 * time.Millisecond   // between two looks at a condition
)

// connectionFault sets a shape on a link. What differs between kinds is the shape, and what a probe must then see.
type connectionFault struct {
	edge   targets.Edge
	link   Link
	shape  Shape
	pad    int                                                             // bytes that probes move; 0: just a request
	asks   func(before Probe) error                                        // whether the fault could be told from how the edge is now; nil: always
	shows  func(ctx context.Context, before Probe) (saw string, err error) // probes for the fault
	gone   func(before, now Probe) bool                                    // that an answer is as it was before; nil: any answer
	during func(stop <-chan struct{})                                      // runs from confirmation until healing; nil: nothing

	before Probe
	began  Counters
	set    bool          // the shape is on the link
	stop   chan struct{} // ends during
	ended  chan struct{} // when it has
}

func newConnectionFault(s Spec, t targets.Topology, links Links) (*connectionFault, error) {
	if links == nil {
		return nil, fmt.Errorf("%s needs proxies", s.Kind)
	}
	edge, err := edgeOf(s, t)
	if err != nil {
		return nil, err
	}
	link, err := links.Link(edge)
	if err != nil {
		return nil, fmt.Errorf("aim %s: %w", s.Kind, err)
	}
	return &connectionFault{edge: edge, link: link}, nil
}

// Inject sets the shape and probes until the fault shows. An edge that answers nothing beforehand is refused: silence would prove nothing.
func (f *connectionFault) Inject(ctx context.Context) (Evidence, error) {
	start := time.Now()
	if err := f.look(ctx); err != nil {
		return Evidence{Took: time.Since(start)}, fmt.Errorf("before the fault: %w", err)
	}
	f.began, f.set = f.link.Touched(), true
	f.link.Set(f.shape)
	saw, err := f.shows(ctx, f.before)
	e := f.evidence(start, saw)
	if ctx.Err() != nil {
		err = errors.Join(err, context.Cause(ctx))
	}
	if err == nil && f.during != nil {
		f.stop, f.ended = make(chan struct{}), make(chan struct{})
		go func() {
			defer close(f.ended)
			f.during(f.stop)
		}()
	}
	return e, err
}

// look finds out how the edge is before the fault. Where the fault could not be told from one answer, it asks again for a while: a machine
// that stood still for a moment is not yet a slow edge.
func (f *connectionFault) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, settle)
	defer cancel()
	var untold error // why the fault could not be told from the last answer
	for {
		var err error
		if f.before, err = f.answered(ctx); err != nil {
			return cmp.Or(untold, err)
		}
		if f.asks == nil {
			return nil
		}
		if untold = f.asks(f.before); untold == nil {
			return nil
		}
		if sleep(ctx, every) != nil {
			return untold
		}
	}
}

// Heal lets everything pass, and probes until the edge answers as it did before. What was never set needs no healing, and an edge
// that is silent for another reason must not make it wait.
func (f *connectionFault) Heal(ctx context.Context) (Evidence, error) {
	if !f.set {
		return nothing, nil
	}
	start := time.Now()
	if f.stop != nil {
		close(f.stop)
		<-f.ended
		f.stop = nil
	}
	f.link.Set(Shape{})
	for {
		p, err := f.answered(ctx)
		if err != nil {
			return f.evidence(start, ""), fmt.Errorf("after the fault: %w", err)
		}
		if f.gone == nil || f.gone(f.before, p) {
			f.set = false
			return f.evidence(start, fmt.Sprintf("%s answers again, in %v", f.edge.Name(), p.Took.Round(10*time.Microsecond))), nil
		}
		if err := sleep(ctx, every); err != nil {
			return f.evidence(start, ""), fmt.Errorf("after the fault: %s answers in %v, before it in %v: %w", f.edge.Name(), p.Took, f.before.Took, err)
		}
	}
}

// answered probes until there is an answer, for as long as the context allows.
func (f *connectionFault) answered(ctx context.Context) (Probe, error) {
	for {
		p := f.probe(ctx, patient)
		if p.Outcome == SawAnswer {
			return p, nil
		}
		if err := sleep(ctx, every); err != nil {
			return p, fmt.Errorf("no answer through %s: the last probe saw %s after %v (%v): %w", f.edge.Name(), p.Outcome, p.Took, p.Err, err)
		}
	}
}

// probe makes one exchange, for at most so long.
func (f *connectionFault) probe(ctx context.Context, limit time.Duration) Probe {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if f.pad > 0 {
		return f.link.(Padded).ProbePadded(ctx, f.pad)
	}
	return f.link.Probe(ctx)
}

func (f *connectionFault) evidence(start time.Time, saw string) Evidence {
	now := f.link.Touched()
	return Evidence{
		Probe:       saw,
		Took:        time.Since(start),
		Connections: now.Connections - f.began.Connections,
		Bytes:       now.Bytes - f.began.Bytes,
		Dropped:     now.Dropped - f.began.Dropped,
	}
}

// unlike says what a probe saw instead of what it should have.
func (f *connectionFault) unlike(p Probe, want string) error {
	if p.Err != nil {
		return fmt.Errorf("probe through %s: saw %s after %v (%w), not %s", f.edge.Name(), p.Outcome, p.Took, p.Err, want)
	}
	return fmt.Errorf("probe through %s: saw %s after %v, not %s", f.edge.Name(), p.Outcome, p.Took, want)
}

// nothing is the evidence of healing what is not in force.
var nothing = Evidence{Probe: "nothing was in force"}

// sleep waits, and tells when the context ended first.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
