package checkers

import (
	"slices"
	"strings"

	"github.com/wreckon/wreckon/history"
)

// rule is what a scan does for one guarantee: it says which units the guarantee may have something to say about, and counts the others. A
// guarantee without one is judged on the whole history.
type rule struct {
	guarantee string
	// claimed tells whether the guarantee is tested at all with these claims; nil: always.
	claimed func(*history.Claims) bool
	// marks tells that an event of this shape puts its unit in doubt; nil: none does.
	marks func(*scan, *history.Shape) bool
	// doubts tells, once all is read, whether a unit is in doubt; nil: no unit is.
	doubts func(*ending, *life) bool
	// checks tells whether a unit that is not in doubt counts as checked; nil: units are not what it counts.
	checks func(*ending, *life) bool
	// counts is the same for what there may be several of in one unit.
	counts func(*ending, *life) int
	// listens gives what looks at the events themselves; nil: nothing does.
	listens func(*scan) listener
	// all tells that with these claims the whole history is judged; nil: never.
	all func(*history.Claims) bool
}

// scanRules are the rules that there are.
var scanRules = []rule{
	{guarantee: "no-duplicate-effects", checks: func(_ *ending, x *life) bool { return x.has(lifeEffect) }},
	{guarantee: "no-lost-work", doubts: (*ending).mayBeLost, checks: func(_ *ending, x *life) bool { return x.has(lifeAcked) }},
	{guarantee: "no-phantom-effects", doubts: func(_ *ending, x *life) bool { return x.has(lifeEffect) && (!x.has(lifeAsked) || x.refused()) }},
	{guarantee: "atomic-outcome", doubts: (*ending).mayBeMixed, checks: func(_ *ending, x *life) bool { return x.kind.final() }},
	{guarantee: "complete-audit", doubts: (*ending).mayBeUnrecorded},
	{guarantee: "no-stuck-work", doubts: func(_ *ending, x *life) bool { return x.kind == open && !x.has(lifeDead) },
		checks: func(_ *ending, x *life) bool { return x.kind != unseen && x.kind != absent }},
	{guarantee: "idempotent-answers", doubts: func(_ *ending, x *life) bool { return x.attempts > 1 }},
	{guarantee: "fencing", claimed: func(c *history.Claims) bool { return len(c.Fencing) > 0 }, listens: newFences},
	{guarantee: "ordered-delivery", claimed: func(c *history.Claims) bool { return len(c.Ordering) > 0 }, listens: newOrders},
	{guarantee: "bounded-retries", claimed: func(c *history.Claims) bool { return len(c.Retries) > 0 }, marks: (*scan).isChunk,
		doubts: (*ending).mayRetryWrongly, counts: (*ending).attempted, all: func(c *history.Claims) bool { return len(c.Feeds) == 0 }},
	{guarantee: "honoured-deadlines", claimed: func(c *history.Claims) bool { return len(c.Deadlines) > 0 }, listens: newDeadlines},
	{guarantee: "dead-letters-accounted", claimed: func(c *history.Claims) bool { return c.DeadLetters != nil }, doubts: (*ending).mayBeMisplaced},
	{guarantee: "authorised-actions", claimed: func(c *history.Claims) bool { return len(c.Privileges) > 0 }, marks: (*scan).isPrivileged},
	{guarantee: "checkpoint-progress", claimed: func(c *history.Claims) bool { return len(c.Checkpoints) > 0 }, marks: (*scan).isChunk},
	{guarantee: "conserved-totals", claimed: func(c *history.Claims) bool { return len(c.Totals) > 0 }, listens: newSums},
	{guarantee: "traced", claimed: func(c *history.Claims) bool { return slices.Contains(c.Feeds, history.FeedTraces) }, listens: newTraces},
	{guarantee: "bounded-recovery", claimed: func(c *history.Claims) bool { return c.Recovery != nil }, listens: newRecoveries,
		doubts: func(e *ending, x *life) bool { return e.claims.Recovery.Loss != nil && e.mayBeLost(x) }},
	{guarantee: "graceful-drain", claimed: func(c *history.Claims) bool { return len(c.Drain) > 0 }, doubts: (*ending).mayBeCut},
	{guarantee: "compensation-order", marks: func(s *scan, x *history.Shape) bool { return x.Kind == history.KindEffect && s.name(x.Op) == "undo" },
		doubts: func(_ *ending, x *life) bool { return x.steps&(bitAuditUndo*everyStep) != 0 }},
	{guarantee: "legal-lifecycle", checks: (*ending).seenTwice},
	{guarantee: "linearizable-state", doubts: func(_ *ending, x *life) bool { return x.ops > 1 }},
}

