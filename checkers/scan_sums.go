package checkers

import (
	"math/big"
	"slices"
	"time"

	"github.com/wreckon/wreckon/history"
)

// sums is the rule for conserved-totals. It books the effects of all units as they land, and keeps what the accounts came to wherever a
// number was read, or a phase began or ended: that is all that a tally asks of them. It puts no unit in doubt.
type sums struct {
	looks    []sumLook
	terms    []string // names of the numbers that are read
	accounts []*ledger
	texts    []place[string] // of the strings that were met last
	stops    []sumStop
	final    sumStop
	worked   bool   // since the last stop
	last     uint64 // the last event that showed the target at work
	end0     history.Unit
	odd      bool // the last event is left out of the part
}

// ledger is what the effects of one step come to so far.
type ledger struct {
	name    string
	balance sum
	count   int64
	bad     *badValue
	inForce recent[booked]
}

// booked is what is in force of a unit.
type booked struct {
	n     int
	value history.Ref // of the last
	known bool        // that is known
}

// badValue is the value of an effect that is no number.
type badValue struct {
	at   time.Duration
	text string
}

// sumStop is what the accounts came to at an event.
type sumStop struct {
	seq    uint64
	worked bool // the target was at work since the stop before
	lines  []sumLine
}

type sumLine struct {
	name  string
	whole int64
	rest  *big.Rat
	count int64
	bad   *badValue
}

type sumLook struct {
	width    history.Place
	has      history.Columns
	works    bool // it shows the target at work
	changes  bool // and may have changed something
	undo     bool
	stops    bool
	total    bool
	exchange bool
	accounts []*ledger
}

const mostStops = 1 << 20

func newSums(s *scan) listener {
	t := &sums{texts: make([]place[string], min(mostRecent, 1<<16)), end0: history.NoUnit}
	for _, total := range s.claims.Totals {
		for _, term := range total.Terms {
			if term.Observed != "" {
				t.terms = append(t.terms, term.Observed)
			}
			for _, name := range []string{term.Effects, term.Count} {
				if name != "" && !slices.ContainsFunc(t.accounts, func(a *ledger) bool { return a.name == name }) {
					t.accounts = append(t.accounts, &ledger{name: name, inForce: newRecent[booked](s.r.Len())})
				}
			}
		}
	}
	return t
}

func (t *sums) look(s *scan, x *history.Shape) sumLook {
	l := sumLook{width: x.Width(), has: x.Has, works: works(x.Kind), stops: x.Kind == history.KindPhase, exchange: x.Kind == history.KindExchange}
	l.changes = l.works && (x.Kind != history.KindEffect || x.Outcome == history.OutcomeApplied)
	l.total = x.Kind == history.KindObserve && s.name(x.Op) == "total"
	if x.Kind == history.KindEffect && l.changes {
		l.undo = s.name(x.Op) == "undo"
		for _, a := range t.accounts {
			if a.name == s.name(x.Step) {
				l.accounts = append(l.accounts, a)
			}
		}
	}
	return l
}

func (t *sums) block(s *scan, b *history.Block) {
	t.looks = t.looks[:0]
	for k := range b.Shapes {
		t.looks = append(t.looks, t.look(s, &b.Shapes[k]))
	}
	var p history.Place
	for i, k := range b.Which {
		l := &t.looks[k]
		if l.stops || l.total && l.has&history.HasKey != 0 && slices.Contains(t.terms, s.name(b.Key[p.Key()])) {
			t.stop(s, b.First+uint64(i))
			if l.has&history.HasUnit != 0 {
				s.doubt(b.Unit[p.Unit()])
			}
		}
		if l.works {
			t.last = b.First + uint64(i)
			t.worked = t.worked || l.changes
		}
		if len(l.accounts) > 0 {
			t.land(s, b, l, time.Duration(b.T[i]), p)
		}
		if i == b.Len()-1 {
			t.end0, t.odd = history.NoUnit, l.exchange && l.has&history.HasUnit == 0
			if l.has&history.HasUnit != 0 {
				t.end0 = b.Unit[p.Unit()]
			}
		}
		p.Move(l.width)
	}
}

