package faults

import (
	"context"
	"fmt"
	"time"

	"github.com/wreckon/wreckon/faults/wire"
	"github.com/wreckon/wreckon/targets"
)

// The kinds that are done to one message, or to each n-th: drop-request, drop-response, error-after, delay-past-timeout,
// late-response, duplicate and swap.

// How a connection ends from which a message was dropped: Spec.End.
const (
	EndClose  = "close"
	EndReset  = "reset"
	EndSilent = "silent"
)

// When a second delivery comes: Spec.Again.
const (
	AgainAtOnce      = "at-once"
	AgainAfterAnswer = "after-answer"
	AgainLater       = "later"
)

// act is what a kind does to a message.
type act struct {
	point  string
	fate   wire.Fate
	delay  time.Duration
	action string // for the evidence: what was done to it
	// shows says what is wrong with what became of the exchange; "": it is as it must be.
	shows func(o wire.Outcome) string
}

// actOf resolves what a spec of one of these kinds does.
func actOf(s Spec) act {
	switch s.Kind {
	case "drop-request":
		return act{PointBefore, wire.Fate{Action: wire.Drop, End: endOf(s)}, 0, "the request was lost", func(o wire.Outcome) string {
			return wrongIf(o.Deliveries > 0, "it was delivered")
		}}
	case "drop-response":
		return act{PointAfter, wire.Fate{Action: wire.Drop, End: endOf(s)}, 0, "the answer was lost", func(o wire.Outcome) string {
			return wrongIf(o.Returned, "its answer was delivered")
		}}
	case "error-after":
		return act{PointAfter, wire.Fate{Action: wire.Refuse}, 0, "the answer was replaced by an error", func(o wire.Outcome) string {
			return wrongIf(!o.Refused || !o.Returned, "the caller got no error")
		}}
	case "delay-past-timeout":
		return act{PointBefore, wire.Fate{}, s.Delay, fmt.Sprintf("the request was delivered %v late", s.Delay), func(o wire.Outcome) string {
			return wrongIf(o.Deliveries == 0, "its request was never delivered")
		}}
	case "late-response": // whether anybody is still there to take it is what the fault is about
		return act{PointAfter, wire.Fate{}, s.Delay, fmt.Sprintf("the answer was kept for %v", s.Delay), func(wire.Outcome) string { return "" }}
	case "duplicate":
		fate, how := wire.Fate{Action: wire.Repeat}, "at once"
		switch s.Again {
		case AgainAfterAnswer:
			fate.AnswerFirst, how = true, "after its answer"
		case AgainLater:
			fate.After, how = s.Delay, fmt.Sprintf("%v later", s.Delay)
		}
		return act{PointBefore, fate, 0, "the request was delivered twice, the second time " + how, func(o wire.Outcome) string {
			return wrongIf(o.Deliveries < 2, "its second delivery did not come about")
		}}
	}
	return act{PointBefore, wire.Fate{Action: wire.Swap}, 0, "the request was delivered behind the next one", func(o wire.Outcome) string {
		return wrongIf(!o.Overtaken, "no other request came to overtake it")
	}}
}

// calledOff says what was still to come when the fault was undone, and did not come; "": nothing was.
func (a act) calledOff(n int64) string {
	switch {
	case n == 0:
		return ""
	case a.fate.Action == wire.Repeat:
		return fmt.Sprintf("called off before they came: %d second deliveries", n)
	}
	return fmt.Sprintf("let go before another had overtaken them: %d requests", n)
}

func wrongIf(wrong bool, why string) string {
	if wrong {
		return why
	}
	return ""
}

func endOf(s Spec) wire.End {
	switch s.End {
	case EndReset:
		return wire.Reset
	case EndSilent:
		return wire.Silent
	}
	return wire.Close
}

// messageFault does something to the exchanges at a point.
type messageFault struct {
	*trigger
	act  act
	link Link
	bit  bool
}

func newMessageFault(s Spec, t targets.Topology, with Means) (Fault, error) {
	if s.When == nil {
		return nil, fmt.Errorf("%s is placed by an event: it needs a when", s.Kind)
	}
	a := actOf(s)
	w := *s.When
	w.Point = a.point
	s.When = &w
	tr, err := newTrigger(s, t, with.Links)
	if err != nil {
		return nil, err
	}
	link, err := with.Links.Link(tr.edge)
	if err != nil {
		return nil, fmt.Errorf("aim %s: %w", s.Kind, err)
	}
	return &messageFault{trigger: tr, act: a, link: link}, nil
}

