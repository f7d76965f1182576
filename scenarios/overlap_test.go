package scenarios

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"

	"github.com/wreckon/wreckon/faults"
)

func ms(n int) time.Duration { return time.Duration(n) * time.Millisecond }

// A partition may hold within a latency of the same edge, and nowhere else: the rule that is hardest to judge over ranges.
func TestOverlapHoldsForEverySeed(t *testing.T) {
	v := Vocabulary{Overlap: faults.CheckOverlap}
	rapid.Check(t, func(t *rapid.T) {
		draw := func(kind string, longest int) Fault {
			at, held := rapid.IntRange(0, 40).Draw(t, kind+" at"), rapid.IntRange(1, longest).Draw(t, kind+" for")
			return Fault{
				Spec: faults.Spec{ID: kind, Kind: kind, From: "relay", To: "broker", Direction: faults.Both},
				At:   Range{ms(at), ms(at + rapid.IntRange(0, 10).Draw(t, kind+" range"))}, For: Range{ms(held), ms(held)},
			}
		}
		a, b := draw("latency", 40), draw("partition", 15)
		found := false
		for x := a.At.Min; x <= a.At.Max; x += time.Millisecond {
			for y := b.At.Min; y <= b.At.Max; y += time.Millisecond {
				one, two := a.Spec, b.Spec
				one.At, one.For, two.At, two.For = x, a.For.Min, y, b.For.Min
				found = found || len(faults.CheckOverlap([]faults.Spec{one, two})) > 0
			}
		}
		if err := v.clash(a, b); found && err == nil {
			t.Fatalf("some seed overlaps, and nothing is said: %v for %v, %v for %v", a.At, a.For, b.At, b.For)
		}
	})
}

func TestWhatMayHoldTogether(t *testing.T) {
	v := Vocabulary{Overlap: faults.CheckOverlap}
	edge := func(kind, from, to string, at, held Range) Fault {
		return Fault{Spec: faults.Spec{ID: kind, Kind: kind, From: from, To: to, Direction: faults.Both}, At: at, For: held}
	}
	second := Range{ms(1000), ms(1000)}
	slow := edge("latency", "relay", "broker", second, Range{ms(3000), ms(3000)})
	assert.NoError(t, v.clash(slow, edge("partition", "relay", "broker", Range{ms(1500), ms(2500)}, second)), "within, whatever the seed")
	assert.NoError(t, v.clash(slow, edge("partition", "saga", "broker", Range{ms(0), ms(5000)}, second)), "another edge")
	assert.NoError(t, v.clash(slow, edge("bandwidth", "relay", "broker", Range{ms(0), ms(5000)}, second)), "both can be told apart")
	assert.ErrorContains(t, v.clash(slow, edge("partition", "relay", "broker", Range{ms(1500), ms(3500)}, second)), "overlap")
	shifting := edge("latency", "relay", "broker", Range{ms(1000), ms(3000)}, second)
	assert.ErrorContains(t, v.clash(shifting, edge("partition", "relay", "broker", Range{ms(2500), ms(2500)}, Range{ms(300), ms(300)})),
		"overlap for some seeds: neither holds throughout the other")
}
