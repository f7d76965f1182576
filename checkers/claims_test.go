package checkers

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/wreckon/wreckon/history"
)

// Claims and events that fit nothing break no checker: each says something, and none that it failed.
func TestStrangeClaimsAndEvents(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := rapidDice{t}
		word := func() string {
			return []string{"", "charge", "load", "total", "checkpoint", "quarantined", "completed", "done", "payments", "effect", "\x00"}[d.below(11)]
		}
		number := func() float64 { return []float64{0, 1, -1, 0.1, 1e300, math.NaN(), math.Inf(-1)}[d.below(7)] }
		pointer := func() *float64 {
			if d.below(2) == 0 {
				return nil
			}
			f := number()
			return &f
		}
		long := func() history.Duration {
			return history.Duration([]int64{0, 1, -1, 5e6, math.MaxInt64, math.MinInt64}[d.below(6)])
		}
		loss := long()
		s := newScript()
		c := &s.header.Claims
		c.Feeds = append(c.Feeds, history.FeedTokens, history.FeedStarts, history.FeedLetters, history.FeedTotals, history.FeedTraces)
		c.Privileges = []history.Privilege{{Action: word(), Actors: []string{word()}, From: word(), Approval: word(), Above: number()}, {Action: word()}}
		c.Checkpoints = []history.Checkpoints{{Step: word(), Every: d.below(5) - 2}, {Step: word()}}
		c.Totals = []history.Total{{Terms: []history.Term{{Observed: word(), Effects: word(), Count: word(), Times: number()}}, Equals: pointer(), AtLeast: pointer(), AtMost: pointer()},
			{Name: word(), Terms: []history.Term{{Observed: word()}, {Observed: word()}}}, {}}
		c.Recovery = &history.Recovery{Success: long(), Backlog: long(), Loss: &loss}
		c.Drain = []history.Drain{{Component: word(), Grace: long()}, {Grace: long()}}
		c.Traced = []string{word(), "audit", "effect"}[d.below(3):]
		for range d.below(40) {
			e := history.Event{Kind: history.Kind(d.below(17)), Outcome: history.Outcome(d.below(18)), Unit: []history.Unit{0, 1, history.NoUnit}[d.below(3)],
				Actor: uint32(d.below(3)), Attempt: uint32(d.below(3)), Op: word(), Step: word(), Component: word(), Key: word(), Trace: word(),
				Token: []uint64{0, 1, 2, 3, 1 << 63, math.MaxUint64}[d.below(6)],
				Value: []string{"", "1", "-0.5", "1e999999999", "NaN", "settled", "grace 1s", `{"actor":"charge","amount":"x"}`, `[[[{"actor":`}[d.below(9)]}
			s.add(e)
			s.last().T = time.Duration([]int64{0, 1, int64(s.now), math.MaxInt64, -5}[d.below(5)])
		}
		if d.below(2) == 0 {
			s.rest("settled")
			s.phase("observe", history.OutcomeEnd, "")
		}
		for _, j := range Judge(s.history(), Spec{}).Guarantees {
			require.NotContains(t, j.Reason, "the checker failed", j.Guarantee)
			require.NotContains(t, j.Reason, "did not come to an end", j.Guarantee)
			for _, f := range j.Findings {
				require.NotEmpty(t, f.Sentence, j.Guarantee)
			}
		}
	})
}

// The simple guarantees against their definitions, written down as literally as possible, on small histories in which anything may stand
// anywhere.
func TestClaimsAgreeWithTheDefinitions(t *testing.T) {
	spoken := map[string]int{"traced": 0, "checkpoint-progress": 0, "authorised-actions": 0, "conserved-totals": 0}
	compare(t, spoken, func(t *rapid.T) {
		s := anythingClaimed(rapidDice{t})
		r := Judge(s.history(), Spec{})
		for name, definition := range map[string]func([]history.Event) []string{
			"traced": tracelessByDefinition, "checkpoint-progress": regressedByDefinition, "authorised-actions": unauthorisedByDefinition,
		} {
			k := slices.IndexFunc(r.Guarantees, func(j Judgement) bool { return j.Guarantee == name })
			got := []string(nil)
			for _, f := range r.Guarantees[k].Findings {
				got = append(got, f.Unit)
			}
			slices.Sort(got)
			want := definition(s.events)
			require.Equal(t, want, slices.Compact(got), "%s\n%s", name, dump(s))
			spoken[name] += len(want)
		}
		k := slices.IndexFunc(r.Guarantees, func(j Judgement) bool { return j.Guarantee == "conserved-totals" })
		require.Equal(t, overdrawnByDefinition(s.events), r.Guarantees[k].Status == Violated, "%s", dump(s))
		if r.Guarantees[k].Status == Violated {
			spoken["conserved-totals"]++
		}
	})
}

