package checkers

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/wreckon/wreckon/history"
)

// The sizes of a benchmark: clients at once, and operations that were never answered.
var (
	benchClients = []int{2, 5, 10, 30}
	benchInfos   = []int{0, 16, 64}
)

const (
	benchOps    = 200_000
	searchedOps = 1000 // of the history that Porcupine is given, too: more takes it too long
)

// processor is the time that this process has spent on processors, the collection of its garbage included: what a busy machine does not
// change.
func processor(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// perOperation reports operations a second of one processor since start, and how many times as fast that is as Porcupine on searchedOps,
// both in this run. Porcupine is left out where it does not come to an end.
func perOperation(b *testing.B, start time.Duration, ops int, clients int, own func(), porcupine func() bool) {
	rate := float64(ops) * float64(b.N) / (processor(b) - start).Seconds()
	b.ReportMetric(rate/1e6, "Mops/s")
	b.ReportMetric(0, "ns/op")
	if clients > 10 || porcupine == nil {
		return
	}
	decided := false
	theirs := took(b, 1, func() { decided = porcupine() })
	if !decided {
		return
	}
	ours := took(b, 50, own)
	b.ReportMetric(float64(theirs)/float64(ours), "x-porcupine")
}

func took(b *testing.B, times int, f func()) time.Duration {
	b.Helper()
	start := processor(b)
	for range times {
		f()
	}
	return (processor(b) - start) / time.Duration(times)
}

func BenchmarkUniqueRegister(b *testing.B) {
	for _, clients := range benchClients {
		for _, infos := range benchInfos {
			b.Run(fmt.Sprintf("clients=%d/infos=%d", clients, infos), func(b *testing.B) {
				ops, most := registerOps(rand.New(rand.NewPCG(1, uint64(clients))), clients, benchOps, infos)
				start := processor(b)
				for b.Loop() {
					if !registerExplained(ops, most) {
						b.Fatal("finds no order")
					}
				}
				few, fewest := registerOps(rand.New(rand.NewPCG(2, uint64(clients))), clients, searchedOps, infos)
				perOperation(b, start, len(ops), clients, func() { registerExplained(few, fewest) }, func() bool {
					return porcupine.CheckOperations(register, byPorcupine(few))
				})
			})
		}
	}
}

func BenchmarkVersions(b *testing.B) {
	for _, clients := range benchClients {
		for _, infos := range benchInfos {
			b.Run(fmt.Sprintf("clients=%d/infos=%d", clients, infos), func(b *testing.B) {
				list := versionedCalls(clients, benchOps, infos)
				start := processor(b)
				for b.Loop() {
					if ok, why := ordered(b.Context(), list); !ok {
						b.Fatal("finds no order ", why)
					}
				}
				few := versionedCalls(clients, searchedOps, infos)
				perOperation(b, start, len(list), clients, func() { ordered(b.Context(), few) }, func() bool {
					ok, _ := search(b.Context(), few, true)
					return ok
				})
			})
		}
	}
}

// versionedCalls are reads and conditional updates by a number of clients, some of which were never answered.
func versionedCalls(clients, n, infos int) []call {
	p := player{Rand: rand.New(rand.NewPCG(3, uint64(clients))), states: 1, clients: clients, infos: &infos}
	list := p.play(n)
	for k := range list {
		list[k].proposed = list[k].note > 0
	}
	return list
}

func BenchmarkFencing(b *testing.B) {
	for _, clients := range benchClients {
		for _, infos := range benchInfos {
			b.Run(fmt.Sprintf("clients=%d/infos=%d", clients, infos), func(b *testing.B) {
				h := leases(clients, benchOps, infos)
				c := prepare(b.Context(), h, 0)
				start := processor(b)
				for b.Loop() {
					if j := checkFencing(c); j.Status != Holds {
						b.Fatal(j.Status, j.Reason, j.Findings)
					}
				}
				perOperation(b, start, h.Len(), clients, nil, nil)
			})
		}
	}
}

// leases are workers that take turns on the charges of many orders, each under the next token. Of some nobody saw the end.
func leases(clients, n, infos int) *history.History {
	s := newScript()
	s.header.Claims.Fencing = []history.Fencing{{Step: "charge"}}
	s.header.Claims.Feeds = append(s.header.Claims.Feeds, history.FeedTokens, history.FeedStarts)
	r := rand.New(rand.NewPCG(4, uint64(clients)))
	tokens := make([]uint64, n/30+1)
	for len(s.events) < n {
		var work []history.Event
		for w := range clients {
			u := r.IntN(len(tokens))
			tokens[u]++
			work = append(work, history.Event{Unit: history.Unit(u), Step: "charge", Component: fmt.Sprintf("payments-%d", w), Token: tokens[u]})
		}
		for _, e := range work {
			e.Kind = history.KindStart
			s.add(e)
		}
		for _, e := range work {
			e.Kind, e.Op, e.Outcome = history.KindEffect, "do", history.OutcomeDeduplicated
			s.add(e)
			if infos > 0 {
				infos--
				continue
			}
			e.Kind, e.Op, e.Outcome = history.KindFinish, "", history.OutcomeNone
			s.add(e)
		}
	}
	return s.history()
}
