package checkers

import (
	"fmt"

	"github.com/wreckon/wreckon/history"
)

var atomicOutcome = Guarantee{
	Name:    "atomic-outcome",
	Promise: "A unit ends with all of its steps in force, or with none.",
	Finds: "A unit that ended completed with a required step not in force, or, where the target declares no steps, with nothing in " +
		"force at all. One that ended compensated or expired with a step still in force. Effects in force of a unit that was never " +
		"acknowledged and of which the target has no record: the business row is missing beside its effects. Where an acknowledged unit is gone " +
		"or unfinished, that is lost work; quarantined units are for a person to judge, and a unit still open has not ended.",
	Needs: []string{history.FeedEffects, history.FeedStates},
	Uses:  []string{history.FeedLetters},
	Bears: []string{history.FeedEffects},
	Check: checkAtomicOutcome,
}

func checkAtomicOutcome(c *Case) Judgement {
	const name = "atomic-outcome"
	if reason := c.endMissing(); reason != "" {
		return Judgement{Guarantee: name, What: c.nouns, Status: Unknown, Reason: reason}
	}
	checked := 0
	unlooked := make([]int, len(c.steps)) // units whose step nobody looked at
	var suspects []suspect
	for u := range c.units {
		x := &c.units[u]
		switch {
		case x.kind.final():
			checked++
			for s, step := range c.steps {
				if _, known := c.stepInForce(u, s); !known && (step.Required || x.kind.undone()) {
					unlooked[s]++
				}
			}
			suspects = append(suspects, c.mixed(u)...)
		case (x.kind == unseen || x.kind == absent) && x.dead == none && x.attempts > 0 && !x.acknowledged() && !x.refused():
			if force := c.stepsInForce(u, false); len(force) > 0 {
				checked++
				suspects = append(suspects, c.unrecorded(u, force))
			}
		}
	}
	j := c.judgement(name, c.nouns+" that ended", checked, suspects)
	for s, n := range unlooked {
		if n > 0 {
			j = j.unknown(fmt.Sprintf("nobody looked, with the target at rest, whether %s is in force, for %s", stepName(c.steps[s]), c.count(n)))
		}
	}
	return j
}

// undoable tells that a unit that was rolled back must not have the step in force. A notification that promises at-least-once and knows no
// way back stays sent.
func undoable(s history.Step) bool { return judgedOnce(s) || s.Undoes != "" || s.AuditUndo != "" }

// stepsInForce lists the steps of a unit that are known to be in force; all includes those that cannot be undone.
func (c *Case) stepsInForce(u int, all bool) (force []int) {
	for s, step := range c.steps {
		if n, known := c.stepInForce(u, s); known && n > 0 && (all || undoable(step)) {
			force = append(force, s)
		}
	}
	return force
}

func (c *Case) mixed(u int) []suspect {
	x := &c.units[u]
	if x.kind.undone() {
		if force := c.stepsInForce(u, false); len(force) > 0 {
			return []suspect{c.stillInForce(u, force)}
		}
		return nil
	}
	if missing := c.missingSteps(u); len(missing) > 0 {
		return []suspect{c.halfDone(u, missing)}
	}
	if !c.declares() && c.sees(history.FeedEffects) && len(c.stepsInForce(u, true)) == 0 {
		return []suspect{{unit: u, events: []uint32{x.final}, say: func() string {
			return fmt.Sprintf("%s ended %s, and none of its effects is in force", c.name(u), c.stateOf(u))
		}}}
	}
	return nil
}

func (c *Case) stillInForce(u int, force []int) suspect {
	x := &c.units[u]
	events := append([]uint32{x.final}, c.effectsOf(u, force)...)
	return suspect{unit: u, events: events, say: func() string {
		var words []string
		for _, s := range force {
			words = append(words, c.stands(u, s))
		}
		return fmt.Sprintf("%s ended %s, but %s", c.name(u), c.stateOf(u), list(words))
	}}
}

// stands says that a step is in force at the end: "is still charged (49.90 at 2.104s)".
func (c *Case) stands(u, s int) string {
	step := c.steps[s]
	text := "still has its " + stepName(step)
	if step.Does != "" {
		text = "is still " + step.Does
	}
	if step.Observed {
		return text
	}
	do := none
	for _, i := range c.appliedOf(u) {
		if c.H.Step[i] == c.stepRefs[s] && c.H.Op[i] != c.undo {
			do = i
		}
	}
	if do == none {
		return text
	}
	return text + " (" + c.instance(do) + ")"
}

func (c *Case) halfDone(u int, missing []int) suspect {
	x := &c.units[u]
	force := c.stepsInForce(u, true)
	events := append([]uint32{x.final}, c.effectsOf(u, append(missing, force...))...)
	return suspect{unit: u, events: events, say: func() string {
		if len(force) == 0 {
			return fmt.Sprintf("%s ended %s with no step in force: it %s", c.name(u), c.stateOf(u), c.without(u, missing))
		}
		var words []string
		for _, s := range force {
			words = append(words, stepName(c.steps[s]))
		}
		return fmt.Sprintf("%s ended %s with %s in force, but %s", c.name(u), c.stateOf(u), list(words), c.without(u, missing))
	}}
}

func (c *Case) unrecorded(u int, force []int) suspect {
	events := c.effectsOf(u, force)
	return suspect{unit: u, events: events, say: func() string {
		var words []string
		for _, s := range force {
			words = append(words, c.stands(u, s))
		}
		return fmt.Sprintf("%s %s, but the target has no record of it: its client never got an answer", c.name(u), list(words))
	}}
}
