package checkers

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/wreckon/wreckon/history"
)

// guarded lists the states that are left by a privileged action only.
func (a *authority) guarded() (states []string) {
	for _, p := range a.claims.Privileges {
		if p.From != "" && !slices.Contains(states, p.From) {
			states = append(states, p.From)
		}
	}
	return states
}

// departures compares how often each unit left a state with how often that was done by an action that may.
func (a *authority) departures(state string) {
	s := slices.Index(a.stateNames, state)
	if s < 0 {
		a.undecided(fmt.Sprintf("the state %q, which only a privileged action leaves, is none that the target declares", clip(state, 60)))
		return
	}
	var ways []string
	done := make(map[history.Unit]int)
	for _, p := range a.claims.Privileges {
		if p.From != state || slices.Contains(ways, p.Action) {
			continue
		}
		ways = append(ways, p.Action)
		for _, r := range a.of[a.refs.ref(p.Action)] {
			done[r.unit]++
		}
	}
	for u := range a.units {
		x := &a.units[u]
		if x.seen>>s&1 == 0 && (a.stateAudit[s] < 0 || x.audited>>a.stateAudit[s]&1 == 0) {
			continue
		}
		left, events := a.leaves(u, s)
		if left <= done[history.Unit(u)] {
			continue
		}
		if a.late != "" {
			a.undecided(a.late)
			continue
		}
		a.checked++
		a.suspects = append(a.suspects, suspect{unit: u, events: events, say: func() string {
			text := fmt.Sprintf("%s was %s and is %s, and no audit event %s says who let it go", a.name(u), state, a.stateOf(u), quoted(ways))
			if left > 1 {
				text = fmt.Sprintf("%s left the state %s %s, and the audit events %s record %d of these", a.name(u), state, times(left), quoted(ways),
					done[history.Unit(u)])
			}
			return text
		}})
	}
}

func quoted(names []string) string {
	var words []string
	for _, n := range names {
		words = append(words, fmt.Sprintf("%q", clip(n, 60)))
	}
	return strings.Join(words, " or ")
}

// leaves counts how often a unit certainly left a state, and names the events that show it: the transitions that one source recorded, in
// its own order, and the final state, which was read from a target at rest.
func (a *authority) leaves(u, s int) (n int, events []uint32) {
	x := &a.units[u]
	first := a.firstIn(u, s)
	final := x.final != none && a.stateName(x.final) != a.stateNames[s] && (first < x.final || first != none && a.settled())
	if final {
		n, events = 1, []uint32{first, x.final}
	}
	for _, moves := range a.movesOf(u) {
		k, shown := 0, []uint32(nil)
		for m, i := range moves {
			if a.entered(i) != s || m+1 == len(moves) && !final || m+1 < len(moves) && a.entered(moves[m+1]) == s {
				continue
			}
			k++
			shown = append(shown, i)
			if m+1 < len(moves) {
				shown = append(shown, moves[m+1])
			} else {
				shown = append(shown, x.final)
			}
		}
		if k > n {
			n, events = k, shown
		}
	}
	return n, events
}

// movesOf lists the transitions of a unit that each source recorded, in the order of the source.
func (a *authority) movesOf(u int) map[history.Ref][]uint32 {
	moves := make(map[history.Ref][]uint32)
	for _, i := range a.eventsOf(u) {
		if a.H.Kind[i] == history.KindAudit && a.H.Token[i] > 0 && a.entered(i) >= 0 {
			moves[a.H.Comp[i]] = append(moves[a.H.Comp[i]], i)
		}
	}
	for source, list := range moves {
		slices.SortStableFunc(list, func(x, y uint32) int { return cmp.Compare(a.H.Token[x], a.H.Token[y]) })
		moves[source] = slices.CompactFunc(list, func(x, y uint32) bool { return a.H.Token[x] == a.H.Token[y] })
	}
	return moves
}

// entered is the state that an audit event says a unit came into; -1: none, or it may be one of several.
func (a *authority) entered(i uint32) int {
	state := -1
	for s, t := range a.stateAudit {
		if t >= 0 && a.H.Op[i] == a.transitions[t] {
			if state >= 0 {
				return -1
			}
			state = s
		}
	}
	return state
}

// stateName is the name of the state that an event shows.
func (c *Case) stateName(i uint32) string {
	name, _, _ := strings.Cut(c.str(c.H.Value[i]), "|")
	return name
}

// firstIn is the first event that tells that a unit was in a state; none where none does.
func (a *authority) firstIn(u, s int) uint32 {
	for _, i := range a.eventsOf(u) {
		switch kind := a.H.Kind[i]; {
		case kind == history.KindAudit && a.entered(i) == s,
			(kind == history.KindOK || kind == history.KindObserve && a.str(a.H.Op[i]) == "state") && a.stateName(i) == a.stateNames[s]:
			return i
		}
	}
	return none
}
