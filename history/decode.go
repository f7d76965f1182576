package history

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"unicode/utf8"
)

// cursor reads a block's payload. The first thing that is wrong is kept; after it, it reads zeros.
type cursor struct {
	b   []byte
	err error
}

func (c *cursor) fail(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf(format, args...)
	}
	c.b = nil
}

func (c *cursor) uvarint() uint64 {
	v, n := uvarint(c.b)
	if n <= 0 {
		c.fail("%w", errNumber)
		return 0
	}
	c.b = c.b[n:]
	return v
}

// uvarint is binary.Uvarint with a short way for small numbers.
func uvarint(b []byte) (v uint64, n int) {
	if len(b) > 0 && b[0] < 0x80 {
		return uint64(b[0]), 1
	}
	return binary.Uvarint(b)
}

// below reads a number that must be less than limit.
func (c *cursor) below(limit uint64, what string) uint64 {
	v := c.uvarint()
	if v >= limit && c.err == nil {
		c.fail("%s %d is out of range: there are %d", what, v, limit)
		return 0
	}
	return v
}

func (c *cursor) byte() byte { return byte(c.below(math.MaxUint8+1, "byte")) }

// take gives the next n bytes.
func (c *cursor) take(n uint64) []byte {
	if n > uint64(len(c.b)) {
		c.fail("%d bytes are wanted, %d are left", n, len(c.b))
		return nil
	}
	b := c.b[:n]
	c.b = c.b[n:]
	return b
}

// decode fills the block with the n events of a payload, using what memory it has. before is the number of strings of the blocks
// before it. Its text is the payload's. After an error nothing in it is to be used.
func (b *Block) decode(payload []byte, first uint64, n int, before Ref) error {
	c := &cursor{b: payload}
	b.First, b.strings = first, before
	b.decodeStrings(c)
	b.decodeShapes(c)
	b.T = resize(b.T, n)
	decodeTimes(c, b.T)
	sizes, union := b.decodeWhich(c, n)

	words := uint64(b.Strings())
	b.Unit = decodeColumn(c, b.Unit, union&HasUnit, sizes[0], uint64(NoUnit), "unit")
	b.Low, b.High = bounds(b.Unit)
	b.Actor = decodeColumn(c, b.Actor, union&HasActor, sizes[1], math.MaxUint32+1, "actor")
	b.Key = decodeColumn(c, b.Key, union&HasKey, sizes[2], words, "key")
	b.Value = decodeColumn(c, b.Value, union&HasValue, sizes[3], words, "value")
	b.Trace = decodeColumn(c, b.Trace, union&HasTrace, sizes[4], words, "trace")
	b.Token = decodeColumn(c, b.Token, union&HasToken, sizes[5], 0, "token")
	b.At = decodeColumn(c, b.At, union&HasAt, sizes[6], 0, "at")
	if c.err == nil && len(c.b) > 0 {
		c.fail("%s too many", counted(len(c.b), "byte"))
	}
	return c.err
}

// decodeStrings reads what the block adds to the dictionary.
func (b *Block) decodeStrings(c *cursor) {
	b.ends, b.text = b.ends[:0], nil
	n := c.below(uint64(len(c.b))+1, "number of strings")
	if n > math.MaxUint32-uint64(b.strings) {
		c.fail("there are more strings than can be numbered")
	}
	total := uint64(0)
	empty := -1
	for k := range n {
		l := c.below(maxPayload, "length of a string")
		if c.err != nil {
			return
		}
		if l == 0 && empty < 0 {
			empty = int(k)
		}
		total += l
		b.ends = append(b.ends, uint32(min(total, math.MaxUint32)))
	}
	b.text = c.take(total)
	if bad := b.notText(); empty >= 0 || bad >= 0 {
		if empty >= 0 && (bad < 0 || empty < bad) {
			bad = empty
		}
		c.fail("string %d is empty or not UTF-8", int(b.strings)+bad)
	}
}

// notText finds the first new string that is not UTF-8; -1 where all are. The whole is looked at first: it is valid if its parts are,
// and then each part is that does not begin in the middle of a character.
func (b *Block) notText() int {
	whole := utf8.Valid(b.text)
	from := uint32(0)
	for k, end := range b.ends {
		if end > uint32(len(b.text)) {
			return -1 // cut off, which is an error of its own
		}
		if !whole && !utf8.Valid(b.text[from:end]) || whole && end < uint32(len(b.text)) && !utf8.RuneStart(b.text[end]) {
			return k
		}
		from = end
	}
	return -1
}

