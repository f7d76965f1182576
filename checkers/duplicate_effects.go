package checkers

import (
	"fmt"

	"github.com/wreckon/wreckon/history"
)

var noDuplicateEffects = Guarantee{
	Name:    "no-duplicate-effects",
	Promise: "Every step's effect is in force at most once.",
	Finds: "A step that promises exactly-once or at-most-once whose applied effects, less the undone ones, are more than one at any " +
		"instant. A step that was applied, and is applied again after a client had read that the unit was at its end. " +
		"What the sink deduplicated or refused is no effect, and a step that promises at-least-once is not judged.",
	Needs: []string{history.FeedEffects},
	Bears: []string{history.FeedEffects},
	Check: checkDuplicateEffects,
}

func checkDuplicateEffects(c *Case) Judgement {
	checked := 0
	var suspects []suspect
	for u := range c.units {
		x := &c.units[u]
		if x.effect == none {
			continue
		}
		checked++
		if x.flags&(twiceInForce|againAfterEnd) == 0 {
			continue
		}
		for s, step := range c.steps {
			if judgedOnce(step) && c.cell(u, s).do > 1 {
				suspects = append(suspects, c.duplicates(u, s)...)
			}
		}
	}
	return c.judgement("no-duplicate-effects", c.nouns, checked, suspects)
}

// duplicates replays the effects of one step of one unit.
func (c *Case) duplicates(u, s int) []suspect {
	var inForce, twice, late []uint32 // applied and not undone; those that came on top of another; those after the end
	var applied int
	end := c.units[u].ended
	undone, before := 0, none
	for _, i := range c.eventsOf(u) {
		if c.H.Kind[i] != history.KindEffect || c.H.Outcome[i] != history.OutcomeApplied || c.H.Step[i] != c.stepRefs[s] {
			continue
		}
		if before != none && c.hole(history.FeedEffects, before, i) {
			inForce, undone = nil, applied // what was in force may have been undone unseen
		}
		before = i
		if c.H.Op[i] == c.undo {
			undone++
			if len(inForce) > 0 {
				inForce = inForce[:len(inForce)-1]
			}
			continue
		}
		applied++
		switch {
		case applied-undone > 1:
			if len(twice) == 0 {
				twice = append(twice, inForce[0])
			}
			twice = append(twice, i)
		case applied > 1 && end < i:
			late = append(late, i)
		}
		inForce = append(inForce, i)
	}
	switch {
	case len(twice) > 0:
		return []suspect{c.twiceInForce(u, s, twice)}
	case len(late) > 0:
		return []suspect{c.appliedAfterEnd(u, s, late[0], end)}
	}
	return nil
}

func (c *Case) twiceInForce(u, s int, events []uint32) suspect {
	notes := map[uint32]string{events[1]: "in force twice"}
	return suspect{unit: u, events: events, notes: notes, say: func() string {
		first, again := events[0], events[1]
		then := c.instance(again)
		if c.H.Value[first] == c.H.Value[again] {
			then = "at " + when(c.at(again))
		}
		text := fmt.Sprintf("%s %s %s: %s, and again %s %s", c.name(u), was(c.steps[s]), times(len(events)), c.instance(first), then,
			c.underKey(first, again))
		if more := len(events) - 2; more > 0 {
			text += fmt.Sprintf(", and %s more", times(more))
		}
		return text
	}}
}

func (c *Case) appliedAfterEnd(u, s int, again, end uint32) suspect {
	return suspect{unit: u, events: []uint32{end, again}, notes: map[uint32]string{again: "after the end"}, say: func() string {
		state := c.stateNames[c.state(c.str(c.H.Value[end]))]
		return fmt.Sprintf("%s %s again, %s, after client %d had read at %s that it was %s",
			c.name(u), was(c.steps[s]), c.instance(again), c.H.Actor[end], when(c.at(end)), state)
	}}
}

// underKey says what the idempotency keys of two effects explain.
func (c *Case) underKey(a, b uint32) string {
	switch x, y := c.H.Key[a], c.H.Key[b]; {
	case x == 0 && y == 0:
		return "without any key"
	case x == y:
		return "under the same key"
	}
	return "under another key"
}
