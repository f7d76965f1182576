package workloads

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/wreckon/wreckon/history"
)

// How long after its unit's submit a read or an amend follows. The delays are spread evenly over orders of magnitude, so that
// some race with the submit and with each transition of the unit, and some find it settled. An amend needs an acknowledged
// unit to have an effect, so it waits longer.
const (
	soonestRead  = 2 * time.Millisecond
	soonestAmend = 20 * time.Millisecond
	latestFollow = 2 * time.Second
)

// Operations is everything the clients intend to do, in the order of their intended starts. It is a pure function of the
// specification and the seed. Units are dense ordinals from First, in the order of their submits.
//
// The submits of a phase are a Poisson process of its rate, conditioned on its count: Rate*For instants, independently uniform
// over the phase. Evenly spaced arrivals would never overlap at low rates, where some races live; exponential gaps drawn one by
// one overlap in the same way but leave the number of units to chance.
func (s Spec) Operations(seed uint64) []Operation {
	s = s.Defaults()
	p := planner{
		end:    s.Duration(),
		run:    Stream(seed, "workload/identity").Uint64(),
		class:  newMix(Stream(seed, "workload/class"), s.Mix),
		submit: Stream(seed, "workload/submit"),
		reads:  Stream(seed, "workload/reads"),
		amends: Stream(seed, "workload/amends"),
		again:  Stream(seed, "workload/again"),
	}
	unit, from := s.First, time.Duration(0)
	for i, phase := range s.Phases {
		for _, at := range arrivals(Stream(seed, "workload/arrivals/"+strconv.Itoa(i)), phase) {
			p.plan(unit, from+at, s)
			unit++
		}
		from += phase.For
	}
	// Stable: at the same instant a submit stays before what follows it.
	slices.SortStableFunc(p.ops, func(a, b Operation) int { return cmp.Compare(a.Due, b.Due) })
	return p.ops
}

func arrivals(r *rand.Rand, p Phase) []time.Duration {
	at := make([]time.Duration, p.units())
	for i := range at {
		at[i] = time.Duration(r.Int64N(int64(p.For)))
	}
	slices.Sort(at)
	return at
}

// planner draws the operations of one unit after the other, each aspect from a stream of its own.
type planner struct {
	ops                   []Operation
	end                   time.Duration
	run                   uint64 // what the ids of this load have in common
	class                 mix
	submit, reads, amends *rand.Rand
	again                 *rand.Rand
}

func (p *planner) plan(unit history.Unit, due time.Duration, s Spec) {
	number := uint64(unit) + 1 // as in history.UnitID
	op := Operation{
		Unit:  unit,
		Class: p.class.draw(),
		Trace: fmt.Sprintf("%016x%016x", p.run, number), // the form of a W3C trace id
	}
	key := fmt.Sprintf("%016x-%d", p.run, number)

	submit := op
	submit.Op, submit.Due, submit.Key, submit.Nonce = Submit, due, key, p.submit.Uint64()
	p.ops = append(p.ops, submit)
	for range count(p.reads, s.Reads) {
		read := op
		read.Op, read.Due, read.Nonce = Read, p.follow(p.reads, due, soonestRead), p.reads.Uint64()
		p.ops = append(p.ops, read)
	}
	for i := range count(p.amends, s.Amends) {
		amend := op
		amend.Op, amend.Due, amend.Nonce = Amend, p.follow(p.amends, due, soonestAmend), p.amends.Uint64()
		amend.Key = fmt.Sprintf("%s-amend-%d", key, i+1)
		amend.Note = fmt.Sprintf("note %d.%d", number, i+1)
		p.ops = append(p.ops, amend)
	}
	for _, comes := range []struct {
		mean  float64
		clash bool
	}{{s.Repeats, false}, {s.Clashes, true}} {
		for range count(p.again, comes.mean) {
			again := submit
			again.Again, again.Due = true, p.follow(p.again, due, soonestAmend)
			if again.Clash = comes.clash; comes.clash {
				again.Nonce++
			}
			p.ops = append(p.ops, again)
		}
	}
}

// count is a whole number whose average is mean, and which is never more than one away from it.
func count(r *rand.Rand, mean float64) int {
	n := int(mean)
	if r.Float64() < mean-float64(n) {
		n++
	}
	return n
}

// follow places an operation after its unit's submit, at a delay that is uniform on a logarithmic scale, and inside the load.
func (p *planner) follow(r *rand.Rand, due, soonest time.Duration) time.Duration {
	latest := max(soonest, min(latestFollow, p.end-due))
	delay := float64(soonest) * math.Pow(float64(latest)/float64(soonest), r.Float64())
	return min(due+time.Duration(delay), max(due, p.end))
}

// mix draws classes by weight.
type mix struct {
	r       *rand.Rand
	classes []string // sorted: a map has no order to draw from
	weights []int
	total   int
}

func newMix(r *rand.Rand, weights map[string]int) mix {
	m := mix{r: r}
	for _, class := range slices.Sorted(maps.Keys(weights)) {
		if w := weights[class]; w > 0 {
			m.classes, m.weights, m.total = append(m.classes, class), append(m.weights, w), m.total+w
		}
	}
	return m
}

func (m mix) draw() string {
	if m.total == 0 {
		return ""
	}
	n := m.r.IntN(m.total)
	for i, w := range m.weights {
		if n < w {
			return m.classes[i]
		}
		n -= w
	}
	return m.classes[len(m.classes)-1]
}
