package checkers

import (
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"github.com/wreckon/wreckon/history"
)

// states is a set of states, a bit each.
type states uint64

const allStates = ^states(0)

func (s states) has(k int) bool { return s>>k&1 == 1 }

func (s states) first() int { return bits.TrailingZeros64(uint64(s)) }

// lifecycle is the declared state machine or, where none is declared, the one that can leave every state but an end.
type lifecycle struct {
	*Case
	declared bool
	names    []string       // the claimed states, by their number, then those that were met
	met      map[string]int // the numbers of these
	next     []states       // at once
	reach    []states       // at any time, itself included
	left     int            // how often a state beyond the bound was met
}

func lifecycleOf(c *Case) lifecycle {
	l := lifecycle{Case: c, declared: len(c.claims.States.Next) > 0, met: make(map[string]int)}
	for _, name := range c.stateNames {
		l.add(name)
	}
	for name, next := range c.claims.States.Next {
		if k := slices.Index(l.names, name); k >= 0 {
			for _, to := range next {
				if n := slices.Index(l.names, to); n >= 0 {
					l.next[k] |= 1 << n
				}
			}
		}
	}
	if l.declared {
		for k := range l.names {
			l.reach[k] |= l.next[k]
		}
		for by := range l.names { // Warshall
			for k := range l.names {
				if l.reach[k].has(by) {
					l.reach[k] |= l.reach[by]
				}
			}
		}
	}
	return l
}

func (l *lifecycle) add(name string) int {
	k := len(l.names)
	next, reach := states(0), states(1)<<k
	if !l.declared {
		next = reach
		if !l.kindOf(l.vocabulary.state(name)).final() {
			next, reach = allStates, allStates
		}
	}
	l.names, l.next, l.reach = append(l.names, name), append(l.next, next), append(l.reach, reach)
	return k
}

// number is the state that an answer shows; -1 where it shows none.
func (l *lifecycle) number(answer string) int {
	if k := l.vocabulary.state(answer); k >= 0 {
		if l.stateKinds[k] == absent {
			return -1
		}
		return k
	}
	name, _, _ := strings.Cut(answer, "|")
	if name == "" {
		return -1
	}
	k, ok := l.met[name]
	if !ok {
		if len(l.names) == maxStates {
			l.left++
			return -1
		}
		k = l.add(strings.Clone(name))
		l.met[l.names[k]] = k
	}
	return k
}

// leads tells that a unit may come from a state to another, at whatever time.
func (l *lifecycle) leads(from, to int) bool { return l.reach[from].has(to) }

// why says what the lifecycle has instead of a move.
func (l *lifecycle) why(from, to int) string {
	switch others := l.reach[from] &^ (1 << from); {
	case others == 0 && from < len(l.stateKinds):
		return l.called(from) + " is an end"
	case others == 0:
		return "its lifecycle has no state " + l.called(from)
	}
	return fmt.Sprintf("nothing leads from %s to %s", l.called(from), l.called(to))
}

func (l *lifecycle) called(k int) string { return clip(l.names[k], 60) }

// steps gives, for each state, those that may be recorded next by a source that does not record the silent ones.
func (l *lifecycle) steps(silent states) []states {
	direct := slices.Clone(l.next)
	for range l.names { // a path is no longer than there are states
		for k := range direct {
			for through := direct[k] & silent; through != 0; through &= through - 1 {
				if by := through.first(); by < len(l.next) {
					direct[k] |= l.next[by]
				}
			}
		}
	}
	return direct
}

// shown calls of for each state that somebody was shown of a unit: in answer to a call, none where it is not known when the state was looked
// up, as in the stored answer to a submit.
func (l *lifecycle) shown(u int, of func(call, i uint32, state int)) {
	tell := func(call, i uint32) {
		if k := l.number(l.str(l.H.Value[i])); k >= 0 {
			of(call, i, k)
		}
	}
	for _, o := range l.operationsOf(u) {
		op := l.ops[o]
		if op.ret == none || l.H.Kind[op.ret] != history.KindOK {
			continue
		}
		switch l.H.Op[op.call] {
		case l.submit:
			if l.vocabulary.state(l.str(l.H.Value[op.ret])) >= 0 { // an answer need not name a state
				tell(none, op.ret)
			}
		case l.read:
			tell(op.call, op.ret)
		}
	}
	if f := l.units[u].final; f != none {
		call := none
		if l.observeBegin < f {
			call = l.observeBegin
		}
		tell(call, f)
	}
}
