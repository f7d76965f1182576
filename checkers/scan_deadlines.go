package checkers

import (
	"slices"

	"github.com/wreckon/wreckon/history"
)

// deadlineRule is the rule for honoured-deadlines. A unit is in no doubt if what a deadline speaks of came within it after the unit was first
// asked for: then it came within it after whatever the deadline begins with, since nothing of a unit is known to be earlier. So is one of
// which only the beginning came, where nothing need follow.
type deadlineRule struct {
	looks    []deadlineLook
	held     []heldDeadline
	asked    recent[int64] // when each unit was first asked for
	observed bitset        // units whose state was read at the end
}

// heldDeadline is one claim, and how the units fared under it.
type heldDeadline struct {
	history.Deadline
	from, to moment
	submit   bool // it begins with the submit
	within   int64
	begun    bitset
	came     bitset // what it speaks of came, at whatever time
	kept     bitset
	count    int // of units in no doubt that it was held against
}

// moment is an instant of the claims as a scan finds it.
type moment struct {
	verb  string
	step  string
	state int
}

type deadlineLook struct {
	width    history.Place
	asks     bool
	observes bool
	shows    bool   // its value may name a state
	from, to uint64 // claims that an event of the shape begins, or fulfils
}

func newDeadlines(s *scan) listener {
	d := &deadlineRule{asked: newRecent[int64](s.r.Len())}
	c := Case{vocabulary: s.vocabulary}
	t := instants{Case: &c, life: lifecycleOf(&c)}
	s.giveUp = s.giveUp || len(s.claims.Deadlines) > 64
	for _, claim := range s.claims.Deadlines {
		h := heldDeadline{Deadline: claim, within: max(int64(claim.Within), 0)}
		from, err := t.parse(claim.From)
		to, wrong := t.parse(claim.To)
		if err == nil && wrong == nil {
			for _, in := range []instant{from, to} {
				// When an audit event was recorded at the earliest is known from all that its source recorded before; what a state that nobody
				// declared leads to, from all that were seen.
				s.giveUp = s.giveUp || in.verb == "audit" || in.verb == "state" && !slices.Contains(s.stateNames, in.name)
			}
			s.giveUp = s.giveUp || t.returns(from)
			h.from, h.to = moment{from.verb, from.name, from.state}, moment{to.verb, to.name, to.state}
			h.submit = from.verb == "submit"
		}
		d.held = append(d.held, h)
	}
	return d
}

// at tells that an event of a shape is such a moment; state, that it is if its value names that state.
func (m moment) at(s *scan, x *history.Shape, op string) (is, state bool) {
	switch m.verb {
	case "submit":
		return x.Kind == history.KindOK && op == "submit", false
	case "effect", "undo":
		return x.Kind == history.KindEffect && x.Outcome == history.OutcomeApplied && s.name(x.Step) == m.step && (op == "undo") == (m.verb == "undo"), false
	case "state":
		return false, x.Kind == history.KindOK && (op == "submit" || op == "read") || x.Kind == history.KindObserve && op == "state"
	}
	return false, false
}

func (d *deadlineRule) look(s *scan, x *history.Shape) (l deadlineLook) {
	l.width = x.Width()
	if x.Has&history.HasUnit == 0 {
		return l
	}
	op := s.name(x.Op)
	l.asks = x.Kind == history.KindInvoke && op == "submit"
	l.observes = x.Kind == history.KindObserve && op == "state"
	for k := range d.held {
		from, state := d.held[k].from.at(s, x, op)
		to, other := d.held[k].to.at(s, x, op)
		l.shows = l.shows || state || other
		if from && !d.held[k].submit {
			l.from |= 1 << k
		}
		if to {
			l.to |= 1 << k
		}
	}
	return l
}

func (d *deadlineRule) block(s *scan, b *history.Block) {
	d.looks = d.looks[:0]
	for k := range b.Shapes {
		d.looks = append(d.looks, d.look(s, &b.Shapes[k]))
	}
	var p history.Place
	for i, k := range b.Which {
		l := &d.looks[k]
		if l.asks || l.from|l.to != 0 || l.shows {
			d.event(s, b, l, &b.Shapes[k], i, p)
		}
		p.Move(l.width)
	}
}

