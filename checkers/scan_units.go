package checkers

import (
	"time"

	"github.com/wreckon/wreckon/history"
)

// tale is what a scan knows of one unit: the number of its life, and four instants, in nanoseconds since the run began. It is half a cache
// line.
//
//	0  when its first submit was due, in 48 bits; below that its life
//	1  when that submit was made; from the first evidence of it on, how long that took to come
//	2  when a submit of it was ok first
//	3  the earliest evidence of its end
type tale [4]uint64

const (
	lifeBits = 16
	lifeMask = 1<<lifeBits - 1
	timeMask = 1<<(64-lifeBits) - 1 // three days
)

func (x *tale) life() uint16 { return uint16(x[0]) }

// live gives it another life.
func (x *tale) live(life uint16) { x[0] = x[0]&^lifeMask | uint64(life) }

func (x *tale) due() int64 { return int64(x[0] >> lifeBits) }

// What was measured of a unit whose life has it.
func (x *tale) intent() time.Duration    { return time.Duration(x[1]) }
func (x *tale) submitted() time.Duration { return time.Duration(int64(x[2]) - x.due()) }
func (x *tale) ended() time.Duration     { return time.Duration(int64(x[3]) - x.due()) }

// move is what an event does to a unit: the number of the life that the unit then has, and which of its instants are written, as masks. Its
// zero value is not known.
type move struct {
	life  uint64
	ask   uint64 // its first submit
	show  uint64 // the first evidence that it was asked for
	since uint64 // ask or show
	write uint64 // its first ok, or evidence of its end
	which uint8  // of these: the instant's place
	state uint8
}

// What is known of a move.
const (
	moveKnown = 1 + iota
	moveMinds // and the unit's end may have been earlier than what was taken for it
)

const (
	okAt  = 2
	endAt = 3
)

// move takes an event at t; at is when what it tells of happened. It has no branches: which events come next nobody can guess.
func (x *tale) move(mv *move, t, at uint64) {
	x[0] = (x[0]^(x[0]^at<<lifeBits)&mv.ask)&^lifeMask | mv.life
	x[1] ^= (x[1] ^ (t - x[1]&mv.show)) & mv.since
	x[mv.which&3] ^= (x[mv.which&3] ^ at) & mv.write
}

const (
	pageBits = 14
	pageSize = 1 << pageBits
)

// tales hold the units of a history in pages, so that the table grows without being copied, and a number that is far off costs no more
// than one.
type tales struct {
	pages []*[pageSize]tale
}

// at gives a unit's tale, nil for a unit beyond the limit.
func (t *tales) at(u history.Unit, limit uint64) *tale {
	if uint64(u) >= limit {
		return nil
	}
	k := int(u >> pageBits)
	for len(t.pages) <= k {
		t.pages = append(t.pages, nil)
	}
	if t.pages[k] == nil {
		t.pages[k] = new([pageSize]tale)
	}
	return &t.pages[k][u&(pageSize-1)]
}

// find gives the tale of a unit of which something is known; nil for any other.
func (t *tales) find(u history.Unit) *tale {
	if k := int(u >> pageBits); k < len(t.pages) && t.pages[k] != nil {
		if x := &t.pages[k][u&(pageSize-1)]; x.life() != lifeNone {
			return x
		}
	}
	return nil
}

// top is one above the greatest unit of which something is known.
func (t *tales) top() history.Unit {
	for k := len(t.pages) - 1; k >= 0; k-- {
		if p := t.pages[k]; p != nil {
			for i := len(p) - 1; i >= 0; i-- {
				if p[i].life() != lifeNone {
					return history.Unit(k)<<pageBits + history.Unit(i) + 1
				}
			}
		}
	}
	return 0
}

// each goes through all units, in order, page by page: those that never appeared included.
func (t *tales) each(f func(first history.Unit, page *[pageSize]tale)) {
	for k, p := range t.pages {
		if p != nil {
			f(history.Unit(k)<<pageBits, p)
		}
	}
}
