package checkers

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/wreckon/wreckon/history"
)

var orderedDelivery = Guarantee{
	Name:    "ordered-delivery",
	Promise: "What belongs together lands in the order of its numbers.",
	Finds: "An effect that is applied after one of the same key with a higher number. A number between two others that never arrived, " +
		"unless the claim allows for gaps; what the sink deduplicated or refused did arrive, and is not out of order. Of a step that " +
		"promises at-least-once only the first arrival of a number counts; of any other, an old number again is out of order. The same " +
		"number twice in a row is a duplicate, not a matter of order, and an undone effect is none either. Where the numbers begin, and " +
		"what comes after the last, is not judged. The claim says what is ordered: a key, a unit, a component or a step.",
	Needs: []string{history.FeedTokens},
	Uses:  []string{history.FeedEffects},
	Check: checkOrder,
}

// queue is one claim on order, and the arrivals that it speaks of.
type queue struct {
	sequence
	claim    int // its number
	gaps     bool
	arrivals []arrival
}

// arrival is an effect with a number, applied or not.
type arrival struct {
	event uint32
	queue int // number of its sequence
}

func checkOrder(c *Case) Judgement {
	const name = "ordered-delivery"
	if len(c.claims.Ordering) == 0 {
		return unclaimed(name, "ordering", "which effects land in which order")
	}
	var sequences []sequence
	queues := make([]queue, len(c.claims.Ordering))
	for k, o := range c.claims.Ordering {
		q, err := c.newSequence("ordering.key", o.Step, o.Key, "key")
		if err != nil {
			return Judgement{Guarantee: name, Status: Unknown, Reason: err.Error()}
		}
		sequences = append(sequences, q)
		queues[k] = queue{sequence: q, claim: k, gaps: o.Gaps}
	}
	c.arrive(queues, c.claimed(sequences, c.fenced()))
	checked := 0
	var suspects []suspect
	for k := range queues {
		n, found := queues[k].judge()
		checked += n
		suspects = append(suspects, found...)
	}
	return c.judgement(name, "sequences of more than one effect", checked, suspects)
}

// arrive gives each effect with a number to its queue, in order.
func (c *Case) arrive(queues []queue, of []int) {
	for i, kind := range c.H.Kind {
		if kind != history.KindEffect || c.H.Token[i] == 0 || c.H.Op[i] == c.undo {
			continue
		}
		s := c.step(c.H.Step[i])
		if s < 0 || of[s] < 0 {
			continue
		}
		q := &queues[of[s]]
		if n := q.of(uint32(i), s); n >= 0 {
			q.arrivals = append(q.arrivals, arrival{event: uint32(i), queue: n})
		}
	}
}

// judge looks at each sequence with more than one arrival.
func (q *queue) judge() (checked int, suspects []suspect) {
	if len(q.arrivals) == 0 {
		return 0, nil
	}
	by := groupBy(q.size(), len(q.arrivals), func(k int) int { return q.arrivals[k].queue })
	for n := range len(by.offset) - 1 {
		arrivals := by.of(n)
		if len(arrivals) < 2 {
			continue
		}
		if q.per == "unit" || q.c.whole == nil { // a scan has counted what many units share
			checked++
		}
		for k, a := range arrivals {
			arrivals[k] = q.arrivals[a].event
		}
		suspects = append(suspects, q.disorder(arrivals)...)
	}
	return checked, suspects
}

// disorder finds what is wrong with one sequence: events in the order in which they arrived.
func (q *queue) disorder(events []uint32) (suspects []suspect) {
	c := q.c
	highest, straight := none, true // the applied effect with the highest number so far; whether each number follows the one before
	var known map[uint64]bool       // numbers that arrived, where that matters
	for k, i := range events {
		straight = straight && (k == 0 || c.H.Token[i] == c.H.Token[events[k-1]]+1)
		late := highest != none && c.H.Token[i] < c.H.Token[highest]
		if late && c.H.Outcome[i] == history.OutcomeApplied {
			if known == nil {
				known = make(map[uint64]bool, len(events))
				for _, e := range events[:k] {
					known[c.H.Token[e]] = true
				}
			}
			if q.firstOf(i, known) || judgedOnce(c.steps[c.step(c.H.Step[i])]) {
				suspects = append(suspects, q.late(highest, i))
			}
		}
		if known != nil {
			known[c.H.Token[i]] = true
		}
		if !late && c.H.Outcome[i] == history.OutcomeApplied {
			highest = i
		}
	}
	if !straight && !q.gaps {
		suspects = append(suspects, q.missing(events)...)
	}
	return suspects
}

// missing finds numbers between others that never arrived.
func (q *queue) missing(events []uint32) (suspects []suspect) {
	number := func(i uint32) uint64 { return q.c.H.Token[i] }
	sorted := slices.Clone(events)
	slices.SortFunc(sorted, func(a, b uint32) int { return cmp.Or(cmp.Compare(number(a), number(b)), cmp.Compare(a, b)) })
	for k, i := range sorted[1:] {
		if before := sorted[k]; number(i)-number(before) > 1 && q.lacks(i, number(before)+1, number(i)-1) {
			suspects = append(suspects, q.gap(before, i))
		}
	}
	return suspects
}

// firstOf tells that an event that came late is the first of its number, given the numbers that came before.
func (q *queue) firstOf(i uint32, known map[uint64]bool) bool {
	if w := q.c.whole; w != nil && q.per != "unit" {
		return w.cameLate(i)
	}
	return !known[q.c.H.Token[i]]
}

// lacks tells that numbers that are missing in the sequence of an event are not only left out of a part of the history.
func (q *queue) lacks(i uint32, from, to uint64) bool {
	if q.c.whole == nil || q.per == "unit" {
		return true
	}
	name := q.c.str(q.c.H.Key[i])
	switch q.per {
	case "component":
		name = q.c.str(q.c.H.Comp[i])
	case "step":
		name = q.c.str(q.c.H.Step[i])
	}
	return q.c.whole.neverCame(q.claim, name, from, to)
}

func (q *queue) late(highest, i uint32) suspect {
	c := q.c
	return suspect{unit: c.unitOf(i), events: []uint32{highest, i}, notes: map[uint32]string{i: "out of order"}, say: func() string {
		what := ""
		if c.col[i] != c.col[highest] || c.H.Step[i] != c.H.Step[highest] {
			what = ", " + c.whose(highest) + ","
		}
		return fmt.Sprintf("%s as number %d%s, after number %d%s had landed at %s",
			c.took(i), c.H.Token[i], q.scope(i), c.H.Token[highest], what, when(c.at(highest)))
	}}
}

func (q *queue) gap(before, i uint32) suspect {
	c := q.c
	return suspect{unit: c.unitOf(i), events: []uint32{before, i}, notes: map[uint32]string{i: "after a gap"}, say: func() string {
		lost := fmt.Sprintf("number %d%s was", c.H.Token[before]+1, q.scope(i))
		if last := c.H.Token[i] - 1; last > c.H.Token[before]+1 {
			lost = fmt.Sprintf("numbers %d to %d%s were", c.H.Token[before]+1, last, q.scope(i))
		}
		return fmt.Sprintf("%s never delivered: number %d came at %s with %s, and number %d at %s with %s", lost,
			c.H.Token[before], when(c.at(before)), c.whose(before), c.H.Token[i], when(c.at(i)), c.whose(i))
	}}
}
