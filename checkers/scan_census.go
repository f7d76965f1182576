package checkers

import (
	"slices"

	"github.com/wreckon/wreckon/history"
)

// census adds up the units that are in no doubt.
type census struct {
	checked                                                      map[string]int // for each guarantee
	units, acknowledged, refused, unknown                        int
	ended, dead, stuck, rolledBack, finished, undone, undoneWell int
	submit, completion, intent, retries                          histogram
	places                                                       balance
	attempted                                                    []int // for each claim on retries, what of units was attempted
}

// The metrics that are distributions over units.
const (
	submitLatency     = "submit_latency"
	completionLatency = "completion_latency"
	intentLatency     = "intent_latency"
	retriesPerUnit    = "retries_per_unit"
)

// weigh decides of each life whether the units that had it are in doubt, and adds up those that are not.
func (s *scan) weigh(e *ending) {
	what := s.flags()
	for n := range s.all {
		if n != lifeNone && s.doubted(e, &s.all[n]) {
			what[n] = inDoubt
		}
	}
	s.census = census{checked: make(map[string]int), attempted: make([]int, len(s.claims.Retries))}
	units, intent, submit, completion := make([]int, len(s.all)), &s.census.intent, &s.census.submit, &s.census.completion
	s.tales.each(func(_ history.Unit, page *[pageSize]tale) {
		for i := range page {
			x := &page[i]
			n := x.life()
			flags := what[n]
			if flags&lifeDone != 0 && x.ended() < 0 {
				flags = inDoubt
			}
			if flags&inDoubt != 0 {
				n, flags = lifeInDoubt, 0
				x.live(n)
			}
			units[n]++
			if flags&lifeIntent != 0 {
				intent.add(int64(x.intent()))
			}
			if flags&lifeAcked != 0 {
				submit.add(int64(x.submitted()))
				if flags&lifeDone != 0 {
					completion.add(int64(x.ended()))
				}
			}
		}
	})
	for n, count := range units {
		if count > 0 && n != lifeNone && n != lifeInDoubt {
			s.census.add(e, &s.all[n], count)
			for _, r := range s.rules {
				if r.checks != nil && r.checks(e, &s.all[n]) {
					s.census.checked[r.guarantee] += count
				}
				if r.counts != nil {
					s.census.checked[r.guarantee] += count * r.counts(e, &s.all[n])
				}
			}
		}
	}
	for _, l := range s.ears {
		s.census.checked[l.guarantee] += l.checked(s)
	}
}

// flags are those of each life.
func (l *lives) flags() []lifeFlags {
	flags := make([]lifeFlags, len(l.all))
	for n := range l.all {
		flags[n] = l.all[n].flags
	}
	return flags
}

// doubted tells that a unit of such a life must be looked at.
func (s *scan) doubted(e *ending, x *life) bool {
	if x.kind.final() && x.kind != completed && e.force(x)&e.back != 0 {
		return true // whether that was well is for a metric, too
	}
	return slices.ContainsFunc(s.rules, func(r rule) bool { return r.doubts != nil && r.doubts(e, x) })
}

// add takes n units of one life.
func (t *census) add(e *ending, x *life, n int) {
	if x.has(lifeAsked) {
		t.units += n
		t.retries.addMany(int64(x.attempts)-1, n)
		switch {
		case x.has(lifeAcked):
			t.acknowledged += n
		case x.refused():
			t.refused += n
		default:
			t.unknown += n
		}
	}
	if x.kind == open && !x.has(lifeDead) {
		t.stuck += n
	}
	if x.kind.final() {
		t.finished += n
	}
	if x.kind.final() && x.kind != completed {
		t.rolledBack += n
	}
	if x.kind == compensated || x.steps>>1&e.sinks != 0 {
		t.undone += n
		if x.kind.undone() && e.force(x)&e.back == 0 {
			t.undoneWell += n
		}
	}
	for k := range t.attempted {
		t.attempted[k] += n * e.tried(x, k)
	}
	if !x.has(lifeAcked) {
		return
	}
	t.places.place(x.kind, x.accounted(), n)
	if x.kind.terminal() || x.has(lifeDead) {
		t.ended += n
	}
	if x.accounted() {
		t.dead += n
	}
}

// offer gives the pickers what weigh gave the histograms; those that are not there want nothing.
func (s *scan) offer(to map[string]*picker) {
	submit, completion, intent, retries := to[submitLatency], to[completionLatency], to[intentLatency], to[retriesPerUnit]
	all := s.flags()
	s.tales.each(func(_ history.Unit, page *[pageSize]tale) {
		for i := range page {
			x := &page[i]
			n := x.life()
			flags := all[n] // none of these, where it is in doubt
			if flags&lifeIntent != 0 {
				intent.offer(int64(x.intent()))
			}
			if flags&lifeAcked != 0 {
				submit.offer(int64(x.submitted()))
				if flags&lifeDone != 0 {
					completion.offer(int64(x.ended()))
				}
			}
			if flags&lifeAsked != 0 {
				retries.offer(int64(s.all[n].attempts) - 1)
			}
		}
	})
}

// underWay counts the units in no doubt that were acknowledged and had not ended at some time between two instants.
func (s *scan) underWay(from, to int64) (n int) {
	s.tales.each(func(_ history.Unit, page *[pageSize]tale) {
		for i := range page {
			x := &page[i]
			flags := s.all[x.life()].flags
			if flags&(inDoubt|lifeAcked) != lifeAcked {
				continue
			}
			begin, end := int64(x[2]), s.last
			if flags&lifeDone != 0 {
				end = int64(x[3])
			}
			if end > begin && begin < to && end > from {
				n++
			}
		}
	})
	return n
}

// part reads the units that are in doubt, and all that belongs to no unit.
func (s *scan) part() (*history.History, *whole, error) {
	var units []history.Unit
	s.tales.each(func(first history.Unit, page *[pageSize]tale) {
		for i := range page {
			if page[i].life() == lifeInDoubt {
				units = append(units, first+history.Unit(i))
			}
		}
	})
	in := func(block int) bool {
		x := s.extents[block]
		k, _ := slices.BinarySearch(units, x.low)
		return x.beyond || k < len(units) && units[k] <= x.high
	}
	h, seqs, err := s.r.Part(in, s.wants)
	if err != nil {
		return nil, nil, err
	}
	return h, &whole{scan: s, seqs: seqs}, nil
}

// wants tells that an event is in the part.
func (s *scan) wants(b *history.Block, x *history.Shape, _ int, p history.Place) bool {
	if x.Has&history.HasUnit != 0 {
		t := s.tales.find(b.Unit[p.Unit()])
		return t == nil || t.life() == lifeInDoubt
	}
	if x.Kind != history.KindExchange {
		return true
	}
	return x.Has&history.HasValue != 0 && s.classes[s.class[b.Value[p.Value()]]-1].fault
}

// lookBeside takes in the units among which the twins of findings are looked for.
func (w *whole) lookBeside() (more bool) {
	for _, u := range w.shown {
		for d := -twinReach; d <= twinReach; d++ {
			if x := w.tales.find(u + history.Unit(d)); x != nil && x.life() != lifeInDoubt {
				x.live(lifeInDoubt)
				more = true
			}
		}
	}
	return more
}

// size is how many bytes the scan holds.
func (s *scan) size() (n int) {
	s.tales.each(func(_ history.Unit, page *[pageSize]tale) { n += len(page) * 32 })
	for _, t := range s.trails {
		n += len(t.ring) * 24
	}
	return n + cap(s.class) + 4*cap(s.owners)
}
