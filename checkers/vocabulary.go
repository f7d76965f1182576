package checkers

import (
	"maps"
	"slices"
	"strings"

	"github.com/wreckon/wreckon/history"
)

// stateKind is what a state means to a guarantee, whatever the target calls it.
type stateKind uint8

const (
	unseen      stateKind = iota // no state was observed
	absent                       // the target says it has no such unit
	open                         // in progress
	completed                    // every required step is in force
	compensated                  // no step is in force
	quarantined                  // set aside for a person
	expired                      // its time ran out: no step is in force
)

func (k stateKind) terminal() bool { return k >= completed }

// final tells that no transition leaves the state. A person may release what is quarantined.
func (k stateKind) final() bool { return k == completed || k.undone() }

// undone tells that no step may be in force.
func (k stateKind) undone() bool { return k == compensated || k == expired }

const (
	maxSteps  = 64 // distinct steps: bounds the memory of a hostile import
	maxStates = 64 // and states and transitions: a bit each
)

// vocabulary is the target's claims as numbers: names are compared once, and integers from then on.
type vocabulary struct {
	claims history.Claims
	feeds  map[string]bool

	steps    []history.Step // the claimed ones first, then those met
	stepRefs []history.Ref

	stateNames []string
	stateKinds []stateKind
	stateAudit []int // index of the transition that must exist; -1: none

	transitions    []history.Ref // those that matter
	transitionName []string
	terminalAudits uint64 // transitions into a terminal state, a bit each
	auditDo        []int  // step -> transition; -1: none
	auditUndo      []int
	left           int // states and transitions that the claims name beyond the bound

	submit, read, amend history.Ref
	do, undo            history.Ref
	refs                finder // where the names of the claims stand among the strings of the history
}

const noRef = ^history.Ref(0)

// finder knows where a few names stand among the strings of a history. Asking the history itself would index every string.
type finder map[string]history.Ref

func newFinder(h *history.History, met []history.Step) finder {
	f := finder{"submit": noRef, "read": noRef, "amend": noRef, "do": noRef, "undo": noRef, "total": noRef, "checkpoint": noRef}
	claims := h.Header.Claims
	for _, s := range claims.Steps {
		f[s.Name], f[s.AuditDo], f[s.AuditUndo] = noRef, noRef, noRef
	}
	for _, t := range claims.States.Audits {
		f[t] = noRef
	}
	for _, p := range claims.Privileges {
		f[p.Action], f[p.Approval] = noRef, noRef
	}
	for _, p := range claims.Checkpoints {
		f[p.Step] = noRef
	}
	for _, total := range claims.Totals {
		for _, t := range total.Terms {
			f[t.Observed], f[t.Effects], f[t.Count] = noRef, noRef, noRef
		}
	}
	for _, s := range met {
		f[s.Name] = noRef
	}
	var lengths uint64
	for name := range f {
		lengths |= 1 << min(len(name), 63)
	}
	for i, s := range h.Strings {
		if lengths>>min(len(s), 63)&1 == 0 {
			continue
		}
		if r, ok := f[s]; ok && r == noRef {
			f[s] = history.Ref(i)
		}
	}
	return f
}

// ref finds a name's index; noRef, which is equal to no event's, where no event holds it.
func (f finder) ref(name string) history.Ref {
	if r, ok := f[name]; ok {
		return r
	}
	return noRef
}

// newVocabulary takes the claims of a history. met are the steps beyond the claimed ones that are known to be in it, in the order in which
// they are.
func newVocabulary(h *history.History, met []history.Step) vocabulary {
	f := newFinder(h, met)
	v := vocabulary{claims: h.Header.Claims, submit: f.ref("submit"), read: f.ref("read"), amend: f.ref("amend"),
		do: f.ref("do"), undo: f.ref("undo"), refs: f}
	s := &v.claims.States
	if s.Completed == "" && s.Compensated == "" && s.Quarantined == "" && s.Expired == "" {
		s.Completed, s.Compensated, s.Quarantined = "completed", "compensated", "quarantined"
	}
	v.addSteps(h, f, met)
	v.addState(f, "absent", absent)
	v.addState(f, s.Completed, completed)
	v.addState(f, s.Compensated, compensated)
	v.addState(f, s.Quarantined, quarantined)
	v.addState(f, s.Expired, expired)
	for _, name := range s.Open {
		v.addState(f, name, open)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Next)) {
		v.addState(f, name, open)
		for _, next := range s.Next[name] {
			v.addState(f, next, open)
		}
	}
	v.auditDo, v.auditUndo = make([]int, len(v.steps)), make([]int, len(v.steps))
	for i, step := range v.steps {
		v.auditDo[i], v.auditUndo[i] = v.transition(f, step.AuditDo), v.transition(f, step.AuditUndo)
	}
	return v
}

