package history

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// mapper stands between the lines of a log and the events of a textReader, where there is a mapping.
type mapper struct {
	*Mapping
	line    mappedLine
	skipped []leftOut         // by rule, and one for what is no JSON object
	actors  map[string]uint64 // clients are numbered in order of appearance
	begin   instant           // what t counts from
	number  []byte
	last    int64 // t of the event before
	back    int   // how often t goes back
	backAt  int   // line of the first time
}

type leftOut struct{ lines, first int }

// instant is a moment on a clock: the wall clock, or whatever numbers with a unit count from.
type instant struct {
	ns   int64
	wall bool
	said bool
}

func newMapper(m *Mapping) *mapper {
	return &mapper{Mapping: m, skipped: make([]leftOut, len(m.rules)), actors: map[string]uint64{}, last: math.MinInt64}
}

func (m *mapper) skip(rule, line int) {
	s := &m.skipped[rule]
	if s.lines++; s.lines == 1 {
		s.first = line
	}
}

// mapped takes one line of a log: no event, one, or one more for each rule that says so.
func (p *textReader) mapped(b []byte) *problem {
	m := p.mapper
	if b[0] != '{' && m.text > 0 {
		m.skip(m.text-1, p.line)
		return nil
	}
	if bad := m.line.read(m.Mapping, b, p.unknownField); bad != nil {
		if b[0] != '{' {
			bad.reason += "; the rule skip text leaves out lines that are none"
		}
		return bad
	}
	for i, r := range m.rules {
		if r.what == ruleSkip && len(r.where) > 0 && m.line.holds[i] {
			m.skip(i, p.line)
			return nil
		}
	}
	events := 0
	for i, r := range m.rules {
		if r.what == ruleFirst && m.line.holds[i] {
			if bad := p.emit(i); bad != nil {
				return bad
			}
			events++
		}
	}
	v, _, _, said := m.line.find(m.Mapping, fieldKind, -1)
	switch {
	case said && v.raw != nil && v.kind != 'l':
		return p.emit(-1)
	case events > 0:
	case m.rest > 0:
		m.skip(m.rest-1, p.line)
	default:
		return &problem{-1, "no rule gives it a kind: want a rule that does, or one that leaves it out: skip where ..., or skip otherwise"}
	}
	return nil
}

// emit appends the event of a line; first is the rule that asks for one more, -1 for the line's own.
func (p *textReader) emit(first int) *problem {
	m := p.mapper
	e := lineEvent{reader: p, Event: Event{Unit: NoUnit}}
	var gives [numFields]bool
	for f := range numFields {
		if first >= 0 && f == fieldSeq {
			continue // a number is for one event
		}
		v, unit, by, said := m.line.find(m.Mapping, f, first)
		gives[f] = said
		if !said || v.raw == nil {
			continue
		}
		at := v.at
		if by != nil {
			var err error
			if v, err = p.convert(f, v, unit); err != nil {
				return &problem{at, fmt.Sprintf("%s: %s; by the rule %s", fieldNames[f], err, excerpt(by.text, 0))}
			}
		}
		if bad := e.field([]byte(fieldNames[f]), at, &v); bad != nil {
			if by != nil {
				bad.reason += "; by the rule " + excerpt(by.text, 0)
			}
			return bad
		}
	}
	for _, f := range []int{fieldUnit, fieldActor, fieldT} {
		if m.assigned[f] && !gives[f] && needs(e.Kind, f) {
			return &problem{-1, fmt.Sprintf(`no rule gives this %s its %s: want %s in the line, or a rule that says that it has none, as in %s="" where ...`,
				e.Kind, fieldNames[f], strings.Join(slices.Sorted(slices.Values(m.sources(f))), " or "), fieldNames[f])}
		}
	}
	if bad := e.check(); bad != nil {
		return bad
	}
	if m.assigned[fieldT] && !m.byTime {
		if int64(e.T) < m.last {
			if m.back++; m.back == 1 {
				m.backAt = p.line
			}
		}
		m.last = int64(e.T)
	}
	p.h.appendRefs(&e)
	return nil
}

// needs tells which events say little or nothing without a field, where the mapping knows how to get it.
func needs(k Kind, field int) bool {
	operation := k == KindInvoke || k == KindOK || k == KindFail || k == KindInfo
	switch field {
	case fieldActor:
		return operation
	case fieldUnit:
		return operation || k == KindEffect || k == KindStart || k == KindFinish
	}
	return true
}

// convert makes of a log's value what the field of an event holds.
func (p *textReader) convert(field int, v token, unit time.Duration) (token, error) {
	switch field {
	case fieldT, fieldAt:
		if v.kind == 'n' && unit == 0 {
			return v, nil
		}
		ns, err := p.instant(v, unit)
		p.mapper.number = strconv.AppendInt(p.mapper.number[:0], ns, 10)
		return token{kind: 'n', raw: p.mapper.number, at: v.at}, err
	case fieldActor:
		if v.kind == '{' || v.kind == '[' {
			return v, errors.New("want a text or a number that tells clients apart")
		}
		return p.mapper.client(v), nil
	case fieldAttempt, fieldToken, fieldSeq:
		if digits := v.text(); v.kind == 's' && len(digits) > 0 && plainInteger(digits) {
			return token{kind: 'n', raw: digits, at: v.at}, nil
		}
	}
	return v, nil
}

