package checkers

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/wreckon/wreckon/history"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// run judges a history in the form of script, under a spec.
func run(t *testing.T, text string, spec Spec) Result {
	t.Helper()
	s, err := parseScript(text)
	require.NoError(t, err)
	return Judge(s.history(), spec)
}

const goodRun = "happy o-1 c1\nhappy o-2 c2\nsettled\nheads\nend"

func TestVerdicts(t *testing.T) {
	const confirmed = "fault f1 crash relay begin\nfault f1 crash relay confirmed\nhappy o-1 c1\nfault f1 crash relay end\nfault f1 crash relay healed\nhappy o-2 c1\n"
	planned := []PlannedFault{{ID: "f1", Kind: "crash", Target: "relay"}}
	tests := []struct {
		name   string
		text   string
		spec   Spec
		want   Verdict
		reason string
	}{
		{"everything holds", goodRun, Spec{}, Pass, "every guarantee that could be tested holds"},
		{"a finding", "happy o-1 c1\neffect charge do o-1 4990 key=x\nsettled\nheads\nend", Spec{}, Violation, "order o-1 was charged twice"},
		{"a finding wins over everything", "happy o-1 c1\neffect charge do o-1 4990 key=x\nsettled\nheads\nend",
			Spec{Failed: "disk full", Aborted: "ctrl-c", Require: []string{"redeliveries >= 1"}}, Violation, "the run failed: disk full"},
		{"the run failed", goodRun, Spec{Failed: "disk full", Aborted: "ctrl-c"}, Errored, "disk full"},
		{"a process went by itself", "process saga exited \"exit status 2, not asked for\"\n" + goodRun, Spec{}, Errored, "saga went at"},
		{"a process went because it was told to", "process saga exited \"killed by the harness\"\n" + goodRun, Spec{}, Pass, ""},
		{"a person stopped it", goodRun, Spec{Aborted: "ctrl-c"}, Aborted, "the run was aborted: ctrl-c"},
		{"nothing was acknowledged", "c1 submit o-1\nc1 fail 503\nsettled\nheads\nend", Spec{}, Inconclusive, "no order was acknowledged"},
		{"a fault that was never reached", goodRun, Spec{Planned: planned}, Inconclusive, "f1 (crash relay) was not-reached"},
		{"a fault that bit", confirmed + "settled\nheads\nend", Spec{Planned: planned, Require: []string{"every fault confirmed",
			"operations in flight during every fault"}}, Pass, ""},
		{"a guarantee that does not exist", goodRun, Spec{Guarantees: []string{"no-lost-wrk"}}, Inconclusive, `did you mean "no-lost-work"?`},
		{"one that cannot be tested and was not asked for", "feeds effects,states,steps,reads\n" + goodRun, Spec{}, Pass, "holds"},
		{"one that cannot be tested and was asked for", "feeds effects,states,steps,reads\n" + goodRun,
			Spec{Guarantees: []string{"complete-audit", "no-lost-work"}}, Inconclusive, "complete-audit was asked for and could not be tested"},
		{"no guarantee at all", "feeds none\n" + goodRun, Spec{}, Inconclusive, "not one guarantee could be tested"},
		{"the end is missing", "happy o-1 c1\nlost crash", Spec{Guarantees: []string{"no-duplicate-effects"}}, Inconclusive, "the end of the history is missing"},
		{"a requirement that is not met", goodRun, Spec{Require: []string{"acknowledged >= 3"}}, Inconclusive, "acknowledged is 2"},
		{"a requirement on what was not measured", goodRun, Spec{Require: []string{"redeliveries >= 1"}}, Inconclusive, "nothing to measure redeliveries on"},
		{"a threshold that is missed", goodRun, Spec{Thresholds: []string{"completion_latency.max < 1ms"}}, Missed, "completion_latency.max is 8.0ms"},
		{"a threshold that is kept", goodRun, Spec{Thresholds: []string{"completion_latency.max < 1s", "completion_rate == 100%"}}, Pass, ""},
		{"a threshold on what was not measured", goodRun, Spec{Thresholds: []string{"recovery_time < 1s"}}, Inconclusive, "nothing to measure recovery_time on"},
		{"a threshold nobody understands", goodRun, Spec{Thresholds: []string{"speed < 1s"}}, Inconclusive, "not understood, column 1"},
		{"lateness that nobody measured", goodRun, Spec{Late: time.Millisecond}, Inconclusive, "nobody measured how late"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := run(t, test.text, test.spec)
			assert.Equal(t, test.want, r.Verdict, "%v", r.Reasons)
			assert.Contains(t, strings.Join(r.Reasons, "\n"), test.reason)
			if test.want == Pass {
				assert.Contains(t, r.Reasons[0], fmt.Sprintf("(%d of %d)", count(r, Holds), len(Guarantees)))
			}
			_, err := json.Marshal(r)
			assert.NoError(t, err)
		})
	}
}

