package history

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// An encoder turns batches into blocks, one after the other, for one file.
type encoder struct {
	words  dictionary
	shapes map[Shape]uint32 // of the block at hand
	table  []byte           // the same, as bytes, in the order of their numbers
	times  []byte
	which  []byte // the shape of each event
	cols   [numColumns]colEncoder
	out    []byte
	sums   sums
	blocks uint32
	events uint64
}

func newEncoder() *encoder {
	return &encoder{words: newDictionary(), shapes: map[Shape]uint32{}}
}

// block encodes a batch that is not empty. The result is valid until the next call.
func (e *encoder) block(b *batch) []byte {
	e.reset()
	last, arena := int64(0), b.arena
	for i := range b.rows {
		r := &b.rows[i]
		var refs [numStrings]Ref
		for s, n := range r.lengths {
			if n > 0 {
				refs[s] = e.words.ref(arena[:n])
				arena = arena[n:]
			}
		}
		e.times = binary.AppendUvarint(e.times, uint64(r.t-last))
		last = r.t
		e.row(r, &refs)
	}

	e.out = append(e.out[:0], make([]byte, frameSize)...)
	e.out = e.words.appendFresh(e.out)
	e.out = binary.AppendUvarint(e.out, uint64(len(e.shapes)))
	e.out = append(e.out, e.table...)
	e.out = append(e.out, e.times...)
	if len(e.shapes) > 1 {
		e.out = append(e.out, e.which...)
	}
	for c := range e.cols {
		e.out = e.cols[c].append(e.out)
	}
	payload := e.out[frameSize:]
	f := frame{tag: tagBlock, length: uint32(len(payload)), count: uint32(len(b.rows)), first: b.first, sum: checksum(payload)}
	e.sums.add(f.put(e.out))
	e.blocks++
	e.events += uint64(len(b.rows))
	return e.out
}

// row encodes all of an event but its time.
func (e *encoder) row(r *row, refs *[numStrings]Ref) {
	s := Shape{Kind: r.kind, Outcome: r.outcome, Attempt: r.attempt, Op: refs[stringOp], Step: refs[stringStep], Component: refs[stringComp]}
	if r.unit != NoUnit {
		s.Has |= HasUnit
	}
	values := [numColumns]uint64{
		uint64(r.unit), uint64(r.actor), uint64(refs[stringKey]), uint64(refs[stringValue]), uint64(refs[stringTrace]), r.token, uint64(r.at),
	}
	for c, v := range values[1:] {
		if v != 0 {
			s.Has |= HasActor << c
		}
	}
	for set := s.Has; set != 0; set &= set - 1 {
		c := bits.TrailingZeros8(uint8(set))
		e.cols[c].add(values[c])
	}
	number, known := e.shapes[s]
	if !known {
		number = uint32(len(e.shapes))
		e.shapes[s] = number
		e.table = append(e.table, byte(s.Kind), byte(s.Outcome), byte(s.Has))
		for _, v := range [...]uint32{s.Attempt, uint32(s.Op), uint32(s.Step), uint32(s.Component)} {
			e.table = binary.AppendUvarint(e.table, uint64(v))
		}
	}
	e.which = binary.AppendUvarint(e.which, uint64(number))
}

func (e *encoder) reset() {
	clear(e.shapes)
	e.table, e.times, e.which = e.table[:0], e.times[:0], e.which[:0]
	for c := range e.cols {
		e.cols[c] = colEncoder{deltas: e.cols[c].deltas[:0]}
	}
}

// seal is the end of a file that was closed in order.
func (e *encoder) seal() []byte {
	e.out = append(e.out[:0], make([]byte, frameSize)...)
	e.out = binary.LittleEndian.AppendUint32(e.out, uint32(e.sums))
	f := frame{tag: tagSeal, length: 4, count: e.blocks, first: e.events, sum: checksum(e.out[frameSize:])}
	f.put(e.out)
	return e.out
}

// A colEncoder stores one column of a block.
type colEncoder struct {
	deltas      []byte
	first, last uint64
	differs     bool
}

func (c *colEncoder) add(v uint64) {
	if len(c.deltas) == 0 {
		c.first = v
	}
	c.differs = c.differs || v != c.first
	c.deltas = binary.AppendUvarint(c.deltas, zigzag(v-c.last))
	c.last = v
}

// append writes the column; one without values takes no byte.
func (c *colEncoder) append(dst []byte) []byte {
	switch {
	case len(c.deltas) == 0:
		return dst
	case c.differs:
		dst = append(dst, columnDelta)
		return append(dst, c.deltas...)
	}
	dst = append(dst, columnSame)
	return binary.AppendUvarint(dst, c.first)
}

// A dictionary numbers the strings of a file in the order in which they first appear, from 1. It keeps no long string: of these it
// keeps a digest, so that what it holds is bounded by the number of different strings, not by what a target answers.
type dictionary struct {
	short   map[string]Ref
	long    map[[sha256.Size]byte]Ref
	last    Ref
	fresh   int    // strings added since appendFresh
	lengths []byte // of them
	text    []byte // of them
}

const longString = 256 // bytes

func newDictionary() dictionary {
	return dictionary{short: map[string]Ref{}, long: map[[sha256.Size]byte]Ref{}}
}

// ref finds or adds a string. What is not UTF-8 is replaced, since no text form could hold it.
func (d *dictionary) ref(b []byte) Ref {
	if len(b) <= longString {
		if r, ok := d.short[string(b)]; ok {
			return r
		}
		if !utf8.Valid(b) {
			return d.ref(toUTF8(b))
		}
		d.add(b)
		d.short[string(b)] = d.last
		return d.last
	}
	if !utf8.Valid(b) {
		return d.ref(toUTF8(b))
	}
	sum := sha256.Sum256(b)
	if r, ok := d.long[sum]; ok {
		return r
	}
	d.add(b)
	d.long[sum] = d.last
	return d.last
}

func toUTF8(b []byte) []byte { return bytes.ToValidUTF8(b, []byte("\uFFFD")) }

func (d *dictionary) add(b []byte) {
	d.last++
	d.fresh++
	d.lengths = binary.AppendUvarint(d.lengths, uint64(len(b)))
	d.text = append(d.text, b...)
}

// appendFresh writes the strings that were added since the last call.
func (d *dictionary) appendFresh(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(d.fresh))
	dst = append(dst, d.lengths...)
	dst = append(dst, d.text...)
	d.fresh, d.lengths, d.text = 0, d.lengths[:0], d.text[:0]
	return dst
}
