package history

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// lineEvent is the event of one line.
type lineEvent struct {
	Event
	refs   [numStrings]Ref
	reader *textReader
	seen   uint32 // fields, as bits
	last   int    // the field before this one
	seqAt  int
}

// field takes one field of the line.
func (e *lineEvent) field(name []byte, at int, v *token) *problem {
	f := fieldAfter(e.last, name)
	if f < 0 {
		e.reader.unknownField(name)
		return nil
	}
	e.last = f
	if e.seen&(1<<f) != 0 {
		return &problem{at, fmt.Sprintf("the field %q is there twice", name)}
	}
	e.seen |= 1 << f
	if v.kind == 'l' {
		if f == fieldSeq || f == fieldKind {
			e.seen &^= 1 << f
		}
		return nil // null is not said
	}
	var err error
	switch f {
	case fieldSeq:
		e.Seq, err = unsigned(v, math.MaxUint64)
		e.seqAt = v.at
	case fieldT:
		err = signed(v, (*int64)(&e.T))
	case fieldAt:
		err = signed(v, (*int64)(&e.At))
	case fieldKind:
		e.Kind, err = kindOf(v)
	case fieldOutcome:
		e.Outcome, err = outcomeOf(v)
	case fieldUnit:
		e.Unit, err = e.reader.units.number(v)
	case fieldActor:
		err = unsigned32(v, &e.Actor)
	case fieldAttempt:
		err = unsigned32(v, &e.Attempt)
	case fieldToken:
		e.Token, err = unsigned(v, math.MaxUint64)
	default:
		err = e.text(f, v)
	}
	if err != nil {
		reason := err.Error()
		if !strings.HasPrefix(reason, fieldNames[f]) { // an unknown word says itself what it is
			reason = fieldNames[f] + ": " + reason
		}
		return &problem{v.at, reason}
	}
	return nil
}

var stringOfField = [numFields]int{
	fieldOp: stringOp, fieldStep: stringStep, fieldComponent: stringComp, fieldKey: stringKey, fieldValue: stringValue, fieldTrace: stringTrace,
}

// text takes a field that is a string. A number, and for the value anything, is taken as the text that it is.
func (e *lineEvent) text(field int, v *token) error {
	b := v.raw
	switch {
	case v.kind == 's':
		b = v.text()
	case v.kind == 'n', field == fieldValue:
	default:
		return errors.New("want a string")
	}
	e.refs[stringOfField[field]] = e.reader.intern(b)
	return nil
}

// check looks at what the fields of a line are together, and at its place in the history.
func (e *lineEvent) check() *problem {
	p := e.reader
	if e.seen&(1<<fieldKind) == 0 {
		return &problem{-1, fmt.Sprintf("there is no kind: want one of %s", strings.Join(kindNames[1:], ", "))}
	}
	if e.seen&(1<<fieldSeq) == 0 {
		return nil
	}
	if p.seqLine > 0 {
		switch {
		case e.Seq == p.seq:
			return &problem{e.seqAt, fmt.Sprintf("seq %d is the same as in line %d: want a new number for each event", e.Seq, p.seqLine)}
		case e.Seq < p.seq:
			return &problem{e.seqAt, fmt.Sprintf("seq %d comes after seq %d of line %d: want the lines in the order of seq", e.Seq, p.seq, p.seqLine)}
		}
	}
	if p.seqLine > 0 && e.Seq != p.seq+1 || p.seqLine == 0 && e.Seq > 1 {
		if p.gaps++; p.gaps == 1 {
			p.gapLine = p.line
		}
	}
	p.seq, p.seqLine = e.Seq, p.line
	return nil
}

func fieldNumber(name []byte) int { return fieldAfter(numFields-1, name) }

// fieldAfter looks for a field from the one behind another on: lines have their fields in one order.
func fieldAfter(last int, name []byte) int {
	f := last
	for range numFields {
		if f++; f == numFields {
			f = 0
		}
		if string(name) == fieldNames[f] {
			return f
		}
	}
	return -1
}

func kindOf(v *token) (Kind, error) {
	if v.kind != 's' {
		return KindNone, errors.New("want a string")
	}
	return ParseKind(string(v.text()))
}

func outcomeOf(v *token) (Outcome, error) {
	if v.kind != 's' {
		return OutcomeNone, errors.New("want a string")
	}
	return ParseOutcome(string(v.text()))
}

func unsigned(v *token, most uint64) (uint64, error) {
	if n, ok := v.digits(); ok && n <= most {
		return n, nil
	}
	if v.kind == 'n' {
		if n, err := strconv.ParseUint(string(v.raw), 10, 64); err == nil && n <= most {
			return n, nil
		}
	}
	return 0, fmt.Errorf("want a whole number from 0 to %d", most)
}

func unsigned32(v *token, dst *uint32) error {
	n, err := unsigned(v, math.MaxUint32)
	*dst = uint32(n)
	return err
}

// digits is the number that at most eighteen digits are.
func (v *token) digits() (n uint64, ok bool) {
	if v.kind != 'n' || !v.plain || len(v.raw) > 18 {
		return 0, false
	}
	for _, c := range v.raw {
		n = n*10 + uint64(c-'0')
	}
	return n, true
}

func signed(v *token, dst *int64) (err error) {
	if n, ok := v.digits(); ok {
		*dst = int64(n)
		return nil
	}
	if v.kind == 'n' {
		if *dst, err = strconv.ParseInt(string(v.raw), 10, 64); err == nil {
			return nil
		}
	}
	return errors.New("want nanoseconds as a whole number")
}

// appendRefs is Append for an event whose strings are interned.
func (h *History) appendRefs(e *lineEvent) {
	h.T, h.At, h.Token = append(h.T, int64(e.T)), append(h.At, int64(e.At)), append(h.Token, e.Token)
	h.Kind, h.Outcome = append(h.Kind, e.Kind), append(h.Outcome, e.Outcome)
	h.Unit, h.Actor, h.Attempt = append(h.Unit, e.Unit), append(h.Actor, e.Actor), append(h.Attempt, e.Attempt)
	h.Op, h.Step, h.Comp = append(h.Op, e.refs[stringOp]), append(h.Step, e.refs[stringStep]), append(h.Comp, e.refs[stringComp])
	h.Key, h.Value, h.Trace = append(h.Key, e.refs[stringKey]), append(h.Value, e.refs[stringValue]), append(h.Trace, e.refs[stringTrace])
}
