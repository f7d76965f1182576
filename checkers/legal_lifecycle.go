package checkers

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/wreckon/wreckon/history"
)

var legalLifecycle = Guarantee{
	Name:    "legal-lifecycle",
	Promise: "A unit moves from state to state as its lifecycle says, and never leaves its end.",
	Finds: "Two transitions that the keeper of a unit's state recorded one after the other and that the declared lifecycle (states: next) " +
		"does not have; states that it never records may lie between, and any where an audit event between is missing. The keeper is " +
		"the component that the state was read from at the end, or the only source; what others record may be about their part. A " +
		"state that somebody was shown after another had been shown, or recorded, from which nothing leads to it. Two states of one " +
		"unit of which neither leads to the other, in whatever order it was in them. Without a declared lifecycle only ends are judged: " +
		"what is completed, compensated or expired stays so, and what is quarantined may be released. The answer to a submit may be the " +
		"stored one, and says nothing of later. A unit that is gone is lost work.",
	Needs: []string{history.FeedStates + " or " + history.FeedReads + " or " + history.FeedAudit},
	Check: checkLegalLifecycle,
}

func checkLegalLifecycle(c *Case) Judgement {
	l := lifecycleOf(c)
	w := watch{lifecycle: &l, chainOf: c.chainsBySource(), keepers: make(map[history.Ref]states), nextOf: make(map[history.Ref][]states)}
	w.keep()
	checked := 0
	for u := range c.units {
		if w.look(u); len(w.seen) < 2 {
			continue
		}
		checked++
		if !w.recorded() && !w.backward() {
			w.apart()
		}
	}
	j := c.judgement("legal-lifecycle", c.nouns+" seen more than once", checked, w.suspects)
	if left := l.left + c.left; left > 0 {
		return j.unknown(fmt.Sprintf("there are more than the %d states and transitions that are judged", maxStates))
	}
	return j
}

// sighting is one proof that a unit was in a state: at an instant between two others.
type sighting struct {
	i     uint32 // the event that proves it
	state int
	after uint32 // none: any time before
	by    uint32
}

// watch compares what was seen of one unit after the other.
type watch struct {
	*lifecycle
	chainOf  map[history.Ref]*chain
	keepers  map[history.Ref]states   // source -> the states that it records
	nextOf   map[history.Ref][]states // source -> what it may record next
	unit     int
	seen     []sighting
	suspects []suspect
}

// keep finds out who keeps the state of units, and which states it records. A trail may use the same word for something else: that a
// worker has set a command aside is not yet a state of the unit.
func (w *watch) keep() {
	if w.whole != nil {
		w.keepers = w.whole.keepers(w.H)
		return
	}
	if len(w.chains) == 1 {
		w.keepers[w.chains[0].source] = 0
	}
	for u := range w.units {
		if f := w.units[u].final; f != none {
			w.keepers[w.H.Comp[f]] = 0
		}
	}
	for k := range w.chains {
		ch := &w.chains[k]
		if _, keeps := w.keepers[ch.source]; !keeps {
			continue
		}
		var all states
		for _, i := range slices.Concat(ch.events, ch.unnumbered) {
			if s := w.recordedState(i); s >= 0 {
				all |= 1 << s
			}
		}
		w.keepers[ch.source] = all
	}
}

// recordedState is the state that an audit event of a keeper tells of; -1 where it tells of none, or may tell of several.
func (w *watch) recordedState(i uint32) int {
	if _, keeps := w.keepers[w.H.Comp[i]]; !keeps {
		return -1
	}
	t := slices.Index(w.transitions, w.H.Op[i])
	if t < 0 {
		return -1
	}
	s := slices.Index(w.stateAudit, t)
	if s >= 0 && slices.Contains(w.stateAudit[s+1:], t) {
		return -1
	}
	return s
}

// look collects what was seen of a unit.
func (w *watch) look(u int) {
	w.unit, w.seen = u, w.seen[:0]
	w.shown(u, func(call, i uint32, k int) { w.seen = append(w.seen, sighting{i: i, state: k, after: call, by: i}) })
	for _, i := range w.eventsOf(u) {
		if w.H.Kind[i] == history.KindAudit {
			if k := w.recordedState(i); k >= 0 {
				w.seen = append(w.seen, sighting{i: i, state: k, after: none, by: i})
			}
		}
	}
}

