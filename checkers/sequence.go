package checkers

import (
	"fmt"
	"slices"

	"github.com/wreckon/wreckon/history"
)

// sequence says which events share one sequence of tokens: those of a unit, a step, a component or a key.
type sequence struct {
	c    *Case
	per  string
	own  bool // each step of a unit has its own
	step int  // whose events; -1: of every step that no other claim names
}

var sequencesPer = []string{"unit", "step", "component", "key"}

// newSequence reads a claim on tokens; an error where it names what does not exist.
func (c *Case) newSequence(claim, step, per, otherwise string) (q sequence, err error) {
	q = sequence{c: c, per: per, step: -1}
	if per == "" {
		q.per = otherwise
	}
	if !slices.Contains(sequencesPer, q.per) {
		return q, fmt.Errorf("claims.%s says %q, want one of %s", claim, clip(per, 40), list(sequencesPer))
	}
	if step != "" {
		q.step = slices.IndexFunc(c.steps, func(s history.Step) bool { return s.Name == step })
		if q.step < 0 {
			q.step = len(c.steps) // no event is of it
		}
	}
	return q, nil
}

// size bounds the numbers of sequences.
func (q *sequence) size() int {
	switch q.per {
	case "unit":
		if q.own {
			return len(q.c.units) * len(q.c.steps)
		}
		return len(q.c.units)
	case "step":
		return len(q.c.steps)
	}
	return len(q.c.H.Strings)
}

// of numbers the sequence that an event of step s belongs to; -1 where it belongs to none.
func (q *sequence) of(i uint32, s int) int {
	switch q.per {
	case "unit":
		u := q.c.col[i]
		switch {
		case u == history.NoUnit:
			return -1
		case q.own:
			return int(u)*len(q.c.steps) + s
		}
		return int(u)
	case "step":
		return s
	case "component":
		return int(q.c.H.Comp[i]) - 1 // the string 0 is empty: no component
	}
	return int(q.c.H.Key[i]) - 1
}

// scope says, within a sentence, what a sequence is for where the unit does not say it.
func (q *sequence) scope(i uint32) string {
	switch q.per {
	case "component":
		return " for " + clip(q.c.str(q.c.H.Comp[i]), 60)
	case "key":
		return " for " + clip(q.c.str(q.c.H.Key[i]), 60)
	}
	return ""
}

// claimed gives each step the claim that speaks of it: the one that names it, or one that names no step, unless the step's tokens mean
// something else (elsewhere). -1: none.
func (c *Case) claimed(sequences []sequence, elsewhere []string) []int {
	of := make([]int, len(c.steps))
	for s, step := range c.steps {
		of[s] = slices.IndexFunc(sequences, func(q sequence) bool { return q.step == s })
		if of[s] < 0 && !slices.Contains(elsewhere, step.Name) {
			of[s] = slices.IndexFunc(sequences, func(q sequence) bool { return q.step < 0 })
		}
	}
	return of
}

// numbered lists the steps whose tokens are numbers of chunks or places in an order, as far as claims name them.
func (c *Case) numbered() (steps []string) {
	for _, p := range c.claims.Checkpoints {
		steps = append(steps, p.Step)
	}
	for _, o := range c.claims.Ordering {
		steps = append(steps, o.Step)
	}
	return steps
}

// fenced lists the steps whose tokens are fencing tokens or numbers of chunks, as far as claims name them.
func (c *Case) fenced() (steps []string) {
	for _, p := range c.claims.Checkpoints {
		steps = append(steps, p.Step)
	}
	for _, f := range c.claims.Fencing {
		steps = append(steps, f.Step)
	}
	return steps
}
