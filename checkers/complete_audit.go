package checkers

import (
	"fmt"

	"github.com/wreckon/wreckon/history"
)

var completeAudit = Guarantee{
	Name:    "complete-audit",
	Promise: "The audit trail tells everything that happened, in order, and nothing else.",
	Finds: "In a source's chain: a number that was never delivered, two different events under one number, a hash that does not follow " +
		"from the event before, an end that is not the one the source itself names. A checkpoint that covers events which are not there, or " +
		"others than those that are: an end that was cut off, or a whole trail that is gone, though each chain that is left is sound. For a unit: a state it was seen in without the " +
		"transition that records it; an applied effect without its audit event; an audit event of an effect that never landed. The " +
		"same event delivered twice, and late or mixed-up delivery, are no violation. What is missing is only judged once every " +
		"source's own last number was read from a target at rest. A span proves what it tells by being there, and nothing by being absent: spans are no trail that could be " +
		"complete, and all that is found of them is what they claim and did not happen, an effect or an end.",
	Needs: []string{history.FeedAudit + " or " + history.FeedSpans},
	Uses:  []string{history.FeedEffects},
	Bears: []string{history.FeedAudit, history.FeedEffects},
	Check: checkCompleteAudit,
}

func checkCompleteAudit(c *Case) Judgement {
	if !c.has(history.FeedAudit) {
		return c.checkSpans()
	}
	incomplete := c.trailMissing()
	a := auditing{Case: c, all: incomplete == ""}
	for k := range c.chains {
		a.chain(&c.chains[k])
	}
	a.checkpoints()
	for u := range c.units {
		if c.units[u].flags&unnumbered == 0 {
			a.effects(u)
		}
		if a.all {
			a.states(u)
		}
	}
	a.told()
	j := c.judgement("complete-audit", "audit events", c.audits, a.suspects)
	if incomplete != "" {
		return j.unknown(incomplete)
	}
	return j
}

// trailMissing says why what is missing from the trail may only be on its way; empty where it must have arrived.
func (c *Case) trailMissing() string {
	switch {
	case c.H.Lost != "":
		return "the end of the history is missing: " + clip(c.H.Lost, 200)
	case len(c.missed[history.FeedAudit]) > 0:
		return "some of the audit trail may not have been seen"
	case c.phases && c.observeEnd == none:
		return "the audit trail was not read to its end"
	case c.moving():
		return "the run ended before the target was given time to come to rest: what is missing may only be late"
	case c.quiesce == "deadline":
		return "the target was still busy at the deadline: what is missing may only be late"
	case c.left > 0:
		return fmt.Sprintf("the target declares %d states and transitions beyond the %d that are judged", c.left, maxStates)
	case len(c.chains) == 0:
		return "the audit trail could not be read: not one source named its last number"
	}
	for k := range c.chains {
		if ch := &c.chains[k]; ch.head == none {
			return fmt.Sprintf("the audit trail of %s could not be read to its end: its last number was never observed", c.source(ch))
		}
	}
	return ""
}

func (c *Case) source(ch *chain) string { return clip(coalesce(c.str(ch.source), "the target"), 60) }

// auditing collects what is wrong with the trail. all tells that everything the sources wrote must have arrived.
type auditing struct {
	*Case
	all      bool
	suspects []suspect
}

func (a *auditing) add(u int, events []uint32, say func() string) {
	a.suspects = append(a.suspects, suspect{unit: u, events: events, say: say})
}

// unitOf is the unit an audit event is about; -1: none.
func (a *auditing) unitOf(i uint32) int {
	if u := a.col[i]; u != history.NoUnit {
		return int(u)
	}
	return -1
}

func (a *auditing) chain(ch *chain) {
	name := a.source(ch)
	for _, f := range ch.forks {
		a.add(a.unitOf(f.other), []uint32{f.first, f.other}, func() string {
			return fmt.Sprintf("%s recorded two different audit events under number %d: %s, and %s", name, a.H.Token[f.first],
				clip(a.str(a.H.Op[f.first]), 60), clip(a.str(a.H.Op[f.other]), 60))
		})
	}
	for _, i := range a.breaks(ch) {
		a.add(a.unitOf(i), []uint32{i}, func() string {
			return fmt.Sprintf("the hash of %s's audit event %d does not follow from the event before it: the trail was changed or cut",
				name, a.H.Token[i])
		})
	}
	if !a.all {
		return
	}
	for _, g := range a.holes(ch) {
		a.hole(name, g)
	}
	a.end(ch, name)
}

func (a *auditing) hole(name string, g hole) {
	events := []uint32{g.after}
	if g.before != none {
		events = append(events, g.before)
	}
	a.add(-1, events, func() string {
		if g.from == g.to {
			return fmt.Sprintf("%s's audit trail has a gap: number %d was never delivered", name, g.from)
		}
		return fmt.Sprintf("%s's audit trail has a gap: numbers %d to %d were never delivered", name, g.from, g.to)
	})
}