// anythingClaimed is a history of a few units: operations, effects with traces, chunks by two attempts, actions and readings.
func anythingClaimed(d dice) *script {
	s := newScript()
	c := &s.header.Claims
	c.Steps = []history.Step{{Name: "load", Promise: "at-least-once"}, {Name: "charge", Promise: "at-least-once"}}
	c.States = history.States{}
	c.Feeds = []string{history.FeedEffects, history.FeedAudit, history.FeedStarts, history.FeedTotals, history.FeedTraces}
	c.Checkpoints = []history.Checkpoints{{Step: "load", Every: 100}}
	c.Privileges = []history.Privilege{{Action: "forced", Actors: []string{"ann"}, Approval: "agreed", Above: 10}}
	zero := 0.0
	c.Totals = []history.Total{{Name: "purse", Terms: []history.Term{{Observed: "purse"}, {Effects: "charge", Times: -0.1}}, AtLeast: &zero}}
	trace := func() { s.last().Trace = []string{"t", "t", "t", "t", "t", "t", "u", ""}[d.below(8)] }
	for range 3 + d.below(14) {
		u := history.Unit(d.below(3))
		chunk, attempt := uint64(1+d.below(3)), uint32(1+d.below(2))
		load := history.Event{Step: "load", Unit: u, Component: "worker", Token: chunk, Attempt: attempt}
		switch d.below(8) {
		case 0:
			s.invoke(int(u)+1, "submit", u, "", 1)
			trace()
			s.answer(int(u)+1, []history.Kind{history.KindOK, history.KindFail, history.KindInfo}[d.below(3)], "pending", 0)
			trace()
		case 1:
			load.Kind = history.KindStart
			s.add(load)
		case 2:
			load.Kind = history.KindFinish
			load.Op = []string{"", "checkpoint"}[d.below(2)]
			s.add(load)
		case 3:
			load.Kind, load.Op, load.Outcome = history.KindEffect, []string{"do", "do", "undo"}[d.below(3)], history.OutcomeApplied
			s.add(load)
			trace()
		case 4:
			s.effect("charge", []string{"do", "do", "undo"}[d.below(3)], u, fmt.Sprint(d.below(3)), "", history.OutcomeApplied)
			trace()
		default:
			w := &world{script: s, dice: d}
			w.signed([]string{"forced", "agreed"}[d.below(2)], u, []string{"ann", "bob", ""}[d.below(3)], 9+d.below(2))
			trace()
		}
	}
	s.rest("settled")
	s.observe("total", history.NoUnit, "", []string{"0.1", "0.2", "0.3"}[d.below(3)], "", 0, "purse")
	s.heads()
	s.phase("observe", history.OutcomeEnd, "")
	return s
}

func tracelessByDefinition(events []history.Event) []string {
	return unitsWhere(func(u history.Unit) bool {
		traces := map[string]bool{}
		for _, e := range events {
			judged := e.Kind >= history.KindInvoke && e.Kind <= history.KindEffect || e.Kind == history.KindAudit
			silent := (e.Kind == history.KindFail || e.Kind == history.KindInfo) && e.Trace == ""
			if e.Unit == u && judged && !silent {
				traces[e.Trace] = true
			}
		}
		return len(traces) > 1 || traces[""]
	})
}

