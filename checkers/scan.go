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
	tales  tales
	limit  uint64         // on the ordinals of units
	owners []history.Unit // of each string that is the key of a submit: one more than its unit
	giveUp bool           // the whole history must be judged
	err    error
	hashed []byte

	trails  []*auditTrail
	source  map[string]int
	silent  auditTrail // of events that are in none
	actors  actors
	flight  flight
	phases  *history.History // events of phases alone
	rules   []rule           // those that may have something to say
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
	return s
}

// run reads the history from its beginning to its end.
func (s *scan) run() error {
	err := s.r.Each(func(b *history.Block) error {
		s.begin(b)
		s.rows(b)
		s.last = b.T[b.Len()-1]
		s.latest = max(s.latest, s.last)
		return s.err
	})
	if err != nil {
		return err
	}
	for _, o := range s.actors.open() {
		s.unanswered(o)
		s.flight.lose(o.seq)
	}
	s.giveUp = s.giveUp || s.unsaid && s.stepNamed("") >= 0
	for _, t := range s.trails {
		t.close(s)
	}
	return nil
}

// begin finds out what the shapes of a block mean, and counts their events.
func (s *scan) begin(b *history.Block) {
	s.open(b, s.stateNames)
	s.extents = append(s.extents, extent{low: b.Low, high: b.High})
	s.meet(b)
	s.mean = s.mean[:0]
	plain := b.T[0] >= s.latest && b.T[b.Len()-1] <= timeMask
	for k := range b.Shapes {
		m := s.meaning(&b.Shapes[k])
		m.plain = m.plain && plain
		s.total.add(&m, b.Count[k])
		s.mean = append(s.mean, m)
	}
}

// rows goes through the events of a block. Nearly all are what was to be expected: the client had no operation open, or had this one; the
// audit event has the next number; and it is known what the event means to a unit that has come so far. That is seen without a branch
// for each question, and all that is left to do is to write it down. Any other event is looked at closely.
func (s *scan) rows(b *history.Block) {
	var p history.Place
	mean, class, pages, near := s.mean, s.class, s.tales.pages, s.actors.near
	which, times := b.Which, b.T
	units, actors, tokens, values, dues := column(b.Unit), column(b.Actor), column(b.Token), column(b.Value), column(b.At)
	for i, k := range which {
		m := &mean[k]
		t := uint64(times[i])
		u := units[p.Unit()&m.unitAt]
		page := int(u >> pageBits)
		a := actors[p.Actor()&m.actorAt] & m.actor
		if !m.plain || page >= len(pages) || pages[page] == nil || int(a) >= len(near) {
			s.event(b, m, i, p)
			pages, near = s.tales.pages, s.actors.near
			p.Move(m.width)
			continue
		}
		x, client, trail := &pages[page][u&(pageSize-1)], &near[a], m.trail
		code := openCode(m.op, u)
		number := tokens[p.Token()&m.tokenAt]
		value := values[p.Value()&m.valueAt] & m.value
		c := class[value] & m.class
		at := t
		if m.timed {
			if d := dues[p.At()&m.dueAt]; uint64(d)-1 < t {
				at = uint64(d)
			} else {
				c = 0xff
			}
		}
		odd := (client.code ^ code&m.isReturn) & (m.isCall | m.isReturn)
		odd |= (number ^ trail.next | trail.odd) & m.isAudit
		odd |= s.flight.waits & m.isReturn
		mv := m.turns.known(x.life(), c)
		if odd != 0 || mv&moveMask != moveKnown {
			s.event(b, m, i, p)
			pages, near = s.tales.pages, s.actors.near
			p.Move(m.width)
			continue
		}
		operation := m.isCall | m.isReturn
		client.code = client.code&^operation | code&m.isCall
		client.seq = client.seq&^m.isCall | (b.First+uint64(i))&m.isCall
		s.flight.calls += int(m.isCall & 1)
		s.flight.rets += int(m.isReturn & 1)
		trail.ring[number&m.isAudit&uint64(len(trail.ring)-1)] = heard{number: number, value: value, op: m.shape.Op, unit: u}
		trail.next += m.isAudit & 1
		trail.arrived += int(m.isAudit & 1)
		trail.last.unit = u
		x.move(mv, t, at)
		p.Move(m.width)
	}
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
