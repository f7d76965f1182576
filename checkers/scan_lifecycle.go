package checkers

import (
	"slices"

	"github.com/wreckon/wreckon/history"
)

// This file is the rule for legal-lifecycle. A unit is in no doubt if, one event after the other, it was seen in states that each lead to the
// next, and its source recorded states that may follow each other at once. The guarantee judges less than that: what came before what it
// takes for certain only where it is.

// keeping is what the scan knows of who keeps the state of units.
type keeping struct {
	lifecycle *lifecycle // nil: legal-lifecycle has nothing to say
	tells     []states   // of each audit trail: the states that it records
	read      []string   // the components that units' final states were read from
}

// heed makes ready for the rule.
func (s *scan) heed() {
	if slices.ContainsFunc(s.rules, func(r rule) bool { return r.guarantee == "legal-lifecycle" }) {
		l := lifecycleOf(&Case{vocabulary: s.vocabulary})
		s.keeping.lifecycle = &l
	}
}

// readFrom notes where the final state of a unit was read. Where that is in several places, nobody knows which is the last before the end.
func (s *scan) readFrom(component string) {
	if s.keeping.lifecycle == nil || slices.Contains(s.keeping.read, component) {
		return
	}
	s.keeping.read = append(s.keeping.read, component)
	s.giveUp = s.giveUp || len(s.keeping.read) > 1
}

// recordsState says which state, one above its number, the audit events of a transition tell of; 0: of none, or of one of several.
func (s *scan) recordsState(transition, trail int) uint8 {
	state := slices.Index(s.stateAudit, transition)
	if s.keeping.lifecycle == nil || state < 0 || slices.Contains(s.stateAudit[state+1:], transition) {
		return 0
	}
	for len(s.keeping.tells) <= trail {
		s.keeping.tells = append(s.keeping.tells, 0)
	}
	s.keeping.tells[trail] |= 1 << state
	return uint8(state) + 1
}

// keeps tells that a source keeps the state of units.
func (s *scan) keeps(source string) bool {
	named := 0
	for _, t := range s.trails {
		if t.known || t.headed {
			named++
		}
	}
	return named == 1 || slices.Contains(s.keeping.read, source)
}

// keepers gives the sources that keep the state of units, and the states that they record.
func (w *whole) keepers(h *history.History) map[history.Ref]states {
	of := make(map[history.Ref]states)
	for _, name := range w.keeping.read {
		ref, ok := h.Ref(name)
		if !ok {
			ref = noRef
		}
		of[ref] = 0
	}
	for name, k := range w.source {
		if ref, ok := h.Ref(name); ok && w.keeps(name) {
			of[ref] = 0
			if k < len(w.keeping.tells) {
				of[ref] = w.keeping.tells[k]
			}
		}
	}
	return of
}

// sightings is where a unit was seen.
type sightings struct {
	shown  uint8 // times that somebody was shown its state, up to two
	told   uint8 // times that a source recorded its state, up to two
	source uint8 // which source, from 1; 0: none
	now    uint8 // the state that it was seen in last, from 1; 0: none
	noted  uint8 // the same, recorded
}

// sees takes a state that somebody was shown; blank is an answer that names none.
func (l *lifecycle) sees(x *life, state int, blank bool) {
	switch {
	case l == nil || blank:
	case state < 0:
		x.doubt()
	case l.stateKinds[state] != absent:
		x.shown = min(x.shown+1, 2)
		l.reached(x, uint8(state)+1)
	}
}

// hears takes an audit event that records a state.
func (l *lifecycle) hears(x *life, t *turn) {
	if l == nil || t.tells == 0 {
		return
	}
	if t.loose || t.again || t.late || x.source != 0 && x.source != t.source || x.noted != 0 && !l.next[x.noted-1].has(int(t.tells-1)) {
		x.doubt()
		return
	}
	x.told, x.source, x.noted = min(x.told+1, 2), t.source, t.tells
	l.reached(x, t.tells)
}

func (l *lifecycle) reached(x *life, state uint8) {
	if x.now != 0 && !l.leads(int(x.now-1), int(state-1)) {
		x.doubt()
	}
	x.now = state
}

// seenTwice tells that there is something to compare.
func (e *ending) seenTwice(x *life) bool {
	n := x.shown
	if x.source > 0 && e.keeps[x.source-1] {
		n += x.told
	}
	return n > 1
}
