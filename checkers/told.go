package checkers

import (
	"fmt"
	"slices"

	"github.com/wreckon/wreckon/history"
)

// A span tells of a unit what its sender did ("observe" with Op "told", Key the transition). One that is there proves that its sender says
// so. One that is not there proves nothing: senders drop spans, and one that is killed takes its last ones with it. So spans are no audit
// trail: they can contradict what happened, and nothing is missing where they are silent.

// checkSpans judges spans where no audit trail is read.
func (c *Case) checkSpans() Judgement {
	a := auditing{Case: c}
	early := a.told()
	j := c.judgement("complete-audit", "things that spans tell", len(c.spans), a.suspects)
	switch {
	case j.Status != Holds:
	case early != "":
		j.Status, j.Reason = NotTested, early
	default:
		j.Status, j.Reason = NotTested, "spans contradict nothing that happened; they prove by being there, and nothing by being absent, and no audit trail is read that could be complete"
	}
	return j
}

// claim is what a span says of a unit: one of its transitions.
type claim struct{ unit, transition, step int }

// told compares what spans tell of units with what happened, or says why what was not seen may only be late.
func (a *auditing) told() (early string) {
	switch {
	case a.H.Lost != "" || a.phases && a.observeEnd == none:
		return "the end of the history is missing"
	case a.moving() || a.quiesce == "deadline":
		return "the target had not come to rest: what spans tell may be yet to be seen"
	}
	said := make(map[claim]bool)
	for _, i := range a.spans {
		u, t := a.unitOf(i), slices.Index(a.transitions, a.H.Key[i])
		it := claim{u, t, a.step(a.H.Step[i])}
		if u < 0 || t < 0 || said[it] {
			continue
		}
		said[it] = true
		a.toldEffect(i, it)
		a.toldEnd(i, it)
	}
	return ""
}

// toldEffect finds a span of an effect that never landed. How often it landed is nothing that spans tell: a step that is tried again has
// several.
func (a *auditing) toldEffect(i uint32, it claim) {
	if !a.sees(history.FeedEffects) {
		return
	}
	for s, step := range a.steps {
		if step.Observed || it.step >= 0 && it.step != s {
			continue
		}
		x := a.cell(it.unit, s)
		done, undone := a.auditDo[s] == it.transition && x.do == 0, a.auditUndo[s] == it.transition && x.undo == 0
		if done || undone {
			a.add(it.unit, []uint32{i}, func() string {
				return fmt.Sprintf("a span of %s says that %s was %s, and that never happened", a.teller(i), a.name(it.unit), did(step, undone))
			})
		}
	}
}

// toldEnd finds a span of an end at which the unit is not, where nothing leads away from that end.
func (a *auditing) toldEnd(i uint32, it claim) {
	x := &a.units[it.unit]
	if x.final == none {
		return
	}
	state := -1
	for s, t := range a.stateAudit {
		if t != it.transition {
			continue
		}
		if !a.stateKinds[s].final() || len(a.claims.States.Next[a.stateNames[s]]) > 0 || a.stateNames[s] == a.stateOf(it.unit) {
			return
		}
		state = s
	}
	if state < 0 {
		return
	}
	a.add(it.unit, []uint32{i, x.final}, func() string {
		return fmt.Sprintf("a span of %s says that %s became %s, and at the end it is %s", a.teller(i), a.name(it.unit), a.stateNames[state], a.stateOf(it.unit))
	})
}

func (a *auditing) teller(i uint32) string {
	return clip(coalesce(a.str(a.H.Comp[i]), "the target"), 60)
}
