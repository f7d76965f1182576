package checkers

import (
	"fmt"
	"slices"
	"strings"

	"github.com/wreckon/wreckon/history"
)

var traced = Guarantee{
	Name:    "traced",
	Promise: "Everything that belongs to a unit carries its one trace.",
	Finds: "An operation, an effect or an audit event of a unit that carries no trace, or another one than the rest of its unit; which kinds " +
		"of event must carry it is what the target claims. Of a W3C traceparent the trace id counts, since every hop has a span of " +
		"its own. An operation that was refused or never answered need not bring a trace back.",
	Needs: []string{history.FeedTraces},
	Uses:  []string{history.FeedEffects, history.FeedAudit},
	Check: checkTraced,
}

func checkTraced(c *Case) Judgement {
	judged, wrong := tracedKinds(c.claims.Traced)
	checked := 0
	first := make([]uint32, len(c.units)) // the first event that was to carry a trace
	same := make([]bool, len(c.units))    // all after it carry the same one
	for u := range first {
		first[u] = none
	}
	var bad []int
	for i, kind := range c.H.Kind {
		if c.col[i] == history.NoUnit || int(kind) >= len(judged) || !judged[kind] || c.answerless(uint32(i)) {
			continue
		}
		u := int(c.col[i])
		ok := c.H.Trace[i] != 0
		if first[u] == none {
			first[u], same[u] = uint32(i), true
			checked++
		} else {
			ok = ok && c.sameTrace(first[u], uint32(i))
		}
		if !ok && same[u] {
			same[u] = false
			bad = append(bad, u)
		}
	}
	var suspects []suspect
	for _, u := range bad {
		suspects = append(suspects, c.untraced(u, judged))
	}
	j := c.judgement("traced", c.nouns, checked, suspects)
	if len(wrong) > 0 {
		return j.unknown("the target claims a trace on kinds of event that do not exist: " + clip(list(wrong), 200))
	}
	return j
}

// tracedKinds are the kinds of event that must carry a trace, and the names that are no kind.
func tracedKinds(names []string) (judged [history.KindNote + 1]bool, wrong []string) {
	if len(names) == 0 {
		for _, k := range []history.Kind{history.KindInvoke, history.KindOK, history.KindFail, history.KindInfo, history.KindEffect, history.KindAudit} {
			judged[k] = true
		}
	}
	for _, name := range names {
		known := false
		for k := history.KindInvoke; k <= history.KindNote; k++ {
			if k.String() == name {
				judged[k], known = true, true
			}
		}
		if !known {
			wrong = append(wrong, fmt.Sprintf("%q", name))
		}
	}
	return judged, wrong
}

// answerless tells that an event ends an operation to which nobody gave an answer that could bring a trace, and that has none.
func (c *Case) answerless(i uint32) bool {
	k := c.H.Kind[i]
	return c.H.Trace[i] == 0 && (k == history.KindFail || k == history.KindInfo)
}

func (c *Case) sameTrace(a, b uint32) bool {
	x, y := c.H.Trace[a], c.H.Trace[b]
	return x == y || correlation(c.str(x)) == correlation(c.str(y))
}

// correlation is what the hops of one trace share: of a W3C traceparent (version-trace-span-flags) the trace id.
func correlation(trace string) string {
	if id := w3cTrace(trace); len(id) > 0 {
		return strings.ToLower(id)
	}
	return trace
}

// w3cTrace is the trace id of a W3C traceparent; empty where it is none.
func w3cTrace[T string | []byte](trace T) T {
	if len(trace) >= 55 && trace[2] == '-' && trace[35] == '-' && trace[52] == '-' {
		return trace[3:35]
	}
	return trace[:0]
}

// untraced finds the two events that show best what is wrong: two traces, or one and none.
func (c *Case) untraced(u int, judged [history.KindNote + 1]bool) suspect {
	bare, with, other := none, none, none
	more := 0
	for _, i := range c.eventsOf(u) {
		switch k := c.H.Kind[i]; {
		case int(k) >= len(judged) || !judged[k] || c.answerless(i):
		case c.H.Trace[i] == 0:
			more++
			bare = min(bare, i)
		case with == none:
			with = i
		case !c.sameTrace(with, i):
			more++
			other = min(other, i)
		}
	}
	wrong := min(other, bare)
	if with == none {
		return suspect{unit: u, events: []uint32{bare}, say: func() string {
			return fmt.Sprintf("nothing of %s carries a trace, from %s at %s on", c.name(u), c.piece(bare), when(c.at(bare)))
		}}
	}
	return suspect{unit: u, events: []uint32{with, wrong}, notes: map[uint32]string{wrong: "not its trace"}, say: func() string {
		carries := "carries no trace"
		if c.H.Trace[wrong] != 0 {
			carries = "carries " + clip(correlation(c.str(c.H.Trace[wrong])), 40)
		}
		text := fmt.Sprintf("%s lost its trace: %s at %s %s, and %s carries %s", c.name(u), c.piece(wrong), when(c.at(wrong)), carries,
			c.piece(with), clip(correlation(c.str(c.H.Trace[with])), 40))
		if more > 1 {
			text += fmt.Sprintf("; so it is with %d more of its events", more-1)
		}
		return text
	}}
}

// piece names an event as a part of its unit: "its charge", "the answer to its submit".
func (c *Case) piece(i uint32) string {
	e := c.H.Event(int(i))
	op, step := clip(e.Op, 40), clip(coalesce(e.Step, "effect"), 40)
	switch e.Kind {
	case history.KindInvoke:
		return "its " + coalesce(op, "operation")
	case history.KindOK, history.KindFail, history.KindInfo:
		return "the answer to its " + coalesce(op, "operation")
	case history.KindEffect:
		if e.Op == "undo" {
			k := slices.Index(c.stepRefs, c.H.Step[i])
			if k >= 0 && c.steps[k].Undoes != "" {
				return "the effect that it was " + c.steps[k].Undoes
			}
			return "the undoing of its " + step
		}
		return "its " + step
	case history.KindStart:
		return "the start of its " + step
	case history.KindFinish:
		return "the end of its " + step
	case history.KindAudit:
		return fmt.Sprintf("its audit event %q", op)
	case history.KindExchange:
		return "its exchange " + op
	}
	return fmt.Sprintf("its %s event", e.Kind)
}
