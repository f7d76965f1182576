package checkers

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/wreckon/wreckon/history"
)

// On the history of a system that does everything right no checker speaks.
func TestGoodHistories(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := Judge(generate(rapidDice{t}, rapid.IntRange(1, 12).Draw(t, "units")).history(), Spec{})
		for _, j := range r.Guarantees {
			require.Contains(t, []Status{Holds, NotTested}, j.Status, "%s: %s %v", j.Guarantee, j.Reason, j.Findings)
		}
		require.Empty(t, r.Warnings)
	})
}

// mutation does one thing wrong in a good history. apply tells which unit it did it to, and false where the history has no place
// for it.
type mutation struct {
	name  string
	finds string // the guarantee that must speak
	apply func(s *script, d dice) bool
}

// pick chooses one event among those that fit.
func pick(s *script, d dice, fits func(history.Event) bool) (int, bool) {
	var all []int
	for k, e := range s.events {
		if fits(e) {
			all = append(all, k)
		}
	}
	if len(all) == 0 {
		return 0, false
	}
	return all[d.below(len(all))], true
}

func applied(step, op string) func(history.Event) bool {
	return func(e history.Event) bool {
		return e.Kind == history.KindEffect && e.Outcome == history.OutcomeApplied && e.Step == step && e.Op == op
	}
}

func observedAs(state string) func(history.Event) bool {
	return func(e history.Event) bool {
		return e.Kind == history.KindObserve && e.Op == "state" && (state == "" || e.Value == state)
	}
}

func drop(s *script, k int) { s.events = slices.Delete(s.events, k, k+1) }

// acked tells that a client got an ok for a unit.
func acked(s *script, u history.Unit) bool {
	return slices.ContainsFunc(s.events, func(e history.Event) bool {
		return e.Kind == history.KindOK && e.Op == "submit" && e.Unit == u
	})
}

func ackedAs(s *script, state string) func(history.Event) bool {
	return func(e history.Event) bool { return observedAs(state)(e) && acked(s, e.Unit) }
}

