package checkers

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/wreckon/wreckon/history"
)

// large is the history of a long good run, of about n events.
func large(n int) *history.History {
	return generate(seededDice{rand.New(rand.NewPCG(1, uint64(n)))}, n/19).history()
}

// proxied is the same run seen by proxies, too: five exchanges of each unit beside its other events, one unit in a hundred with one that a
// fault touched.
func proxied(h *history.History) *history.History {
	p := history.New(h.Header)
	edges := []string{"client -> api", "relay -> broker", "broker -> saga", "saga -> payments", "payments -> gateway"}
	seen := map[history.Unit]bool{}
	for i := range h.Len() {
		e := h.Event(i)
		p.Append(e)
		if e.Kind != history.KindInvoke || seen[e.Unit] {
			continue
		}
		seen[e.Unit] = true
		for n, edge := range edges {
			fault := ""
			if n == 4 && e.Unit%100 == 0 {
				fault = `,"fault":"f1"`
			}
			p.Append(history.Event{Kind: history.KindExchange, T: e.T, Unit: e.Unit, Op: "POST /charges", Component: edge, Token: uint64(e.Unit) + 1,
				Value: fmt.Sprintf(`{"protocol":"http","asked_ns":%d,"delivered_ns":%d,"answered_ns":%d,"returned_ns":%d,"deliveries":1,"returned":true,"refused":false%s}`,
					e.T, e.T+1, e.T+2, e.T+3, fault)})
		}
	}
	p.Sealed = true
	return p
}

// streamed adds up every column a checker reads: what judging cannot be faster than.
func streamed(h *history.History) (sum uint64) {
	for i := range h.Kind {
		sum += uint64(h.T[i]) + uint64(h.Kind[i]) + uint64(h.Outcome[i]) + uint64(h.Unit[i]) + uint64(h.Actor[i]) + uint64(h.Attempt[i]) +
			uint64(h.Op[i]) + uint64(h.Step[i]) + uint64(h.Comp[i]) + uint64(h.Key[i]) + uint64(h.Value[i]) + h.Token[i] + uint64(h.At[i])
	}
	return sum
}

func perEvent(b *testing.B, h *history.History) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(h.Len()), "ns/event")
	b.ReportMetric(float64(h.Len()), "events")
}

var sink uint64

func BenchmarkStreamColumns(b *testing.B) {
	h := large(100_000)
	for b.Loop() {
		sink += streamed(h)
	}
	perEvent(b, h)
}

func BenchmarkPrepare(b *testing.B) {
	h := large(100_000)
	for b.Loop() {
		prepare(b.Context(), h, 0)
	}
	perEvent(b, h)
}

func BenchmarkJudge(b *testing.B) {
	h := large(100_000)
	for b.Loop() {
		if r := Judge(h, Spec{}); r.Verdict != Pass {
			b.Fatal(r.Reasons)
		}
	}
	perEvent(b, h)
}

func BenchmarkPrepareProxied(b *testing.B) {
	h := proxied(large(100_000))
	for b.Loop() {
		prepare(b.Context(), h, 0)
	}
	perEvent(b, h)
}

func BenchmarkJudgeProxied(b *testing.B) {
	h := proxied(large(100_000))
	for b.Loop() {
		if r := Judge(h, Spec{}); r.Verdict != Pass || !slices.ContainsFunc(r.Faults, func(f FaultResult) bool { return f.Hits > 0 }) {
			b.Fatal(r.Reasons)
		}
	}
	perEvent(b, h)
}
