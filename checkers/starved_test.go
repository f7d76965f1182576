package checkers

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/history"
)

// On a machine that starved the harness beyond its bound, what took too long by the clock is no finding: nobody knows. Without a bound,
// or within it, it is one.
func TestAStarvedMachineProvesNothingByTheClock(t *testing.T) {
	for file, guarantee := range map[string]string{
		"testdata/bounded-recovery/bad-slow.txtar": "bounded-recovery", "testdata/bounded-recovery/bad-backlog.txtar": "bounded-recovery",
		"testdata/bounded-recovery/bad-still-busy.txtar": "bounded-recovery", "testdata/bounded-recovery/bad-never.txtar": "bounded-recovery",
		"testdata/bounded-recovery/bad-beyond-the-point.txtar": "bounded-recovery", "testdata/graceful-drain/bad-slow.txtar": "graceful-drain",
		"testdata/graceful-drain/bad-work-lost.txtar": "graceful-drain",
	} {
		s, err := parseScript(readArchive(t, file).history)
		require.NoError(t, err)
		s.add(history.Event{Kind: history.KindNote, Unit: history.NoUnit, Op: "lateness", Value: `{"p99":300000000,"max":300000000}`})
		judged := func(bound time.Duration) Judgement {
			r := Judge(s.history(), Spec{Late: bound})
			k := slices.IndexFunc(r.Guarantees, func(j Judgement) bool { return j.Guarantee == guarantee })
			return r.Guarantees[k]
		}
		assert.Equal(t, Violated, judged(0).Status, file)
		assert.Equal(t, Violated, judged(time.Second).Status, file)
		late := judged(100 * time.Millisecond)
		if file == "testdata/bounded-recovery/bad-beyond-the-point.txtar" || file == "testdata/graceful-drain/bad-work-lost.txtar" {
			assert.Equal(t, Violated, late.Status, "%s: what is lost is lost on any machine", file)
			continue
		}
		assert.Equal(t, Unknown, late.Status, file)
		assert.Contains(t, late.Reason, "the harness itself was late (p99 300ms, and the bound is 100ms)", file)
	}
}
