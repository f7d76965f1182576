package checkers

import (
	"fmt"
	"iter"
	"slices"

	"github.com/wreckon/wreckon/history"
)

// What follows is for guarantees of one's own: values of Guarantee that Spec.Extra adds to the table. A checker of one's own sees the
// history, column by column, in Case.H, and unit by unit through these methods; it says what it found with Judge.

// Breach is one thing that a checker of one's own found.
type Breach struct {
	Unit     int      // its number, as Units gives it; -1: it belongs to no unit
	Events   []uint64 // Seq of the events that prove it: as few as do
	Sentence string   // what happened, with names, times and amounts
}

// Units gives the numbers of the units that the history tells anything of.
func (c *Case) Units() iter.Seq[int] {
	return func(yield func(int) bool) {
		for u := range c.units {
			if len(c.eventsOf(u)) > 0 && !yield(u) {
				return
			}
		}
	}
}

// Name is how a sentence calls a unit: order o-17.
func (c *Case) Name(u int) string { return c.name(u) }

// Events gives the events of a unit, in order.
func (c *Case) Events(u int) iter.Seq[history.Event] {
	return func(yield func(history.Event) bool) {
		for _, i := range c.eventsOf(u) {
			if !yield(c.H.Event(int(i))) {
				return
			}
		}
	}
}

// Acknowledged tells that a client was told that the unit is accepted.
func (c *Case) Acknowledged(u int) bool { return c.units[u].acknowledged() }

// Rested tells that the target was seen to have come to rest: what has not happened by then never will.
func (c *Case) Rested() bool { return c.settled() }

// Judge makes a judgement of what a checker looked at and what it found. checked counts what was looked at, and what names it: orders.
// Without anything found the guarantee holds, and without anything looked at it is not tested.
func (c *Case) Judge(what string, checked int, found []Breach) Judgement {
	suspects := make([]suspect, len(found))
	for k, v := range found {
		s := suspect{unit: v.Unit, say: func() string { return clip(v.Sentence, 1000) }}
		if s.unit < 0 || s.unit >= len(c.units) {
			s.unit = -1
		}
		for _, seq := range v.Events {
			if seq < uint64(c.H.Len()) {
				s.events = append(s.events, uint32(seq))
			}
		}
		suspects[k] = s
	}
	return c.judgement("", what, checked, suspects)
}

// Undecided turns a judgement that holds into one that nobody knows, and says why. What was found stays found.
func (j Judgement) Undecided(reason string) Judgement { return j.unknown(reason) }

// with adds guarantees of one's own to the table. A name can be taken once.
func with(table, extra []Guarantee) []Guarantee {
	all := slices.Clone(table)
	for _, g := range extra {
		if g.Name == "" || slices.ContainsFunc(all, func(known Guarantee) bool { return known.Name == g.Name }) {
			g.Needs, g.Check = nil, func(*Case) Judgement {
				return Judgement{Status: Unknown, Reason: fmt.Sprintf("a guarantee of your own needs a name of its own, and it is called %q", clip(g.Name, 60))}
			}
		}
		all = append(all, g)
	}
	return all
}
