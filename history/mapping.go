package history

import (
	"bytes"
	"fmt"
	"slices"
	"time"
)

// A Mapping says what the lines of a log that nobody wrote for us mean as events: which field is which, which lines are which kind of
// event, which are none. It is a list of rules, as docs/history.md describes them; its zero value has none.
//
//	unit=order.id                                        a field of the line, nested ones by dots
//	t=ts                                                 an instant: RFC 3339, or a number with its unit (t=ts in ms)
//	kind="effect", op="do", step="charge" where event="charge.captured"
//	first kind="invoke" where event="order.accepted"     one more event of the same line, before it
//	skip where level="debug"                             a line that is no event
//	skip otherwise                                       every line that no rule gives a kind
//	skip text                                            every line that is no JSON object
//	order by t                                           the instants decide the order, not the lines
//
// Of several rules for one field the first counts whose condition holds and whose source is there. A field that no rule speaks of is
// taken from the field of its own name. A constant "" says that an event has no such field.
type Mapping struct {
	rules    []rule
	paths    map[string]int  // what some rule reads -> its slot
	parents  map[string]bool // objects that a path leads through
	assigned [numFields]bool // fields that some rule gives
	byTime   bool
	text     int // rule that leaves out what is no JSON object, from 1; 0: none
	rest     int // rule that leaves out what has no kind, from 1; 0: none
}

// rule is one line of a mapping.
type rule struct {
	what  verb
	text  string // as it was written
	where []test
	sets  []assignment
}

type verb uint8

const (
	ruleSet   verb = iota // gives fields
	ruleFirst             // gives one more event, and its fields
	ruleSkip              // leaves lines out
)

// test is one condition on a line.
type test struct {
	slot    int
	compare bool // otherwise: that it is there
	not     bool
	want    []byte
}

// assignment gives one field of an event.
type assignment struct {
	field    int
	slot     int           // where it comes from; -1: constant
	constant token         // no raw: the event has no such field
	unit     time.Duration // of a number that is an instant; 0: not said
}

// mappedLine is what the rules see of one line.
type mappedLine struct {
	slots []token          // by the slots of a mapping; no raw: not there
	own   [numFields]token // fields under the names of the event's own
	holds []bool           // whether the condition of each rule is met
	path  []byte           // of the member at hand
}

// read takes one line to pieces. left tells of members that no rule speaks of.
func (l *mappedLine) read(m *Mapping, b []byte, left func(name []byte)) *problem {
	l.slots = slices.Grow(l.slots[:0], len(m.paths))[:len(m.paths)]
	clear(l.slots)
	l.own, l.path = [numFields]token{}, l.path[:0]
	s := lineScanner{b: b}
	if bad := s.object(func(name []byte, at int, v *token) *problem { return l.member(m, b, name, at, v, left) }); bad != nil {
		return bad
	}
	l.holds = slices.Grow(l.holds[:0], len(m.rules))[:len(m.rules)]
	for i, r := range m.rules {
		l.holds[i] = l.meets(r.where)
	}
	return nil
}

// member keeps what some rule reads, here and inside of it.
func (l *mappedLine) member(m *Mapping, b, name []byte, at int, v *token, left func(name []byte)) *problem {
	outer := len(l.path)
	defer func() { l.path = l.path[:outer] }()
	if outer > 0 {
		l.path = append(l.path, '.')
	}
	l.path = append(l.path, name...)
	slot, read := m.paths[string(l.path)]
	var into *token
	switch f := fieldNumber(name); {
	case read:
		into = &l.slots[slot]
	case outer == 0 && f >= 0 && !m.assigned[f]:
		into = &l.own[f]
	case outer == 0 && !m.parents[string(l.path)]:
		left(name)
	}
	if into != nil {
		if into.raw != nil {
			return &problem{at, fmt.Sprintf("the field %q is there twice", l.path)}
		}
		*into = *v
	}
	if v.kind != '{' || !m.parents[string(l.path)] {
		return nil
	}
	inner := lineScanner{b: b[:v.at+len(v.raw)], i: v.at}
	return inner.object(func(name []byte, at int, v *token) *problem { return l.member(m, b, name, at, v, left) })
}

// meets tells whether all tests hold.
func (l *mappedLine) meets(where []test) bool {
	for _, t := range where {
		v := &l.slots[t.slot]
		there := v.raw != nil && v.kind != 'l'
		switch {
		case !t.compare && there == t.not:
			return false
		case t.compare && (there && bytes.Equal(v.text(), t.want)) == t.not:
			return false
		}
	}
	return true
}

// find gives what a field of the event is: from the event's own rule, from the first rule that has something to give, or from the
// field of its name. said is false where nobody says anything; a value without raw says that there is none.
func (l *mappedLine) find(m *Mapping, field, first int) (v token, unit time.Duration, by *rule, said bool) {
	if first >= 0 {
		if v, unit, said := l.give(&m.rules[first], field); said {
			return v, unit, &m.rules[first], true
		}
	}
	if !m.assigned[field] {
		v = l.own[field]
		return v, 0, nil, v.raw != nil
	}
	for i := range m.rules {
		if r := &m.rules[i]; r.what == ruleSet && l.holds[i] {
			if v, unit, said := l.give(r, field); said {
				return v, unit, r, true
			}
		}
	}
	return token{}, 0, nil, false
}

func (l *mappedLine) give(r *rule, field int) (v token, unit time.Duration, said bool) {
	for _, a := range r.sets {
		switch {
		case a.field != field:
		case a.slot < 0:
			return a.constant, 0, true
		case l.slots[a.slot].raw != nil && l.slots[a.slot].kind != 'l':
			return l.slots[a.slot], a.unit, true
		}
	}
	return token{}, 0, false
}

// sources lists what the rules for a field read, for a message.
func (m *Mapping) sources(field int) (names []string) {
	for _, r := range m.rules {
		for _, a := range r.sets {
			for path, slot := range m.paths {
				if a.field == field && a.slot == slot && !slices.Contains(names, path) {
					names = append(names, path)
				}
			}
		}
	}
	return names
}
