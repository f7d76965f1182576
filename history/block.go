package history

import "unsafe"

// Block is some events of a history, one after the other, as columns that hold no more than the file does: what all events of a shape
// have in common stands in the shape, and a column has entries only for those events whose shape has it (Shape.Has), in order. A
// pass over it keeps one place in each column.
type Block struct {
	First  uint64  // seq of the first event
	Shapes []Shape // which those are is each block's own affair
	Count  []int   // of the events of each shape
	Which  []uint16
	T      []int64

	Unit  []Unit
	Actor []uint32
	Key   []Ref
	Value []Ref
	Trace []Ref
	Token []uint64
	At    []int64

	Low, High Unit // the least and the greatest of Unit, where it has any

	strings Ref      // how many strings there were before this block, the empty one included
	ends    []uint32 // of the strings that are new in it, in text
	text    []byte
}

// Len is the number of events.
func (b *Block) Len() int { return len(b.Which) }

// Strings is how many strings the history has up to the end of the block: each Ref in it is below.
func (b *Block) Strings() int { return int(b.strings) + len(b.ends) }

// Fresh is a string that appears for the first time in this block; ok is false for one that came before. The bytes are the block's
// own: they are valid as long as it is, and not to be changed.
func (b *Block) Fresh(r Ref) (s []byte, ok bool) {
	if r < b.strings {
		return nil, r == 0
	}
	k := r - b.strings
	from := uint32(0)
	if k > 0 {
		from = b.ends[k-1]
	}
	return b.text[from:b.ends[k]], true
}

// Bounds are the references of the strings that are new in the block: from from, and below to.
func (b *Block) Bounds() (from, to Ref) { return b.strings, b.strings + Ref(len(b.ends)) }

// Place is where a pass over a block stands in its columns. Its zero value is the beginning.
type Place struct{ a, b uint64 } // four places of 16 bits in each: they move at once

// Width is how far an event of the shape moves a place.
func (s *Shape) Width() (w Place) {
	bit := func(col Columns) uint64 {
		if s.Has&col != 0 {
			return 1
		}
		return 0
	}
	w.a = bit(HasUnit) | bit(HasActor)<<16 | bit(HasKey)<<32 | bit(HasValue)<<48
	w.b = bit(HasTrace) | bit(HasToken)<<16 | bit(HasAt)<<32
	return w
}

// Move goes on to the next event.
func (p *Place) Move(w Place) { p.a, p.b = p.a+w.a, p.b+w.b }

// Along gives the places of rows that follow each other, by the widths of their shapes, and the place after them.
func (p Place) Along(which []uint16, widths, places []Place) Place {
	places = places[:len(which)]
	for j, k := range which {
		places[j] = p
		w := &widths[k]
		p.a, p.b = p.a+w.a, p.b+w.b
	}
	return p
}

// The places in the columns, for an event whose shape has them. A place that passes the 65,536th entry runs over into its neighbour's, but
// then there is no event left that could have an entry.
func (p Place) Unit() int  { return int(p.a & 0xffff) }
func (p Place) Actor() int { return int(p.a >> 16 & 0xffff) }
func (p Place) Key() int   { return int(p.a >> 32 & 0xffff) }
func (p Place) Value() int { return int(p.a >> 48) }
func (p Place) Trace() int { return int(p.b & 0xffff) }
func (p Place) Token() int { return int(p.b >> 16 & 0xffff) }
func (p Place) At() int    { return int(p.b >> 32 & 0xffff) }

// Clone is a block of its own, with no room to spare.
func (b *Block) Clone() *Block {
	return &Block{First: b.First, Shapes: exact(b.Shapes), Count: exact(b.Count), Which: exact(b.Which), T: exact(b.T), Unit: exact(b.Unit), Actor: exact(b.Actor),
		Key: exact(b.Key), Value: exact(b.Value), Trace: exact(b.Trace), Token: exact(b.Token), At: exact(b.At), Low: b.Low, High: b.High,
		strings: b.strings, ends: exact(b.ends), text: exact(b.text)}
}

func exact[E any](s []E) []E { return append(make([]E, 0, len(s)), s...) }

// Size is the number of bytes of the columns, and of the strings that are new in the block.
func (b *Block) Size() (columns, strings int) {
	columns = len(b.Shapes)*int(unsafe.Sizeof(Shape{})+unsafe.Sizeof(0)) + len(b.Which)*2 + len(b.T)*8 + len(b.Unit)*4 + len(b.Actor)*4 + len(b.Key)*4 +
		len(b.Value)*4 + len(b.Trace)*4 + len(b.Token)*8 + len(b.At)*8
	return columns, len(b.ends)*4 + len(b.text)
}
