package history

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
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

// A decoder fills the columns of a history from the payloads of its blocks, one after the other.
type decoder struct {
	h      *History
	shapes []shape
	has    []column // scratch: which columns each event of the block has
}

// newDecoder allocates the columns for all events of a file at once.
func newDecoder(h *History, events int) *decoder {
	h.T, h.At, h.Token = make([]int64, events), make([]int64, events), make([]uint64, events)
	h.Kind, h.Outcome = make([]Kind, events), make([]Outcome, events)
	h.Unit, h.Actor, h.Attempt = make([]Unit, events), make([]uint32, events), make([]uint32, events)
	h.Op, h.Step, h.Comp = make([]Ref, events), make([]Ref, events), make([]Ref, events)
	h.Key, h.Value, h.Trace = make([]Ref, events), make([]Ref, events), make([]Ref, events)
	return &decoder{h: h}
}

// truncate drops all events from n.
func (h *History) truncate(n int) {
	h.T, h.At, h.Token = h.T[:n], h.At[:n], h.Token[:n]
	h.Kind, h.Outcome = h.Kind[:n], h.Outcome[:n]
	h.Unit, h.Actor, h.Attempt = h.Unit[:n], h.Actor[:n], h.Attempt[:n]
	h.Op, h.Step, h.Comp = h.Op[:n], h.Step[:n], h.Comp[:n]
	h.Key, h.Value, h.Trace = h.Key[:n], h.Value[:n], h.Trace[:n]
}

// block reads the events from .. from+n out of a payload. After an error the rows of this block are not to be used.
func (d *decoder) block(payload []byte, from, n int) error {
	c := &cursor{b: payload}
	d.strings(c)
	d.table(c)
	to := from + n
	h := d.h
	decodeTimes(c, h.T[from:to])
	d.rows(c, from, n)

	var union column
	for _, s := range d.shapes {
		union |= s.has
	}
	words := uint64(len(h.Strings))
	decodeColumn(c, h.Unit[from:to], d.has, hasUnit, union, uint64(NoUnit), "unit")
	decodeColumn(c, h.Actor[from:to], d.has, hasActor, union, math.MaxUint32+1, "actor")
	decodeColumn(c, h.Key[from:to], d.has, hasKey, union, words, "key")
	decodeColumn(c, h.Value[from:to], d.has, hasValue, union, words, "value")
	decodeColumn(c, h.Trace[from:to], d.has, hasTrace, union, words, "trace")
	decodeColumn(c, h.Token[from:to], d.has, hasToken, union, 0, "token")
	decodeColumn(c, h.At[from:to], d.has, hasAt, union, 0, "at")
	if c.err == nil && len(c.b) > 0 {
		c.fail("%s too many", counted(len(c.b), "byte"))
	}
	return c.err
}

// strings reads what the block adds to the dictionary.
func (d *decoder) strings(c *cursor) {
	n := c.below(uint64(len(c.b))+1, "number of strings")
	lengths := *c
	total := uint64(0)
	for range n {
		total += c.below(maxPayload, "length of a string")
	}
	text := string(c.take(total)) // one copy for all: the strings share it, and the file's bytes can go
	for range n {
		l := lengths.uvarint()
		if c.err != nil {
			return
		}
		s := text[:l]
		text = text[l:]
		if l == 0 || !utf8.ValidString(s) {
			c.fail("string %d is empty or not UTF-8", len(d.h.Strings))
			return
		}
		d.h.Strings = append(d.h.Strings, s)
	}
	if len(d.h.Strings) > math.MaxUint32 {
		c.fail("there are more strings than can be numbered")
	}
}

// table reads the block's table of shapes.
func (d *decoder) table(c *cursor) {
	d.shapes = d.shapes[:0]
	n := c.below(uint64(len(c.b))+1, "number of shapes")
	if n == 0 && c.err == nil {
		c.fail("there are no shapes")
	}
	words := uint64(len(d.h.Strings))
	for range n {
		if c.err != nil {
			return
		}
		var s shape
		s.kind = Kind(c.below(uint64(numKinds), "kind"))
		s.outcome = Outcome(c.below(uint64(numOutcomes), "outcome"))
		s.has = column(c.byte())
		s.attempt = uint32(c.below(math.MaxUint32+1, "attempt"))
		s.op, s.step, s.comp = Ref(c.below(words, "op")), Ref(c.below(words, "step")), Ref(c.below(words, "component"))
		if s.kind == KindNone || s.has > allColumns {
			c.fail("a shape has no kind, or columns that do not exist")
		}
		d.shapes = append(d.shapes, s)
	}
}

// rows gives each event its shape.
func (d *decoder) rows(c *cursor, from, n int) {
	if c.err != nil {
		return
	}
	h := d.h
	d.has = resize(d.has, n)
	kind, outcome, attempt := h.Kind[from:from+n], h.Outcome[from:from+n], h.Attempt[from:from+n]
	op, step, comp := h.Op[from:from+n], h.Step[from:from+n], h.Comp[from:from+n]
	shapes, b := d.shapes, c.b
	for i := range n {
		number := uint64(0)
		if len(shapes) > 1 {
			v, size := uvarint(b)
			if size <= 0 || v >= uint64(len(shapes)) {
				c.fail("shape %d is out of range: there are %d", v, len(shapes))
				return
			}
			number, b = v, b[size:]
		}
		s := &shapes[number]
		d.has[i] = s.has
		kind[i], outcome[i], attempt[i] = s.kind, s.outcome, s.attempt
		op[i], step[i], comp[i] = s.op, s.step, s.comp
	}
	c.b = b
}

var (
	errNumber = errors.New("a number is cut off or too long")
	errTime   = errors.New("time goes too far")
)

func decodeTimes(c *cursor, dst []int64) {
	b, t := c.b, uint64(0)
	for i := range dst {
		d, n := uvarint(b)
		if n <= 0 {
			c.fail("%w", errNumber)
			return
		}
		b = b[n:]
		if t += d; t > math.MaxInt64 || d > math.MaxInt64 {
			c.fail("%w", errTime)
			return
		}
		dst[i] = int64(t)
	}
	c.b = b
}

// decodeColumn reads the values of those events that have one; limit 0 is none. An event without a unit has NoUnit, and anything
// else it does not have is zero.
func decodeColumn[E ~uint32 | ~uint64 | ~int64](c *cursor, dst []E, has []column, bit, union column, limit uint64, what string) {
	if c.err != nil {
		return
	}
	var absent E
	if bit == hasUnit {
		absent-- // NoUnit; only the unit's column is asked for with hasUnit
	}
	if union&bit == 0 {
		if bit == hasUnit {
			for i := range dst {
				dst[i] = absent
			}
		}
		return // the rest is zero since it was allocated
	}
	same := c.below(columnDelta+1, "way to store the column "+what) == columnSame
	v := uint64(0)
	if same {
		v = c.uvarint()
	}
	b := c.b
	for i := range dst {
		if has[i]&bit == 0 {
			dst[i] = absent
			continue
		}
		if !same {
			d, n := uvarint(b)
			if n <= 0 {
				c.fail("%w", errNumber)
				return
			}
			v, b = v+unzigzag(d), b[n:]
		}
		if limit != 0 && v >= limit {
			c.fail("%s %d is out of range: there are %d", what, v, limit)
			return
		}
		dst[i] = E(v)
	}
	c.b = b
}

func resize(s []column, n int) []column {
	if cap(s) < n {
		return make([]column, n)
	}
	return s[:n]
}
