package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/checkers"
	"github.com/wreckon/wreckon/history"
	"github.com/wreckon/wreckon/internal/rundir"
	"github.com/wreckon/wreckon/reports"
	"github.com/wreckon/wreckon/targets"
)

// BenchmarkRun runs the default scenario from the start of the command to its end: how long until all components are ready, how
// long it takes in all, and how much of that is neither load, fault nor drain. One iteration takes as long as the scenario.
func BenchmarkRun(b *testing.B) {
	var ready, all, overhead time.Duration
	for b.Loop() {
		dir := b.TempDir()
		cmd := exec.Command("wreckon", "run", "--seed", "1")
		cmd.Dir = dir
		began := time.Now()
		out, err := cmd.CombinedOutput()
		took := time.Since(began)
		require.NoError(b, err, "%s", out)
		m, err := rundir.ReadManifest(filepath.Join(dir, "runs", rundir.Latest))
		require.NoError(b, err)
		all += took
		overhead += took
		ready += m.Started.Sub(began)
		for _, p := range m.Phases {
			switch p.Name {
			case "start":
				ready += p.Took
			case "chaos", "quiesce":
				overhead -= p.Took
			}
		}
	}
	per := func(d time.Duration) float64 { return d.Seconds() / float64(b.N) }
	b.ReportMetric(per(ready)*1000, "ms-to-ready")
	b.ReportMetric(per(all), "s/run")
	b.ReportMetric(per(overhead), "s-overhead")
}

// BenchmarkVerdict judges a history of 100,000 events and writes every report.
func BenchmarkVerdict(b *testing.B) {
	h := orders(9100)
	spec := checkers.Spec{}
	for b.Loop() {
		r := reports.Run{Manifest: rundir.Manifest{Run: "bench", Scenario: "bench"}, History: h, Result: checkers.Judge(h, spec)}
		require.NotEqual(b, checkers.Violation, r.Result.Verdict, "%v", r.Result.Reasons)
		_, err := reports.Write(b.TempDir(), r, reports.Options{})
		require.NoError(b, err)
	}
	b.ReportMetric(float64(h.Len()), "events")
}

// orders is the history of so many happy orders, each with a read, as the reference leaves it behind.
func orders(n int) *history.History {
	h := history.New(history.Header{Claims: targets.Reference().Claims})
	var t time.Duration
	add := func(e history.Event) {
		t += 20 * time.Microsecond
		e.T = t
		h.Append(e)
	}
	type chain struct {
		seq  uint64
		hash string
	}
	chains := map[string]*chain{}
	audit := func(u history.Unit, source, transition, step string) {
		c := chains[source]
		if c == nil {
			c = &chain{}
			chains[source] = c
		}
		c.seq++
		body := fmt.Sprintf(`{"source":%q,"seq":%d,"order_id":"o-%d","transition":%q}`, source, c.seq, u+1, transition)
		sum := sha256.Sum256([]byte(c.hash + "\n" + body))
		c.hash = hex.EncodeToString(sum[:])
		add(history.Event{Kind: history.KindAudit, Unit: u, Op: transition, Step: step, Component: source, Token: c.seq, Key: c.hash, Value: body})
	}
	none := history.NoUnit
	add(history.Event{Kind: history.KindPhase, Unit: none, Op: "chaos", Outcome: history.OutcomeBegin})
	for i := range n {
		u := history.Unit(i)
		actor := uint32(i%8) + 1
		add(history.Event{Kind: history.KindInvoke, Unit: u, Actor: actor, Attempt: 1, Op: "submit", At: t})
		audit(u, "api", "accepted", "")
		add(history.Event{Kind: history.KindOK, Unit: u, Actor: actor, Attempt: 1, Op: "submit", Value: "pending", Token: 1})
		audit(u, "inventory", "reserved", "reserve")
		add(history.Event{Kind: history.KindEffect, Unit: u, Op: "do", Step: "charge", Component: "payments", Outcome: history.OutcomeApplied,
			Key: fmt.Sprintf("o-%d/charge/1", i+1), Value: "4990"})
		audit(u, "payments", "charged", "charge")
		add(history.Event{Kind: history.KindEffect, Unit: u, Op: "do", Step: "ship", Component: "shipping", Outcome: history.OutcomeApplied,
			Key: fmt.Sprintf("o-%d/ship/1", i+1), Value: "1 Main Street"})
		audit(u, "shipping", "shipped", "ship")
		audit(u, "api", "completed", "")
	}
	add(history.Event{Kind: history.KindPhase, Unit: none, Op: "chaos", Outcome: history.OutcomeEnd})
	add(history.Event{Kind: history.KindPhase, Unit: none, Op: "quiesce", Outcome: history.OutcomeBegin})
	add(history.Event{Kind: history.KindPhase, Unit: none, Op: "quiesce", Outcome: history.OutcomeEnd, Value: "settled"})
	add(history.Event{Kind: history.KindPhase, Unit: none, Op: "observe", Outcome: history.OutcomeBegin})
	for i := range n {
		add(history.Event{Kind: history.KindObserve, Unit: history.Unit(i), Op: "state", Value: "completed", Token: 2})
		add(history.Event{Kind: history.KindObserve, Unit: history.Unit(i), Op: "step", Step: "reserve", Value: "in-force"})
	}
	for source, c := range chains {
		add(history.Event{Kind: history.KindObserve, Unit: none, Op: "audit-head", Component: source, Token: c.seq, Key: c.hash})
	}
	add(history.Event{Kind: history.KindPhase, Unit: none, Op: "observe", Outcome: history.OutcomeEnd})
	return h
}
