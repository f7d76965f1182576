package checkers

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/wreckon/wreckon/history"
)

// saidEarly shows an Early a whole history, and holds that Judge finds whatever it says. It gives the guarantees that it spoke of.
func saidEarly(t require.TestingT, h *history.History, name string) (spoke map[string]bool) {
	spoke = map[string]bool{}
	early := NewEarly(h.Header.Claims)
	learnt := false // only at the end, that something was missed
	for i := range h.Len() {
		e := h.Event(i)
		learnt = learnt || e.Kind == history.KindObserve && e.Op == "missed" && e.Token > 0
		if why := early.See(&e); why != "" {
			guarantee, _, _ := strings.Cut(why, ":")
			spoke[guarantee] = true
		}
	}
	if len(spoke) == 0 {
		return spoke
	}
	for _, j := range Judge(h, Spec{}).Guarantees {
		if spoke[j.Guarantee] && j.Status != NotTested && !learnt {
			require.Equal(t, Violated, j.Status, "%s: %s was said too early", name, j.Guarantee)
		}
	}
	return spoke
}

// What is said while a run goes on is never more than what is found in the end; and of the histories that violate a guarantee of which
// an event is proof enough, many are seen early.
func TestEarlyIsRight(t *testing.T) {
	files, err := filepath.Glob("testdata/*/*.txtar")
	require.NoError(t, err)
	seen := map[string]int{}
	for _, file := range files {
		s, err := parseScript(readArchive(t, file).history)
		require.NoError(t, err, file)
		h := s.history()
		if h.UnitNames != nil {
			continue // numbered by an import: no run of ours
		}
		for guarantee := range saidEarly(t, h, file) {
			seen[guarantee]++
		}
	}
	for _, g := range []string{"no-duplicate-effects", "no-phantom-effects", "fencing", "legal-lifecycle"} {
		assert.Positive(t, seen[g], g)
	}
	assert.Len(t, seen, 4)
}

func TestEarlyIsSilentOnGoodHistories(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := generate(rapidDice{t}, rapid.IntRange(1, 10).Draw(t, "units"))
		require.Empty(t, saidEarly(t, s.history(), "generated"))
	})
}

func TestEarlyIsRightOnMutations(t *testing.T) {
	for _, m := range mutations {
		t.Run(m.name, func(t *testing.T) {
			spoke := 0
			rapid.Check(t, func(t *rapid.T) {
				d := rapidDice{t}
				if s := generate(d, rapid.IntRange(1, 10).Draw(t, "units")); m.apply(s, d) && len(saidEarly(t, s.history(), m.name)) > 0 {
					spoke++
				}
			})
			if m.finds == "no-duplicate-effects" {
				assert.Positive(t, spoke)
			}
		})
	}
}

// BenchmarkEarly is what looking early adds to the recording of an event, beside a function that looks at nothing.
func BenchmarkEarly(b *testing.B) {
	h := large(1 << 14)
	events := make([]history.Event, h.Len())
	for i := range events {
		events[i] = h.Event(i)
	}
	run := func(name string, start func() func(*history.Event) string) {
		b.Run(name, func(b *testing.B) {
			n := 0
			see := start()
			begin := processorTime(b)
			for b.Loop() {
				if n++; n%len(events) == 0 {
					see = start()
				}
				if why := see(&events[n%len(events)]); why != "" {
					b.Fatal(why)
				}
			}
			b.ReportMetric(float64((processorTime(b)-begin).Nanoseconds())/float64(b.N), "cpu-ns/op")
		})
	}
	run("nothing", func() func(*history.Event) string { return func(*history.Event) string { return "" } })
	run("early", func() func(*history.Event) string { return NewEarly(h.Header.Claims).See })
}
