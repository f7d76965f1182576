package checkers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/wreckon/wreckon/history"
)

// stored gives a history as a reader has it, from a file.
func stored(t require.TestingT, h *history.History) *history.Reader {
	var file bytes.Buffer
	require.NoError(t, h.WriteBlocks(&file))
	r, err := history.NewReader(bytes.NewReader(file.Bytes()), int64(file.Len()))
	require.NoError(t, err)
	return r
}

// requireSame fails unless a history is judged block by block as it is in memory, in all that a result holds.
// It tells how many units the scan itself has cleared.
func requireSame(t require.TestingT, h *history.History, spec Spec) (cleared int) {
	return requireSameRead(t, stored(t, h), h, spec)
}

func requireSameRead(t require.TestingT, r *history.Reader, h *history.History, spec Spec) (cleared int) {
	want, got := Judge(h, spec), Result{}
	got, err := JudgeReader(r, spec)
	require.NoError(t, err)
	want.Took, got.Took = 0, 0
	require.Equal(t, want, got)
	s := newScan(r, spec)
	require.NoError(t, s.run())
	if s.giveUp {
		return 0
	}
	s.weigh(s.ending(s.atTheEnd()))
	return s.census.units
}

func TestTheScanSaysWhatTheCheckersSay(t *testing.T) {
	t.Run("good", func(t *testing.T) {
		cleared := 0
		rapid.Check(t, func(t *rapid.T) {
			cleared += requireSame(t, generate(rapidDice{t}, rapid.IntRange(1, 12).Draw(t, "units")).history(), Spec{Guarantees: someGuarantees(t)})
		})
		require.Positive(t, cleared, "nothing was left to the scan")
		t.Log(cleared)
	})
	t.Run("mutated", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			d := rapidDice{t}
			s := generate(d, rapid.IntRange(1, 10).Draw(t, "units"))
			if rapid.SampledFrom(mutations).Draw(t, "mutation").apply(s, d) {
				requireSame(t, s.history(), Spec{Guarantees: someGuarantees(t)})
			}
		})
	})
	t.Run("anything", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) { requireSame(t, anything(rapidDice{t}).history(), Spec{}) })
	})
}

func TestTheScanSaysWhatTheCorpusWants(t *testing.T) {
	files, err := filepath.Glob("testdata/*/*.txtar")
	require.NoError(t, err)
	for _, file := range files {
		s, err := parseScript(readArchive(t, file).history)
		require.NoError(t, err, file)
		requireSame(t, s.history(), Spec{})
	}
}

// Good histories that lost some events, got some twice or in another order, and foreign ones among them.
func TestTheScanSaysWhatTheCheckersSayOfBrokenHistories(t *testing.T) {
	cleared := 0
	rapid.Check(t, func(t *rapid.T) {
		cleared += requireSame(t, broken(rapidDice{t}).history(), Spec{Guarantees: someGuarantees(t), Planned: plannedFaults})
	})
	require.Positive(t, cleared, "nothing was left to the scan")
	t.Log(cleared)
}

// FuzzJudgeReader looks for a history, and guarantees, of which the two say different things.
func FuzzJudgeReader(f *testing.F) {
	for k := range 16 {
		rng := rand.New(rand.NewPCG(1, uint64(k)))
		choices := make([]byte, 1024)
		for i := range choices {
			choices[i] = byte(rng.Uint32())
		}
		f.Add(choices, uint32(1)<<k)
	}
	f.Fuzz(func(t *testing.T, choices []byte, guarantees uint32) {
		d := byteDice{choices: choices, after: rand.New(rand.NewPCG(uint64(len(choices)), uint64(guarantees)))}
		var some []string
		for k, name := range names() {
			if guarantees>>k&1 == 1 {
				some = append(some, name)
			}
		}
		requireSame(t, broken(&d).history(), Spec{Guarantees: some, Planned: plannedFaults})
	})
}

// byteDice takes its choices from bytes, and once these have run out from a stream: a generator that was always given the first of what
// there is might never end.
type byteDice struct {
	choices []byte
	after   *rand.Rand
}

func (d *byteDice) below(n int) int {
	if len(d.choices) < 2 {
		return d.after.IntN(n)
	}
	k := int(d.choices[0]) | int(d.choices[1])<<8
	d.choices = d.choices[2:]
	return k % n
}

var plannedFaults = []PlannedFault{{ID: "f1", Kind: "partition"}, {ID: "f9", Kind: "crash"}}

