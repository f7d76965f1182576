package checkers

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/history"
)

// mutationsOfClaims break the guarantees that a target must claim.
var mutationsOfClaims = []mutation{
	{"release without naming anybody", "authorised-actions", func(s *script, d dice) bool {
		k, ok := pick(s, d, func(e history.Event) bool { return e.Kind == history.KindAudit && e.Op == "let-go" })
		if ok {
			replaceAudit(s, k, strings.Replace(s.events[k].Value, `"actor":"ann"`, `"actor":""`, 1))
		}
		return ok
	}},
	{"release by somebody without the right", "authorised-actions", func(s *script, d dice) bool {
		k, ok := pick(s, d, func(e history.Event) bool { return e.Kind == history.KindAudit && e.Op == "let-go" })
		if ok {
			replaceAudit(s, k, strings.Replace(s.events[k].Value, `"actor":"ann"`, `"actor":"eve"`, 1))
		}
		return ok
	}},
	{"agree to one's own decision", "authorised-actions", func(s *script, d dice) bool {
		k, ok := pick(s, d, func(e history.Event) bool { return e.Kind == history.KindAudit && e.Op == "agreed" })
		if ok {
			replaceAudit(s, k, strings.Replace(s.events[k].Value, `"actor":"bob"`, `"actor":"ann"`, 1))
		}
		return ok
	}},
	{"leave quarantine without a release", "authorised-actions", func(s *script, d dice) bool {
		k, ok := pick(s, d, func(e history.Event) bool { return e.Kind == history.KindAudit && e.Op == "let-go" })
		if ok {
			unit := s.events[k].Unit
			s.events = slices.DeleteFunc(s.events, func(e history.Event) bool { return e.Kind == history.KindAudit && e.Op == "let-go" && e.Unit == unit })
		}
		return ok
	}},
	{"begin a checkpointed chunk again", "checkpoint-progress", func(s *script, d dice) bool {
		k, ok := pick(s, d, func(e history.Event) bool { return e.Kind == history.KindFinish && e.Op == "checkpoint" })
		if ok {
			again := s.events[k]
			again.Kind, again.Op, again.Attempt = history.KindStart, "", again.Attempt+1
			s.events = slices.Insert(s.events, k+1, again)
		}
		return ok
	}},
	{"do a chunk twice", "checkpoint-progress", func(s *script, d dice) bool {
		k, ok := pick(s, d, applied("load", "do"))
		if ok {
			s.events = slices.Insert(s.events, k+1, s.events[k])
		}
		return ok
	}},
	{"write the checkpoint before the work", "checkpoint-progress", func(s *script, d dice) bool {
		k, ok := pick(s, d, func(e history.Event) bool { return e.Kind == history.KindFinish && e.Op == "checkpoint" })
		if !ok {
			return false
		}
		mark := s.events[k]
		first := slices.IndexFunc(s.events, func(e history.Event) bool {
			return applied("load", "do")(e) && e.Unit == mark.Unit && e.Token == mark.Token
		})
		if first < 0 || first > k {
			return false
		}
		s.events = slices.Insert(slices.Delete(s.events, k, k+1), first, mark)
		return true
	}},
	{"lose a piece", "conserved-totals", func(s *script, d dice) bool {
		k, ok := pick(s, d, func(e history.Event) bool { return e.Kind == history.KindObserve && e.Key == "on-hand" })
		if ok {
			s.events[k].Value = "999.5"
		}
		return ok
	}},
	{"lose a cent", "conserved-totals", func(s *script, d dice) bool {
		k, ok := pick(s, d, func(e history.Event) bool { return e.Kind == history.KindObserve && e.Key == "ledger" })
		if ok {
			s.events[k].Value += "1"
		}
		return ok
	}},
	{"lose the trace", "traced", func(s *script, d dice) bool {
		k, ok := pick(s, d, func(e history.Event) bool { return e.Kind == history.KindEffect || e.Kind == history.KindAudit })
		if ok {
			s.events[k].Trace = ""
		}
		return ok
	}},
	{"change the trace", "traced", func(s *script, d dice) bool {
		k, ok := pick(s, d, func(e history.Event) bool { return e.Kind == history.KindEffect || e.Kind == history.KindAudit })
		if ok {
			s.events[k].Trace = "00-ffffffffffffffffffffffffffffffff-0000000000000001-01"
		}
		return ok && slices.ContainsFunc(s.events, func(e history.Event) bool {
			return e.Unit == s.events[k].Unit && e.Trace != s.events[k].Trace && e.Trace != ""
		})
	}},
	{"be slow to come back", "bounded-recovery", func(s *script, d dice) bool {
		k, ok := pick(s, d, func(e history.Event) bool {
			return e.Kind == history.KindFault && e.Outcome == history.OutcomeEnd && e.Key == "f1"
		})
		if !ok || slices.ContainsFunc(s.events, func(e history.Event) bool { return e.Kind == history.KindFault && e.Key != "f1" }) {
			return false
		}
		asked := slices.IndexFunc(s.events[k:], func(e history.Event) bool { return e.Kind == history.KindInvoke })
		ended := slices.IndexFunc(s.events[k+asked+1:], func(e history.Event) bool { return e.Kind >= history.KindOK && e.Kind <= history.KindInfo })
		later(s, k+asked+1+ended, time.Hour)
		return true
	}},
	{"work on for an hour", "bounded-recovery", func(s *script, d dice) bool {
		if !slices.ContainsFunc(s.events, func(e history.Event) bool { return e.Kind == history.KindFault }) {
			return false
		}
		k := slices.IndexFunc(s.events, func(e history.Event) bool { return e.Kind == history.KindPhase && e.Op == "quiesce" })
		late := history.Event{Kind: history.KindEffect, Outcome: history.OutcomeDeduplicated, Step: "charge", Op: "do", T: s.events[k].T, Trace: "x"}
		s.events = slices.Insert(s.events, k+1, late)
		later(s, k+1, time.Hour)
		return true
	}},
	{"ignore SIGTERM", "graceful-drain", func(s *script, d dice) bool {
		k, ok := pick(s, d, func(e history.Event) bool { return e.Kind == history.KindProcess && e.Outcome == history.OutcomeExited })
		if ok {
			s.events[k].Outcome, s.events[k].Value = history.OutcomeKilled, "signal: killed"
			later(s, k, time.Hour)
		}
		return ok
	}},
	{"take an order along", "graceful-drain", func(s *script, d dice) bool {
		k, ok := pick(s, d, func(e history.Event) bool { return e.Kind == history.KindProcess && e.Outcome == history.OutcomeExited })
		if !ok {
			return false
		}
		lost, ok := pick(s, d, func(e history.Event) bool { return observedAs("completed")(e) && acked(s, e.Unit) })
		if !ok {
			return false
		}
		s.events[lost].Value = "pending"
		cut := history.Event{Kind: history.KindStart, Unit: s.events[lost].Unit, Step: "pack", Component: s.events[k].Component, T: s.events[k].T}
		s.events = slices.Insert(s.events, k, cut)
		return true
	}},
}

// replaceAudit changes a record wherever it was delivered.
func replaceAudit(s *script, k int, value string) {
	was := s.events[k]
	for n := range s.events {
		if e := &s.events[n]; e.Kind == was.Kind && e.Component == was.Component && e.Token == was.Token {
			e.Value = value
		}
	}
}

// later moves an event and all after it.
func later(s *script, k int, by time.Duration) {
	for n := k; n < len(s.events); n++ {
		s.events[n].T += by
	}
}

// A good history has something for every guarantee to look at: what is never tested cannot be relied on to stay silent.
func TestGoodHistoriesAreLookedAt(t *testing.T) {
	checked := map[string]int{}
	for seed := range uint64(40) {
		r := Judge(generate(seededDice{rand.New(rand.NewPCG(seed, 7))}, 12).history(), Spec{})
		for _, j := range r.Guarantees {
			if j.Status == Holds {
				checked[j.Guarantee] += j.Checked
			}
		}
	}
	for _, g := range Guarantees {
		require.Positive(t, checked[g.Name], g.Name)
	}
}
