package checkers

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/history"
)

// sagas is a history of n units with sixteen updates each of which nobody knows whether they took effect, and reads that show some of them
// in an order that only a search can explain, or refute. Answers name no versions.
func sagas(n int) *history.History {
	rng := rand.New(rand.NewPCG(16, uint64(n)))
	s := newScript()
	for u := range history.Unit(n) {
		s.invoke(1, "submit", u, "", 1)
		s.answer(1, history.KindOK, "pending", 0)
		notes := 8 << (u % 2) // where two updates write the same, no shortcut tells what was read
		for k := range 16 {
			s.invoke(100*(int(u)+1)+k, "amend", u, "", 1)
			s.last().Token, s.last().Value = uint64(1+k), fmt.Sprint("note ", k%notes)
		}
		for range 8 {
			s.invoke(1, "read", u, "", 1)
			s.answer(1, history.KindOK, fmt.Sprint("pending|note ", rng.IntN(8)), 0)
		}
		if u%2 == 1 { // what nobody wrote
			s.invoke(1, "read", u, "", 1)
			s.answer(1, history.KindOK, "pending|never written", 0)
		}
	}
	return s.finish()
}

// A hundred units with sixteen operations that were never answered are decided, or unknown, and in bounded memory: a search gives up
// before it has what others need.
func TestAHundredSagasAreDecidedOrUnknown(t *testing.T) {
	h := sagas(100)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	most := uint64(0)
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				runtime.ReadMemStats(&after)
				most = max(most, after.HeapAlloc)
			}
		}
	}()
	j := Judge(h, Spec{Guarantees: []string{"linearizable-state"}, Budget: 2 * time.Second}).Guarantees[0]
	close(stop)
	<-done
	assert.Contains(t, []Status{Violated, Unknown}, j.Status)
	assert.Positive(t, j.Total, "the searches that end find what nobody wrote")
	if j.Reason != "" {
		assert.Regexp(t, `could not be decided`, j.Reason)
	}
	limit := before.HeapAlloc + uint64(4*runtime.GOMAXPROCS(0))*searchMemory // garbage that is not collected yet included
	require.Less(t, most, limit)
}

// BenchmarkSagas says by how much the searches of a hundred such units go beyond the time that they have.
func BenchmarkSagas(b *testing.B) {
	const budget = 2 * time.Second
	h := sagas(100)
	worst := time.Duration(0)
	for b.Loop() {
		begin := time.Now()
		j := Judge(h, Spec{Guarantees: []string{"linearizable-state"}, Budget: budget}).Guarantees[0]
		worst = max(worst, time.Since(begin))
		if j.Status != Violated && j.Status != Unknown {
			b.Fatal(j.Status, j.Reason)
		}
	}
	b.ReportMetric(100*float64(worst)/float64(budget), "%-of-the-limit")
}
