package checkers

import (
	"fmt"
	"slices"

	"github.com/wreckon/wreckon/history"
)

var noLostWork = Guarantee{
	Name:    "no-lost-work",
	Promise: "What was accepted is finished, compensated, or set aside for a person.",
	Finds: "An acknowledged unit of which the target has no record at the end. One that is still open although the target had come to " +
		"rest: nobody works on it, so it will never finish. One that ended completed while a required step's effect is not in force " +
		"(atomic-outcome speaks then too: it is the same fact, seen from the steps). A unit that is quarantined or in the dead letters is " +
		"accounted for, and a unit still open when the deadline cut quiescence short is stuck, not lost.",
	Needs: []string{history.FeedStates},
	Uses:  []string{history.FeedEffects, history.FeedLetters},
	Bears: []string{history.FeedEffects},
	Check: checkLostWork,
}

func checkLostWork(c *Case) Judgement {
	const name = "no-lost-work"
	if reason := c.endMissing(); reason != "" {
		return Judgement{Guarantee: name, What: c.nouns, Status: Unknown, Reason: reason}
	}
	checked, undecided := 0, 0
	unlooked := make([]bool, len(c.steps)) // of a unit that ended completed
	var suspects []suspect
	for u := range c.units {
		x := &c.units[u]
		if !x.acknowledged() {
			continue
		}
		checked++
		if x.accounted() {
			continue
		}
		if s, lost := c.lost(u); lost {
			suspects = append(suspects, s)
		}
		switch {
		case x.kind == open && !c.settled() && c.quiesce != "deadline":
			undecided++
		case x.kind == completed:
			for s, step := range c.steps {
				_, known := c.stepInForce(u, s)
				unlooked[s] = unlooked[s] || step.Required && !known
			}
		}
	}
	j := c.judgement(name, "acknowledged "+c.nouns, checked, suspects)
	for s, missed := range unlooked {
		if missed && j.Status == Holds {
			j.Reason = fmt.Sprintf("nobody looked, with the target at rest, whether %s is in force for the %s that ended completed", stepName(c.steps[s]), c.nouns)
		}
	}
	if undecided > 0 {
		j = j.unknown(c.count(undecided) + " still open, and the history does not say whether the target had come to rest")
	}
	return j
}

// endMissing says why nothing can be said of how units ended; empty where something can.
func (c *Case) endMissing() string {
	switch {
	case c.H.Lost != "":
		return "the end of the history is missing: " + clip(c.H.Lost, 200)
	case !c.observed():
		return "the final states were not read"
	case c.moving():
		return "the run ended before the target was given time to come to rest"
	case c.states == 0 && (c.whole.acked() || slices.ContainsFunc(c.units, func(x unit) bool { return x.acknowledged() })):
		return "the final states were read, and not one came back: whether all work is gone or the reading failed, nobody can tell"
	}
	return ""
}

// lost tells whether a unit was acknowledged and is certainly lost, given that its end was read (see endMissing).
func (c *Case) lost(u int) (s suspect, lost bool) {
	x := &c.units[u]
	if !x.acknowledged() || x.accounted() {
		return s, false
	}
	switch {
	case x.kind == unseen || x.kind == absent:
		return c.gone(u), true
	case x.kind == open && c.settled():
		return c.abandoned(u), true
	case x.kind == completed:
		if missing := c.missingSteps(u); len(missing) > 0 {
			return c.unfinished(u, missing), true
		}
	}
	return s, false
}

func (c *Case) gone(u int) suspect {
	x := &c.units[u]
	events := []uint32{x.acked}
	if x.final != none {
		events = append(events, x.final)
	} else if c.observeEnd != none {
		events = append(events, c.observeEnd)
	}
	return suspect{unit: u, events: events, say: func() string {
		return fmt.Sprintf("%s was accepted at %s and is gone: at the end the target has no record of it", c.name(u), when(c.at(x.acked)))
	}}
}

func (c *Case) abandoned(u int) suspect {
	x := &c.units[u]
	return suspect{unit: u, events: []uint32{x.acked, x.final}, notes: map[uint32]string{x.final: "nobody is working on it"}, say: func() string {
		return fmt.Sprintf("%s was accepted at %s and is still %s, though the target has come to rest: it will never finish",
			c.name(u), when(c.at(x.acked)), c.stateOf(u))
	}}
}

// missingSteps lists the required steps of a completed unit that are known not to be in force.
func (c *Case) missingSteps(u int) (missing []int) {
	for s, step := range c.steps {
		if !step.Required {
			continue
		}
		if n, known := c.stepInForce(u, s); known && n < 1 {
			missing = append(missing, s)
		}
	}
	return missing
}

func (c *Case) unfinished(u int, missing []int) suspect {
	x := &c.units[u]
	events := append([]uint32{x.acked, x.final}, c.effectsOf(u, missing)...)
	return suspect{unit: u, events: events, say: func() string {
		return fmt.Sprintf("%s was accepted at %s and ended %s, but %s", c.name(u), when(c.at(x.acked)), c.stateOf(u), c.without(u, missing))
	}}
}

// without says which steps are missing, and whether they ever were there: "was never charged".
func (c *Case) without(u int, missing []int) string {
	var words []string
	for _, s := range missing {
		step := c.steps[s]
		switch {
		case step.Observed && step.Does != "":
			words = append(words, "is not "+step.Does)
		case step.Does == "" && c.cell(u, s).do == 0:
			words = append(words, "never had its "+stepName(step))
		case c.cell(u, s).do == 0:
			words = append(words, "was never "+step.Does)
		default:
			words = append(words, "had its "+stepName(step)+" undone")
		}
	}
	return list(words)
}

// effectsOf lists what was applied or observed of some steps of a unit.
func (c *Case) effectsOf(u int, steps []int) (events []uint32) {
	for _, i := range c.eventsOf(u) {
		applied := c.H.Kind[i] == history.KindEffect && c.H.Outcome[i] == history.OutcomeApplied
		if !applied && c.H.Kind[i] != history.KindObserve {
			continue
		}
		for _, s := range steps {
			if c.H.Step[i] == c.stepRefs[s] && (applied || c.steps[s].Observed) {
				events = append(events, i)
			}
		}
	}
	return events
}
