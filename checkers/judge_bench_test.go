package checkers

import (
	"math/rand/v2"
	"testing"

	"github.com/wreckon/wreckon/history"
)

// large is the history of a long good run, of about n events.
func large(n int) *history.History {
	return generate(seededDice{rand.New(rand.NewPCG(1, uint64(n)))}, n/19).history()
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
