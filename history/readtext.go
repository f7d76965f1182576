package history

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

const (
	maxLine       = 16 << 20 // bytes of a line, with a reply of 10 MB in it
	maxBadLines   = 20
	maxUnknown    = 20 // field names that warnings name
	maxSparseness = 64 // see units.resolve
)

// ReadJSONL reads a history in text form: one JSON object on each line, an event, with the fields that docs/history.md describes.
//
// A first line with "wreckon_history" is the header that WriteJSONL writes; with it, what comes back is what was written. Without
// one the claims are the defaults, and the lines may come from anywhere: seq may be missing (then the order of lines decides), a
// unit may be any string or number (units are numbered in order of appearance, and keep their ids: see UnitName), and
// fields with other names are left out and counted in Warnings.
//
// All bad lines are reported at once, as a *TextError, up to 20. A header of a newer version is a *VersionError.
func ReadJSONL(r io.Reader) (*History, error) {
	p := textReader{h: New(Header{Format: FormatVersion}), units: newUnits(), unknown: map[string]*unknownField{}}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	for n := 1; lines.Scan(); n++ {
		b := lines.Bytes()
		p.line = n
		if n == 1 {
			b = bytes.TrimPrefix(b, []byte(byteOrderMark))
		}
		if b = bytes.TrimRight(b, " \t\r"); len(b) == 0 {
			continue
		}
		if err := p.read(b); err != nil {
			return nil, err
		}
		if len(p.bad) == maxBadLines {
			return nil, &TextError{Lines: p.bad, More: true}
		}
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		p.report(p.line+1, 0, nil, fmt.Sprintf("it is longer than %d bytes", maxLine))
	case err != nil:
		return nil, fmt.Errorf("read history: %w", err)
	}
	if len(p.bad) > 0 {
		return nil, &TextError{Lines: p.bad}
	}
	return p.finish()
}

// textReader turns lines into events.
type textReader struct {
	h       *History
	line    int // number of the line at hand
	started bool
	head    *textHeader
	seq     uint64 // of the last event that has one
	seqLine int    // where that was; 0: nowhere yet
	gaps    int    // how often seq leaves numbers out
	gapLine int    // where it first does
	units   units
	unknown map[string]*unknownField
	others  int // unknown fields beyond those that are named
	bad     []LineError
}

type unknownField struct{ lines, first int }

// read takes one line. Its error ends the reading; a bad line is only reported.
func (p *textReader) read(b []byte) error {
	if !p.started {
		p.started = true
		if version := headerVersion(b); version != nil {
			return p.header(b, version)
		}
	}
	e := lineEvent{reader: p, Event: Event{Unit: NoUnit}}
	s := lineScanner{b: b}
	bad := s.object(e.field)
	if bad == nil {
		bad = e.check()
	}
	if bad != nil {
		p.report(p.line, bad.at+1, b, bad.reason)
		return nil
	}
	p.h.appendRefs(&e)
	return nil
}

// headerVersion gives what a header says about its version, nil where the line is no header.
func headerVersion(b []byte) json.RawMessage {
	var head struct {
		Version json.RawMessage `json:"wreckon_history"`
	}
	if !bytes.Contains(b, []byte(`"wreckon_history"`)) || json.Unmarshal(b, &head) != nil {
		return nil
	}
	return head.Version
}

func (p *textReader) header(b []byte, version json.RawMessage) error {
	v, err := strconv.Atoi(string(version))
	if err != nil || v < 1 {
		err = fmt.Errorf("there is no version %s", excerpt(string(version), 0))
	}
	if v > FormatVersion {
		return &VersionError{Found: v, Known: FormatVersion}
	}
	var head textHeader
	if err == nil {
		err = json.Unmarshal(b, &head)
	}
	if err != nil {
		p.report(p.line, 0, b, fmt.Sprintf("the header cannot be read: %v", err))
		return nil
	}
	p.head = &head
	p.h.Header = head.Header
	p.h.Header.Format = head.Version
	p.h.Sealed, p.h.Lost, p.h.Warnings = head.Sealed, head.Lost, head.Warnings
	return nil
}

func (p *textReader) report(line, column int, b []byte, reason string) {
	p.bad = append(p.bad, LineError{Line: line, Column: column, Reason: reason, Excerpt: excerpt(string(b), max(0, column-1))})
}

// finish checks what only the whole can show.
func (p *textReader) finish() (*History, error) {
	h := p.h
	if p.head == nil && h.Len() == 0 {
		return nil, fmt.Errorf("%w: there is no event and no header in it", ErrNotHistory)
	}
	named := p.head == nil || p.head.Foreign
	h.UnitNames = p.units.resolve(h, named)
	if p.head != nil && p.head.Events != nil && *p.head.Events != h.Len() {
		h.Sealed = false
		h.Lost = strings.TrimPrefix(h.Lost+fmt.Sprintf("; the header counts %d events, %d are here", *p.head.Events, h.Len()), "; ")
	}
	if p.gaps > 0 {
		h.Warnings = append(h.Warnings, fmt.Sprintf("seq leaves numbers out %d times, first at line %d: events were left out before this was read, "+
			"and are numbered anew here", p.gaps, p.gapLine))
	}
	h.Warnings = append(h.Warnings, p.unknownFields()...)
	return h, nil
}