func (d *deadlineRule) event(s *scan, b *history.Block, l *deadlineLook, x *history.Shape, i int, p history.Place) {
	u := b.Unit[p.Unit()]
	if uint64(u) >= s.limit {
		return
	}
	if l.asks {
		if asked, first, _ := d.asked.at(uint64(u)); first {
			*asked = b.T[i]
		}
	}
	if l.observes {
		if d.observed.has(uint64(u)) {
			s.doubt(u) // only the last counts
		}
		d.observed.set(uint64(u))
	}
	from, to := l.from, l.to
	if l.shows {
		value := history.Ref(0)
		if x.Has&history.HasValue != 0 {
			value = b.Value[p.Value()]
		}
		class, err := s.classOf(value)
		if err != nil {
			s.err = err
			return
		}
		for k := range d.held {
			h := &d.held[k]
			if state := s.classes[class-1].state; state >= 0 {
				if h.from.verb == "state" && h.from.state == state {
					from |= 1 << k
				}
				if h.to.verb == "state" && h.to.state == state {
					to |= 1 << k
				}
			}
		}
	}
	if from|to != 0 {
		d.moments(s, u, from, to, b.T[i])
	}
}

// moments takes an event that begins some deadlines, and is what others speak of.
func (d *deadlineRule) moments(s *scan, u history.Unit, from, to uint64, t int64) {
	id := uint64(u)
	if !d.asked.ever.has(id) {
		s.doubt(u)
		return
	}
	asked, _, lost := d.asked.at(id)
	for k := range d.held {
		h := &d.held[k]
		if from>>k&1 == 1 {
			if h.begun.has(id) && h.from.verb != "state" {
				s.doubt(u) // it began twice
			}
			h.begun.set(id)
		}
		if to>>k&1 == 0 {
			continue
		}
		h.came.set(id)
		switch begun := h.submit || h.begun.has(id); {
		case begun && !lost && t-*asked <= h.within:
			h.kept.set(id)
		case !begun && h.to.verb == "state":
			s.doubt(u) // it was in that state before
		}
	}
}

// fared tells how a unit fared under a deadline: whether it was held against it, or whether that is in doubt.
func (h *heldDeadline) fared(s *scan, u history.Unit, x *tale) (held, doubtful bool) {
	id := uint64(u)
	begun := h.begun.has(id)
	if h.submit {
		begun = s.all[x.life()].has(lifeAcked)
	}
	switch {
	case !begun:
		return false, false
	case h.kept.has(id):
		return true, false
	case h.came.has(id) || h.Must:
		return false, true
	case h.submit:
		return s.last-int64(x[okAt]) > h.within, false
	}
	return false, s.last > h.within
}

func (d *deadlineRule) end(s *scan) {
	d.each(s, func(u history.Unit, x *tale) {
		for k := range d.held {
			if _, doubtful := d.held[k].fared(s, u, x); doubtful {
				s.doubt(u)
			}
		}
	})
}

func (d *deadlineRule) checked(s *scan) (n int) {
	for k := range d.held {
		d.held[k].count = 0
	}
	d.each(s, func(u history.Unit, x *tale) {
		for k := range d.held {
			if held, _ := d.held[k].fared(s, u, x); held {
				d.held[k].count++
				n++
			}
		}
	})
	return n
}

// each calls f with the units in no doubt.
func (d *deadlineRule) each(s *scan, f func(u history.Unit, x *tale)) {
	s.tales.each(func(first history.Unit, page *[pageSize]tale) {
		for i := range page {
			if n := page[i].life(); n != lifeNone && n != lifeInDoubt {
				f(first+history.Unit(i), &page[i])
			}
		}
	})
}

// held counts the units beyond the part that a deadline was held against.
func (w *whole) held(claim int) int {
	if d, ok := listening[*deadlineRule](w); ok {
		return d.held[claim].count
	}
	return 0
}
