package checkers

import "github.com/wreckon/wreckon/history"

// chunkRows is how many rows are sorted at once: few enough that what is noted of them stays in the nearest cache.
const (
	chunkRows = 1 << chunkBits
	chunkBits = 10
)

// rows is what is known of each row of a chunk of a block, and which rows are about what, so that each pass over them finds its own and needs
// to know no more. They are counted from the first of the chunk.
type rows struct {
	from, len int
	places    [chunkRows]history.Place // in the columns of the block
	unit      [chunkRows]history.Unit  // that an event is of, where some event of the block is of none
	lane      [chunkRows]uint32        // of the turn that its unit takes
	at        [chunkRows]int64         // when what it tells of happened, where that is not when it was recorded in all of the block

	lists [numLists << chunkBits]uint16
	ends  uint64 // of the lists in lists, 16 bits each
}

// The lists of rows.
const (
	listNone   = iota // of units alone
	listCalls         // of clients, and of faults
	listAudits        // of audit trails
	listAsides        // of what few events are about
	numLists
)

const (
	allLists  = 0<<0 | 1<<(16+chunkBits) | 2<<(32+chunkBits) | 3<<(48+chunkBits) // where they begin
	listShift = 16
)

// list gives the rows on a list.
func (w *rows) list(n int) []uint16 {
	return w.lists[n<<chunkBits : w.ends>>(n*listShift)&(1<<listShift-1)]
}

// listing is the list that events of a shape are on.
type listing struct {
	shift uint8 // its place in rows.ends
	next  uint64
}

// laning is how the lane of a shape's events is found.
type laning struct {
	lane    uint32 // of their turns; the first, where what their value says matters
	valueAt uint32 // what is left of a place in the column of values
	class   uint32 // and of the class of what stands there
	settled uint32 // 1 where that does not matter
}

// follow goes through the events of a block. What its rows are about is found out without a branch that depends on which event comes next,
// since nobody can guess that. Clients, audit trails and units are then followed each in a pass of its own: what the first two find is
// that units are in doubt, and those stay so whatever else happens to them.
func (s *scan) follow(b *history.Block, ordered bool) {
	var p history.Place
	w := &s.rows
	for w.from = 0; w.from < b.Len(); w.from += chunkRows {
		w.len = min(chunkRows, b.Len()-w.from)
		which := b.Which[w.from:][:w.len]
		p = p.Along(which, s.widths, w.places[:])
		units := s.unitsOf(b, which)
		if s.lane(b, which); s.err != nil {
			return
		}
		if s.listed {
			w.sort(which, s.listings)
			if s.keyed {
				s.keys(b, units)
			}
			s.aside(b)
			s.clients(b, units)
			s.audits(b, units)
		}
		s.live(units, b.T[w.from:][:w.len], s.instants(b, which, units), ordered)
	}
}

// sort puts the rows on their lists.
func (w *rows) sort(which []uint16, listings []listing) {
	ends := uint64(allLists)
	for j, k := range which {
		x := &listings[k]
		w.lists[ends>>(x.shift&63)&(numLists<<chunkBits-1)] = uint16(j)
		ends += x.next
	}
	w.ends = ends
}

// unitsOf gives the unit of each row.
func (s *scan) unitsOf(b *history.Block, which []uint16) []history.Unit {
	w := &s.rows
	if len(b.Unit) == b.Len() {
		return b.Unit[w.from:][:w.len]
	}
	units, masks := column(b.Unit), s.units
	for j, k := range which {
		w.unit[j] = units[w.places[j].Unit()&int(^masks[k])] | masks[k]
	}
	return w.unit[:w.len]
}

// lane finds the lanes of the rows.
func (s *scan) lane(b *history.Block, which []uint16) {
	w, lanings, class, values := &s.rows, s.lanings, s.class, column(b.Value)
	for j, k := range which {
		x := &lanings[k]
		c := uint32(class[values[w.places[j].Value()&int(x.valueAt)]])
		if c|x.settled == 0 {
			c = uint32(s.classAt(b, &s.mean[k], w.places[j]))
		}
		w.lane[j] = x.lane + c&x.class
	}
}

// laning says how the lanes of a shape's events are found.
func (s *scan) laning(m *meaning) laning {
	x := laning{lane: m.turns.first, settled: 1}
	switch {
	case !m.unit || !m.looks:
	case m.shape.Has&history.HasValue != 0:
		x.valueAt, x.class, x.settled = lastPlace, ^uint32(0), 0
	default:
		x.lane += uint32(s.classified(0))
	}
	return x
}

// listOf says which list the events of a shape are on.
func listOf(m *meaning) int {
	switch m.act {
	case actInvoke, actOK, actFail, actInfo, actFault:
		return listCalls
	case actAudit, actHead:
		return listAudits
	case actPhase:
		return listAsides
	case actExchange:
		if !m.unit && m.shape.Has&history.HasValue != 0 {
			return listAsides
		}
	}
	return listNone
}

// aside looks at what is in the way of no other pass.
func (s *scan) aside(b *history.Block) {
	w := &s.rows
	for _, j := range w.list(listAsides) {
		i, p := w.from+int(j), w.places[j]
		switch m := &s.mean[b.Which[i]]; m.act {
		case actPhase:
			s.sawPhase(b, m, i, p)
		case actExchange:
			if s.classes[s.classAt(b, m, p)-1].fault {
				s.extents[len(s.extents)-1].beyond = true
			}
		}
	}
}

// instants gives for each row when what it tells of happened. An operation cannot have been due after it began.
func (s *scan) instants(b *history.Block, which []uint16, units []history.Unit) []int64 {
	w := &s.rows
	ts := b.T[w.from:][:w.len]
	if !s.timed {
		return ts
	}
	dues := column(b.At)
	for j, t := range ts {
		x := &s.glances[which[j]]
		at := dues[w.places[j].At()&int(x.dueAt)] & x.due
		if at > t && x.code>>beginBit&1 == 1 {
			s.doubt(units[j])
			at = 0
		}
		w.at[j] = t ^ (t^at)&(-at>>63) // at where it is above zero
	}
	return w.at[:w.len]
}

// live has the units of a chunk take their turns. Nearly always it is known what a turn makes of a life; then all that is left to do is to
// write it down.
func (s *scan) live(units []history.Unit, ts, instants []int64, ordered bool) {
	lanes := s.rows.lane[:len(units)]
	ts, instants = ts[:len(units)], instants[:len(units)]
	pages, moves := s.tales.pages, s.moves
	if !ordered {
		moves = nil
	}
	for j, u := range units {
		lane := int(lanes[j])
		if page := int(u >> pageBits); page < len(pages) && pages[page] != nil && lane < len(moves) {
			x, known := &pages[page][u&(pageSize-1)], moves[lane]
			if life := int(x.life()); life < len(known) {
				if mv := &known[life]; mv.state == moveKnown {
					x.move(mv, uint64(ts[j]), uint64(instants[j]))
					continue
				}
			}
		}
		if u != history.NoUnit {
			s.turn(u, uint32(lane), ts[j], instants[j])
			if pages = s.tales.pages; len(moves) > 0 {
				moves = s.moves
			}
		}
	}
}

// column is a column, or what stands for one without entries.
func column[E any](c []E) []E {
	if len(c) == 0 {
		return make([]E, 1)
	}
	return c
}
