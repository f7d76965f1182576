package checkers

import (
	"slices"
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
	rows    rows
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
	s.heed()
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
		s.follow(b, b.T[0] >= s.latest && b.T[b.Len()-1] <= timeMask)
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
	s.forget()
	for k := range b.Shapes {
		m := s.meaning(&b.Shapes[k])
		s.know(m)
		if n := b.Count[k]; n > 0 {
			s.total.add(&m, n)
			s.total.tokens = s.total.tokens || m.token && slices.ContainsFunc(b.Token, func(token uint64) bool { return token > 0 })
			if !m.unit && m.act != actExchange {
				s.extents[len(s.extents)-1].beyond = true
			}
		}
	}
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