func count(r Result, s Status) (n int) {
	for _, j := range r.Guarantees {
		if j.Status == s {
			n++
		}
	}
	return n
}

func TestBaselineThatFailedIsAnError(t *testing.T) {
	s := newScript()
	s.phase("baseline", history.OutcomeFailed, "no order completed")
	s.happy(0, 1)
	r := Judge(s.finish(), Spec{})
	assert.Equal(t, Errored, r.Verdict)
	assert.Contains(t, r.Reasons[0], "no order completed")
}

func TestLatenessAboveItsBoundIsInconclusive(t *testing.T) {
	s := newScript()
	s.happy(0, 1)
	s.add(history.Event{Kind: history.KindNote, Unit: history.NoUnit, Op: "lateness", Value: `{"p50":100000,"p99":3000000,"max":9000000}`})
	h := s.finish()
	assert.Equal(t, Pass, Judge(h, Spec{Late: 5 * time.Millisecond}).Verdict)
	r := Judge(h, Spec{Late: time.Millisecond})
	assert.Equal(t, Inconclusive, r.Verdict)
	assert.Contains(t, r.Reasons[0], "p99 3.0ms, and the bound is 1ms")
}

// A checker that panics or hangs has judged nothing, and does not keep the others from speaking.
func TestCheckersThatFail(t *testing.T) {
	s := newScript()
	s.happy(0, 1)
	release := make(chan struct{})
	ended := make(chan struct{})
	table := append([]Guarantee{
		{Name: "broken", Check: func(c *Case) Judgement { return Judgement{Checked: int(c.units[len(c.units)].acked)} }},
		{Name: "endless", Check: func(c *Case) Judgement {
			defer close(ended)
			<-release
			return Judgement{Status: Holds}
		}},
	}, Guarantees...)
	r := judgeWith(s.finish(), Spec{Budget: 20 * time.Millisecond}, table)
	close(release)
	<-ended
	assert.Equal(t, Unknown, r.Guarantees[0].Status)
	assert.Contains(t, r.Guarantees[0].Reason, "the checker failed: runtime error: index out of range [1] with length 1 (judge_test.go:")
	assert.Equal(t, Unknown, r.Guarantees[1].Status)
	assert.Contains(t, r.Guarantees[1].Reason, "did not come to an end within")
	for _, j := range r.Guarantees[2:] {
		assert.Contains(t, []Status{Holds, NotTested}, j.Status, j.Guarantee)
	}
	assert.Equal(t, Inconclusive, r.Verdict)
}

// Where answers name no versions the order is searched. A search that does not end in its budget is unknown, and names the unit.
func TestSearchThatNeedsTooMuch(t *testing.T) {
	s := newScript()
	s.invoke(1, "submit", 0, "", 1)
	s.answer(1, history.KindOK, "pending", 0)
	for k := range 40 { // each may have happened or not, in any order
		s.invoke(100+k, "amend", 0, "", 1)
		s.last().Token, s.last().Value = uint64(1+k%4), "note"
	}
	for range 6 {
		s.invoke(1, "read", 0, "", 1)
		s.answer(1, history.KindOK, "pending|note", 0)
	}
	s.invoke(1, "read", 0, "", 1)
	s.answer(1, history.KindOK, "pending|never-written", 0)
	r := Judge(s.finish(), Spec{Guarantees: []string{"linearizable-state"}, Budget: 2 * time.Second})
	assert.Equal(t, Unknown, r.Guarantees[0].Status)
	assert.Regexp(t, `order o-1 could not be decided: the search over \d+ operations`, r.Guarantees[0].Reason)

	s = newScript()
	s.invoke(1, "submit", 0, "", 1)
	s.answer(1, history.KindOK, "pending", 0)
	for range maxCalls {
		s.invoke(1, "read", 0, "", 1)
		s.answer(1, history.KindOK, "pending|", 0)
	}
	s.invoke(1, "read", 0, "", 1) // completed is read, and an open read that began before may still say pending
	s.invoke(2, "read", 0, "", 1)
	s.answer(2, history.KindOK, "completed|", 0)
	s.answer(1, history.KindOK, "pending|", 0)
	r = Judge(s.finish(), Spec{Guarantees: []string{"linearizable-state"}})
	assert.Equal(t, Unknown, r.Guarantees[0].Status)
	assert.Equal(t, "order o-1 could not be decided: it has 1003 operations, and the limit is 1000", r.Guarantees[0].Reason)
}

