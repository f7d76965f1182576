package checkers

import (
	"cmp"
	"slices"
	"strings"

	"github.com/wreckon/wreckon/history"
)

// This file is the sequential model that linearizable-state compares a unit's operations with.
//
// A unit is absent, or has a state, a version and a note. Clients do three things to it: submit creates it, amend changes its note if
// its version is still the one expected, read shows all three. The target itself moves it from state to state, at any time, unseen;
// each such transition adds one to the version, and each amendment does too. So between two operations:
//
//   - the version never falls, and where it is the same, state and note are the same;
//   - where it rose by more than the amendments in between, the target moved the unit: it was in a state that can be left then.
//     Completed, compensated and expired cannot be left. A person may release what is quarantined;
//   - the note is that of the last amendment.
//
// An answer to a repeated submit is the stored first answer, so that it says nothing about now. An amendment that was refused
// because of the version names the version it found, which cannot be the one expected. An operation without an answer may have
// happened at any time after its call, or never.
//
// What an operation leaves open (the state after transitions that only a version told of, the version after a submit without an
// answer) is a wildcard in the model's state, fixed by the first operation that shows it. That never refuses what some choice
// would have allowed, since a wildcard stands for every choice; so a correct target never fails.

// lifeOp is what one operation did, as the model sees it.
type lifeOp struct {
	kind     lifeKind
	info     bool // nobody knows whether it took effect
	state    int32
	life     stateKind
	noted    bool // the answer tells the note
	note     history.Ref
	proposed bool // some amendment of this unit, whatever became of it, has this note
	expected uint64
	version  uint64 // the answer's; 0: it names none
}

type lifeKind uint8

const (
	lifeSubmit  lifeKind = iota
	lifeRead             // shows state, version and note
	lifeAbsent           // a read that found nothing
	lifeAmend            // took effect, or may have
	lifeRefused          // an amendment refused because of the version
)

// lifeState is a unit as the model has it; its zero value is absent.
type lifeState struct {
	version   uint64 // 0: any
	note      history.Ref
	state     int32 // a number that life operations share; anyState: not known
	life      stateKind
	created   bool
	noteKnown bool
}

const anyState = -1

// step tells whether an operation is legal in a state, and the state after it. versions tells that the target names versions.
func (s lifeState) step(o *lifeOp, versions bool) (lifeState, bool) {
	switch o.kind {
	case lifeSubmit:
		if s.created {
			return s, true
		}
		return lifeState{created: true, state: o.state, life: o.life, version: o.version}, true
	case lifeAbsent:
		return s, !s.created
	case lifeRead:
		next, ok := s.advance(o.version, versions)
		if !ok || !next.shows(o) {
			return s, false
		}
		return next, true
	case lifeRefused:
		next, ok := s.advance(o.version, versions)
		return next, ok && (!versions || o.version != o.expected)
	}
	next, ok := s.advance(o.expected, versions)
	if !ok || !o.info && versions && o.version != o.expected+1 {
		return s, o.info // without effect, an amendment that nobody knows of is legal anywhere
	}
	if versions {
		next.version = o.expected + 1
	}
	next.note, next.noteKnown = o.note, true
	return next, true
}

// advance lets the target move the unit until it has a version.
func (s lifeState) advance(version uint64, versions bool) (lifeState, bool) {
	switch {
	case !s.created:
		return s, false
	case !versions:
		if !s.life.final() {
			s.state = anyState
		}
		return s, true
	case s.version == 0:
		s.version = version
		return s, true
	case version < s.version:
		return s, false
	case version > s.version:
		if s.state != anyState && s.life.final() {
			return s, false
		}
		s.version, s.state, s.life = version, anyState, open
	}
	return s, true
}

// shows fixes what a read shows; false where it contradicts what is known.
func (s *lifeState) shows(o *lifeOp) bool {
	if s.state != anyState && s.state != o.state {
		return false
	}
	s.state, s.life = o.state, o.life
	if !o.noted {
		return true
	}
	if !s.noteKnown && o.proposed {
		return false // an amendment's note, before any amendment
	}
	if s.noteKnown && s.note != o.note {
		return false
	}
	s.note, s.noteKnown = o.note, true
	return true
}

// call is one operation of a unit with the stretch of the history in which it took effect.
type call struct {
	lifeOp
	op         *operation
	begin, end int64 // sequence numbers; an operation without an answer ends after everything
	final      bool  // not a client's: the state observed at the end
}

// calls lists what the model has to explain of a unit, in order of their begin. versions tells whether answers name versions.
func (c *Case) calls(u int, states *interned) (list []call, versions bool) {
	ops := c.operationsOf(u)
	forever := int64(c.H.Len())
	proposed := make(map[string]bool)
	for _, o := range ops {
		if i := c.ops[o].call; c.H.Op[i] == c.amend {
			proposed[c.str(c.H.Value[i])] = true
		}
	}
	versions = true
	doubtful := false // a submit without an answer is in the list: the first of them can stand for all
	for _, o := range ops {
		op := &c.ops[o]
		x := call{op: op, begin: int64(op.call), end: forever}
		kind := history.KindInfo
		if op.ret != none {
			kind, x.end = c.H.Kind[op.ret], int64(op.ret)
		}
		if kind == history.KindInfo {
			x.info, x.end = true, forever
		}
		if !c.understand(&x, kind, states, proposed) {
			continue
		}
		if x.kind == lifeSubmit && x.info {
			if doubtful {
				continue
			}
			doubtful = true
		}
		if !x.info && x.kind != lifeAbsent && x.version == 0 {
			versions = false
		}
		list = append(list, x)
	}
	if x, ok := c.finalRead(u, states, proposed); ok && len(list) > 0 {
		versions = versions && x.version > 0
		list = append(list, x)
	}
	return mergeRetries(c, list), versions
}