// concerned lists the rules of the guarantees that are asked for and may be tested. Where one has no rule the whole history is judged.
func (s *scan) concerned() (rules []rule) {
	s.giveUp = len(s.spec.Extra) > 0 || slices.ContainsFunc(s.steps[min(len(s.steps), lifeSteps):], mayLack)
	for _, g := range Guarantees {
		if len(s.spec.Guarantees) > 0 && !slices.Contains(s.spec.Guarantees, g.Name) || !s.mayShow(g) {
			continue
		}
		k := slices.IndexFunc(scanRules, func(r rule) bool { return r.guarantee == g.Name })
		switch {
		case k < 0:
			s.giveUp = true
		case scanRules[k].claimed == nil || scanRules[k].claimed(&s.claims):
			rules = append(rules, scanRules[k])
			s.giveUp = s.giveUp || scanRules[k].all != nil && scanRules[k].all(&s.claims)
		}
	}
	return rules
}

// mayLack tells that it matters of a step, too, that nothing shows it. A life must have room for such a step.
func mayLack(step history.Step) bool { return step.Required || step.Observed }

// mayShow tells that the history may show what a guarantee needs: its claims say so, or say nothing.
func (s *scan) mayShow(g Guarantee) bool {
	if len(s.claims.Feeds) == 0 {
		return true
	}
	shown := func(feed string) bool { return slices.Contains(s.claims.Feeds, feed) }
	return !slices.ContainsFunc(g.Needs, func(need string) bool { return !slices.ContainsFunc(strings.Split(need, " or "), shown) })
}

// ending is what the whole history says that decides what a unit's tale means, as sets of steps, four bits for each.
type ending struct {
	*Case               // of the phases, and of what was counted
	sinks, looks uint32 // bit 0 of each step that a sink sees; that is observed
	must         uint32 // bit 0 of each step that a completed unit must have in force
	back         uint32 // that a compensated unit must not
	do, undo     uint32 // bit 0 of each step at a sink whose effect, whose undoing must be recorded
	both         uint32 // of each observed step that must be recorded either way
	declared     bool   // the claims say which steps there are
	deadline     bool   // the target was still at work when its state was read
	sunk         bool   // effects at sinks are recorded
	keeps        []bool // of each audit trail: its source keeps the state of units
	listed       bool   // an observed step that was not looked at is known not to be in force
}

func (s *scan) ending(c *Case) *ending {
	e := &ending{Case: c, sunk: c.has(history.FeedEffects), declared: c.declares(), deadline: c.quiesce == "deadline", listed: c.stepsSeen > 0 && c.phases && c.observeEnd != none}
	for source, k := range s.source {
		for len(e.keeps) <= k {
			e.keeps = append(e.keeps, false)
		}
		e.keeps[k] = s.keeps(source)
	}
	for k, step := range s.steps[:min(len(s.steps), lifeSteps)] {
		b := stepBits(k, 1)
		if step.Observed {
			e.looks |= b
			if s.auditDo[k] >= 0 && s.auditUndo[k] >= 0 && judgedOnce(step) {
				e.both |= b
			}
		} else {
			e.sinks |= b
			if s.auditDo[k] >= 0 {
				e.do |= b
			}
			if s.auditUndo[k] >= 0 {
				e.undo |= b
			}
		}
		if step.Required {
			e.must |= b
		}
		if undoable(step) {
			e.back |= b
		}
	}
	return e
}

// force are the steps of a unit that are in force, as bit 0 of each.
func (e *ending) force(x *life) uint32 {
	return x.steps&^(x.steps>>1)&e.sinks | x.steps>>1&e.looks
}

// known tells that it is known of all steps that matter whether they are in force.
func (e *ending) known(x *life, matter uint32) bool {
	if matter&e.looks != 0 && e.deadline {
		return false // the checker looks at when it ended
	}
	return matter&e.looks&^x.steps == 0 || e.listed
}

// complete tells that a unit that ended completed has all that it must.
func (e *ending) complete(x *life) bool {
	return e.must&^e.force(x) == 0 && e.known(x, e.must) && (e.must&e.sinks == 0 || e.sunk) && (e.declared || e.force(x) != 0)
}

func (e *ending) mayBeLost(x *life) bool {
	switch {
	case !x.has(lifeAcked) || x.accounted():
		return false
	case x.kind == completed:
		return !e.complete(x)
	}
	return !x.kind.final()
}

func (e *ending) mayBeMixed(x *life) bool {
	switch {
	case x.kind == completed:
		return !e.complete(x)
	case x.kind.final():
		return e.force(x)&e.back != 0 || !e.known(x, e.looks)
	case x.kind == unseen || x.kind == absent:
		return x.has(lifeAsked) && !x.has(lifeAcked|lifeDead) && !x.refused() && e.force(x) != 0
	}
	return false
}

func (e *ending) mayBeUnrecorded(x *life) bool {
	if x.unrecorded() {
		return true
	}
	if x.has(lifeLoose) {
		return false
	}
	did, undid, said, unsaid := x.steps, x.steps>>1, x.steps>>2, x.steps>>3
	if (did^said)&e.do|(undid^unsaid)&e.undo != 0 {
		return true
	}
	force := x.steps >> 1
	return (force^said&^unsaid|unsaid&^said)&e.both != 0
}