// client numbers whatever tells clients apart, from 1.
func (m *mapper) client(v token) token {
	name := v.text()
	n, known := m.actors[string(name)]
	if !known {
		n = uint64(len(m.actors)) + 1
		m.actors[string(name)] = n
	}
	m.number = strconv.AppendUint(m.number[:0], n, 10)
	return token{kind: 'n', raw: m.number, at: v.at}
}

// instant gives nanoseconds since the first instant of the history.
func (p *textReader) instant(v token, unit time.Duration) (int64, error) {
	now := instant{said: true, wall: unit == 0}
	if unit == 0 {
		at, err := time.Parse(time.RFC3339Nano, string(v.text()))
		if v.kind != 's' || err != nil || at.Year() < 1700 || at.Year() > 2250 {
			return 0, errors.New(`want an instant as 2026-11-21T20:04:11.204Z, or a number with its unit, as in t=ts in ms`)
		}
		now.ns = at.UnixNano()
		if !p.mapper.begin.said {
			p.h.Header.Start = at.UTC()
		}
	} else {
		ns, ok := decimalNanoseconds(v.text(), unit)
		if v.kind != 'n' && v.kind != 's' || !ok {
			return 0, fmt.Errorf("want a plain decimal number in %s, of at most 292 years", unitName(unit))
		}
		now.ns = ns
	}
	begin := &p.mapper.begin
	if !begin.said {
		*begin = now
	}
	d := now.ns - begin.ns
	switch {
	case begin.wall != now.wall:
		return 0, errors.New("some instants of this history are dates and others numbers: nobody knows how they belong together")
	case (d < 0) != (now.ns < begin.ns):
		return 0, errors.New("it is more than 292 years from the first instant of the history")
	}
	return d, nil
}

func unitName(unit time.Duration) string {
	for name, u := range instantUnits {
		if u == unit {
			return name
		}
	}
	return unit.String()
}

// decimalNanoseconds reads 1763755451.204 with its unit, exactly; what is finer than a nanosecond is cut off.
func decimalNanoseconds(b []byte, unit time.Duration) (int64, bool) {
	whole, fraction, _ := bytes.Cut(b, []byte("."))
	negative := len(whole) > 0 && whole[0] == '-'
	n, err := strconv.ParseInt(string(whole), 10, 64)
	if err != nil || n > math.MaxInt64/int64(unit) || n < -math.MaxInt64/int64(unit) {
		return 0, false
	}
	n *= int64(unit)
	for _, c := range fraction {
		if c < '0' || c > '9' {
			return 0, false
		}
		unit /= 10
		if d := int64(c-'0') * int64(unit); negative {
			n -= d
		} else {
			n += d
		}
	}
	return n, true
}

// finish puts the events in the order of their instants where the mapping says so, and tells what was left out.
func (m *mapper) finish(h *History) {
	if m.byTime {
		h.sortByTime()
	}
	for i, s := range m.skipped {
		if s.lines > 0 {
			h.Warnings = append(h.Warnings, fmt.Sprintf("%s left out by the rule %s, first line %d",
				wereLeft(s.lines), excerpt(m.rules[i].text, 0), s.first))
		}
	}
	if m.back > 0 {
		h.Warnings = append(h.Warnings, fmt.Sprintf("t goes back %s, first at line %d: the order of the lines decides; the rule order by t has "+
			"the instants decide", counted(m.back, "time"), m.backAt))
	}
}

func wereLeft(lines int) string {
	if lines == 1 {
		return "1 line was"
	}
	return counted(lines, "line") + " were"
}

// unread says in one warning which fields of the lines no rule reads.
func (m *mapper) unread(fields map[string]*unknownField, others int) (warnings []string) {
	if len(fields) == 0 {
		return nil
	}
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(fields[a].first, fields[b].first), cmp.Compare(a, b))
	})
	for i, name := range names {
		names[i] = excerpt(name, 0)
	}
	text := "no rule reads these fields, and they were left out: " + strings.Join(names, ", ")
	if others > 0 {
		text += ", and more"
	}
	return []string{text}
}

// sortByTime puts events in the order of T; those of one instant keep theirs. T then counts from the first.
func (h *History) sortByTime() {
	n := h.Len()
	if n == 0 {
		return
	}
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(h.T[a], h.T[b]) })
	permute(h.T, order)
	permute(h.At, order)
	permute(h.Token, order)
	permute(h.Kind, order)
	permute(h.Outcome, order)
	permute(h.Unit, order)
	permute(h.Actor, order)
	permute(h.Attempt, order)
	for _, column := range [][]Ref{h.Op, h.Step, h.Comp, h.Key, h.Value, h.Trace} {
		permute(column, order)
	}
	begin := h.T[0]
	if begin >= 0 { // the first line is the first instant
		return
	}
	if !h.Header.Start.IsZero() {
		h.Header.Start = h.Header.Start.Add(time.Duration(begin))
	}
	for i := range h.T {
		h.T[i] -= begin
		if h.At[i] != 0 {
			h.At[i] -= begin
		}
	}
}

// permute puts column[order[i]] at i.
func permute[T any](column []T, order []int) {
	old := slices.Clone(column)
	for i, from := range order {
		column[i] = old[from]
	}
}