// broken is a good history in which some things went wrong.
func broken(d dice) *script {
	s := generate(d, 1+d.below(8))
	for range 1 + d.below(6) {
		if len(s.events) == 0 {
			break
		}
		wrong(d, s, d.below(len(s.events)))
	}
	if d.below(5) == 0 {
		s.lost = "cut short"
	}
	for range d.below(4) {
		bend(d, &s.header.Claims)
	}
	if d.below(5) == 0 { // it does not say what it shows
		s.header.Claims.Feeds = nil
	}
	if d.below(10) == 0 {
		s.header.Claims = history.Claims{}
	}
	return s
}

// wrong does something to event k.
func wrong(d dice, s *script, k int) {
	e := s.events[k]
	switch d.below(16) {
	case 0:
		s.events = slices.Delete(s.events, k, k+1)
	case 1:
		s.events = slices.Insert(s.events, k, e)
	case 2:
		s.events = slices.Delete(s.events, k, k+1)
		s.events = slices.Insert(s.events, k+d.below(len(s.events)-k+1), e)
	case 3:
		s.events[k].Unit = history.Unit(d.below(10))
	case 4:
		s.events[k].Unit = history.NoUnit
	case 5:
		s.events[k].Kind = history.Kind(1 + d.below(int(history.KindNote)))
	case 6:
		s.events[k].Actor = among(d, uint32(0), 1, 2, 3, 70_000, 1<<31)
	case 7:
		s.events[k].Value = among(d, "", "pending", "completed|", "quarantined", "absent", "in-force", `{"fault":"f1"}`, "settled", "|x", "nowhere")
	case 8:
		s.events[k].Token = among(d, uint64(0), 1, 2, 5, 1<<40, 1<<64-1)
	case 9:
		s.events[k].At = among(d, -1, 0, 1, time.Second, time.Hour, 1<<62)
	case 10:
		s.events[k].T = among(d, 0, 1, time.Second, time.Hour, 1<<62)
	case 11:
		s.events[k].Step = among(d, "", "charge", "reserve", "notify", "pack")
	case 13:
		s.events[k].Trace = among(d, "", "t-1", s.events[d.below(len(s.events))].Trace)
	case 14:
		s.events[k].Key = among(d, "", "o-1/charge/do", s.events[d.below(len(s.events))].Key)
	case 15:
		s.events[k].Op = among(d, "", "submit", "read", "amend", "do", "undo", "charged", "completed", "checkpoint", "state", "step", "told", "partition",
			"drop-request", s.events[d.below(len(s.events))].Op)
	case 12:
		s.events[k].Kind, s.events[k].Op, s.events[k].Key = history.KindFault, "swap", "f1"
		s.events[k].Outcome = history.OutcomeBegin + history.Outcome(d.below(int(history.OutcomeFailed-history.OutcomeBegin)+1))
	}
}

// bend changes what a target claims beyond the ordinary.
func bend(d dice, c *history.Claims) {
	step := among(d, "", "charge", "ship", "notify", "load", "reserve", "pack")
	short := history.Duration(among(d, 0, time.Microsecond, time.Millisecond, 20*time.Millisecond, time.Hour))
	switch d.below(13) {
	case 0:
		c.Retries = append(c.Retries, history.Retries{Step: step, Max: d.below(4), Base: short, Factor: float64(d.below(3)), Jitter: d.below(2) == 0})
	case 1:
		c.DeadLetters = &history.DeadLetters{Context: []string{among(d, "reason", "payload", "nothing")}, MaxRate: among(d, 0, 0.1, 0.5)}
	case 2:
		c.Privileges = append(c.Privileges, history.Privilege{Action: among(d, "let-go", "charged", "completed"), From: among(d, "", "quarantined", "pending", "completed"),
			Approval: among(d, "", "agreed", "accepted"), Above: among(d, 0, 60.0)})
	case 3:
		instants := []string{"submit", "effect " + step, "undo " + step, "audit charged", "audit completed", "state completed", "state pending", "state quarantined", "nonsense"}
		c.Deadlines = append(c.Deadlines, history.Deadline{Name: "bent", From: among(d, instants...), To: among(d, instants...), Within: short, Must: d.below(2) == 0})
	case 4:
		c.Fencing = append(c.Fencing, history.Fencing{Step: step, Resource: among(d, "", "unit", "step", "component", "key", "nonsense")})
	case 5:
		c.Ordering = append(c.Ordering, history.Ordering{Step: step, Key: among(d, "", "unit", "step", "component", "key", "nonsense"), Gaps: d.below(2) == 0})
	case 6:
		c.Checkpoints = append(c.Checkpoints, history.Checkpoints{Step: step, Every: d.below(3)})
	case 7:
		bound := float64(d.below(3))
		term := among(d, history.Term{Observed: "on-hand"}, history.Term{Count: "ship"}, history.Term{Effects: "charge"}, history.Term{Effects: step, Times: 2},
			history.Term{Observed: "nothing"})
		total := history.Total{Name: "bent", Terms: []history.Term{term, among(d, term, history.Term{Observed: "ledger"})}[:1+d.below(2)]}
		*among(d, &total.Equals, &total.AtLeast, &total.AtMost, new(*float64)) = &bound
		c.Totals = append(c.Totals, total)
	case 8:
		c.Traced = append(c.Traced, among(d, "invoke", "ok", "effect", "audit", "exchange", "observe", "start", "nonsense"))
	case 9:
		loss := history.Duration(d.below(2)) * short
		c.Recovery = &history.Recovery{Success: short, Backlog: short, Loss: among(d, nil, &loss)}
	case 10:
		c.Drain = append(c.Drain, history.Drain{Component: among(d, "", "payments"), Grace: short})
	case 11:
		c.States.Compensated, c.States.Expired = c.States.Expired, c.States.Compensated
	case 12: // more steps than a life has room for
		for k := range lifeSteps {
			c.Steps = slices.Insert(c.Steps, 0, history.Step{Name: fmt.Sprint("more-", k)})
		}
	}
}

