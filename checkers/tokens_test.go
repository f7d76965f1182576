package checkers

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/wreckon/wreckon/history"
)

// The checkers of tokens and answers against their definitions, written down as literally as possible, on small histories in which
// anything may stand anywhere.
func TestTokensAgreeWithTheDefinitions(t *testing.T) {
	spoken := map[string]int{"fencing": 0, "ordered-delivery": 0, "idempotent-answers": 0}
	compare(t, spoken, func(t *rapid.T) {
		d := rapidDice{t}
		s := anyTokens(d)
		fence := history.Fencing{Step: []string{"", "charge", "pack"}[d.below(3)], Resource: []string{"", "step", "component", "key"}[d.below(4)]}
		order := history.Ordering{Step: []string{"", "charge", "notify"}[d.below(3)], Key: []string{"", "unit", "step", "component"}[d.below(4)], Gaps: d.below(2) == 0}
		s.header.Claims.Fencing, s.header.Claims.Ordering = []history.Fencing{fence}, nil
		spoken["fencing"] += agrees(t, s, fencing, staleByDefinition(s.events, fence))
		s.header.Claims.Fencing, s.header.Claims.Ordering = nil, []history.Ordering{order}
		spoken["ordered-delivery"] += agrees(t, s, orderedDelivery, disorderByDefinition(s.events, order))
		spoken["idempotent-answers"] += agrees(t, s, idempotentAnswers, unlikeByDefinition(s.events))
	})
}

// agrees compares the proofs of the findings: their events.
func agrees(t *rapid.T, s *script, g Guarantee, want []string) int {
	r := judgeWith(s.history(), Spec{}, []Guarantee{g})
	var got []string
	for _, f := range r.Guarantees[0].Findings {
		got = append(got, fmt.Sprint(f.Events))
	}
	slices.Sort(got)
	slices.Sort(want)
	require.Equal(t, want, got, "%s\n%+v\n%s", g.Name, s.header.Claims, dump(s))
	return len(want)
}

// anyTokens is a history of two units, two workers and few numbers.
func anyTokens(d dice) *script {
	s := newScript()
	c := &s.header.Claims
	c.Steps = []history.Step{{Name: "charge"}, {Name: "notify", Promise: "at-least-once"}}
	c.Feeds = []string{history.FeedEffects, history.FeedTokens, history.FeedStarts}
	for range 2 + d.below(14) {
		u := history.Unit(d.below(2))
		e := history.Event{Unit: u, Step: []string{"charge", "notify", "pack"}[d.below(3)], Component: []string{"a", "b"}[d.below(2)],
			Key: []string{"", "k", "l"}[d.below(3)], Token: uint64(d.below(4))}
		switch d.below(8) {
		case 0:
			actor := 1 + d.below(2)
			s.invoke(actor, "submit", u, e.Key, 1)
			s.last().Value = []string{"", "red", "blue"}[d.below(3)]
			s.answer(actor, []history.Kind{history.KindOK, history.KindOK, history.KindInfo}[d.below(3)], []string{"", "x", "y"}[d.below(3)], e.Token)
			continue
		case 1, 2:
			e.Kind = history.KindStart
		case 3:
			e.Kind = history.KindFinish
		default:
			e.Kind, e.Op = history.KindEffect, []string{"do", "do", "do", "undo"}[d.below(4)]
			e.Outcome = []history.Outcome{history.OutcomeApplied, history.OutcomeApplied, history.OutcomeDeduplicated, history.OutcomeRefused}[d.below(4)]
		}
		s.add(e)
	}
	return s
}

// belongs is what a sequence of tokens is for; "" for nothing.
func belongs(e history.Event, per string, own bool) string {
	switch {
	case per == "unit" && own:
		return fmt.Sprint(e.Unit, e.Step)
	case per == "unit":
		return fmt.Sprint(e.Unit)
	case per == "step":
		return e.Step
	case per == "component":
		return e.Component
	}
	return e.Key
}

func proof(events ...int) string {
	slices.Sort(events)
	return fmt.Sprint(slices.Compact(events))
}

