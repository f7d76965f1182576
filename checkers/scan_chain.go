package checkers

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"github.com/wreckon/wreckon/history"
)

// auditTrail follows the audit trail of one source event by event, and keeps of it what is not as it should be: numbers that have not come, and
// the last few events, to tell a repeat from another event under the same number.
type auditTrail struct {
	next     uint64 // above every number that came
	gaps     []gap  // stretches of numbers below it that did not, ascending
	ring     []heard
	last     link // the event below next
	headLast history.Unit
	headed   bool
	late     []history.Unit // whose events came after the source had named its end
	arrived  int
	known    bool   // some event of it came
	odd      uint64 // all ones where even an event with the next number must be looked at closely
}

// gap is a stretch of numbers that have not come, with the events at its two ends.
type gap struct {
	from, to      uint64
	before, after link
}

// link is an event as its neighbours in the chain need it.
type link struct {
	unit  history.Unit
	hash  string // "" where it has none
	known bool   // a hash can follow from it: it has one, or is the beginning
	body  string // kept where the event before it is missing
}

// heard is an event as a repeat of it is.
type heard struct {
	number         uint64
	key, value, op history.Ref
	unit           history.Unit
}

// ringSize is how many numbers back a repeat is recognised. Beyond that the whole history is judged.
const ringSize = 1 << 15

func newTrail(events int) *auditTrail {
	n := 64
	for n < ringSize && n < events {
		n *= 2
	}
	return &auditTrail{next: 1, odd: ^uint64(0), ring: make([]heard, n), last: link{unit: history.NoUnit, known: true}, headLast: history.NoUnit}
}

// hear takes an event with a number; false for a repeat. text gives the string of a reference.
func (t *auditTrail) hear(s *scan, e heard) (first bool) {
	slot := &t.ring[e.number&uint64(len(t.ring)-1)]
	switch {
	case e.number == t.next:
		if e.key == 0 {
			t.last = link{unit: e.unit}
		} else {
			l := link{unit: e.unit, hash: s.text(e.key), known: true}
			s.follows(t.last, l, e.value)
			t.last = l
		}
		t.next++
	case e.number == ^uint64(0):
		s.giveUp = true
		return false
	case e.number > t.next:
		l := s.link(e)
		t.gaps = append(t.gaps, gap{t.next, e.number - 1, t.last, l})
		l.body = ""
		t.last, t.next = l, e.number+1
	default:
		k, missing := slices.BinarySearchFunc(t.gaps, e.number, func(g gap, n uint64) int {
			switch {
			case g.to < n:
				return -1
			case g.from > n:
				return 1
			}
			return 0
		})
		if !missing {
			t.repeat(s, e, slot)
			return false
		}
		t.fill(s, k, e)
	}
	if t.headed {
		t.late = append(t.late, e.unit)
	}
	t.arrived++
	*slot = e
	t.odd = 0
	if t.last.known || t.headed {
		t.odd = ^uint64(0)
	}
	return true
}

// repeat compares an event with the first of its number.
func (t *auditTrail) repeat(s *scan, e heard, slot *heard) {
	switch {
	case slot.number != e.number:
		s.giveUp = true
	case slot.op != e.op:
		s.giveUp = true // another transition under the same number, which is no transition of its source
	case *slot != e:
		s.doubt(e.unit)
		s.doubt(slot.unit)
	}
}

// fill puts an event that came late into its gap.
func (t *auditTrail) fill(s *scan, k int, e heard) {
	g := t.gaps[k]
	l := s.link(e)
	if e.number == g.from {
		s.follows(g.before, l, e.value)
	}
	if e.number == g.to {
		s.followsBody(l, g.after, g.after.body)
	}
	var parts []gap
	if e.number > g.from {
		parts = append(parts, gap{g.from, e.number - 1, g.before, l})
	}
	if e.number < g.to {
		rest := l
		rest.body = ""
		parts = append(parts, gap{e.number + 1, g.to, rest, g.after})
	}
	t.gaps = slices.Replace(t.gaps, k, k+1, parts...)
}

func (s *scan) link(e heard) link {
	if e.key == 0 {
		return link{unit: e.unit}
	}
	return link{unit: e.unit, hash: s.text(e.key), known: true, body: s.text(e.value)}
}

// follows doubts the units of two neighbours where the hash of the second does not follow from the first.
func (s *scan) follows(a, b link, body history.Ref) {
	if a.known && b.hash != "" {
		s.followsBody(a, b, s.text(body))
	}
}

func (s *scan) followsBody(a, b link, body string) {
	if !a.known || b.hash == "" {
		return
	}
	s.hashed = append(append(append(s.hashed[:0], a.hash...), '\n'), body...)
	sum := sha256.Sum256(s.hashed)
	var text [2 * sha256.Size]byte
	hex.Encode(text[:], sum[:])
	if string(text[:]) != b.hash {
		s.doubt(a.unit)
		s.doubt(b.unit)
	}
}

// head notes that the source named its end.
func (t *auditTrail) head() {
	t.headed, t.odd, t.headLast, t.late = true, ^uint64(0), t.last.unit, t.late[:0]
}

// close doubts those units whose events the judgement of the chain needs.
func (t *auditTrail) close(s *scan) {
	s.doubt(t.last.unit)
	s.doubt(t.headLast)
	for _, u := range t.late {
		s.doubt(u)
	}
	for _, g := range t.gaps {
		s.doubt(g.before.unit)
		s.doubt(g.after.unit)
	}
}

// unbroken tells that every number from one to another came.
func (t *auditTrail) unbroken(from, to uint64) bool {
	return to < t.next && !slices.ContainsFunc(t.gaps, func(g gap) bool { return g.from <= to && g.to >= from })
}

// missing tells that a number below the last one never came.
func (t *auditTrail) missing(n uint64) bool {
	_, found := slices.BinarySearchFunc(t.gaps, n, func(g gap, n uint64) int {
		switch {
		case g.to < n:
			return -1
		case g.from > n:
			return 1
		}
		return 0
	})
	return found
}
