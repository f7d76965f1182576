package reports

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/wreckon/wreckon/checkers"
	"github.com/wreckon/wreckon/faults"
	"github.com/wreckon/wreckon/history"
	"github.com/wreckon/wreckon/internal/rundir"
	"github.com/wreckon/wreckon/scenarios"
	"github.com/wreckon/wreckon/workloads"
)

const ms = time.Millisecond

// sampleFaults are the faults of the sample run, with what they did to it.
func sampleFaults() []checkers.FaultResult {
	f := func(id, kind, target string, begin, end time.Duration) checkers.FaultResult {
		return checkers.FaultResult{ID: id, Kind: kind, Target: target, Verdict: checkers.Confirmed, Begin: begin, Confirmed: begin + 12*ms, End: end, Healed: end + 9*ms}
	}
	fs := []checkers.FaultResult{
		f("f1", "crash", "relay", 3000*ms, 3250*ms), f("f2", "lost-response", "payments -> gateway", 5000*ms, 5600*ms),
		f("f3", "partition", "relay <-> broker", 8000*ms, 9000*ms), f("f4", "latency", "client <-> api", 11000*ms, 13000*ms),
		f("f5", "pause", "saga", 15000*ms, 15800*ms),
	}
	for i, did := range []checkers.FaultResult{
		{InFlight: 14, Hurt: 0, OpenUnits: 9, Recovery: 61 * ms, Probe: "relay is gone: signal: killed", HealProbe: "relay answers its readiness probe after 41ms"},
		{InFlight: 31, Hurt: 0, OpenUnits: 17, Recovery: 12 * ms, Conns: 6, Bytes: 4310, Probe: "no answer through payments -> gateway within 150ms", HealProbe: "answered through payments -> gateway in 2ms"},
		{InFlight: 42, Hurt: 0, OpenUnits: 28, Recovery: 203 * ms, Conns: 2, Bytes: 18_230, Probe: "no answer through relay -> broker within 150ms", HealProbe: "answered through relay -> broker in 1ms"},
		{InFlight: 66, Hurt: 11, OpenUnits: 12, Recovery: 4 * ms, Conns: 10, Bytes: 61_400, Probe: "an answer through client -> api took 251ms", HealProbe: "answered through client -> api in 1ms"},
		{InFlight: 24, Hurt: 0, OpenUnits: 19, Recovery: 92 * ms, Probe: "the kernel shows saga stopped", HealProbe: "saga answers its readiness probe after 2ms"},
	} {
		fs[i].InFlight, fs[i].Hurt, fs[i].OpenUnits, fs[i].Recovery, fs[i].Conns, fs[i].Bytes, fs[i].Probe, fs[i].HealProbe =
			did.InFlight, did.Hurt, did.OpenUnits, did.Recovery, did.Conns, did.Bytes, did.Probe, did.HealProbe
	}
	return fs
}

