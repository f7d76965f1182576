package workloads

import (
	"fmt"
	"slices"
	"time"

	"github.com/wreckon/wreckon/history"
)

// Stats says how a load went, seen from its generator: whether it was the load that was planned.
type Stats struct {
	Planned int `json:"planned"` // operations
	Started int `json:"started"` // of these: a client took them up; fewer than planned only when the load was cancelled
	Skipped int `json:"skipped"` // of these: not tried; an amend with no version seen, or a unit with too many indeterminate operations
	GaveUp  int `json:"gave_up"` // submits and amends of which the last try ended as info
	Retries int `json:"retries"` // tries after the first

	Tries map[string]Tries `json:"tries"` // how tries ended, by Op

	// Late is by how much operations left the generator after their intended start: the generator's own error. A run whose P99
	// is above Spec.Late did not offer the load that it was meant to.
	Late Quantiles `json:"late"`
	// Waited is how long operations then waited because every client was busy: what a slow target makes of a bounded number of
	// clients. It counts in their latency and is no fault of the generator.
	Waited Quantiles `json:"waited"`

	Offered  float64 `json:"offered"`  // operations per second, as planned
	Achieved float64 `json:"achieved"` // and as started
}

// Tries counts how the tries of one kind of operation ended.
type Tries struct {
	OK   int `json:"ok"`
	Fail int `json:"fail"`
	Info int `json:"info"`
}

// Quantiles of a duration over all operations that were started; exact.
type Quantiles struct {
	P50 time.Duration `json:"p50"`
	P99 time.Duration `json:"p99"`
	Max time.Duration `json:"max"`
}

// String is the line for the end of a run.
func (s Stats) String() string {
	ms := func(d time.Duration) string { return fmt.Sprintf("%.3f ms", float64(d)/1e6) }
	return fmt.Sprintf("%d of %d operations started, %d retries, %d given up, %d skipped; %.0f/s of %.0f/s; late p50 %s, p99 %s, max %s; waited for a client p99 %s",
		s.Started, s.Planned, s.Retries, s.GaveUp, s.Skipped, s.Achieved, s.Offered, ms(s.Late.P50), ms(s.Late.P99), ms(s.Late.Max), ms(s.Waited.P99))
}

// tally is what one actor counts; no other touches it.
type tally struct {
	skipped, gaveUp, retries int
	tries                    map[string]Tries
	late, waited             []time.Duration // of the operations that it took up
	last                     time.Duration   // when it took up its last one, on the clock of the run
}

// begin accounts for the time since a first try was due: to the generator or, if the try was queued, to the clients, which were
// all busy when it became ready.
func (t *tally) begin(first try, now time.Duration, queued bool) {
	late, waited := now-first.due, time.Duration(0)
	if queued {
		late, waited = first.ready-first.due, now-first.ready
	}
	t.late, t.waited = append(t.late, late), append(t.waited, waited)
	t.last = now
}

func (t *tally) count(op Operation, kind history.Kind) {
	if t.tries == nil {
		t.tries = make(map[string]Tries, 3)
	}
	n := t.tries[op.Op]
	switch kind {
	case history.KindOK:
		n.OK++
	case history.KindFail:
		n.Fail++
	default:
		n.Info++
	}
	t.tries[op.Op] = n
	if op.Attempt > 1 {
		t.retries++
	}
}

func (l *load) stats(tallies []tally) Stats {
	s := Stats{Planned: len(l.ops), Tries: map[string]Tries{}}
	var late, waited []time.Duration
	last := l.begin
	for _, t := range tallies {
		s.Skipped += t.skipped
		s.GaveUp += t.gaveUp
		s.Retries += t.retries
		late, waited = append(late, t.late...), append(waited, t.waited...)
		last = max(last, t.last)
		for op, n := range t.tries {
			sum := s.Tries[op]
			s.Tries[op] = Tries{OK: sum.OK + n.OK, Fail: sum.Fail + n.Fail, Info: sum.Info + n.Info}
		}
	}
	s.Started, s.Late, s.Waited = len(late), quantiles(late), quantiles(waited)
	s.Offered = perSecond(len(l.ops), l.ops[len(l.ops)-1].Due)
	s.Achieved = perSecond(s.Started, last-l.begin)
	return s
}

func quantiles(d []time.Duration) Quantiles {
	if len(d) == 0 {
		return Quantiles{}
	}
	slices.Sort(d)
	at := func(p float64) time.Duration { return d[int(float64(len(d)-1)*p)] }
	return Quantiles{P50: at(0.50), P99: at(0.99), Max: d[len(d)-1]}
}

func perSecond(n int, d time.Duration) float64 {
	if d <= 0 {
		return 0
	}
	return float64(n) / d.Seconds()
}
