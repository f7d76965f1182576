package checkers

import (
	"slices"

	"github.com/wreckon/wreckon/history"
)

// orders is the rule for ordered-delivery: in each sequence, every number that arrives follows the one before.
type orders struct {
	claims []history.Ordering
	looks  []orderLook
	units  recent[uint64]   // of each claim and unit: the last number
	more   bitset           // of these: those of which more than one arrived
	far    []recent[queued] // of each claim: what is not of one unit
	many   int              // of those: how many had more than one arrival
	late   map[uint64]bool  // the events that are the first of their number, and applied after a greater one
	gaps   map[gapKey][]between
}

// queued is what is known of one sequence that many units share.
type queued struct {
	id          history.Ref
	arrivals    int
	first, next uint64 // the least number that arrived; one above the greatest
	firstBy     history.Unit
	lastBy      history.Unit // of the first event of the greatest number
	againBy     history.Unit // and of the last
	highest     uint64       // the greatest that was applied
	highestBy   history.Unit
	gaps        []between
}

// between is a stretch of numbers that did not arrive.
type between struct{ from, to uint64 }

// gapKey names a sequence: by its claim, and by the key, component or step.
type gapKey struct {
	claim int
	name  string
}

type orderLook struct {
	width   history.Place
	claim   int // -1: none speaks of such events
	per     string
	step    int
	once    bool
	applied bool
	by      history.Ref // component
	has     history.Columns
}

const mostGaps = 1 << 20

func newOrders(s *scan) listener {
	o := &orders{claims: s.claims.Ordering, units: newRecent[uint64](s.r.Len()), late: make(map[uint64]bool), gaps: make(map[gapKey][]between)}
	for range o.claims {
		o.far = append(o.far, newRecent[queued](s.r.Len()))
	}
	return o
}

// speaks finds the claim that speaks of a step; -1: none does.
func (o *orders) speaks(s *scan, step string) int {
	if k := slices.IndexFunc(o.claims, func(c history.Ordering) bool { return c.Step == step && step != "" }); k >= 0 {
		return k
	}
	c := Case{vocabulary: s.vocabulary}
	if slices.Contains(c.fenced(), step) {
		return -1
	}
	return slices.IndexFunc(o.claims, func(c history.Ordering) bool { return c.Step == "" })
}

func (o *orders) look(s *scan, x *history.Shape) orderLook {
	l := orderLook{width: x.Width(), claim: -1, applied: x.Outcome == history.OutcomeApplied, by: x.Component, has: x.Has}
	if x.Kind != history.KindEffect || x.Has&history.HasToken == 0 || s.name(x.Op) == "undo" {
		return l
	}
	if l.step = s.stepNamed(s.name(x.Step)); l.step < 0 {
		return l
	}
	l.once = judgedOnce(s.steps[l.step])
	if l.claim = o.speaks(s, s.steps[l.step].Name); l.claim >= 0 {
		l.per = coalesce(o.claims[l.claim].Key, "key")
	}
	return l
}

func (o *orders) block(s *scan, b *history.Block) {
	o.looks = o.looks[:0]
	for k := range b.Shapes {
		o.looks = append(o.looks, o.look(s, &b.Shapes[k]))
	}
	var p history.Place
	for i, k := range b.Which {
		if l := &o.looks[k]; l.claim >= 0 && b.Token[p.Token()] > 0 {
			o.event(s, b, l, b.First+uint64(i), p)
		}
		p.Move(o.looks[k].width)
	}
}

func (o *orders) event(s *scan, b *history.Block, l *orderLook, seq uint64, p history.Place) {
	u, n := history.NoUnit, b.Token[p.Token()]
	if l.has&history.HasUnit != 0 {
		u = b.Unit[p.Unit()]
	}
	id := history.Ref(0)
	switch l.per {
	case "unit":
		if uint64(u) < s.limit {
			o.near(s, l, u, n)
		}
	case "step":
		id = history.Ref(l.step) + 1
	case "component":
		id = l.by
	case "key":
		if l.has&history.HasKey != 0 {
			id = b.Key[p.Key()]
		}
	}
	if id != 0 {
		o.arrive(s, l, id, u, n, seq)
	}
}

// near judges a sequence of one unit.
func (o *orders) near(s *scan, l *orderLook, u history.Unit, n uint64) {
	id := uint64(u)*uint64(len(o.claims)) + uint64(l.claim)
	last, first, lost := o.units.at(id)
	switch {
	case lost:
		s.doubt(u)
		return
	case first:
	default:
		o.more.set(id)
		if n != *last && n-*last != 1 && (n < *last || !o.claims[l.claim].Gaps) {
			s.doubt(u)
		}
	}
	*last = n
}