// stop notes what the accounts came to before an event.
func (t *sums) stop(s *scan, seq uint64) {
	x := sumStop{seq: seq, worked: t.worked}
	for _, a := range t.accounts {
		x.lines = append(x.lines, sumLine{name: a.name, whole: a.balance.whole, rest: new(big.Rat).Set(&a.balance.rest), count: a.count, bad: a.bad})
	}
	t.worked = false
	t.stops = append(t.stops, x)
	s.giveUp = s.giveUp || len(t.stops) > mostStops
}

// land books an effect as tally.land does.
func (t *sums) land(s *scan, b *history.Block, l *sumLook, at time.Duration, p history.Place) {
	u, value := history.NoUnit, history.Ref(0)
	if l.has&history.HasUnit != 0 {
		u = b.Unit[p.Unit()]
	}
	if l.has&history.HasValue != 0 {
		value = b.Value[p.Value()]
	}
	for _, a := range l.accounts {
		var x *booked // nil: nobody knows what is in force
		if uint64(u) < s.limit {
			held, first, lost := a.inForce.at(uint64(u))
			if first {
				*held = booked{}
			}
			if !lost {
				x = held
			}
		}
		if !l.undo {
			a.count++
			a.book(t.text(s, b, value), 1, at)
			if x != nil {
				x.n, x.value, x.known = x.n+1, value, true
			}
			continue
		}
		a.count--
		switch {
		case value != 0:
			a.book(t.text(s, b, value), -1, at)
		case x == nil || x.n > 0 && !x.known:
			s.giveUp = true
		case x.n > 0:
			a.book(t.text(s, b, x.value), -1, at)
		}
		if x != nil && x.n > 0 {
			x.n, x.known = x.n-1, false
		}
	}
}

func (a *ledger) book(value string, sign int64, at time.Duration) {
	if !a.balance.add(value, sign) && a.bad == nil {
		a.bad = &badValue{at, value}
	}
}

// text gives a string, most of which were met a short while ago.
func (t *sums) text(s *scan, b *history.Block, ref history.Ref) string {
	if ref == 0 {
		return ""
	}
	p := &t.texts[uint64(ref)&uint64(len(t.texts)-1)]
	if p.id != uint64(ref) {
		p.id, p.held = uint64(ref), s.text(ref)
	}
	return p.held
}

func (t *sums) end(s *scan) {
	t.stop(s, uint64(s.r.Len()))
	t.final = t.stops[len(t.stops)-1]
	t.stops = t.stops[:len(t.stops)-1]
	s.doubt(t.end0)
	s.giveUp = s.giveUp || t.odd
}

func (t *sums) checked(*scan) int { return 0 }

// follow goes through a part of a history: it stops where the scan did, and takes from there what the accounts came to in the whole.
func (t *tally) follow(w *sums) {
	t.last = none
	n, over := 0, false
	rests := func() {
		if !t.phases && !over {
			t.close()
			t.rest, over = true, true
		}
	}
	until := func(x *sumStop) {
		if x.worked {
			t.close()
			t.rest = false
		}
		t.load(x)
		if w.last < x.seq {
			rests()
		}
	}
	for i, seq := range t.whole.seqs {
		if n == len(w.stops) || w.stops[n].seq != seq {
			continue
		}
		until(&w.stops[n])
		t.event(uint32(i))
		if seq == w.last {
			rests()
		}
		n++
	}
	until(&w.final)
	t.end()
}

// load sets the accounts to what they came to.
func (t *tally) load(x *sumStop) {
	for k := range t.accounts {
		a := &t.accounts[k]
		for _, l := range x.lines {
			if l.name == a.name {
				a.count, a.bad, a.values.whole = l.count, l.bad, l.whole
				a.values.rest.Set(l.rest)
			}
		}
	}
}