// end compares what was delivered with where the source says its trail ends.
func (a *auditing) end(ch *chain, name string) {
	head := a.H.Token[ch.head]
	last, at := uint64(0), none
	for _, i := range ch.events {
		if i < ch.head || last < head {
			last, at = a.H.Token[i], i
		}
	}
	events := []uint32{ch.head}
	if at != none {
		events = append(events, at)
	}
	switch {
	case last < head:
		a.add(-1, events, func() string {
			return fmt.Sprintf("%s's audit trail ends at %d, but only %d arrived: the last %d are missing", name, head, last, head-last)
		})
	case last > head:
		a.add(-1, events, func() string {
			return fmt.Sprintf("%s's audit trail ends at %d, though audit event %d was delivered: its end was taken back", name, head, last)
		})
	case at != none && a.H.Key[at] != a.H.Key[ch.head] && a.H.Key[ch.head] != 0:
		a.add(-1, events, func() string {
			return fmt.Sprintf("%s's audit trail ends with another hash than the audit event %d that was delivered", name, head)
		})
	}
}

// states compares the states a unit was seen in with the transitions recorded for it.
func (a *auditing) states(u int) {
	x := &a.units[u]
	for s := range a.stateNames {
		t := a.stateAudit[s]
		if x.seen>>s&1 == 0 || t < 0 || x.audited>>t&1 == 1 {
			continue
		}
		i := a.shownIn(u, s)
		a.add(u, []uint32{i}, func() string {
			return fmt.Sprintf("%s was seen %s at %s, and no audit event %q records it", a.name(u), a.stateNames[s], when(a.at(i)), a.transitionName[t])
		})
	}
}

// shownIn is the first event that showed a unit in a state.
func (a *auditing) shownIn(u, s int) uint32 {
	first := none
	for _, i := range a.eventsOf(u) {
		kind := a.H.Kind[i]
		shows := kind == history.KindOK || kind == history.KindObserve && a.str(a.H.Op[i]) == "state"
		if shows && a.state(a.str(a.H.Value[i])) == s {
			first = min(first, i)
		}
	}
	if first == none { // an end that names another unit than its invoke
		return a.units[u].touched
	}
	return first
}

// effects compares the effects of a unit with the audit events that claim them.
func (a *auditing) effects(u int) {
	for s := range a.steps {
		x := *a.cell(u, s)
		if a.steps[s].Observed {
			a.observedStep(u, s, x)
			continue
		}
		if !a.sees(history.FeedEffects) {
			continue
		}
		do, auditDo, undo, auditUndo := x.do, x.auditDo, x.undo, x.auditUndo
		if !judgedOnce(a.steps[s]) { // repeats are its right, and need no audit event each
			do, auditDo, undo, auditUndo = min(do, 1), min(auditDo, 1), min(undo, 1), min(auditUndo, 1)
		}
		if a.auditDo[s] >= 0 {
			a.compare(u, s, false, int(do), int(auditDo))
		}
		if a.auditUndo[s] >= 0 {
			a.compare(u, s, true, int(undo), int(auditUndo))
		}
	}
}

func (a *auditing) compare(u, s int, undo bool, landed, claimed int) {
	verb, step := did(a.steps[s], undo), a.steps[s]
	transition := step.AuditDo
	if undo {
		transition = step.AuditUndo
	}
	switch {
	case landed > claimed && a.all:
		a.add(u, a.ofStep(u, s, undo), func() string {
			if claimed == 0 {
				return fmt.Sprintf("%s was %s %s, and no audit event %q records it", a.name(u), verb, times(landed), transition)
			}
			return fmt.Sprintf("%s was %s %s, and only %d of its audit events %q record it", a.name(u), verb, times(landed), claimed, transition)
		})
	case claimed > landed:
		a.add(u, a.ofStep(u, s, undo), func() string {
			if landed == 0 {
				return fmt.Sprintf("the audit trail says that %s was %s, and that never happened", a.name(u), verb)
			}
			return fmt.Sprintf("the audit trail says that %s was %s %s, and that happened %s", a.name(u), verb, times(claimed), times(landed))
		})
	}
}

// observedStep compares how a step that no sink sees was found at the end with what the trail says was done and undone.
func (a *auditing) observedStep(u, s int, x cell) {
	inForce, known := a.stepInForce(u, s)
	if !a.all || !known || a.auditDo[s] < 0 || a.auditUndo[s] < 0 {
		return
	}
	if int(x.auditDo)-int(x.auditUndo) == inForce || !judgedOnce(a.steps[s]) {
		return
	}
	events := append(a.ofStep(u, s, false), a.ofStep(u, s, true)...)
	events = append(events, a.effectsOf(u, []int{s})...)
	a.add(u, events, func() string {
		found := "not in force"
		if inForce > 0 {
			found = "in force"
		}
		return fmt.Sprintf("the audit trail has %s %s %s and %s %s, but at the end %s is %s", a.name(u), did(a.steps[s], false),
			times(int(x.auditDo)), did(a.steps[s], true), times(int(x.auditUndo)), stepName(a.steps[s]), found)
	})
}

// ofStep lists the applied effects of one step of a unit and the audit events that claim them.
func (a *auditing) ofStep(u, s int, undo bool) (events []uint32) {
	t := a.auditDo[s]
	if undo {
		t = a.auditUndo[s]
	}
	for _, i := range a.eventsOf(u) {
		switch a.H.Kind[i] {
		case history.KindEffect:
			if a.H.Outcome[i] == history.OutcomeApplied && a.H.Step[i] == a.stepRefs[s] && (a.H.Op[i] == a.undo) == undo {
				events = append(events, i)
			}
		case history.KindAudit:
			if t >= 0 && a.H.Op[i] == a.transitions[t] {
				events = append(events, i)
			}
		}
	}
	return events
}
