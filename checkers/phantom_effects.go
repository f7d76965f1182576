package checkers

import (
	"fmt"

	"github.com/wreckon/wreckon/history"
)

var noPhantomEffects = Guarantee{
	Name:    "no-phantom-effects",
	Promise: "Nothing happens that nobody asked for.",
	Finds: "An effect, done or undone, for a unit that no client had asked for yet, or for one that was refused: every attempt " +
		"definitely failed. An effect for an id that was never issued. A unit that may have been accepted, because an attempt ended " +
		"without an answer, may have effects.",
	Needs: []string{history.FeedEffects},
	Bears: []string{history.FeedEffects},
	Check: checkPhantomEffects,
}

func checkPhantomEffects(c *Case) Judgement {
	var suspects []suspect
	for u := range c.units {
		x := &c.units[u]
		if x.effect == none {
			continue
		}
		switch {
		case x.attempts == 0 || x.flags&earlyEffect != 0:
			suspects = append(suspects, c.unaskedFor(u))
		case x.refused() && c.H.Lost == "":
			suspects = append(suspects, c.refusedYetDone(u))
		}
	}
	suspects = append(suspects, c.foreign()...)
	return c.judgement("no-phantom-effects", "effects", c.applied, suspects)
}

func (c *Case) unaskedFor(u int) suspect {
	var events []uint32
	asked := c.units[u].asked
	for _, i := range c.appliedOf(u) {
		if i < asked {
			events = append(events, i)
		}
	}
	return suspect{unit: u, events: events, say: func() string {
		if asked == none {
			return fmt.Sprintf("%s, and nobody ever asked for it", c.happened(u, events))
		}
		return fmt.Sprintf("%s, before anybody asked for it at %s", c.happened(u, events), when(c.at(asked)))
	}}
}

func (c *Case) refusedYetDone(u int) suspect {
	applied := c.appliedOf(u)
	events := applied
	for _, o := range c.operationsOf(u) {
		if op := c.ops[o]; c.H.Op[op.call] == c.submit && op.ret != none {
			events = append(events, op.ret)
		}
	}
	return suspect{unit: u, events: events, say: func() string {
		return fmt.Sprintf("%s, although it was refused", c.happened(u, applied))
	}}
}

// happened says the first effect of a unit, and how many more there were: "order o-17 was charged 49.90 at 2.104s".
func (c *Case) happened(u int, events []uint32) string {
	i := events[0]
	step := history.Step{}
	if s := c.step(c.H.Step[i]); s >= 0 {
		step = c.steps[s]
	}
	verb := was(step)
	if c.H.Op[i] == c.undo {
		verb = wasUndone(step)
	}
	text := fmt.Sprintf("%s %s %s", c.name(u), verb, c.instance(i))
	if more := len(events) - 1; more > 0 {
		text += fmt.Sprintf(" (and %d more)", more)
	}
	return text
}

// appliedOf lists the applied effects of a unit.
func (c *Case) appliedOf(u int) (events []uint32) {
	for _, i := range c.eventsOf(u) {
		if c.H.Kind[i] == history.KindEffect && c.H.Outcome[i] == history.OutcomeApplied {
			events = append(events, i)
		}
	}
	return events
}

// foreign makes one suspect of each id that the harness never issued.
func (c *Case) foreign() (suspects []suspect) {
	found := make(map[history.Ref]int)
	for _, i := range c.phantom {
		id := c.H.Value[i]
		k, ok := found[id]
		if !ok {
			k = len(suspects)
			found[id] = k
			suspects = append(suspects, suspect{unit: -1, name: clip(c.str(id), 80)})
		}
		suspects[k].events = append(suspects[k].events, i)
	}
	for k := range suspects {
		s := &suspects[k]
		s.say = func() string {
			i := s.events[0]
			text := fmt.Sprintf("an effect landed at %s for no %s that was ever asked for", when(c.at(i)), c.noun)
			if s.name != "" {
				text += ": " + s.name
			}
			if n := len(s.events); n > 1 {
				text += fmt.Sprintf(" (%s)", times(n))
			}
			return text
		}
	}
	return suspects
}