// sampleHistory simulates clients that submit orders at an even rate under the sample's faults, for 20 s. Twice, it charges one
// order of f2 again and never finishes one of f3, where broken asks for it. It returns the units that this happened to.
func sampleHistory(units int, broken bool) (h *history.History, twice, lost history.Unit) {
	rnd := rand.New(rand.NewPCG(7, 11))
	twice, lost = history.NoUnit, history.NoUnit
	var es []history.Event
	add := func(t time.Duration, e history.Event) { e.T = t; es = append(es, e) }
	nobody := func(t time.Duration, e history.Event) { e.Unit = history.NoUnit; add(t, e) }

	const clients = 10
	comps := []string{"broker", "api", "relay", "saga", "inventory", "payments", "shipping"}
	for i, c := range comps {
		nobody(time.Duration(i)*8*ms, history.Event{Kind: history.KindProcess, Outcome: history.OutcomeStarted, Component: c})
		nobody(time.Duration(40+i*6)*ms, history.Event{Kind: history.KindProcess, Outcome: history.OutcomeReady, Component: c})
	}
	for _, p := range []struct {
		name     string
		from, to time.Duration
	}{{"baseline", 200 * ms, 2000 * ms}, {"chaos", 2000 * ms, 18000 * ms}, {"heal", 18000 * ms, 18100 * ms}, {"quiesce", 18100 * ms, 20500 * ms}} {
		nobody(p.from, history.Event{Kind: history.KindPhase, Op: p.name, Outcome: history.OutcomeBegin})
		nobody(p.to, history.Event{Kind: history.KindPhase, Op: p.name, Outcome: history.OutcomeEnd})
	}
	fs := sampleFaults()
	for _, f := range fs {
		e := history.Event{Kind: history.KindFault, Key: f.ID, Op: f.Kind, Component: f.Target}
		for _, at := range []struct {
			t time.Duration
			o history.Outcome
		}{{f.Begin, history.OutcomeBegin}, {f.Confirmed, history.OutcomeConfirmed}, {f.End, history.OutcomeEnd}, {f.Healed, history.OutcomeHealed}} {
			e.Outcome = at.o
			nobody(at.t, e)
		}
	}
	nobody(3005*ms, history.Event{Kind: history.KindProcess, Outcome: history.OutcomeKilled, Component: "relay"})
	nobody(3291*ms, history.Event{Kind: history.KindProcess, Outcome: history.OutcomeReady, Component: "relay"})
	nobody(15004*ms, history.Event{Kind: history.KindProcess, Outcome: history.OutcomePaused, Component: "saga"})
	nobody(15801*ms, history.Event{Kind: history.KindProcess, Outcome: history.OutcomeResumed, Component: "saga"})

	in := func(t time.Duration, f checkers.FaultResult) bool { return t >= f.Begin && t < f.End }
	around := func(d time.Duration) time.Duration {
		return time.Duration(float64(d) * math.Exp(rnd.NormFloat64()*.45))
	}
	free := make([]time.Duration, clients)
	op := func(due time.Duration, name string, u history.Unit, attempt uint32) (ok bool, done time.Duration) {
		c := 0
		for i := range free {
			if free[i] < free[c] {
				c = i
			}
		}
		t := max(due, free[c])
		took, kind := around(9*ms), history.KindOK
		if in(t, fs[3]) {
			took += 250 * ms
			if rnd.IntN(6) == 0 {
				took, kind = 500*ms, history.KindInfo
			}
		}
		if rnd.IntN(180) == 0 {
			kind = history.KindFail
		}
		add(t, history.Event{Kind: history.KindInvoke, Op: name, Unit: u, Actor: uint32(c + 1), Attempt: attempt})
		add(t+took, history.Event{Kind: kind, Op: name, Unit: u, Actor: uint32(c + 1), Attempt: attempt, Value: `{"state":"accepted"}`})
		free[c] = t + took + ms
		return kind == history.KindOK, t + took
	}
	for n := range units {
		u := history.Unit(n)
		id := history.UnitID("o-", u)
		due := 200*ms + time.Duration(float64(n)/float64(units)*17.6*float64(time.Second)) + around(4*ms)
		ok, done := op(due, "submit", u, 1)
		for attempt := uint32(2); !ok && attempt < 4; attempt++ {
			ok, done = op(done+around(40*ms), "submit", u, attempt)
		}
		if !ok {
			continue
		}
		if rnd.IntN(3) == 0 {
			op(done+around(30*ms), "read", u, 1)
		}
		t := done - around(2*ms)
		step := func(by time.Duration) time.Duration {
			t += around(by)
			for _, f := range []checkers.FaultResult{fs[0], fs[2], fs[4]} {
				if in(t, f) {
					t = f.Healed + around(30*ms)
				}
			}
			return t
		}
		add(t, history.Event{Kind: history.KindAudit, Op: "accepted", Unit: u, Component: "api", Token: uint64(n)})
		if broken && lost == history.NoUnit && in(t, fs[2]) {
			lost = u
			continue
		}
		amount := fmt.Sprintf("%d.%02d", 10+rnd.IntN(80), rnd.IntN(100))
		charge := history.Event{Kind: history.KindEffect, Outcome: history.OutcomeApplied, Op: "do", Step: "charge", Unit: u, Component: "payments", Key: id + "/charge/1", Value: `{"amount":"` + amount + `"}`}
		add(step(18*ms), charge)
		if in(t, fs[1]) {
			if broken && twice == history.NoUnit {
				twice = u
				charge.Key = id + "/charge/2"
			} else {
				charge.Outcome = history.OutcomeDeduplicated
			}
			add(fs[1].Healed+around(120*ms), charge)
		}
		add(step(3*ms), history.Event{Kind: history.KindAudit, Op: "charged", Unit: u, Component: "payments"})
		add(step(16*ms), history.Event{Kind: history.KindEffect, Outcome: history.OutcomeApplied, Op: "do", Step: "ship", Unit: u, Component: "shipping", Key: id + "/ship", Value: `{"parcel":1}`})
		add(step(9*ms), history.Event{Kind: history.KindAudit, Op: "completed", Unit: u, Component: "saga"})
	}
	nobody(20500*ms, history.Event{Kind: history.KindNote, Value: "sealed"})

	slices.SortStableFunc(es, func(a, b history.Event) int { return cmp.Compare(a.T, b.T) })
	h = history.New(history.Header{
		Format: 1, Run: "2026-11-21T20-04-11Z-everything-k3x9", Scenario: "everything", Seed: 8842113, Tool: "wreckon 0.1.0",
		Claims: history.Claims{Target: "reference", Unit: "order", Prefix: "o-", States: history.States{Completed: "completed", Compensated: "compensated", Quarantined: "quarantined"}},
	})
	h.Sealed = true
	for _, e := range es {
		h.Append(e)
	}
	return h, twice, lost
}