// recorded compares the transitions that a keeper recorded for the unit with the one before. Of several keepers one may have recorded what
// another did not.
func (w *watch) recorded() (wrong bool) {
	var trail []sighting
	for _, x := range w.seen {
		if w.H.Kind[x.i] == history.KindAudit && w.H.Token[x.i] > 0 {
			trail = append(trail, x)
		}
	}
	slices.SortStableFunc(trail, func(a, b sighting) int {
		return cmp.Or(cmp.Compare(w.H.Comp[a.i], w.H.Comp[b.i]), cmp.Compare(w.H.Token[a.i], w.H.Token[b.i]))
	})
	for k := range max(len(trail)-1, 0) {
		a, b := trail[k], trail[k+1]
		source, from, to := w.H.Comp[a.i], w.H.Token[a.i], w.H.Token[b.i]
		if source != w.H.Comp[b.i] || from == to { // another source, or delivered again
			continue
		}
		next, verb := w.reach, "later"
		if len(w.keepers) == 1 && w.unbroken(w.chainOf[source], from, to) {
			next, verb = w.stepsOf(source), "next"
		}
		if next[a.state].has(b.state) {
			continue
		}
		wrong = true
		u := w.unit
		w.add(a, b, func() string {
			why := "its lifecycle has no such step"
			if !w.leads(a.state, b.state) {
				why = w.why(a.state, b.state)
			}
			return fmt.Sprintf("%s went from %s to %s: %s, and %s %s; %s", w.name(u), w.called(a.state), w.called(b.state), w.says(a, ""), verb,
				w.says(b, ""), why)
		})
	}
	return wrong
}

// stepsOf gives what a source may record next.
func (w *watch) stepsOf(source history.Ref) []states {
	if next, ok := w.nextOf[source]; ok {
		return next
	}
	next := w.steps(^w.keepers[source])
	w.nextOf[source] = next
	return next
}

// backward finds a state that was shown although the unit had been in one before that does not lead there.
func (w *watch) backward() bool {
	later := slices.Clone(w.seen)
	slices.SortFunc(later, func(a, b sighting) int { return cmp.Or(cmp.Compare(a.after, b.after), cmp.Compare(a.i, b.i)) })
	slices.SortFunc(w.seen, func(a, b sighting) int { return cmp.Or(cmp.Compare(a.by, b.by), cmp.Compare(a.i, b.i)) })
	var before states
	var last [maxStates]sighting // that showed it
	n := 0
	for _, b := range later {
		if b.after == none {
			break
		}
		for ; n < len(w.seen) && w.seen[n].by < b.after; n++ {
			before |= 1 << w.seen[n].state
			last[w.seen[n].state] = w.seen[n]
		}
		for left := before; left != 0; left &= left - 1 {
			a := last[left.first()]
			if w.leads(a.state, b.state) {
				continue
			}
			u := w.unit
			w.add(a, b, func() string {
				return fmt.Sprintf("%s went from %s to %s: %s, and later %s; %s", w.name(u), w.called(a.state), w.called(b.state),
					w.says(a, "had "), w.says(b, ""), w.why(a.state, b.state))
			})
			return true
		}
	}
	return false
}

// apart finds two states that no order explains.
func (w *watch) apart() {
	var of [maxStates]sighting
	var all states
	for _, x := range w.seen {
		if !all.has(x.state) {
			all |= 1 << x.state
			of[x.state] = x
		}
	}
	for left := all; left != 0; left &= left - 1 {
		for others := left & (left - 1); others != 0; others &= others - 1 {
			a, b := of[left.first()], of[others.first()]
			if w.leads(a.state, b.state) || w.leads(b.state, a.state) {
				continue
			}
			u := w.unit
			w.add(a, b, func() string {
				return fmt.Sprintf("%s was both %s and %s: %s, and %s; neither leads to the other", w.name(u), w.called(a.state),
					w.called(b.state), w.says(a, ""), w.says(b, ""))
			})
			return
		}
	}
}

func (w *watch) add(a, b sighting, say func() string) {
	w.suspects = append(w.suspects, suspect{unit: w.unit, events: []uint32{a.i, b.i}, notes: map[uint32]string{b.i: "cannot be"}, say: say})
}

// says who saw a unit in a state: "client 3 read completed at 2.104s".
func (w *watch) says(x sighting, had string) string {
	state, at := w.called(x.state), when(w.at(x.i))
	switch w.H.Kind[x.i] {
	case history.KindAudit:
		return fmt.Sprintf("%s %srecorded %s (audit event %d, read at %s)", clip(coalesce(w.str(w.H.Comp[x.i]), "the target"), 60), had, state,
			w.H.Token[x.i], at)
	case history.KindObserve:
		return fmt.Sprintf("at the end it was found %s at %s", state, at)
	}
	if w.H.Op[x.i] == w.submit {
		return fmt.Sprintf("%s %sgot an ok for it (%s) at %s", client(w.H.Actor[x.i]), had, state, at)
	}
	return fmt.Sprintf("%s %sread %s at %s", client(w.H.Actor[x.i]), had, state, at)
}
