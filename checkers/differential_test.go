package checkers

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/wreckon/wreckon/history"
)

// The set checkers against their definitions, written down as literally as possible, on small histories in which anything may
// stand anywhere.
func TestAgreesWithTheDefinitions(t *testing.T) {
	spoken := map[string]int{}
	compare(t, spoken, func(t *rapid.T) {
		s := anything(rapidDice{t})
		r := Judge(s.history(), Spec{})
		for name, definition := range map[string]func([]history.Event) []string{
			"no-duplicate-effects": duplicatesByDefinition,
			"no-lost-work":         lostByDefinition,
			"atomic-outcome":       mixedByDefinition,
			"no-phantom-effects":   phantomsByDefinition,
			"no-stuck-work":        stuckByDefinition,
		} {
			k := slices.IndexFunc(r.Guarantees, func(j Judgement) bool { return j.Guarantee == name })
			var got []string
			for _, f := range r.Guarantees[k].Findings {
				got = append(got, f.Unit)
			}
			slices.Sort(got)
			want := definition(s.events)
			require.Equal(t, want, slices.Compact(got), "%s\n%s", name, dump(s))
			spoken[name] += len(want)
		}
	})
}

// compare draws histories until each guarantee has had something to say: two that are both silent agree about nothing.
func compare(t *testing.T, spoken map[string]int, property func(*rapid.T)) {
	t.Helper()
	silent := func() []string {
		return slices.DeleteFunc(slices.Collect(maps.Keys(spoken)), func(name string) bool { return spoken[name] > 0 })
	}
	for range 20 {
		if rapid.Check(t, property); len(silent()) == 0 {
			return
		}
	}
	require.Empty(t, silent(), "never had anything to say")
}

// anything is a history of a few units with two steps at a sink, of which charge is required, and arbitrary events.
func anything(d dice) *script {
	s := newScript()
	c := &s.header.Claims
	c.Steps = []history.Step{{Name: "charge", Does: "charged", Required: true}, {Name: "ship", Does: "shipped"},
		{Name: "notify", Promise: "at-least-once"}}
	c.Feeds = []string{history.FeedEffects, history.FeedStates}
	for range 3 + d.below(25) {
		u := history.Unit(d.below(3))
		actor := int(u) + 1
		switch d.below(5) {
		case 0:
			s.invoke(actor, "submit", u, "", 1)
			s.answer(actor, []history.Kind{history.KindOK, history.KindFail, history.KindInfo}[d.below(3)], "pending", 0)
		case 1:
			s.invoke(actor, "read", u, "", 1)
			s.answer(actor, history.KindOK, []string{"pending|", "completed|x", "compensated|", "quarantined|"}[d.below(4)], 0)
		default:
			s.effect([]string{"charge", "ship", "notify"}[d.below(3)], []string{"do", "do", "undo"}[d.below(3)], u, "1", "",
				[]history.Outcome{history.OutcomeApplied, history.OutcomeApplied, history.OutcomeDeduplicated, history.OutcomeRefused}[d.below(4)])
		}
	}
	s.rest([]string{"settled", "idle", "deadline"}[d.below(3)])
	s.observe("state", 3, "", "completed", "api", 1, "") // somebody's state is always observed
	for u := range history.Unit(3) {
		if k := d.below(6); k > 0 {
			s.observe("state", u, "", []string{"pending", "completed", "compensated", "quarantined", "absent"}[k-1], "api", 1, "")
		}
		if d.below(6) == 0 {
			s.observe("dead-letter", u, "", "poison", "saga", 0, "")
		}
	}
	s.phase("observe", history.OutcomeEnd, "")
	return s
}

// inForce counts a step of a unit: applied do less applied undo, among some events.
func inForce(events []history.Event, u history.Unit, step string) (n int) {
	for _, e := range events {
		if e.Kind == history.KindEffect && e.Outcome == history.OutcomeApplied && e.Unit == u && e.Step == step {
			if e.Op == "undo" {
				n--
			} else {
				n++
			}
		}
	}
	return n
}