func (v *vocabulary) addState(f finder, name string, k stateKind) {
	if name == "" || slices.Contains(v.stateNames, name) {
		return
	}
	if len(v.stateNames) == maxStates {
		v.left++
		return
	}
	t := v.transition(f, v.claims.States.Audits[name])
	if t >= 0 && k.terminal() {
		v.terminalAudits |= 1 << t
	}
	v.stateNames = append(v.stateNames, name)
	v.stateKinds = append(v.stateKinds, k)
	v.stateAudit = append(v.stateAudit, t)
}

// transition gives the number of an audit transition that matters, adding it.
func (v *vocabulary) transition(f finder, name string) int {
	if name == "" {
		return -1
	}
	if i := slices.Index(v.transitionName, name); i >= 0 {
		return i
	}
	if len(v.transitionName) == maxStates {
		v.left++
		return -1
	}
	v.transitionName = append(v.transitionName, name)
	v.transitions = append(v.transitions, f.ref(name))
	return len(v.transitionName) - 1
}

// addSteps takes the claimed steps, and those that effects, executions and observations name beyond them: these promise exactly-once,
// and nothing requires them.
func (v *vocabulary) addSteps(h *history.History, f finder, met []history.Step) {
	for _, s := range v.claims.Steps {
		if slices.ContainsFunc(v.claims.Checkpoints, func(p history.Checkpoints) bool { return p.Step == s.Name }) {
			s.Promise = "at-least-once" // done chunk by chunk, and many of a unit; checkpoint-progress counts each
		}
		if len(v.steps) < maxSteps {
			v.steps, v.stepRefs = append(v.steps, s), append(v.stepRefs, f.ref(s.Name))
		}
	}
	for _, s := range met {
		v.steps, v.stepRefs = append(v.steps, s), append(v.stepRefs, f.ref(s.Name))
	}
	for i, r := range h.Step {
		kind := h.Kind[i]
		names := kind == history.KindEffect || r != 0 && (kind == history.KindObserve || kind == history.KindStart)
		if names && v.step(r) < 0 && len(v.steps) < maxSteps {
			v.steps, v.stepRefs = append(v.steps, history.Step{Name: h.Strings[r]}), append(v.stepRefs, r)
		}
	}
}

// step numbers a step; -1 where it is none of ours.
func (v *vocabulary) step(r history.Ref) int {
	for i, s := range v.stepRefs {
		if s == r {
			return i
		}
	}
	return -1
}

// state numbers the state that an answer begins with; -1 where the claims do not name it. Such a state counts as open: it is
// no end that anybody declared.
func (v *vocabulary) state(value string) int { return slices.Index(v.stateNames, stateIn(value)) }

// stateIn is the state that an answer begins with.
func stateIn(value string) string {
	state, _, _ := strings.Cut(value, "|")
	return state
}

func (v *vocabulary) kindOf(state int) stateKind {
	if state < 0 {
		return open
	}
	return v.stateKinds[state]
}

// judgedOnce tells that a step promises not to be in force twice.
func judgedOnce(s history.Step) bool { return s.Promise != "at-least-once" }

// declares tells that the claims say which steps a completed unit must have.
func (v *vocabulary) declares() bool { return len(v.claims.Steps) > 0 }

func (v *vocabulary) has(feed string) bool { return v.feeds[feed] }

// plural is enough English for the nouns of targets: orders, entries, batches.
func plural(noun string) string {
	switch {
	case strings.HasSuffix(noun, "s"), strings.HasSuffix(noun, "x"), strings.HasSuffix(noun, "ch"), strings.HasSuffix(noun, "sh"):
		return noun + "es"
	case len(noun) > 1 && strings.HasSuffix(noun, "y") && !strings.ContainsRune("aeiou", rune(noun[len(noun)-2])):
		return noun[:len(noun)-1] + "ies"
	}
	return noun + "s"
}