// tell makes the story of a unit out of its events, as a checker would.
func tell(h *history.History, u history.Unit, proof func(history.Event) bool, fs ...checkers.FaultResult) (lines []checkers.StoryLine, seqs []uint64) {
	id := history.UnitID("o-", u)
	for i := range h.Len() {
		e := h.Event(i)
		l := checkers.StoryLine{Seq: e.Seq, T: e.T, Who: e.Component}
		for _, f := range fs {
			if e.Kind == history.KindFault && e.Key == f.ID && e.Outcome == history.OutcomeConfirmed {
				l.Who, l.Fault = f.ID, true
				l.Text = map[string]string{"lost-response": "the gateway's answers are lost (" + f.Target + ")", "partition": "relay and broker cannot reach each other"}[f.Kind]
				lines = append(lines, l)
			}
		}
		if e.Unit != u {
			continue
		}
		switch e.Kind {
		case history.KindInvoke:
			l.Who, l.Text = fmt.Sprintf("client %d", e.Actor), e.Op+"s "+id
		case history.KindOK:
			l.Who, l.Text = fmt.Sprintf("client %d", e.Actor), "is told "+e.Value
		case history.KindInfo:
			l.Who, l.Text = fmt.Sprintf("client %d", e.Actor), "gets no answer within 500ms"
		case history.KindAudit:
			l.Text = "records the transition " + e.Op
		case history.KindEffect:
			l.Text, l.Note = "does "+e.Step+" "+e.Value+", key "+e.Key, "applied"
			if e.Outcome == history.OutcomeDeduplicated {
				l.Note = "deduplicated"
			}
		}
		if l.Proof = proof(e); l.Proof {
			seqs = append(seqs, e.Seq)
		}
		lines = append(lines, l)
	}
	return lines, seqs
}

// sample is a run as the harness would leave it: passing, or with two findings.
func sample(broken bool) Run { return sampleOf(500, broken) }

