package history

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

const (
	readAhead     = 256 << 10
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
func ReadJSONL(r io.Reader) (*History, error) { return readText(r, Import{}) }

func readText(r io.Reader, im Import) (*History, error) {
	p := textReader{h: New(Header{Format: FormatVersion}), units: newUnits(), unknown: map[string]*unknownField{}, claims: im.Claims}
	if im.Mapping != nil {
		p.mapper = newMapper(im.Mapping)
	}
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, readAhead), maxLine)
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
	mapper  *mapper // nil: the fields of a line are those of an event
	claims  *Claims // in place of the header's
	line    int     // number of the line at hand
	started bool
	head    *textHeader
	seq     uint64 // of the last event that has one
	seqLine int    // where that was; 0: nowhere yet
	gaps    int    // how often seq leaves numbers out
	gapLine int    // where it first does
	units   units
	strings recent
	scan    lineScanner // of the line at hand
	event   lineEvent
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
	if p.mapper != nil {
		if bad := p.mapped(b); bad != nil {
			p.report(p.line, bad.at+1, b, bad.reason)
		}
		return nil
	}
	e := &p.event
	*e = lineEvent{reader: p, Event: Event{Unit: NoUnit}, last: numFields - 1}
	p.scan.b, p.scan.i = b, 0
	bad := p.scan.object(e.field)
	if bad == nil {
		bad = e.check()
	}
	if bad != nil {
		p.report(p.line, bad.at+1, b, bad.reason)
		return nil
	}
	p.h.appendRefs(e)
	return nil
}

// intern is History.intern for bytes, without a new string for one that is known.
func (p *textReader) intern(b []byte) Ref {
	at := p.strings.place(b)
	if r := p.strings[at]; p.h.Strings[r] == string(b) {
		return Ref(r)
	}
	r, ok := p.h.refs[string(b)]
	if !ok {
		r = p.h.intern(string(b))
	}
	p.strings[at] = uint32(r)
	return r
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
		if p.mapper != nil && p.line > 0 {
			return nil, fmt.Errorf("%w: the mapping makes no event of any of its lines", ErrNotHistory)
		}
		return nil, fmt.Errorf("%w: there is no event and no header in it", ErrNotHistory)
	}
	if p.claims != nil {
		h.Header.Claims = *p.claims
	}
	if p.mapper != nil {
		p.mapper.finish(h)
	}
	named := p.head == nil || p.head.Foreign
	h.UnitNames = p.units.resolve(h, named)
	if p.head != nil && p.head.Events != nil && *p.head.Events != h.Len() {
		h.Sealed = false
		h.Lost = strings.TrimPrefix(h.Lost+fmt.Sprintf("; the header counts %s, %d came with it", counted(*p.head.Events, "event"), h.Len()), "; ")
	}
	if p.gaps > 0 {
		h.Warnings = append(h.Warnings, fmt.Sprintf("seq leaves numbers out %s, first at line %d: events were left out before this was read, "+
			"and are numbered anew here", counted(p.gaps, "time"), p.gapLine))
	}
	h.Warnings = append(h.Warnings, p.unknownFields()...)
	return h, nil
}

// unknownField counts a field that is left out.
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

// unknownFields says which fields were left out.
func (p *textReader) unknownFields() (warnings []string) {
	if p.mapper != nil {
		return p.mapper.unread(p.unknown, p.others)
	}
	names := make([]string, 0, len(p.unknown))
	for name := range p.unknown {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(p.unknown[a].first, p.unknown[b].first), cmp.Compare(a, b))
	})
	for _, name := range names {
		u := p.unknown[name]
		w := fmt.Sprintf("the field %q is not known and was left out: %s, first in line %d", excerpt(name, 0), counted(u.lines, "line"), u.first)
		if near := nearest(name, fieldNames[:]); near != "" {
			w += fmt.Sprintf("; did you mean %q?", near)
		}
		warnings = append(warnings, w)
	}
	if p.others > 0 {
		warnings = append(warnings, fmt.Sprintf("further fields that are not known were left out %s", counted(p.others, "time")))
	}
	return warnings
}