// understand reads one operation into the model's terms; false for one that says nothing.
func (c *Case) understand(x *call, kind history.Kind, states *interned, proposed map[string]bool) bool {
	i := x.op.call
	switch c.H.Op[i] {
	case c.submit:
		x.kind, x.state, x.life = lifeSubmit, anyState, open
		if kind == history.KindOK {
			answer := c.str(c.H.Value[x.op.ret])
			x.version = c.H.Token[x.op.ret]
			if s := c.vocabulary.state(answer); s >= 0 {
				x.state, x.life = states.of(answer), c.kindOf(s)
			}
		}
		return kind != history.KindFail
	case c.read:
		if kind != history.KindOK {
			return false
		}
		x.kind, x.noted, x.version = lifeRead, true, c.H.Token[x.op.ret]
		c.shown(&x.lifeOp, c.str(c.H.Value[x.op.ret]), states, proposed)
		return true
	case c.amend:
		x.expected, x.note = c.H.Token[i], states.note(c.str(c.H.Value[i]))
		if kind == history.KindFail {
			x.kind, x.version = lifeRefused, c.H.Token[x.op.ret]
			return x.version > 0
		}
		x.kind = lifeAmend
		if kind == history.KindOK {
			x.version = c.H.Token[x.op.ret]
		}
		return true
	}
	return false
}

// shown reads "state|note".
func (c *Case) shown(x *lifeOp, answer string, states *interned, proposed map[string]bool) {
	_, note, _ := strings.Cut(answer, "|")
	x.life = c.kindOf(c.vocabulary.state(answer))
	if x.life == absent {
		x.kind = lifeAbsent
		return
	}
	x.state, x.note, x.proposed = states.of(answer), states.note(note), proposed[note]
}

// finalRead is the state observed at the end, as one more read, somewhere within the observation. It needs a beginning.
func (c *Case) finalRead(u int, states *interned, proposed map[string]bool) (x call, ok bool) {
	f := c.units[u].final
	if f == none || c.observeBegin == none || c.observeBegin > f {
		return x, false
	}
	x = call{begin: int64(c.observeBegin), end: int64(f), final: true, op: &operation{call: f, ret: f}}
	x.kind, x.version = lifeRead, c.H.Token[f]
	c.shown(&x.lifeOp, c.str(c.H.Value[f]), states, proposed)
	x.noted = strings.Contains(c.str(c.H.Value[f]), "|") // whoever looks need not tell it
	return x, x.kind == lifeRead                         // a unit that is gone is lost work
}

// mergeRetries joins an amendment that is ok with the earlier tries of it that were never answered: the target may have taken the
// first and answered the last from memory. The update is conditional on one version, so that it happened once.
func mergeRetries(c *Case, list []call) []call {
	type try struct {
		expected uint64
		note     history.Ref
		key      history.Ref
	}
	tryOf := func(x *call) try { return try{x.expected, x.note, c.H.Key[x.op.call]} }
	var unanswered map[try][]int
	var gone map[int]bool
	for k := range list {
		x := &list[k]
		switch {
		case x.kind != lifeAmend:
		case x.info:
			if unanswered == nil {
				unanswered, gone = make(map[try][]int), make(map[int]bool)
			}
			unanswered[tryOf(x)] = append(unanswered[tryOf(x)], k)
		case c.H.Attempt[x.op.call] > 1:
			for _, earlier := range unanswered[tryOf(x)] {
				x.begin = min(x.begin, list[earlier].begin)
				gone[earlier] = true
			}
			delete(unanswered, tryOf(x))
		}
	}
	if len(gone) == 0 {
		return list
	}
	kept := list[:0]
	for k := range list {
		if !gone[k] {
			kept = append(kept, list[k])
		}
	}
	slices.SortStableFunc(kept, func(a, b call) int { return cmp.Compare(a.begin, b.begin) })
	return kept
}

// interned numbers the states and notes of one unit, so that the model compares integers.
type interned struct{ states, notes numbering }

func (n *interned) of(answer string) int32 {
	state, _, _ := strings.Cut(answer, "|")
	return n.states.number(state)
}

func (n *interned) note(s string) history.Ref { return history.Ref(n.notes.number(s)) }

// numbering numbers texts as they come. A few are found sooner by looking than by hashing.
type numbering struct {
	list []string
	of   map[string]int32
}

const few = 16

func (n *numbering) number(s string) int32 {
	if n.of == nil {
		if k := slices.Index(n.list, s); k >= 0 {
			return int32(k)
		}
	} else if k, ok := n.of[s]; ok {
		return k
	}
	k := int32(len(n.list))
	n.list = append(n.list, s)
	switch {
	case n.of != nil:
		n.of[s] = k
	case len(n.list) > few:
		n.of = make(map[string]int32)
		for i, text := range n.list {
			n.of[text] = int32(i)
		}
	}
	return k
}