var mutations = []mutation{
	{"charge again under another key", "no-duplicate-effects", func(s *script, d dice) bool {
		k, ok := pick(s, d, applied("charge", "do"))
		if !ok {
			return false
		}
		again := s.events[k]
		again.Key += "/again"
		s.events = slices.Insert(s.events, k+1, again)
		return true
	}},
	{"forget an acknowledged order", "no-lost-work", func(s *script, d dice) bool {
		k, ok := pick(s, d, func(e history.Event) bool { return ackedAs(s, "")(e) && e.Value != "quarantined" })
		if ok {
			drop(s, k)
		}
		return ok && slices.ContainsFunc(s.events, observedAs(""))
	}},
	{"leave an acknowledged order open", "no-lost-work", func(s *script, d dice) bool {
		k, ok := pick(s, d, func(e history.Event) bool { return ackedAs(s, "")(e) && e.Value != "quarantined" })
		if ok {
			s.events[k].Value = "pending"
		}
		return ok
	}},
	{"complete an acknowledged order without its shipment", "no-lost-work", func(s *script, d dice) bool {
		k, ok := pick(s, d, func(e history.Event) bool { return applied("ship", "do")(e) && acked(s, e.Unit) })
		if ok {
			drop(s, k)
		}
		return ok
	}},
	{"complete an order without its charge", "atomic-outcome", func(s *script, d dice) bool {
		k, ok := pick(s, d, func(e history.Event) bool {
			return applied("charge", "do")(e) && slices.ContainsFunc(s.events, func(x history.Event) bool { return x.Unit == e.Unit && observedAs("completed")(x) })
		})
		if ok {
			drop(s, k)
		}
		return ok
	}},
	{"never refund", "atomic-outcome", func(s *script, d dice) bool {
		k, ok := pick(s, d, applied("charge", "undo"))
		if ok {
			drop(s, k)
		}
		return ok
	}},
	{"keep a reservation", "atomic-outcome", func(s *script, d dice) bool {
		k, ok := pick(s, d, func(e history.Event) bool {
			return e.Kind == history.KindObserve && e.Op == "step" && e.Value == "none" &&
				slices.ContainsFunc(s.events, func(x history.Event) bool { return x.Unit == e.Unit && observedAs("compensated")(x) })
		})
		if ok {
			s.events[k].Value = "in-force"
		}
		return ok
	}},
	{"lose an audit event", "complete-audit", func(s *script, d dice) bool {
		k, ok := pick(s, d, func(e history.Event) bool { return e.Kind == history.KindAudit })
		if !ok {
			return false
		}
		lost := s.events[k]
		s.events = slices.DeleteFunc(s.events, func(e history.Event) bool {
			return e.Kind == history.KindAudit && e.Component == lost.Component && e.Token == lost.Token
		})
		return true
	}},
	{"change an audit event", "complete-audit", func(s *script, d dice) bool {
		k, ok := pick(s, d, func(e history.Event) bool { return e.Kind == history.KindAudit })
		if ok {
			s.events[k].Value += " "
		}
		return ok
	}},
	{"ship before anybody asks", "no-phantom-effects", func(s *script, d dice) bool {
		k, ok := pick(s, d, applied("ship", "do"))
		if !ok {
			return false
		}
		e := s.events[k]
		drop(s, k)
		s.events = slices.Insert(s.events, 0, e)
		return true
	}},
	{"charge a refused order", "no-phantom-effects", func(s *script, d dice) bool {
		k, ok := pick(s, d, func(e history.Event) bool { return e.Kind == history.KindFail && e.Op == "submit" })
		if !ok {
			return false
		}
		s.events = slices.Insert(s.events, k+1, history.Event{T: s.events[k].T, Kind: history.KindEffect, Outcome: history.OutcomeApplied,
			Unit: s.events[k].Unit, Op: "do", Step: "charge", Value: "4990"})
		return true
	}},
	{"charge an order that does not exist", "no-phantom-effects", func(s *script, d dice) bool {
		s.events = slices.Insert(s.events, d.below(len(s.events)), history.Event{Kind: history.KindEffect, Outcome: history.OutcomeApplied,
			Unit: history.NoUnit, Op: "do", Step: "charge", Value: "foreign id: x-1"})
		return true
	}},
	{"not finish before the deadline", "no-stuck-work", func(s *script, d dice) bool {
		k, ok := pick(s, d, func(e history.Event) bool { return observedAs("")(e) && e.Value != "quarantined" })
		if !ok {
			return false
		}
		s.events[k].Value = "pending"
		q, _ := pick(s, d, func(e history.Event) bool { return e.Kind == history.KindPhase && e.Value == "settled" })
		s.events[q].Value = "deadline"
		return true
	}},
	{"let in a worker that comes late", "fencing", func(s *script, d dice) bool {
		k, ok := pick(s, d, func(e history.Event) bool {
			return e.Kind == history.KindEffect && e.Outcome == history.OutcomeRefused && slices.ContainsFunc(s.events, func(x history.Event) bool {
				return x.Kind == history.KindEffect && x.Unit == e.Unit && x.Step == e.Step && x.Token > e.Token && x.T < e.T
			})
		})
		if ok {
			s.events[k].Outcome = history.OutcomeApplied
		}
		return ok
	}},
	{"give two workers the same token", "fencing", func(s *script, d dice) bool {
		k, ok := pick(s, d, func(e history.Event) bool {
			return e.Kind == history.KindStart && e.Step != "load" && e.Token > 1 && slices.ContainsFunc(s.events, func(x history.Event) bool {
				return x.Kind == history.KindFinish && x.Unit == e.Unit && x.Step == e.Step && x.Token == e.Token-1 && x.T > e.T
			})
		})
		if ok {
			s.events[k].Token--
		}
		return ok
	}},
	{"answer a repeated submit with how it is now", "idempotent-answers", func(s *script, d dice) bool {
		k, ok := repeatedOK(s, d)
		if ok {
			s.events[k].Value = "completed"
		}
		return ok
	}},
	{"accept another payload under a key", "idempotent-answers", func(s *script, d dice) bool {
		k, ok := repeatedOK(s, d)
		for i := k; ok && i >= 0; i-- {
			if e := &s.events[i]; e.Kind == history.KindInvoke && e.Actor == s.events[k].Actor {
				e.Value = "another order"
				return true
			}
		}
		return false
	}},
	{"deliver two messages in the wrong order", "ordered-delivery", func(s *script, d dice) bool {
		last := lastPosted(s)
		if last < 2 {
			return false
		}
		a := uint64(1 + d.below(int(last)-1))
		b := a + 1 + uint64(d.below(int(last-a)))
		for k := range s.events {
			if e := &s.events[k]; posted(func(n uint64) bool { return n == a || n == b })(*e) {
				e.Token = a + b - e.Token
			}
		}
		return true
	}},
	{"lose a message", "ordered-delivery", func(s *script, d dice) bool {
		last := lastPosted(s)
		if last < 3 {
			return false
		}
		lost := uint64(2 + d.below(int(last)-2))
		s.events = slices.DeleteFunc(s.events, posted(func(n uint64) bool { return n == lost }))
		return true
	}},
	{"read what was before the end, after it", "linearizable-state", func(s *script, d dice) bool {
		k, ok := pick(s, d, func(e history.Event) bool {
			return e.Kind == history.KindOK && e.Op == "read" && (e.Value[:4] == "comp")
		})
		if !ok {
			return false
		}
		read := s.events[k]
		call, answer := read, read
		call.Kind, call.Value, call.Token, call.Actor = history.KindInvoke, "", 0, 9999
		answer.Value, answer.Token, answer.Actor = "pending|", 1, 9999
		s.events = slices.Insert(s.events, k+1, call, answer)
		return true
	}},
	{"find another note at the end", "linearizable-state", func(s *script, d dice) bool {
		k, ok := pick(s, d, func(e history.Event) bool {
			return observedAs("")(e) && slices.ContainsFunc(s.events, func(x history.Event) bool {
				return x.Kind == history.KindOK && x.Op == "read" && x.Unit == e.Unit && x.Token == e.Token && x.Token > 0
			})
		})
		if ok {
			s.events[k].Value += "|nobody wrote this"
		}
		return ok
	}},
	{"lose an accepted update before the end", "linearizable-state", func(s *script, d dice) bool {
		k, ok := pick(s, d, func(e history.Event) bool {
			return observedAs("")(e) && slices.ContainsFunc(s.events, func(x history.Event) bool {
				return x.Kind == history.KindOK && x.Op == "amend" && x.Unit == e.Unit && x.Token > 1
			})
		})
		if ok {
			for _, x := range s.events[:k] {
				if x.Kind == history.KindOK && x.Op == "amend" && x.Unit == s.events[k].Unit {
					s.events[k].Token = min(s.events[k].Token, x.Token-1)
				}
			}
		}
		return ok
	}},
	{"lose a version in a restart", "linearizable-state", func(s *script, d dice) bool {
		k, ok := pick(s, d, func(e history.Event) bool {
			return observedAs("")(e) && slices.ContainsFunc(s.events, func(x history.Event) bool {
				return x.Kind == history.KindOK && x.Op == "read" && x.Unit == e.Unit && x.Token == e.Token && x.Token > 1
			})
		})
		if ok {
			s.events[k].Token--
		}
		return ok
	}},
}