// arrive takes a number of a sequence that many units share.
func (o *orders) arrive(s *scan, l *orderLook, id history.Ref, u history.Unit, n, seq uint64) {
	q, first, lost := o.far[l.claim].at(uint64(id))
	if lost || n == ^uint64(0) {
		s.giveUp = true
		return
	}
	if first {
		o.close(s, l.claim, q)
		*q = queued{id: id, first: n, next: n, firstBy: u, lastBy: u, againBy: u, highestBy: history.NoUnit}
	}
	if q.arrivals++; q.arrivals == 2 {
		o.many++
	}
	late := n < q.highest
	fresh := q.takes(s, n, u, o.claims[l.claim].Gaps)
	switch {
	case late && l.applied && (fresh || l.once):
		s.doubt(u)
		s.doubt(q.highestBy)
		if fresh {
			o.late[seq] = true
		}
	case late && l.applied && o.claims[l.claim].Gaps:
		s.giveUp = true // whether that number had come before is not known
	case !late && l.applied:
		q.highest, q.highestBy = n, u
	}
	if len(q.gaps) > mostGaps || len(o.late) > mostGaps {
		s.giveUp = true
	}
}

// takes notes a number, and tells whether it is new. Where numbers may be missing it is not known which did not arrive.
func (q *queued) takes(s *scan, n uint64, u history.Unit, gaps bool) (fresh bool) {
	switch {
	case n == q.next:
		q.next, q.lastBy, q.againBy = n+1, u, u
		return true
	case n > q.next:
		if !gaps {
			q.miss(s, q.next, n-1, q.lastBy, q.againBy, u)
		}
		q.next, q.lastBy, q.againBy = n+1, u, u
		return true
	case n < q.first:
		if n+1 < q.first && !gaps {
			q.miss(s, n+1, q.first-1, u, u, q.firstBy)
		}
		q.first, q.firstBy = n, u
		return true
	case gaps:
		return false
	}
	k, missing := slices.BinarySearchFunc(q.gaps, n, func(g between, n uint64) int {
		switch {
		case g.to < n:
			return -1
		case g.from > n:
			return 1
		}
		return 0
	})
	if missing {
		g := q.gaps[k]
		var parts []between
		if n > g.from {
			parts = append(parts, between{g.from, n - 1})
		}
		if n < g.to {
			parts = append(parts, between{n + 1, g.to})
		}
		if q.gaps = slices.Replace(q.gaps, k, k+1, parts...); len(parts) > 0 {
			s.doubt(u)
		}
		return true
	}
	if k < len(q.gaps) && q.gaps[k].from == n+1 {
		s.doubt(u) // the last event before the gap
	}
	if n == q.next-1 {
		q.againBy = u
	}
	return false
}

// miss notes a gap, and doubts the units beside it.
func (q *queued) miss(s *scan, from, to uint64, beside ...history.Unit) {
	k, _ := slices.BinarySearchFunc(q.gaps, from, func(g between, n uint64) int {
		if g.from < n {
			return -1
		}
		return 1
	})
	q.gaps = slices.Insert(q.gaps, k, between{from, to})
	for _, u := range beside {
		s.doubt(u)
	}
}

// close keeps the gaps of a sequence.
func (o *orders) close(s *scan, claim int, q *queued) {
	if len(q.gaps) == 0 {
		return
	}
	name := ""
	if coalesce(o.claims[claim].Key, "key") == "step" {
		name = s.steps[q.id-1].Name
	} else if texts, err := s.r.Texts([]history.Ref{q.id}); err != nil {
		s.err = err
	} else {
		name = texts[0]
	}
	o.gaps[gapKey{claim, name}] = q.gaps
}

func (o *orders) end(s *scan) {
	for claim := range o.far {
		for k := range o.far[claim].places {
			o.close(s, claim, &o.far[claim].places[k].held)
		}
	}
}

func (o *orders) checked(s *scan) int {
	return s.outside(o.more, uint64(max(len(o.claims), 1))) + o.many
}

// cameLate tells that an event of the part was the first of its number, and came after a greater one was applied.
func (w *whole) cameLate(i uint32) bool {
	o, ok := listening[*orders](w)
	return ok && o.late[w.seqs[i]]
}

// neverCame tells that just these numbers are missing in a sequence, and not only left out of the part.
func (w *whole) neverCame(claim int, name string, from, to uint64) bool {
	o, ok := listening[*orders](w)
	return !ok || slices.Contains(o.gaps[gapKey{claim, name}], between{from, to})
}
