package faults

import (
	"context"
	"fmt"
	"time"

	"github.com/wreckon/wreckon/targets"
)

// The kinds after which answers are late: latency and bandwidth.

// enough is the part of what a slow exchange must take that counts as shown: timers and clocks have a grain.
func enough(d time.Duration) time.Duration { return d * 9 / 10 }

func newLatency(s Spec, t targets.Topology, with Means) (Fault, error) {
	f, err := newConnectionFault(s, t, with.Links)
	if err != nil {
		return nil, err
	}
	f.shape = Shape{Delay: s.Delay, DelayRequests: s.Direction != Responses, DelayResponses: s.Direction != Requests}
	must := enough(s.Delay)
	if f.shape.DelayRequests && f.shape.DelayResponses {
		must = enough(2 * s.Delay)
	}
	f.asks = func(before Probe) error { return tellable(f.edge, before, must) }
	f.shows = func(ctx context.Context, before Probe) (string, error) {
		p := f.probe(ctx, patient+before.Took+4*s.Delay)
		if p.Outcome != SawAnswer || p.Took < must {
			return "", f.unlike(p, fmt.Sprintf("an answer after %v or more", must))
		}
		return slower(f.edge, before, p), nil
	}
	f.gone = func(before, now Probe) bool { return now.Took < before.Took+must/2 }
	return f, nil
}

func newBandwidth(s Spec, t targets.Topology, with Means) (Fault, error) {
	f, err := newConnectionFault(s, t, with.Links)
	if err != nil {
		return nil, err
	}
	if _, ok := f.link.(Padded); !ok {
		return nil, fmt.Errorf("bandwidth on %s: its probe cannot move a given number of bytes", f.edge.Name())
	}
	const most = 256 << 10 // header lines of a probe that any server takes
	f.shape = Shape{Rate: s.Rate}
	f.pad = int(min(most, max(64, s.Rate/5)))
	must := enough(time.Duration(float64(f.pad) / float64(s.Rate) * float64(time.Second)))
	f.asks = func(before Probe) error { return tellable(f.edge, before, must) }
	f.shows = func(ctx context.Context, before Probe) (string, error) {
		// Traffic of the target shares the rate: a probe that is not through in all this time shows it, too.
		p := f.probe(ctx, patient)
		if p.Outcome != SawAnswer && p.Outcome != SawTimeout || p.Took < must {
			return "", f.unlike(p, fmt.Sprintf("%d bytes taking %v or more", f.pad, must))
		}
		return fmt.Sprintf("%d bytes: %s", f.pad, slower(f.edge, before, p)), nil
	}
	f.gone = func(before, now Probe) bool { return now.Took < before.Took+must/2 }
	return f, nil
}

// tellable refuses an edge that is already as slow as the fault would make it.
func tellable(e targets.Edge, before Probe, must time.Duration) error {
	if before.Took >= must {
		return fmt.Errorf("%s already takes %v for an answer: %v would not show", e.Name(), before.Took, must)
	}
	return nil
}

func slower(e targets.Edge, before, now Probe) string {
	if now.Outcome != SawAnswer {
		return fmt.Sprintf("no answer through %s within %v, before the fault after %v", e.Name(), round(now.Took), before.Took.Round(10*time.Microsecond))
	}
	return fmt.Sprintf("an answer through %s takes %v, before the fault %v", e.Name(), round(now.Took), before.Took.Round(10*time.Microsecond))
}
