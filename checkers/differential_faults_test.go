package checkers

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/wreckon/wreckon/history"
)

// What comes after faults, and the audit trail, against their definitions, written down as literally as possible, on small histories in
// which anything may stand anywhere.
func TestFaultsAgreeWithTheDefinitions(t *testing.T) {
	definitions := map[string]func(s *script) bool{
		"bounded-recovery": slowByDefinition,
		"graceful-drain":   outlivedByDefinition,
		"complete-audit":   gappedByDefinition,
	}
	spoken := map[string]int{"bounded-recovery": 0, "graceful-drain": 0, "complete-audit": 0}
	compare(t, spoken, func(t *rapid.T) {
		s := anyFaults(rapidDice{t})
		r := Judge(s.history(), Spec{})
		for name, definition := range definitions {
			k := slices.IndexFunc(r.Guarantees, func(j Judgement) bool { return j.Guarantee == name })
			want := definition(s)
			require.Equal(t, want, r.Guarantees[k].Status == Violated, "%s: %+v\n%s", name, r.Guarantees[k], dump(s))
			if want {
				spoken[name]++
			}
		}
	})
}

const (
	recoverWithin = 30 * time.Millisecond
	stopWithin    = 20 * time.Millisecond
)

// anyFaults is a history of one fault, some operations around it, a component that is told to stop, and an audit trail of one source in
// which numbers may be missing, come again, or be somebody else's.
func anyFaults(d dice) *script {
	s := newScript()
	c := &s.header.Claims
	c.Steps, c.States = nil, history.States{}
	c.Feeds = []string{history.FeedStates, history.FeedAudit}
	c.Recovery = &history.Recovery{Success: history.Duration(recoverWithin)}
	c.Drain = []history.Drain{{Grace: history.Duration(stopWithin)}}
	fault := []history.Outcome{history.OutcomeBegin, history.OutcomeConfirmed, history.OutcomeEnd, history.OutcomeHealed}
	process := []history.Outcome{history.OutcomeTerminated, []history.Outcome{history.OutcomeExited, history.OutcomeKilled}[d.below(2)]}
	var busy [3]bool
	number := uint64(0)
	for range 6 + d.below(20) {
		s.now += time.Duration(d.below(4)) * 5 * time.Millisecond
		switch d.below(5) {
		case 0:
			if len(fault) > 0 {
				s.add(history.Event{Kind: history.KindFault, Unit: history.NoUnit, Key: "f1", Op: "partition", Component: "a <-> b", Outcome: fault[0]})
				fault = fault[1:]
			}
		case 1:
			if len(process) > 0 {
				s.becomes("payments", process[0])
				process = process[1:]
			}
		case 2:
			number += uint64(1 + d.below(12)/11)
			s.add(history.Event{Kind: history.KindAudit, Unit: 0, Op: "noticed", Component: "api", Token: number, Value: "x"})
			if d.below(12) == 0 { // it comes again, or is another
				again := *s.last()
				again.Value = []string{"x", "y"}[d.below(2)]
				s.add(again)
			}
		default:
			a := d.below(len(busy))
			if busy[a] = !busy[a]; busy[a] {
				s.invoke(a+1, "read", 0, "", 1)
			} else {
				s.answer(a+1, []history.Kind{history.KindOK, history.KindInfo, history.KindFail}[d.below(3)], "completed|", 0)
			}
		}
	}
	s.rest("settled")
	s.observe("audit-head", history.NoUnit, "", "", "api", number+uint64(d.below(8)/7), "")
	s.phase("observe", history.OutcomeEnd, "")
	return s
}

func (s *script) becomes(component string, o history.Outcome) {
	s.add(history.Event{Kind: history.KindProcess, Unit: history.NoUnit, Component: component, Outcome: o, Token: 7, Value: "grace 1ms"})
	if o == history.OutcomeExited {
		s.last().Value = "exit status 0"
	}
}

// slowByDefinition: after a fault that was confirmed began to be healed, the first success of an operation begun after that came later than
// the limit after the first of those operations was begun; or none came, and somebody waited for longer than the limit.
func slowByDefinition(s *script) bool {
	confirmed, heal := false, -1
	for k, e := range s.events {
		if e.Kind == history.KindFault {
			confirmed = confirmed || e.Outcome == history.OutcomeConfirmed
			if heal < 0 && e.Outcome == history.OutcomeEnd {
				heal = k
			}
		}
	}
	if !confirmed || heal < 0 {
		return false
	}
	asked, ok, waited := -1, -1, time.Duration(0)
	for k := heal + 1; k < len(s.events); k++ {
		e := s.events[k]
		if e.Kind != history.KindInvoke {
			continue
		}
		if asked < 0 {
			asked = k
		}
		end := len(s.events) - 1
		for n := k + 1; n < len(s.events); n++ {
			if x := s.events[n]; x.Actor == e.Actor && x.Kind >= history.KindOK && x.Kind <= history.KindInfo {
				if end = n; x.Kind == history.KindOK && (ok < 0 || n < ok) {
					ok = n
				}
				break
			}
		}
		waited = max(waited, s.events[end].T)
	}
	if asked < 0 {
		return false
	}
	took := waited - s.events[asked].T
	if ok >= 0 {
		took = s.events[ok].T - s.events[asked].T
	}
	return took > recoverWithin
}

// outlivedByDefinition: a component was gone later than its grace after it was told to stop. Killed before the harness was to wait that
// long, it is unknown how long it would have taken.
func outlivedByDefinition(s *script) bool {
	told := time.Duration(-1)
	for _, e := range s.events {
		if e.Kind != history.KindProcess {
			continue
		}
		if e.Outcome == history.OutcomeTerminated {
			told = e.T
		} else if told >= 0 {
			return e.T-told > stopWithin
		}
	}
	return false
}

// gappedByDefinition: a number up to the source's last was never delivered, two different events have one number, or one has a number
// beyond the last.
func gappedByDefinition(s *script) bool {
	said := map[uint64]string{}
	last, most := uint64(0), uint64(0)
	for _, e := range s.events {
		switch {
		case e.Kind == history.KindObserve:
			last = e.Token
		case e.Kind == history.KindAudit:
			if before, again := said[e.Token]; again && before != e.Value {
				return true
			}
			said[e.Token], most = e.Value, max(most, e.Token)
		}
	}
	return uint64(len(said)) != last || most > last
}