// appendRefs is Append for an event whose strings are interned.
func (h *History) appendRefs(e *lineEvent) {
	h.T, h.At, h.Token = append(h.T, int64(e.T)), append(h.At, int64(e.At)), append(h.Token, e.Token)
	h.Kind, h.Outcome = append(h.Kind, e.Kind), append(h.Outcome, e.Outcome)
	h.Unit, h.Actor, h.Attempt = append(h.Unit, e.Unit), append(h.Actor, e.Actor), append(h.Attempt, e.Attempt)
	h.Op, h.Step, h.Comp = append(h.Op, e.refs[stringOp]), append(h.Step, e.refs[stringStep]), append(h.Comp, e.refs[stringComp])
	h.Key, h.Value, h.Trace = append(h.Key, e.refs[stringKey]), append(h.Value, e.refs[stringValue]), append(h.Trace, e.refs[stringTrace])
}

// internBytes is intern without a new string for one that is known.
func (h *History) internBytes(b []byte) Ref {
	if r, ok := h.refs[string(b)]; ok {
		return r
	}
	return h.intern(string(b))
}

// lineEvent is the event of one line.
type lineEvent struct {
	Event
	refs   [numStrings]Ref
	reader *textReader
	seen   uint32 // fields, as bits
	seqAt  int
}

// field takes one field of the line.
func (e *lineEvent) field(name []byte, at int, v token) *syntax {
	f := fieldNumber(name)
	if f < 0 {
		e.reader.unknownField(name)
		return nil
	}
	if e.seen&(1<<f) != 0 {
		return &syntax{at, fmt.Sprintf("the field %q is there twice", name)}
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
		return &syntax{v.at, reason}
	}
	return nil
}

var stringOfField = [numFields]int{
	fieldOp: stringOp, fieldStep: stringStep, fieldComponent: stringComp, fieldKey: stringKey, fieldValue: stringValue, fieldTrace: stringTrace,
}

// text takes a field that is a string. A number, and for the value anything, is taken as the text that it is.
func (e *lineEvent) text(field int, v token) error {
	b := v.raw
	switch {
	case v.kind == 's':
		b = unquote(v.raw)
	case v.kind == 'n', field == fieldValue:
	default:
		return errors.New("want a string")
	}
	e.refs[stringOfField[field]] = e.reader.h.internBytes(b)
	return nil
}

// check looks at what the fields of a line are together, and at its place in the history.
func (e *lineEvent) check() *syntax {
	p := e.reader
	if e.seen&(1<<fieldKind) == 0 {
		return &syntax{-1, fmt.Sprintf("there is no kind: want one of %s", strings.Join(kindNames[1:], ", "))}
	}
	if e.seen&(1<<fieldSeq) == 0 {
		return nil
	}
	if p.seqLine > 0 {
		switch {
		case e.Seq == p.seq:
			return &syntax{e.seqAt, fmt.Sprintf("seq %d is the same as in line %d: want a new number for each event", e.Seq, p.seqLine)}
		case e.Seq < p.seq:
			return &syntax{e.seqAt, fmt.Sprintf("seq %d comes after seq %d of line %d: want the lines in the order of seq", e.Seq, p.seq, p.seqLine)}
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

func fieldNumber(name []byte) int {
	for f, known := range fieldNames {
		if string(name) == known {
			return f
		}
	}
	return -1
}

func (p *textReader) unknownField(name []byte) {
	u, known := p.unknown[string(name)]
	switch {
	case !known && len(p.unknown) == maxUnknown:
		p.others++
		return
	case !known:
		u = &unknownField{first: p.line}
		p.unknown[string(name)] = u
	}
	u.lines++
}

func kindOf(v token) (Kind, error) {
	if v.kind != 's' {
		return KindNone, errors.New("want a string")
	}
	for k, name := range kindNames { // the common case, without a string of its own
		if k > 0 && string(v.raw[1:len(v.raw)-1]) == name {
			return Kind(k), nil
		}
	}
	return ParseKind(string(unquote(v.raw)))
}

func outcomeOf(v token) (Outcome, error) {
	if v.kind != 's' {
		return OutcomeNone, errors.New("want a string")
	}
	for o, name := range outcomeNames {
		if string(v.raw[1:len(v.raw)-1]) == name {
			return Outcome(o), nil
		}
	}
	return ParseOutcome(string(unquote(v.raw)))
}

func unsigned(v token, most uint64) (uint64, error) {
	if v.kind == 'n' {
		if n, err := strconv.ParseUint(string(v.raw), 10, 64); err == nil && n <= most {
			return n, nil
		}
	}
	return 0, fmt.Errorf("want a whole number from 0 to %d", most)
}

func unsigned32(v token, dst *uint32) error {
	n, err := unsigned(v, math.MaxUint32)
	*dst = uint32(n)
	return err
}

func signed(v token, dst *int64) (err error) {
	if v.kind == 'n' {
		if *dst, err = strconv.ParseInt(string(v.raw), 10, 64); err == nil {
			return nil
		}
	}
	return errors.New("want nanoseconds as a whole number")
}
