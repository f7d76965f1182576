package checkers

import (
	"time"

	"github.com/wreckon/wreckon/history"
)

// scan is the one pass over a history that is too long to be held and looked at from every side: block by block, with half a cache line for
// each unit. It counts what is counted, and finds the units that may be worth a closer look: a unit that it does not doubt is one of which
// no guarantee has anything to say. What it doubts is judged by the checkers, on a history of these units alone. It may doubt too much; it
// must never doubt too little.
type scan struct {
	r    *history.Reader
	spec Spec
	vocabulary
	texts
	shapes
	lives
	keeping keeping
	guarded states // that a privileged action only leaves, if that matters
	tales   tales
	limit   uint64         // on the ordinals of units
	owners  []history.Unit // of each string that is the key of a submit: one more than its unit
	giveUp  bool           // the whole history must be judged
	err     error
	hashed  []byte

	trails  []*auditTrail
	source  map[string]int
	silent  auditTrail // of events that are in none
	actors  actors
	calls   [512]clientCall
	flight  flight
	phases  *history.History // events of phases alone
	rules   []rule           // those that may have something to say
	ears    []ear            // what these look at the events with
	extents []extent         // of the blocks

	total  totals
	census census
	latest int64 // time of the latest event so far
	last   int64 // when the history ends
}

// extent says where the events of a block belong.
type extent struct {
	low, high history.Unit // its units are among these
	beyond    bool         // some event of no unit is wanted whatever units are
}

func newScan(r *history.Reader, spec Spec) *scan {
	s := &scan{r: r, spec: spec, vocabulary: newVocabulary(history.New(r.Header), nil), texts: newTexts(r),
		limit: 4*uint64(r.Len()) + 1024, lives: newLives(), source: map[string]int{}, silent: auditTrail{ring: make([]heard, 1)},
		actors: newActors(), flight: flight{opened: []int{0}}, phases: history.New(r.Header)}
	s.turns = make(map[turn]*turns)
	s.rules = s.concerned()
	s.follow()
	s.guard()
	for _, r := range s.rules {
		if r.listens != nil {
			s.ears = append(s.ears, ear{r.guarantee, r.listens(s)})
		}
	}
	return s
}

// run reads the history from its beginning to its end.
func (s *scan) run() error {
	err := s.r.Each(func(b *history.Block) error {
		s.begin(b)
		s.rows(b)
		for _, l := range s.ears {
			l.block(s, b)
		}
		s.last = b.T[b.Len()-1]
		s.latest = max(s.latest, s.last)
		return s.err
	})
	if err != nil {
		return err
	}
	for _, o := range s.actors.open() {
		s.unanswered(o)
	}
	s.giveUp = s.giveUp || s.unsaid && s.stepNamed("") >= 0
	for _, t := range s.trails {
		t.close(s)
	}
	for _, l := range s.ears {
		l.end(s)
	}
	return nil
}

// begin finds out what the shapes of a block mean, and counts their events.
func (s *scan) begin(b *history.Block) {
	s.open(b, s.stateNames)
	s.extents = append(s.extents, extent{low: b.Low, high: b.High})
	s.meet(b)
	s.mean, s.glances = s.mean[:0], s.glances[:0]
	plain := b.T[0] >= s.latest && b.T[b.Len()-1] <= timeMask
	for k := range b.Shapes {
		m := s.meaning(&b.Shapes[k])
		s.total.add(&m, b.Count[k])
		s.mean = append(s.mean, m)
		s.glances = append(s.glances, s.glance(&m, plain))
	}
}

// rows goes through the events of a block. Nearly all are what was to be expected: an audit event has the next number, and it is known
// what the event means to a unit that has come so far. That is seen without a branch for each question, since nobody can guess what comes
// next, and all that is left to do is to write it down. Any other event is looked at closely.
func (s *scan) rows(b *history.Block) {
	var p history.Place
	glances, class, pages := s.glances, s.class, s.tales.pages
	units, actors, tokens, values, dues := column(b.Unit), column(b.Actor), column(b.Token), column(b.Value), column(b.At)
	n := 0
	for i, k := range b.Which {
		m := &glances[k]
		t := uint64(b.T[i])
		u := units[p.Unit()&int(m.unitAt)] | m.noUnit
		s.calls[n] = clientCall{code: m.code | uint64(u), actor: actors[p.Actor()&int(m.actorAt)] & m.actor, row: uint32(i)}
		if n += int(m.code >> callBit & 1); n == len(s.calls) {
			s.clients(b, s.calls[:n])
			n = 0
		}
		page := int(u >> pageBits)
		if !m.plain || page >= len(pages) || pages[page] == nil {
			s.event(b, &s.mean[k], i, p)
			pages = s.tales.pages
			p.Move(m.width)
			continue
		}
		value := values[p.Value()&int(m.valueAt)] & m.value
		c := class[value] & m.class
		at := t
		if m.timed {
			if d := dues[p.At()]; uint64(d)-1 < t {
				at = uint64(d)
			} else {
				c = noClass
			}
		}
		trail, number := m.trail, tokens[p.Token()&int(m.tokenAt)]
		x := &pages[page][u&(pageSize-1)]
		mv := m.turns.known(x.life(), c)
		if !mv.known || mv.minds || (number^trail.next|trail.odd)&m.isAudit != 0 {
			s.event(b, &s.mean[k], i, p)
			pages = s.tales.pages
			p.Move(m.width)
			continue
		}
		if m.isAudit != 0 {
			trail.ring[number&uint64(len(trail.ring)-1)] = heard{number: number, value: value, op: m.op, unit: u}
			trail.next++
			trail.arrived++
			trail.last.unit = u
		}
		if m.keyed {
			s.own(b.Key[p.Key()], u)
		}
		x.move(mv, t, at)
		p.Move(m.width)
	}
	s.clients(b, s.calls[:n])
}

// column is a column, or what stands for one without entries.
func column[E any](c []E) []E {
	if len(c) == 0 {
		return make([]E, 1)
	}
	return c
}

// name gives a string that a shape refers to: they are few, and kept.
func (s *scan) name(ref history.Ref) string {
	text, ok := s.names[ref]
	if !ok {
		text = s.text(ref)
		s.names[ref] = text
	}
	return text
}

// text gives a string that the event at hand refers to.
func (s *scan) text(ref history.Ref) string {
	text, err := s.textOf(ref)
	if err != nil {
		s.err = err
	}
	return text
}

// fallBack is when the whole history is judged after all.
func (s *scan) fallBack() bool { return s.giveUp || uint64(s.tales.top()) > 4*uint64(s.r.Len())+1024 }

func (s *scan) sawPhase(b *history.Block, m *meaning, i int, p history.Place) {
	s.phases.Append(history.Event{T: time.Duration(b.T[i]), Kind: history.KindPhase, Outcome: m.shape.Outcome, Unit: history.NoUnit,
		Op: s.name(m.shape.Op), Value: s.text(entry(m, history.HasValue, b.Value, p.Value(), 0))})
}