func among[E any](d dice, from ...E) E { return from[d.below(len(from))] }

// Under each claim alone something is left to the scan, and the checkers say the same.
func TestTheScanUnderEachClaim(t *testing.T) {
	for _, name := range names() {
		t.Run(name, func(t *testing.T) {
			cleared, k := 0, slices.IndexFunc(scanRules, func(r rule) bool { return r.guarantee == name })
			rapid.Check(t, func(t *rapid.T) {
				h := broken(rapidDice{t}).history()
				n := requireSame(t, h, Spec{Guarantees: []string{name}, Planned: plannedFaults})
				if scanRules[k].claimed == nil || scanRules[k].claimed(&h.Header.Claims) {
					cleared += n
				}
			})
			require.Positive(t, cleared, "nothing was left to the scan")
			t.Log(cleared)
		})
	}
}

func TestTheScanSaysWhatTheCheckersSayOfExchanges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := proxied(generate(rapidDice{t}, rapid.IntRange(1, 8).Draw(t, "units")).history())
		requireSame(t, h, Spec{Guarantees: someGuarantees(t)})
	})
}

// someGuarantees are all, or only a few: the fewer speak, the more is left to the scan.
func someGuarantees(t *rapid.T) (some []string) {
	if rapid.Bool().Draw(t, "all guarantees") {
		return nil
	}
	return rapid.SliceOfNDistinct(rapid.SampledFrom(names()), 1, 4, rapid.ID[string]).Draw(t, "guarantees")
}

func TestEveryGuaranteeHasARuleOfTheScan(t *testing.T) {
	for _, name := range names() {
		require.True(t, slices.ContainsFunc(scanRules, func(r rule) bool { return r.guarantee == name }), name)
	}
}

// Where a file has many blocks only some of them are read again, and strings and steps that one of them names were met in another.
func TestTheScanOverManyBlocks(t *testing.T) {
	path, cleared, blocks := filepath.Join(t.TempDir(), "h"), 0, 0
	rapid.Check(t, func(t *rapid.T) {
		d := rapidDice{t}
		s := generate(d, 1+d.below(8))
		if d.below(2) == 0 {
			s = broken(d)
		}
		rec, err := history.Create(path, s.header)
		require.NoError(t, err)
		for _, e := range s.events {
			rec.Record(e)
			if d.below(8) == 0 {
				require.NoError(t, rec.Flush(context.Background()))
			}
		}
		require.NoError(t, rec.Seal())
		r, err := history.OpenReader(path)
		require.NoError(t, err)
		defer func() { require.NoError(t, errors.Join(r.Close(), os.Remove(path))) }()
		h, err := r.History()
		require.NoError(t, err)
		cleared += requireSameRead(t, r, h, Spec{Guarantees: someGuarantees(t), Planned: plannedFaults})
		require.NoError(t, r.Each(func(*history.Block) error { blocks++; return nil }))
	})
	require.Positive(t, cleared, "nothing was left to the scan")
	require.Greater(t, blocks, 100)
	t.Log(cleared, blocks)
}

// What is held of few units at a time puts the others in doubt, and changes nothing that is said.
func TestTheScanWithShortMemory(t *testing.T) {
	before := mostRecent
	t.Cleanup(func() { mostRecent = before })
	rapid.Check(t, func(t *rapid.T) {
		mostRecent = 1 << rapid.IntRange(0, 3).Draw(t, "memory")
		requireSame(t, broken(rapidDice{t}).history(), Spec{Guarantees: someGuarantees(t), Planned: plannedFaults})
	})
}