// staleByDefinition names, for each late event, the newest of the tokens before it as they were first shown.
func staleByDefinition(events []history.Event, f history.Fencing) (proofs []string) {
	per := f.Resource
	if per == "" {
		per = "unit"
	}
	claimed := func(e history.Event, kind history.Kind) bool {
		return e.Kind == kind && e.Token > 0 && (f.Step == "" || e.Step == f.Step) && belongs(e, per, true) != ""
	}
	same := func(a, b history.Event) bool { return belongs(a, per, true) == belongs(b, per, true) }
	late := func(k int, kind history.Kind) {
		newest := -1
		for j, x := range events[:k] {
			if claimed(x, kind) && same(x, events[k]) && (newest < 0 || x.Token >= events[newest].Token) {
				newest = j
			}
		}
		if newest >= 0 && events[newest].Token > events[k].Token {
			proofs = append(proofs, proof(newest, k))
		}
	}
	shows := func(step string) bool {
		return slices.ContainsFunc(events, func(e history.Event) bool { return e.Kind == history.KindEffect && e.Token > 0 && e.Step == step })
	}
	for k, e := range events {
		switch {
		case claimed(e, history.KindEffect) && e.Outcome == history.OutcomeApplied:
			late(k, history.KindEffect)
		case claimed(e, history.KindStart) && !shows(e.Step):
			late(k, history.KindStart)
		}
	}
	return append(proofs, overlapsByDefinition(events, func(e history.Event) bool { return claimed(e, history.KindStart) }, same)...)
}

// overlapsByDefinition names, for each execution that begins within one of another holder, the one of those that ends last.
func overlapsByDefinition(events []history.Event, claimed func(history.Event) bool, same func(a, b history.Event) bool) (proofs []string) {
	worker := func(a, b history.Event) bool {
		return a.Unit == b.Unit && a.Step == b.Step && a.Component == b.Component
	}
	ends := func(k int) int {
		for j := k + 1; j < len(events); j++ {
			x := events[j]
			switch {
			case claimed(x) && worker(x, events[k]):
				return k // its worker began something else: nobody saw an end
			case x.Kind == history.KindFinish && worker(x, events[k]) && (x.Token == 0 || x.Token == events[k].Token):
				return j
			}
		}
		return k
	}
	for k, e := range events {
		if !claimed(e) {
			continue
		}
		rival := -1
		for j, x := range events[:k] {
			if claimed(x) && same(x, e) && x.Token == e.Token && x.Component != e.Component && ends(j) > k && (rival < 0 || ends(j) > ends(rival)) {
				rival = j
			}
		}
		if rival >= 0 {
			proofs = append(proofs, proof(rival, ends(rival), k))
		}
	}
	return proofs
}

func disorderByDefinition(events []history.Event, o history.Ordering) (proofs []string) {
	per := o.Key
	if per == "" {
		per = "key"
	}
	arrives := func(e history.Event) bool {
		return e.Kind == history.KindEffect && e.Op == "do" && e.Token > 0 && (o.Step == "" || e.Step == o.Step) && belongs(e, per, false) != ""
	}
	same := func(a, b history.Event) bool { return belongs(a, per, false) == belongs(b, per, false) }
	applied := func(e history.Event) bool { return e.Outcome == history.OutcomeApplied }
	for k, e := range events {
		if !arrives(e) {
			continue
		}
		highest, repeated, next := -1, false, -1
		for j, x := range events {
			if !arrives(x) || !same(x, e) {
				continue
			}
			if j < k && applied(x) && (highest < 0 || x.Token >= events[highest].Token) {
				highest = j
			}
			repeated = repeated || j < k && x.Token == e.Token
			if x.Token > e.Token && (next < 0 || x.Token < events[next].Token) {
				next = j
			}
		}
		if applied(e) && highest >= 0 && events[highest].Token > e.Token && !(repeated && e.Step == "notify") {
			proofs = append(proofs, proof(highest, k))
		}
		last := !slices.ContainsFunc(events[k+1:], func(x history.Event) bool { return arrives(x) && same(x, e) && x.Token == e.Token })
		if !o.Gaps && last && next >= 0 && events[next].Token > e.Token+1 {
			proofs = append(proofs, proof(k, next))
		}
	}
	return proofs
}

func unlikeByDefinition(events []history.Event) (proofs []string) {
	type request struct {
		unit            history.Unit
		payload, answer string
		version         uint64
		call, ret       int
	}
	byKey := map[string][]request{}
	for k, e := range events {
		if e.Kind == history.KindOK {
			id := e.Key
			if id == "" {
				id = fmt.Sprint("unit ", e.Unit)
			}
			byKey[id] = append(byKey[id], request{e.Unit, events[k-1].Value, e.Value, e.Token, k - 1, k})
		}
	}
	for _, list := range byKey {
		first := list[0]
		for _, r := range list[1:] {
			differ := func(a, b string) bool { return a != b && a != "" && b != "" }
			if r.unit != first.unit || differ(r.payload, first.payload) || differ(r.answer, first.answer) ||
				r.version != first.version && r.version > 0 && first.version > 0 {
				proofs = append(proofs, proof(first.call, first.ret, r.call, r.ret))
				break
			}
		}
	}
	return proofs
}
