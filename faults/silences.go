package faults

import (
	"context"
	"fmt"
	"time"

	"github.com/wreckon/wreckon/targets"
)

// The kinds after which nobody gets an answer: partition, blackhole, reset and lost-response.

func newPartition(s Spec, t targets.Topology, with Means) (Fault, error) {
	f, err := newConnectionFault(s, t, with.Links)
	if err != nil {
		return nil, err
	}
	f.shape = Shape{HoldRequests: s.Direction != Responses, HoldResponses: s.Direction != Requests}
	f.shows = func(ctx context.Context, before Probe) (string, error) {
		limit := silence + 2*before.Took
		p := f.probe(ctx, limit)
		name := f.edge.Name()
		switch {
		case p.Outcome != SawTimeout:
			return "", f.unlike(p, "silence")
		case f.shape.HoldRequests && p.Sent > 0:
			return "", fmt.Errorf("probe through %s: %d bytes of its request arrived in spite of the cut", name, p.Sent)
		case !f.shape.HoldRequests && p.Sent == 0:
			return "", fmt.Errorf("probe through %s: its request did not arrive, though only responses are cut", name)
		case !f.shape.HoldRequests:
			return fmt.Sprintf("no answer through %s within %v: the request arrived, responses are held", name, round(limit)), nil
		case !f.shape.HoldResponses:
			return fmt.Sprintf("no answer through %s within %v: requests are held", name, round(limit)), nil
		}
		return fmt.Sprintf("no answer through %s within %v: both ways are held", name, round(limit)), nil
	}
	if s.Flap > 0 {
		f.during = func(stop <-chan struct{}) { flap(stop, s.Flap, f.link, f.shape) }
	}
	return f, nil
}

// flap opens and closes a link in turns until it is stopped. It begins with the rest of a closed half, since that was just confirmed.
func flap(stop <-chan struct{}, half time.Duration, link Link, closed Shape) {
	tick := time.NewTicker(half)
	defer tick.Stop()
	for open := true; ; open = !open {
		select {
		case <-stop:
			return
		case <-tick.C:
			if open {
				link.Set(Shape{})
			} else {
				link.Set(closed)
			}
		}
	}
}

func newBlackhole(s Spec, t targets.Topology, with Means) (Fault, error) {
	f, err := newConnectionFault(s, t, with.Links)
	if err != nil {
		return nil, err
	}
	f.shape = Shape{Swallow: true}
	f.shows = func(ctx context.Context, before Probe) (string, error) {
		limit := silence + 2*before.Took
		p := f.probe(ctx, limit)
		if p.Outcome != SawTimeout {
			return "", f.unlike(p, "silence")
		}
		if p.Dropped == 0 {
			return "", fmt.Errorf("probe through %s: no answer, but its request was not swallowed", f.edge.Name())
		}
		return fmt.Sprintf("no answer through %s within %v: the connection stays open and %d bytes vanished", f.edge.Name(), round(limit), p.Dropped), nil
	}
	return f, nil
}

func newReset(s Spec, t targets.Topology, with Means) (Fault, error) {
	f, err := newConnectionFault(s, t, with.Links)
	if err != nil {
		return nil, err
	}
	f.shape = Shape{Reset: true}
	f.shows = func(ctx context.Context, _ Probe) (string, error) {
		if p := f.probe(ctx, patient); p.Outcome != SawReset {
			return "", f.unlike(p, "a reset")
		}
		return fmt.Sprintf("a connection through %s is reset (ECONNRESET)", f.edge.Name()), nil
	}
	return f, nil
}

func newLostResponse(s Spec, t targets.Topology, with Means) (Fault, error) {
	f, err := newConnectionFault(s, t, with.Links)
	if err != nil {
		return nil, err
	}
	f.shape = Shape{LoseResponses: true}
	f.shows = func(ctx context.Context, _ Probe) (string, error) {
		p := f.probe(ctx, patient)
		if p.Outcome != SawClose && p.Outcome != SawReset {
			return "", f.unlike(p, "a close without an answer")
		}
		if p.Dropped == 0 { // without this, a dead listener would look the same
			return "", fmt.Errorf("probe through %s: closed, but there was no response to lose", f.edge.Name())
		}
		return fmt.Sprintf("%s answered %d bytes through %s, none arrived, and the connection was closed", f.edge.To, p.Dropped, f.edge.Name()), nil
	}
	return f, nil
}

func round(d time.Duration) time.Duration { return d.Round(time.Millisecond) }