// repeatedOK finds the second ok of a submit.
func repeatedOK(s *script, d dice) (int, bool) {
	seen := map[history.Unit]bool{}
	var again []int
	for k, e := range s.events {
		if e.Kind == history.KindOK && e.Op == "submit" {
			if seen[e.Unit] {
				again = append(again, k)
			}
			seen[e.Unit] = true
		}
	}
	if len(again) == 0 {
		return 0, false
	}
	return again[d.below(len(again))], true
}

// posted tells of arrivals of numbered notifications.
func posted(number func(uint64) bool) func(history.Event) bool {
	return func(e history.Event) bool {
		return e.Kind == history.KindEffect && e.Step == "notify" && number(e.Token)
	}
}

// lastPosted is the highest number of a notification.
func lastPosted(s *script) (n uint64) {
	for _, e := range s.events {
		if e.Kind == history.KindEffect && e.Step == "notify" {
			n = max(n, e.Token)
		}
	}
	return n
}

// One thing goes wrong in a good history, and the guarantee that it breaks says so, of the right unit where there is one.
func TestMutations(t *testing.T) {
	for _, m := range slices.Concat(mutations, mutationsOfLife, mutationsOfClaims) {
		t.Run(m.name, func(t *testing.T) {
			caught := 0
			rapid.Check(t, func(t *rapid.T) {
				d := rapidDice{t}
				s := generate(d, rapid.IntRange(1, 10).Draw(t, "units"))
				if !m.apply(s, d) {
					return
				}
				r := Judge(s.history(), Spec{})
				k := slices.IndexFunc(r.Guarantees, func(j Judgement) bool { return j.Guarantee == m.finds })
				require.Equal(t, Violated, r.Guarantees[k].Status, "%s\n%s", m.finds, dump(s))
				require.Equal(t, Violation, r.Verdict)
				for _, f := range r.Guarantees[k].Findings {
					require.NotEmpty(t, f.Sentence)
					require.NotEmpty(t, f.Events)
					require.NotEmpty(t, f.Story)
					require.LessOrEqual(t, len(f.Story), maxStory)
				}
				caught++
			})
			require.Positive(t, caught, "no history had a place for it")
		})
	}
}

func dump(s *script) (text string) {
	for k, e := range s.events {
		text += fmt.Sprintf("%d %+v\n", k, e)
	}
	return text
}