// A step that never happened leaves no trace in a life that has no room for it.
func TestTheScanMissesNoStepBeyondThoseOfALife(t *testing.T) {
	for _, last := range []history.Step{{Name: "last", Required: true}, {Name: "last", Observed: true}} {
		for _, end := range []string{"completed", "compensated"} {
			h := history.New(history.Header{Claims: history.Claims{Feeds: []string{history.FeedEffects, history.FeedStates, history.FeedSteps}}})
			for k := range lifeSteps {
				h.Header.Claims.Steps = append(h.Header.Claims.Steps, history.Step{Name: fmt.Sprint("step-", k), Required: true})
			}
			h.Header.Claims.Steps = append(h.Header.Claims.Steps, last)
			h.Append(history.Event{Kind: history.KindInvoke, Op: "submit", Actor: 1})
			h.Append(history.Event{Kind: history.KindOK, Op: "submit", Actor: 1})
			for k := range lifeSteps {
				h.Append(history.Event{Kind: history.KindEffect, Op: "do", Step: fmt.Sprint("step-", k), Outcome: history.OutcomeApplied})
			}
			h.Append(history.Event{Kind: history.KindObserve, Op: "state", Value: end})
			requireSame(t, h, Spec{})
		}
	}
}

// What expired with nothing undone never began to be undone.
func TestTheScanMeasuresUnitsThatExpired(t *testing.T) {
	h := history.New(history.Header{Claims: history.Claims{States: history.States{Completed: "completed", Compensated: "compensated", Expired: "expired"}}})
	for u, end := range []string{"expired", "compensated", "expired"} {
		h.Append(history.Event{Kind: history.KindInvoke, Unit: history.Unit(u), Op: "submit", Actor: 1})
		h.Append(history.Event{Kind: history.KindOK, Unit: history.Unit(u), Op: "submit", Actor: 1})
		h.Append(history.Event{Kind: history.KindObserve, Unit: history.Unit(u), Op: "state", Value: end})
	}
	require.Equal(t, 3, requireSame(t, h, Spec{Require: []string{"compensation_success == 1"}}), "units left to the scan")
}

// What kind a fault is of, its last event says: until then the end of any may be what the target has to recover from.
func TestTheScanWaitsForTheKindOfAFault(t *testing.T) {
	claims := history.Claims{Recovery: &history.Recovery{Success: history.Duration(time.Second)}}
	h := history.New(history.Header{Claims: claims})
	at := time.Duration(0)
	add := func(e history.Event) {
		at += 2 * time.Second
		e.T = at
		h.Append(e)
	}
	fault := func(op string, o history.Outcome) {
		add(history.Event{Kind: history.KindFault, Unit: history.NoUnit, Op: op, Key: "f1", Outcome: o})
	}
	fault("crash", history.OutcomeBegin)
	fault("crash", history.OutcomeConfirmed)
	fault("drop-request", history.OutcomeEnd)
	for u := range history.Unit(3) {
		if u == 2 {
			fault("crash", history.OutcomeHealed)
		}
		add(history.Event{Kind: history.KindInvoke, Op: "submit", Unit: u, Actor: uint32(u)})
	}
	for u := range history.Unit(3) {
		add(history.Event{Kind: history.KindOK, Op: "submit", Unit: u, Actor: uint32(u)})
	}
	requireSame(t, h, Spec{Guarantees: []string{"bounded-recovery"}})
}

// A source whose clock is ahead says that a unit ended later than somebody had read so.
func TestTheScanTakesTheEarliestEvidenceOfAnEnd(t *testing.T) {
	h := history.New(history.Header{Claims: history.Claims{Feeds: []string{history.FeedAudit}, States: history.States{Completed: "completed",
		Audits: map[string]string{"completed": "completed"}}}})
	for u := range history.Unit(3) {
		for k, e := range []history.Event{
			{Kind: history.KindInvoke, Op: "submit"}, {Kind: history.KindOK, Op: "submit"},
			{Kind: history.KindAudit, Op: "completed", Component: "api", Token: uint64(u) + 1, At: time.Hour},
			{Kind: history.KindInvoke, Op: "read"}, {Kind: history.KindOK, Op: "read", Value: "completed"},
		} {
			e.T, e.Unit = time.Duration(5*int(u)+k)*time.Millisecond, u
			h.Append(e)
		}
	}
	require.Positive(t, requireSame(t, h, Spec{Guarantees: []string{"complete-audit"}}), "nothing was left to the scan")
}