func unitsWhere(is func(u history.Unit) bool) (ids []string) {
	for u := range history.Unit(4) {
		if is(u) {
			ids = append(ids, fmt.Sprintf("o-%d", u+1))
		}
	}
	return ids
}

func duplicatesByDefinition(events []history.Event) []string {
	return unitsWhere(func(u history.Unit) bool {
		for _, step := range []string{"charge", "ship"} {
			for k, e := range events {
				if inForce(events[:k+1], u, step) > 1 {
					return true
				}
				applies := e.Kind == history.KindEffect && e.Outcome == history.OutcomeApplied && e.Unit == u && e.Step == step && e.Op == "do"
				if applies && appliedBefore(events[:k], u, step) && readEnded(events[:k], u) {
					return true
				}
			}
		}
		return false
	})
}

// phantomsByDefinition: an effect before anybody asked for its unit, or for one that was refused each time that somebody asked.
func phantomsByDefinition(events []history.Event) []string {
	return unitsWhere(func(u history.Unit) bool {
		asked, refused, effects := 0, 0, 0
		for _, e := range events {
			switch {
			case e.Unit != u:
			case e.Kind == history.KindInvoke && e.Op == "submit":
				asked++
			case e.Kind == history.KindFail && e.Op == "submit":
				refused++
			case e.Kind == history.KindEffect && e.Outcome == history.OutcomeApplied:
				if effects++; asked == 0 {
					return true
				}
			}
		}
		return effects > 0 && refused == asked
	})
}

// stuckByDefinition: still open at the deadline; or at rest, if it was never acknowledged.
func stuckByDefinition(events []history.Event) []string {
	deadline := slices.ContainsFunc(events, func(e history.Event) bool { return e.Kind == history.KindPhase && e.Value == "deadline" })
	return unitsWhere(func(u history.Unit) bool {
		state, aside := endOf(events, u)
		return state == "pending" && !aside && (deadline || !acked(&script{events: events}, u))
	})
}

func appliedBefore(events []history.Event, u history.Unit, step string) bool {
	return slices.ContainsFunc(events, func(e history.Event) bool { return applied(step, "do")(e) && e.Unit == u })
}

func readEnded(events []history.Event, u history.Unit) bool {
	return slices.ContainsFunc(events, func(e history.Event) bool {
		return e.Kind == history.KindOK && e.Op == "read" && e.Unit == u && (e.Value == "completed|x" || e.Value == "compensated|")
	})
}

// endOf is the observed state of a unit, "" for none, and whether it is set aside for a person.
func endOf(events []history.Event, u history.Unit) (state string, aside bool) {
	for _, e := range events {
		if e.Kind == history.KindObserve && e.Unit == u {
			if e.Op == "state" {
				state = e.Value
			} else {
				aside = true
			}
		}
	}
	return state, aside || state == "quarantined"
}

func lostByDefinition(events []history.Event) []string {
	rested := slices.ContainsFunc(events, func(e history.Event) bool {
		return e.Kind == history.KindPhase && (e.Value == "settled" || e.Value == "idle")
	})
	return unitsWhere(func(u history.Unit) bool {
		state, aside := endOf(events, u)
		if aside || !acked(&script{events: events}, u) {
			return false
		}
		return state == "" || state == "absent" || state == "pending" && rested || state == "completed" && inForce(events, u, "charge") < 1
	})
}

func mixedByDefinition(events []history.Event) []string {
	return unitsWhere(func(u history.Unit) bool {
		state, aside := endOf(events, u)
		any := inForce(events, u, "charge") > 0 || inForce(events, u, "ship") > 0
		switch state {
		case "completed":
			return inForce(events, u, "charge") < 1
		case "compensated":
			return any
		case "", "absent":
			perhaps := slices.ContainsFunc(events, func(e history.Event) bool {
				return e.Kind == history.KindInfo && e.Op == "submit" && e.Unit == u
			})
			return !aside && any && perhaps && !acked(&script{events: events}, u)
		}
		return false
	})
}
