package checkers

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/wreckon/wreckon/history"
)

// instant names a kind of moment in a unit's life, as claims do: "submit", "effect charge", "state completed".
type instant struct {
	verb, name string
	state      int    // of "state"
	says       string // what happens to the unit then: "was charged"
}

// occurrence is one such moment, as far as it is known: not before lo, not after hi.
type occurrence struct {
	i      uint32 // the event that proves it
	lo, hi time.Duration
}

// instants finds when things happened to units.
type instants struct {
	*Case
	life    lifecycle
	chainOf map[history.Ref]*chain
	asked   map[history.Ref][]time.Duration // for each event of a chain: when the last of the units up to it was asked for
}

func newInstants(c *Case) instants {
	return instants{Case: c, life: lifecycleOf(c), chainOf: c.chainsBySource(), asked: make(map[history.Ref][]time.Duration)}
}

func (t *instants) parse(text string) (in instant, err error) {
	in.verb, in.name, _ = strings.Cut(text, " ")
	step := history.Step{Name: in.name}
	if k := slices.IndexFunc(t.steps, func(s history.Step) bool { return s.Name == in.name }); k >= 0 {
		step = t.steps[k]
	}
	switch in.verb {
	case "effect":
		in.says = was(step)
	case "undo":
		in.says = wasUndone(step)
	case "audit":
		in.says = "was recorded " + clip(in.name, 60)
	case "state":
		in.says = "was " + clip(in.name, 60)
		if in.state = t.life.number(in.name); in.state < 0 && in.name != "" {
			return in, fmt.Errorf("no unit is in the state %q", clip(in.name, 60))
		}
	case "submit":
		in.says = "was acknowledged"
		if text == in.verb {
			return in, nil
		}
	}
	if in.says == "" || in.name == "" || in.verb == "submit" {
		return in, fmt.Errorf("%q is no instant: want submit, effect STEP, undo STEP, audit TRANSITION or state STATE", clip(text, 80))
	}
	return in, nil
}

// occurrences lists when an instant came, ascending by both bounds.
func (t *instants) occurrences(u int, in instant) []occurrence {
	switch in.verb {
	case "submit":
		if x := &t.units[u]; x.acknowledged() {
			return []occurrence{{i: x.acked, lo: min(t.at(x.asked), t.at(x.acked)), hi: t.at(x.acked)}}
		}
		return nil
	case "state":
		return t.entered(u, in.state)
	case "audit":
		return t.recorded(u, in.name)
	}
	var list []occurrence
	for _, i := range t.appliedOf(u) {
		if t.str(t.H.Step[i]) == in.name && (t.H.Op[i] == t.undo) == (in.verb == "undo") {
			list = append(list, occurrence{i: i, lo: t.at(i), hi: t.at(i)})
		}
	}
	return list
}

// recorded lists the audit events of a transition.
func (t *instants) recorded(u int, transition string) (list []occurrence) {
	seen := make(map[[2]uint64]bool)
	for _, i := range t.eventsOf(u) {
		if t.H.Kind[i] != history.KindAudit || t.str(t.H.Op[i]) != transition {
			continue
		}
		if n := t.H.Token[i]; n > 0 {
			id := [2]uint64{uint64(t.H.Comp[i]), n}
			if seen[id] { // delivered again
				continue
			}
			seen[id] = true
		}
		list = append(list, occurrence{i: i, lo: t.notBefore(u, i), hi: t.at(i)})
	}
	for k := len(list) - 2; k >= 0; k-- { // read in another order than they were recorded in
		list[k].lo = min(list[k].lo, list[k+1].lo)
	}
	return list
}

// notBefore is the earliest at which an audit event can have been recorded: when its unit was asked for, and every unit that its source had
// recorded something of before.
func (t *instants) notBefore(u int, i uint32) time.Duration {
	lo := t.firstAsked(u)
	if n := t.H.Token[i]; n > 0 {
		ch := t.chainOf[t.H.Comp[i]]
		asked, ok := t.asked[ch.source]
		if !ok {
			last := time.Duration(0)
			for _, e := range ch.events {
				if x := t.col[e]; x != history.NoUnit {
					last = max(last, t.firstAsked(int(x)))
				}
				asked = append(asked, last)
			}
			t.asked[ch.source] = asked
		}
		k, _ := slices.BinarySearchFunc(ch.events, n, func(e uint32, n uint64) int { return cmp.Compare(t.H.Token[e], n) })
		lo = max(lo, asked[k])
	}
	if at := time.Duration(t.H.At[i]); at > 0 {
		lo = min(lo, at)
	}
	return min(lo, t.at(i))
}

func (t *instants) firstAsked(u int) time.Duration {
	if asked := t.units[u].asked; asked != none {
		return t.at(asked)
	}
	return 0
}

// entered is when a unit was in a state for the first time.
func (t *instants) entered(u, state int) []occurrence {
	o := occurrence{i: none, lo: t.firstAsked(u)}
	t.life.shown(u, func(call, i uint32, k int) {
		switch {
		case k == state:
			if o.i == none || t.at(i) < o.hi {
				o.i, o.hi = i, t.at(i)
			}
		case call != none && !t.life.leads(state, k):
			o.lo = max(o.lo, t.at(call))
		}
	})
	if o.i == none {
		return nil
	}
	o.lo = min(o.lo, o.hi)
	return []occurrence{o}
}

// returns tells that a unit may be in a state, leave it and come back, for all that is declared: when it was there last, nobody knows.
func (t *instants) returns(in instant) bool {
	if in.verb != "state" || in.state < 0 {
		return false
	}
	for k := range t.life.names {
		if k != in.state && t.life.leads(in.state, k) && t.life.leads(k, in.state) {
			return true
		}
	}
	return false
}

// absence is until when it is known that an instant had not come, for a unit of which nothing shows it; why says why that is not known.
func (t *instants) absence(u int, in instant) (until time.Duration, why string) {
	switch in.verb {
	case "audit":
		if why = t.trailMissing(); why != "" {
			return 0, why
		}
		if t.observeBegin != none {
			return t.at(t.observeBegin), ""
		}
	case "state":
		until, why = 0, "its state was not read at the end"
		t.life.shown(u, func(call, _ uint32, k int) {
			if call != none && !t.life.leads(in.state, k) {
				until, why = max(until, t.at(call)), ""
			}
		})
		return until, why
	}
	return t.last(), ""
}