// Inject is called when an exchange is at the point. It returns once the exchange is over, and was done what should be.
func (f *messageFault) Inject(ctx context.Context) (Evidence, error) {
	start := time.Now()
	f.bit = true
	f.bitten()
	f.decide(f.act.fate, f.act.delay)
	o, err := f.outcome(ctx)
	if err != nil {
		return f.evidence(start, "", ""), err
	}
	if wrong := f.act.shows(o); wrong != "" {
		return f.evidence(start, "", ""), fmt.Errorf("%s: %s", f.exchange(), wrong)
	}
	detail := ""
	switch {
	case f.act.point == PointAfter && f.act.delay > 0 && !o.Returned:
		detail = "nobody was there any more to take it"
	case f.act.point == PointBefore && f.act.delay > 0 && !o.Returned:
		detail = "the caller did not wait for the answer"
	}
	return f.evidence(start, fmt.Sprintf("%s: %s", f.exchange(), f.act.action), detail), nil
}

// Heal lets go of what is held, and probes the edge. That it does not answer is somebody else's doing, and told as a detail: a fault of
// messages leaves an edge as it is.
func (f *messageFault) Heal(ctx context.Context) (Evidence, error) {
	f.disarm()
	if !f.bit {
		return nothing, nil
	}
	start := time.Now()
	f.bit = false
	saw, detail := "nothing is held", f.act.calledOff(f.armed.CalledOff())
	if p := f.answers(ctx); p.Outcome == SawAnswer {
		saw += fmt.Sprintf(", and %s answers", f.edge.Name())
	} else {
		detail = joined(detail, fmt.Sprintf("%s does not answer: the last probe saw %s after %v (%v)", f.edge.Name(), p.Outcome, round(p.Took), p.Err))
	}
	if err := f.failure(); err != nil {
		return f.evidence(start, saw, detail), fmt.Errorf("do what was decided: %w", err)
	}
	return f.evidence(start, saw, detail), nil
}

// answers probes the edge until it answers, or for as long as it is worth waiting.
func (f *messageFault) answers(ctx context.Context) Probe {
	ctx, cancel := context.WithTimeout(ctx, settle)
	defer cancel()
	for {
		p := f.link.Probe(ctx)
		if p.Outcome == SawAnswer || sleep(ctx, every) != nil {
			return p
		}
	}
}

// message accepts what these kinds take.
func message(s Spec, t targets.Topology) error {
	if s.When == nil {
		return fmt.Errorf("%s acts on a message: place it with when, as in when: {exchange: \"POST /orders\", nth: 3}", s.Kind)
	}
	if s.From == "" || s.To == "" {
		_, err := edgeOf(s, t)
		return err
	}
	if err := placed(s, t); err != nil {
		return err
	}
	e, err := pointEdge(s, t)
	if err != nil {
		return err
	}
	p, _ := wire.Lookup(string(e.Protocol))
	a := actOf(s)
	switch {
	case s.Direction == Responses:
		return fmt.Errorf("%s acts on a message of an edge: write %s", s.Kind, e.Name())
	case s.When.Point != "" && s.When.Point != a.point:
		return fmt.Errorf("%s acts %s the exchange: write point: %s, or leave it out", s.Kind, a.point, a.point)
	case s.For != 0:
		return fmt.Errorf("%s takes no time to hold: it is one exchange, or with every each n-th until the load is over", s.Kind)
	case s.Frame != "":
		return fmt.Errorf("%s takes no frame: what becomes of the message is what it is", s.Kind)
	case s.End != "" && a.fate.Action != wire.Drop:
		return fmt.Errorf("%s takes no end: nothing is dropped", s.Kind)
	case s.End != "" && s.End != EndClose && s.End != EndReset && s.End != EndSilent:
		return fmt.Errorf("end %q is none: close, reset or silent", s.End)
	case s.Again != "" && a.fate.Action != wire.Repeat:
		return fmt.Errorf("%s takes no again: nothing is repeated", s.Kind)
	case s.Again != "" && s.Again != AgainAtOnce && s.Again != AgainAfterAnswer && s.Again != AgainLater:
		return fmt.Errorf("again %q is none: at-once, after-answer or later", s.Again)
	case s.Delay != 0 && a.fate.Action == wire.Repeat && s.Again != AgainLater:
		return fmt.Errorf("%s takes a delay only where it comes again later", s.Kind)
	case (a.delay > 0 || needsDelay(s)) && (s.Delay < minDelay || s.Delay > maxDelay):
		return fmt.Errorf("%s needs a delay from %v to %v, not %v", s.Kind, minDelay, maxDelay, s.Delay)
	case a.fate.Action == wire.Repeat && p.Repeat == nil:
		return fmt.Errorf("%s is not possible on %s: nothing in %s can be delivered twice on one connection", s.Kind, e.Name(), e.Protocol)
	case a.fate.Action == wire.Refuse && p.Refuse == nil:
		return fmt.Errorf("%s is not possible on %s: %s has no answer that says so", s.Kind, e.Name(), e.Protocol)
	}
	return nil
}

func needsDelay(s Spec) bool {
	return s.Kind == "delay-past-timeout" || s.Kind == "late-response" || s.Again == AgainLater
}
