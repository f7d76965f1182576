package checkers

import "github.com/wreckon/wreckon/history"

// listener is what a rule knows that a unit's life does not tell: it looks at the events themselves, block by block, after the scan has been
// through each, and puts in doubt what it must. It keeps no more than a bit for each unit, and more of those only that were met last.
type listener interface {
	// block looks at the events of a block.
	block(s *scan, b *history.Block)
	// end is called once all is read.
	end(s *scan)
	// checked counts what belongs to no unit that is in doubt.
	checked(s *scan) int
}

// ear is a listener and the guarantee that it listens for.
type ear struct {
	guarantee string
	listener
}

// listening finds a listener of a kind.
func listening[L listener](w *whole) (l L, ok bool) {
	if w != nil {
		for _, e := range w.ears {
			if l, ok = e.listener.(L); ok {
				return l, true
			}
		}
	}
	return l, false
}

// recent holds something of each of those numbers that were met last, in a table that does not grow, and a bit of each that ever was.
type recent[T any] struct {
	places []place[T]
	ever   bitset
}

type place[T any] struct {
	id   uint64
	held T
}

// mostRecent is how many numbers a table holds; tests make it small.
var mostRecent = 1 << 18

func newRecent[T any](events int) recent[T] {
	n := 1
	for n < mostRecent && n < events {
		n *= 2
	}
	return recent[T]{places: make([]place[T], n)}
}

// at gives what is held of a number. One that is met for the first time takes the place of another: what is held is then still what was
// held of that one, or nothing at all. lost tells that the number was met before, and is not held any more.
func (r *recent[T]) at(id uint64) (held *T, first, lost bool) {
	p := &r.places[id&uint64(len(r.places)-1)]
	switch {
	case !r.ever.has(id):
		r.ever.set(id)
		p.id = id
		return &p.held, true, false
	case p.id != id:
		return nil, false, true
	}
	return &p.held, false, false
}

// bitset is a set of numbers.
type bitset []uint64

func (b bitset) has(n uint64) bool { return n>>6 < uint64(len(b)) && b[n>>6]>>(n&63)&1 == 1 }

func (b *bitset) set(n uint64) {
	if need := int(n>>6) + 1 - len(*b); need > 0 {
		*b = append(*b, make([]uint64, need)...)
	}
	(*b)[n>>6] |= 1 << (n & 63)
}

// outside counts the numbers that belong to units in no doubt, of which each unit has several.
func (s *scan) outside(b bitset, each uint64) (n int) {
	for k, word := range b {
		for bit := uint64(0); word != 0; word, bit = word>>1, bit+1 {
			if word&1 == 1 && !s.isDoubted(history.Unit((uint64(k)<<6+bit)/each)) {
				n++
			}
		}
	}
	return n
}

func (s *scan) isDoubted(u history.Unit) bool {
	x := s.tales.find(u)
	return x == nil || x.life() == lifeInDoubt
}