// regressedByDefinition: a chunk in force twice; a start behind a checkpoint by a worker that does not go forward and was not replaced; a
// checkpoint over a chunk that had not landed, nor was said to have ended.
func regressedByDefinition(events []history.Event) []string {
	lands := slices.ContainsFunc(events, func(e history.Event) bool { return applied("load", "do")(e) })
	return unitsWhere(func(u history.Unit) bool {
		of := func(list []history.Event, fits func(history.Event) bool) bool {
			return slices.ContainsFunc(list, func(e history.Event) bool { return e.Unit == u && e.Step == "load" && fits(e) })
		}
		asked := slices.ContainsFunc(events, func(e history.Event) bool { return e.Kind == history.KindInvoke && e.Unit == u })
		first := uint64(1)
		for n := uint64(3); !asked && n > 0; n-- {
			if of(events, func(e history.Event) bool {
				return e.Token == n && (e.Kind == history.KindStart || e.Kind == history.KindFinish && e.Op == "" || applied("load", "do")(e))
			}) {
				first = n
			}
		}
		any := asked || of(events, func(e history.Event) bool { return e.Op != "checkpoint" && e.Op != "undo" })
		for k, e := range events {
			if e.Unit != u || e.Step != "load" {
				continue
			}
			before := events[:k]
			durable := func(n uint64) bool {
				return of(before, func(x history.Event) bool { return x.Op == "checkpoint" && x.Token >= n })
			}
			switch {
			case applied("load", "do")(e):
				n := 0
				for _, x := range events[:k+1] {
					if x.Unit == u && x.Step == "load" && x.Token == e.Token && x.Kind == history.KindEffect {
						if x.Op == "do" {
							n++
						} else {
							n = max(n-1, 0)
						}
					}
				}
				if n > 1 {
					return true
				}
			case e.Kind == history.KindStart && durable(e.Token):
				replaced := of(before, func(x history.Event) bool { return x.Kind == history.KindStart && x.Attempt > e.Attempt })
				forward := false
				for _, x := range before {
					if x.Unit == u && x.Kind == history.KindStart && x.Attempt == e.Attempt {
						forward = e.Token > x.Token
					}
				}
				if !replaced && !forward {
					return true
				}
			case e.Op == "checkpoint":
				for n := first; any && n <= e.Token; n++ {
					is := func(kind history.Kind) func(history.Event) bool {
						return func(x history.Event) bool {
							return x.Kind == kind && x.Token == n && x.Op != "undo" && x.Op != "checkpoint"
						}
					}
					landed, ended := of(before, is(history.KindEffect)), of(before, is(history.KindFinish))
					lateEffect, lateEnd := of(events, is(history.KindEffect)), of(events, is(history.KindFinish))
					begun := of(events, is(history.KindStart))
					if !landed && !ended && (lateEffect || !lateEnd && (lands || !begun)) {
						return true
					}
				}
			}
		}
		return false
	})
}

func unauthorisedByDefinition(events []history.Event) []string {
	signature := func(e history.Event) (actor, amount string) {
		for _, name := range []string{"ann", "bob"} {
			if strings.Contains(e.Value, `"actor":"`+name+`"`) {
				actor = name
			}
		}
		if strings.Contains(e.Value, `"amount":10`) {
			amount = "much"
		}
		return actor, amount
	}
	return unitsWhere(func(u history.Unit) bool {
		for k, e := range events {
			if e.Kind != history.KindAudit || e.Op != "forced" || e.Unit != u {
				continue
			}
			actor, amount := signature(e)
			agreed := slices.ContainsFunc(events[:k], func(x history.Event) bool {
				other, _ := signature(x)
				return x.Kind == history.KindAudit && x.Op == "agreed" && x.Unit == u && other != "" && other != actor
			})
			if actor != "ann" || amount == "much" && !agreed {
				return true
			}
		}
		return false
	})
}

// overdrawnByDefinition adds up in tenths: the purse less a tenth of every charge in force is not below zero.
func overdrawnByDefinition(events []history.Event) bool {
	tenths := map[string]int{"0.1": 1, "0.2": 2, "0.3": 3}
	left := 0
	for _, e := range events {
		switch {
		case e.Kind == history.KindObserve && e.Op == "total":
			left += tenths[e.Value]
		case applied("charge", "do")(e):
			left -= int(e.Value[0] - '0')
		case applied("charge", "undo")(e):
			left += int(e.Value[0] - '0')
		}
	}
	return left < 0
}

func TestDecimals(t *testing.T) {
	for text, want := range map[string]string{"0.1": "0.1", "-1e3": "-1000", "+5": "5", "1.50": "1.5", " 7 ": "7", "": "", "x": "", "1/3": "", "0x10": "",
		"1_0": "", "1e999999999": "", "NaN": "", "Inf": "", "-": "", "e5": "", "1-2": ""} {
		r, ok := decimal(text)
		if !assert.Equal(t, want != "", ok, text) || !ok {
			continue
		}
		assert.Equal(t, want, figure(r), text)
	}
	var s sum
	for range 3 {
		assert.True(t, s.add("999999999999999", 1) && s.add("0.1", 1))
	}
	assert.True(t, s.add("999999999999999", -1))
	assert.Equal(t, "1999999999999998.3", figure(s.total()))
	assert.False(t, s.add("a lot", 1))
}