// decodeShapes reads the block's table of shapes.
func (b *Block) decodeShapes(c *cursor) {
	b.Shapes = b.Shapes[:0]
	n := c.below(uint64(len(c.b))+1, "number of shapes")
	switch {
	case c.err != nil:
	case n == 0:
		c.fail("there are no shapes")
	case n > maxRows:
		c.fail("a block cannot have %d shapes", n)
	}
	words := uint64(b.Strings())
	for range n {
		if c.err != nil {
			return
		}
		var s Shape
		s.Kind = Kind(c.below(uint64(numKinds), "kind"))
		s.Outcome = Outcome(c.below(uint64(numOutcomes), "outcome"))
		s.Has = Columns(c.byte())
		s.Attempt = uint32(c.below(math.MaxUint32+1, "attempt"))
		s.Op, s.Step, s.Component = Ref(c.below(words, "op")), Ref(c.below(words, "step")), Ref(c.below(words, "component"))
		if s.Kind == KindNone || s.Has > allColumns {
			c.fail("a shape has no kind, or columns that do not exist")
		}
		b.Shapes = append(b.Shapes, s)
	}
}

// decodeWhich gives each event its shape, and counts the entries of each column. union are the columns that any shape has.
func (b *Block) decodeWhich(c *cursor, n int) (sizes [numColumns]int, union Columns) {
	b.Which = resize(b.Which, n)
	if c.err != nil {
		return sizes, 0
	}
	b.Count = resize(b.Count, len(b.Shapes))
	count := b.Count
	clear(count)
	if len(b.Shapes) == 1 {
		clear(b.Which)
		count[0] = n
	} else {
		src, at := c.b, 0
		for i := range b.Which {
			var v uint64
			if at < len(src) && src[at] < 0x80 {
				v = uint64(src[at])
				at++
			} else {
				var size int
				if v, size = binary.Uvarint(src[at:]); size <= 0 {
					c.fail("%w", errNumber)
					return sizes, 0
				}
				at += size
			}
			if v >= uint64(len(count)) {
				c.fail("shape %d is out of range: there are %d", v, len(count))
				return sizes, 0
			}
			b.Which[i] = uint16(v)
			count[v]++
		}
		c.b = src[at:]
	}
	for k := range b.Shapes {
		has := b.Shapes[k].Has
		union |= has
		for col := range sizes {
			sizes[col] += count[k] * int(has>>col&1)
		}
	}
	return sizes, union
}

var (
	errNumber = errors.New("a number is cut off or too long")
	errTime   = errors.New("time goes too far")
)

func decodeTimes(c *cursor, dst []int64) {
	if c.err != nil {
		return
	}
	src, at, t := c.b, 0, uint64(0)
	for i := range dst {
		d, n := short(src, at)
		if n <= 0 {
			c.fail("%w", errNumber)
			return
		}
		at += n
		if t += d; t > math.MaxInt64 || d > math.MaxInt64 {
			c.fail("%w", errTime)
			return
		}
		dst[i] = int64(t)
	}
	c.b = src[at:]
}

// short is uvarint at a place, with a short way for numbers of up to four bytes.
func short(b []byte, at int) (v uint64, n int) {
	if at+4 > len(b) {
		return uvarint(b[min(at, len(b)):])
	}
	w := binary.LittleEndian.Uint32(b[at:])
	switch {
	case w&0x80 == 0:
		return uint64(w & 0x7f), 1
	case w&0x8000 == 0:
		return uint64(w&0x7f | w>>1&0x3f80), 2
	case w&0x80_0000 == 0:
		return uint64(w&0x7f | w>>1&0x3f80 | w>>2&0x1f_c000), 3
	}
	return binary.Uvarint(b[at:])
}

// decodeColumn reads the n entries of a column that is there; limit 0 is none.
func decodeColumn[E ~uint32 | ~uint64 | ~int64](c *cursor, dst []E, has Columns, n int, limit uint64, what string) []E {
	dst = resize(dst, n)
	if c.err != nil || has == 0 {
		return dst[:0]
	}
	limit-- // none is the greatest number
	if c.below(columnDelta+1, "way to store the column "+what) == columnSame {
		v := c.uvarint()
		if v > limit && n > 0 {
			c.fail("%s %d is out of range: there are %d", what, v, limit+1)
		}
		for i := range dst {
			dst[i] = E(v)
		}
		return dst
	}
	src, at, v := c.b, 0, uint64(0)
	for i := range dst {
		var d uint64
		if at < len(src) && src[at] < 0x80 {
			d = uint64(src[at])
			at++
		} else {
			var size int
			if d, size = short(src, at); size <= 0 {
				c.fail("%w", errNumber)
				return dst
			}
			at += size
		}
		if v += unzigzag(d); v > limit {
			c.fail("%s %d is out of range: there are %d", what, v, limit+1)
			return dst
		}
		dst[i] = E(v)
	}
	c.b = src[at:]
	return dst
}

// bounds are the least and the greatest of some units; no unit is between those of none.
func bounds(units []Unit) (low, high Unit) {
	low = NoUnit
	for _, u := range units {
		low, high = min(low, u), max(high, u)
	}
	return low, high
}

func resize[E any](s []E, n int) []E { return slices.Grow(s[:0], n)[:n] }