func sampleOf(units int, broken bool) Run {
	h, twice, lost := sampleHistory(units, broken)
	fs := sampleFaults()
	r := Run{
		Dir: "runs/2026-11-21T20-04-11Z-everything-k3x9",
		Manifest: rundir.Manifest{
			Format: 1, Run: "2026-11-21T20-04-11Z-everything-k3x9", Scenario: "everything", Target: "reference", Environment: "processes", Seed: 8842113,
			Args: []string{"run", "everything", "--seed", "8842113"}, Repeat: "wreckon run everything --seed 8842113",
			Tool: "wreckon 0.1.0", Go: "go1.26.8", OS: "linux/amd64", CPUs: 2, Host: "ci-7", Git: "3fa91c2",
			Started: time.Date(2026, 11, 21, 20, 4, 11, 0, time.UTC), Ended: time.Date(2026, 11, 21, 20, 4, 33, 400_000_000, time.UTC),
			Phases: []rundir.Phase{{Name: "start", Took: 212 * ms}, {Name: "baseline", Took: 1800 * ms}, {Name: "chaos", Took: 16 * time.Second}, {Name: "heal", Took: 100 * ms}, {Name: "quiesce", Took: 2400 * ms}},
		},
		Plan: scenarios.Plan{
			Format: 1, Scenario: "everything", About: "Every kind of fault, one after the other, under steady load.", File: "scenarios/everything.yaml", Target: "reference", Seed: 8842113,
			Hypothesis: "Every accepted order is charged once, shipped once and audited, within five seconds of the last heal.",
			Workload: workloads.Spec{Phases: []workloads.Phase{{Rate: 40, For: 8 * time.Second}, {Rate: 12, For: 8 * time.Second}}, Clients: 10,
				Mix: map[string]int{"happy": 8, "declined": 1, "out-of-stock": 1}, Attempts: 3, Timeout: 500 * ms},
			Faults: []faults.Spec{
				{ID: "f1", Kind: "crash", Component: "relay", At: time.Second, For: 250 * ms, Line: 14},
				{ID: "f2", Kind: "lost-response", From: "payments", To: "gateway", Direction: faults.Responses, At: 3 * time.Second, For: 600 * ms, Line: 17},
				{ID: "f3", Kind: "partition", From: "relay", To: "broker", Direction: faults.Both, At: 6 * time.Second, For: time.Second, Line: 20},
				{ID: "f4", Kind: "latency", From: "client", To: "api", Direction: faults.Both, At: 9 * time.Second, For: 2 * time.Second, Delay: 250 * ms, Line: 23},
				{ID: "f5", Kind: "pause", Component: "saga", At: 13 * time.Second, For: 800 * ms, Line: 27},
			},
			Guarantees: []string{"no-duplicate-effects", "no-lost-work"}, Require: []string{"every fault confirmed", "redeliveries >= 1"},
			Thresholds: []string{"completion_latency.p99 < 2s", "recovery_time < 1s"}, Quiesce: 10 * time.Second,
		},
		History: h,
	}
	r.Result = checkers.Result{
		Verdict: checkers.Pass, Faults: fs, Took: 38 * ms, Counts: sampleCounts(h),
		Guarantees: []checkers.Judgement{
			{Guarantee: "no-duplicate-effects", Promise: "No step of a unit is in force twice at any instant.", Status: checkers.Holds, Checked: 996, What: "effects"},
			{Guarantee: "no-lost-work", Promise: "Every acknowledged unit ends, is quarantined, or is in progress.", Status: checkers.Holds, Checked: units, What: "orders"},
			{Guarantee: "no-phantom-effects", Promise: "No effect without a unit that somebody asked for.", Status: checkers.Holds, Checked: 996, What: "effects"},
			{Guarantee: "atomic-outcome", Promise: "A unit's steps are all in force, or none is.", Status: checkers.Holds, Checked: units, What: "orders"},
			{Guarantee: "complete-audit", Promise: "Every transition and every effect has its audit event, in an unbroken chain.", Status: checkers.Holds, Checked: 1490, What: "transitions"},
			{Guarantee: "no-stuck-work", Promise: "No unit is open at the quiescence deadline.", Status: checkers.Holds, Checked: units, What: "orders"},
			{Guarantee: "linearizable-state", Promise: "Status reads and conditional updates of a unit are linearizable.", Status: checkers.Holds, Checked: 171, What: "orders"},
			{Guarantee: "traced", Promise: "Operations, effects and audit events of a unit share one trace.", Status: checkers.NotTested, Reason: "the target reports no traces"},
			{Guarantee: "fencing", Promise: "No effect with a token older than one already seen.", Status: checkers.NotTested, Reason: "the target's effects carry no fencing token"},
		},
		Require: []checkers.Condition{{Text: "every fault confirmed", Met: true, Actual: "5 of 5"}, {Text: "redeliveries >= 1", Met: true, Actual: "14"}},
		Thresholds: []checkers.Condition{
			{Text: "completion_latency.p99 < 2s", Met: true, Actual: "1.18s"}, {Text: "recovery_time < 1s", Met: true, Actual: "203ms"},
		},
		Metrics: []checkers.Metric{
			{Name: "completion_rate", Value: .998, Unit: "ratio", M: "M1", Doc: "units that completed, of those acknowledged"},
			{Name: "completion_latency.p50", Value: .061, Unit: "s", M: "M2", Doc: "from the first call to the end of the unit: median"},
			{Name: "completion_latency.p99", Value: 1.18, Unit: "s", M: "M2", Doc: "the same: 99 of 100 were at most this"},
			{Name: "dead_letter_rate", Unit: "ratio", M: "M3", Doc: "messages that ended in the dead-letter queue", NA: true},
			{Name: "duplicate_rate", Value: 0.0139, Unit: "ratio", M: "M4", Doc: "effects that the sink had to deduplicate"},
			{Name: "retries_per_unit.max", Value: 3, Unit: "count", M: "M6", Doc: "attempts beyond the first"},
			{Name: "recovery_time", Value: .203, Unit: "s", Doc: "from the heal to the first operation that was ok"},
		},
		Warnings: []string{"lateness of the load: p99 3.1ms, above the 1ms that an idle machine shows"},
	}
	if broken {
		breakSample(&r, twice, lost)
	}
	return r
}