// Where every answer names a version there is no limit.
func TestVersionsNeedNoSearch(t *testing.T) {
	s := newScript()
	s.invoke(1, "submit", 0, "", 1)
	s.answer(1, history.KindOK, "pending", 1)
	for k := range 64 { // never answered
		s.invoke(100+k, "amend", 0, "", 1)
		s.last().Token, s.last().Value = uint64(1+k), fmt.Sprint("note ", k)
	}
	const n = 20_000
	for v := range uint64(n) {
		s.invoke(1, "amend", 0, "", 1)
		s.last().Token, s.last().Value = 100+v, fmt.Sprint("mine ", v)
		s.invoke(2, "read", 0, "", 1)
		s.answer(1, history.KindOK, "pending", 101+v)
		s.answer(2, history.KindOK, fmt.Sprint("pending|mine ", v), 101+v)
	}
	j := Judge(s.history(), Spec{Guarantees: []string{"linearizable-state"}}).Guarantees[0]
	assert.Equal(t, Holds, j.Status, j.Reason)
	s.invoke(1, "read", 0, "", 1)
	s.answer(1, history.KindOK, "pending|mine 0", n)
	j = Judge(s.history(), Spec{Guarantees: []string{"linearizable-state"}}).Guarantees[0]
	assert.Equal(t, Violated, j.Status, j.Reason)
}

func TestHostileHistories(t *testing.T) {
	t.Run("ten megabytes from a target", func(t *testing.T) {
		s := newScript()
		huge := strings.Repeat("<script>\x00", 10<<20/9)
		s.happy(0, 1)
		s.invoke(1, "read", 0, "", 1)
		s.answer(1, history.KindInfo, huge, 0)
		s.effect("charge", "do", 0, huge, huge, history.OutcomeApplied)
		s.effect("charge", "do", history.NoUnit, huge, huge, history.OutcomeApplied)
		s.audit("api", huge, 0, "")
		r := Judge(s.finish(), Spec{})
		assert.Equal(t, Violation, r.Verdict)
		b, err := json.Marshal(r)
		require.NoError(t, err)
		assert.Less(t, len(b), 40_000)
		assert.NotContains(t, string(b), `\u0000`)
	})
	t.Run("an id at the end of the numbers", func(t *testing.T) {
		s := newScript()
		s.happy(0, 1)
		s.happy(history.NoUnit-1, 2)
		s.effect("charge", "do", history.NoUnit-1, "1", "", history.OutcomeApplied)
		r := Judge(s.finish(), Spec{})
		assert.Equal(t, 2, r.Counts.Units)
		assert.Contains(t, r.Reasons[0], "order o-4294967295 was charged twice")
	})
	t.Run("a number at the end of an audit trail", func(t *testing.T) {
		s := newScript()
		s.happy(0, 1)
		s.audit("api", "noticed", 0, "")
		s.events[len(s.events)-1].Token = 1<<64 - 1
		r := Judge(s.finish(), Spec{})
		assert.Contains(t, r.Reasons[0], "numbers 3 to 18446744073709551614 were never delivered")
	})
	t.Run("more steps than are judged", func(t *testing.T) {
		s := newScript()
		s.happy(0, 1)
		for k := range 100 {
			s.effect("step-"+strings.Repeat("x", k), "do", 0, "1", "", history.OutcomeApplied)
		}
		r := Judge(s.finish(), Spec{})
		assert.Contains(t, strings.Join(r.Warnings, "\n"), "40 effects belong to steps beyond the 64 that are judged")
		assert.NotEqual(t, Pass, r.Verdict, "what was not judged is not ok")
	})
	t.Run("answers to nothing and calls within calls", func(t *testing.T) {
		s := newScript()
		s.answer(7, history.KindOK, "pending", 1)
		s.invoke(1, "submit", 0, "", 1)
		s.invoke(1, "submit", 1, "", 1)
		s.answer(1, history.KindOK, "pending", 1)
		r := Judge(s.finish(), Spec{})
		assert.Equal(t, Counts{Events: 10, Units: 2, Acknowledged: 1, Unknown: 1, Operations: 2, OK: 1, Info: 1}, r.Counts)
		assert.Len(t, r.Warnings, 2)
	})
	t.Run("nothing at all", func(t *testing.T) {
		r := Judge(history.New(history.Header{}), Spec{Planned: []PlannedFault{{ID: "f1"}}, Require: []string{"every fault confirmed"}})
		assert.Equal(t, Inconclusive, r.Verdict)
	})
	t.Run("columns that do not fit", func(t *testing.T) {
		s := newScript()
		s.happy(0, 1)
		h := s.finish()
		h.Value = h.Value[:3]
		r := Judge(h, Spec{})
		assert.Equal(t, Errored, r.Verdict)
		assert.Contains(t, r.Reasons[0], "prepare the history")
	})
}

func TestCountsAreCappedAndTotalIsNot(t *testing.T) {
	s := newScript()
	for u := range history.Unit(50) {
		s.happy(u, 1)
		s.effect("charge", "do", u, "1", "x", history.OutcomeApplied)
	}
	j := Judge(s.finish(), Spec{Guarantees: []string{"no-duplicate-effects"}}).Guarantees[0]
	assert.Len(t, j.Findings, maxFindings)
	assert.Equal(t, 50, j.Total)
	assert.Equal(t, 50, j.Checked)
	for k, f := range j.Findings[1:] {
		assert.Less(t, j.Findings[k].Events[1], f.Events[1], "in order of the last proof")
	}
}