func breakSample(r *Run, twice, lost history.Unit) {
	h, fs := r.History, r.Result.Faults
	r.Manifest.Defect, r.Plan.Defect = "dedup-check-then-act", "dedup-check-then-act"
	r.Manifest.Repeat += " --defect dedup-check-then-act"
	id, lostID := history.UnitID("o-", twice), history.UnitID("o-", lost)
	charged := func(e history.Event) bool { return e.Kind == history.KindEffect && e.Step == "charge" }
	story, events := tell(h, twice, charged, fs[1])
	for i := range story {
		if story[i].Proof && story[i].Seq == events[len(events)-1] {
			story[i].Note = "applied: in force twice"
		}
	}
	twinStory, _ := tell(h, twice+2, func(history.Event) bool { return false })
	lostStory, lostEvents := tell(h, lost, func(e history.Event) bool { return e.Kind == history.KindOK }, fs[2])
	first := checkers.Finding{
		Guarantee: "no-duplicate-effects", Unit: id, Events: events, Faults: []string{"f2"}, Story: story,
		Sentence: "order " + id + " was charged twice: at " + at(time.Duration(h.T[events[0]])) + ", and again at " + at(time.Duration(h.T[events[1]])) + " under another key",
		Twin:     "order " + history.UnitID("o-", twice+2) + ", beside it, went through the same fault with one charge: its retry used the same key", TwinStory: twinStory,
	}
	second := checkers.Finding{
		Guarantee: "no-lost-work", Unit: lostID, Events: lostEvents, Faults: []string{"f3"}, Story: lostStory,
		Sentence: "order " + lostID + " was acknowledged at " + at(time.Duration(h.T[lostEvents[0]])) + " and never finished: no terminal state, no quarantine record, not in progress",
	}
	r.Result.Verdict = checkers.Violation
	r.Result.Reasons = []string{first.Sentence, second.Sentence}
	for i, f := range []checkers.Finding{first, second} {
		j := &r.Result.Guarantees[i]
		j.Status, j.Findings, j.Total = checkers.Violated, []checkers.Finding{f}, 1
	}
	r.Result.Thresholds[0].Met, r.Result.Thresholds[0].Actual = false, "2.41s"
}

func sampleCounts(h *history.History) checkers.Counts {
	c := checkers.Counts{Events: h.Len()}
	acked, asked := map[history.Unit]bool{}, map[history.Unit]bool{}
	for i, k := range h.Kind {
		switch k {
		case history.KindInvoke:
			c.Operations++
			asked[h.Unit[i]] = true
		case history.KindOK:
			c.OK++
			acked[h.Unit[i]] = true
		case history.KindFail:
			c.Fail++
		case history.KindInfo:
			c.Info++
		case history.KindEffect:
			if h.Outcome[i] == history.OutcomeApplied {
				c.Effects++
			} else {
				c.Deduplicated++
			}
		}
	}
	c.Units, c.Acknowledged = len(asked), len(acked)
	c.Unknown = c.Units - c.Acknowledged
	return c
}
