package checkers

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/wreckon/wreckon/history"
)

var compensationOrder = Guarantee{
	Name:    "compensation-order",
	Promise: "What was done is undone in reverse order, once, and nothing more is done once that has begun.",
	Finds: "A step that is undone although it is not in force: it was never done, or had been undone before. What the sink deduplicated " +
		"or refused undid nothing. A step that is undone while a later one, which has a way back, is still in force, unless the claims " +
		"say that order is free (compensation: any). A step that is done after compensation began, by the first undo that anybody asked " +
		"for, in a unit that did not end completed: a zombie; the repeat of an at-least-once step, or the first of one without a way " +
		"back, is none. Effects are judged in the order in which they landed, and steps that no sink sees in the order of the " +
		"audit trail of their source. Between the two only this is certain: what the trail had told was done by then.",
	Needs: []string{history.FeedEffects + " or " + history.FeedAudit},
	Check: checkCompensationOrder,
}

func checkCompensationOrder(c *Case) Judgement {
	r := rollbacks{Case: c, declared: min(len(c.claims.Steps), maxSteps), incomplete: c.trailMissing(), chainOf: c.chainsBySource()}
	checked := 0
	for u := range c.units {
		if !r.undone(u) {
			continue
		}
		checked++
		r.unit = u
		r.sink()
		if c.units[u].flags&unnumbered == 0 {
			r.trails()
		}
	}
	j := c.judgement("compensation-order", c.nouns+" of which something was undone", checked, r.suspects)
	if r.undecided != "" {
		j = j.unknown(r.undecided)
	}
	return j
}

// rollbacks replays what was done and undone of one unit after the other.
type rollbacks struct {
	*Case
	declared   int // steps that have a place in the order
	incomplete string
	chainOf    map[history.Ref]*chain
	unit       int
	suspects   []suspect
	undecided  string // why the first unit that could not be decided could not
}

// deed is one thing that a record tells of a step.
type deed struct {
	i      uint32
	step   int
	undo   bool
	asked  bool // it was asked for, and took no effect here: deduplicated or refused
	read   bool // told by an audit trail: it was done by then, nobody knows when
	doubts bool // the record has a hole before it
}

// undone tells that something of a unit was undone, or that somebody asked for it.
func (r *rollbacks) undone(u int) bool {
	if r.units[u].flags&undoAsked != 0 {
		return true
	}
	return slices.ContainsFunc(r.cells[u*len(r.steps):(u+1)*len(r.steps)], func(x cell) bool { return x.auditUndo > 0 })
}

// sink replays the effects of the unit, and beside them what the trail had told by then of the steps that no sink sees.
func (r *rollbacks) sink() {
	var deeds []deed
	for _, i := range r.eventsOf(r.unit) {
		switch r.H.Kind[i] {
		case history.KindEffect:
			d := deed{i: i, step: r.step(r.H.Step[i]), undo: r.H.Op[i] == r.undo, asked: r.H.Outcome[i] != history.OutcomeApplied}
			if d.step >= 0 && !r.steps[d.step].Observed && (d.undo || !d.asked) {
				deeds = append(deeds, d)
			}
		case history.KindAudit:
			r.recordedSteps(i, func(s int, undo bool) {
				if undo {
					deeds = append(deeds, deed{i: i, step: s, undo: true, read: true})
				}
			})
		}
	}
	r.replay(deeds)
}

// recordedSteps calls of for each step that no sink sees, and that an audit event says was done or undone.
func (r *rollbacks) recordedSteps(i uint32, of func(s int, undo bool)) {
	t := slices.Index(r.transitions, r.H.Op[i])
	if t < 0 {
		return
	}
	said := r.step(r.H.Step[i])
	for s := range r.steps {
		if !r.steps[s].Observed || said >= 0 && said != s {
			continue
		}
		switch t {
		case r.auditDo[s]:
			of(s, false)
		case r.auditUndo[s]:
			of(s, true)
		}
	}
}

// trails replays what each source recorded of the steps that no sink sees, in its own order.
func (r *rollbacks) trails() {
	var deeds []deed
	for _, i := range r.eventsOf(r.unit) {
		if r.H.Kind[i] == history.KindAudit {
			r.recordedSteps(i, func(s int, undo bool) { deeds = append(deeds, deed{i: i, step: s, undo: undo}) })
		}
	}
	slices.SortStableFunc(deeds, func(a, b deed) int {
		return cmp.Or(cmp.Compare(r.H.Comp[a.i], r.H.Comp[b.i]), cmp.Compare(r.H.Token[a.i], r.H.Token[b.i]), cmp.Compare(a.step, b.step))
	})
	deeds = slices.CompactFunc(deeds, func(a, b deed) bool { // redelivered
		return r.H.Comp[a.i] == r.H.Comp[b.i] && r.H.Token[a.i] == r.H.Token[b.i] && a.step == b.step
	})
	for len(deeds) > 0 {
		source := r.H.Comp[deeds[0].i]
		n := slices.IndexFunc(deeds, func(d deed) bool { return r.H.Comp[d.i] != source })
		if n < 0 {
			n = len(deeds)
		}
		r.trail(r.chainOf[source], deeds[:n])
		deeds = deeds[n:]
	}
}

// trail replays one source's record. Where it has a hole, or another source recorded that the step was done, nobody knows what was in
// force.
func (r *rollbacks) trail(ch *chain, deeds []deed) {
	var done [maxSteps]uint16
	for _, d := range deeds {
		if !d.undo {
			add(&done[d.step])
		}
	}
	for k := range deeds {
		d := &deeds[k]
		d.doubts = !r.unbroken(ch, 1, r.H.Token[d.i]) || r.cell(r.unit, d.step).auditDo != done[d.step]
	}
	r.replay(deeds)
}

// replay walks through one record.
func (r *rollbacks) replay(deeds []deed) {
	var net [maxSteps]int
	var did, undid [maxSteps]uint32 // the latest
	for s := range r.steps {
		did[s], undid[s] = none, none
	}
	began := none
	var told [wrongs]uint64 // steps of which it was told
	tell := func(what, step int, s suspect) {
		if told[what]>>step&1 == 0 {
			told[what] |= 1 << step
			r.suspects = append(r.suspects, s)
		}
	}
	for _, d := range deeds {
		s := d.step
		if !d.undo {
			if began != none && r.zombie(s, did[s]) {
				r.weigh(func() { tell(doneLate, s, r.doneTooLate(s, d.i, began)) })
			}
			if net[s]++; !judgedOnce(r.steps[s]) {
				net[s] = 1
			}
			did[s] = d.i
			continue
		}
		if began == none && s < r.declared {
			began = d.i
		}
		if d.asked || d.doubts {
			continue
		}
		if later := r.laterInForce(s, &net); later >= 0 {
			if !d.read {
				tell(wrongOrder, s, r.undoneTooEarly(s, d.i, later, did[later]))
			} else if r.units[r.unit].kind != completed && did[later] < began { // later than that it is a zombie
				r.weighRead(s, func() { tell(wrongOrder, s, r.undoneTooEarly(s, d.i, later, did[later])) })
			}
		}
		switch {
		case d.read:
			continue
		case net[s] > 0:
			net[s]--
		case undid[s] != none && judgedOnce(r.steps[s]):
			tell(undoneTwice, s, r.undoneAgain(s, d.i, undid[s]))
		case did[s] == none:
			tell(neverDone, s, r.undoneUndone(s, d.i))
		}
		undid[s] = d.i
	}
}

// What may be wrong with a step.
const (
	neverDone   = iota
	undoneTwice // without having been done again
	wrongOrder  // undone before a later step
	doneLate    // after compensation began
	wrongs      // how many there are
)

// zombie tells that to do a step now, after compensation began, is wrong whatever it is for.
func (r *rollbacks) zombie(s int, before uint32) bool {
	return s < r.declared && undoable(r.steps[s]) && (before == none || judgedOnce(r.steps[s]))
}

// laterInForce finds the last step that is in force, comes after another one, and has a way back; -1: there is none.
func (r *rollbacks) laterInForce(s int, net *[maxSteps]int) int {
	if r.claims.Compensation == "any" || s >= r.declared {
		return -1
	}
	for later := r.declared - 1; later > s; later-- {
		step := r.steps[later]
		way := step.Undoes != "" || step.AuditUndo != "" || r.cell(r.unit, later).undo > 0
		if way && net[later] > 0 {
			return later
		}
	}
	return -1
}

// weigh asks how the unit ended before a step that was done late counts: one that ended completed was tried anew, and of one that has
// not ended nobody knows.
func (r *rollbacks) weigh(tell func()) {
	switch k := r.units[r.unit].kind; {
	case k.undone() || k == quarantined:
		tell()
	case k != completed:
		r.doubt("went forward again after its compensation had begun, and did not come to an end")
	}
}

// weighRead asks whether an audit event, read while a later step was in force, can only mean that the order was wrong. It cannot where the step
// was done and undone once: it was undone while the other was in force, or the other was done after compensation began.
func (r *rollbacks) weighRead(s int, tell func()) {
	x := r.cell(r.unit, s)
	switch k := r.units[r.unit].kind; {
	case x.auditUndo > 1 || x.auditDo > 1:
	case r.incomplete != "":
		r.doubt("cannot be judged by its audit trail: " + r.incomplete)
	case k.undone() || k == quarantined:
		tell()
	default:
		r.doubt("was undone in an order that only its end could explain, and did not come to one")
	}
}

func (r *rollbacks) doubt(why string) {
	if r.undecided == "" {
		r.undecided = r.name(r.unit) + " " + why
	}
}

func (r *rollbacks) undoneUndone(s int, i uint32) suspect {
	u := r.unit
	return suspect{unit: u, events: []uint32{i}, notes: map[uint32]string{i: "nothing to undo"}, say: func() string {
		return fmt.Sprintf("%s %s, and had never %s before", r.name(u), r.undoing(s, i), r.beenDone(s))
	}}
}

func (r *rollbacks) undoneAgain(s int, i, before uint32) suspect {
	u := r.unit
	return suspect{unit: u, events: []uint32{before, i}, notes: map[uint32]string{i: "undone already"}, say: func() string {
		return fmt.Sprintf("%s %s, though it %s and had not %s again since", r.name(u), r.undoing(s, i), r.undoing(s, before), r.beenDone(s))
	}}
}

func (r *rollbacks) undoneTooEarly(s int, i uint32, later int, did uint32) suspect {
	u := r.unit
	return suspect{unit: u, events: []uint32{did, i}, notes: map[uint32]string{i: "before " + stepName(r.steps[later]) + " was undone"}, say: func() string {
		return fmt.Sprintf("%s %s, while its %s was still in force: it %s, and that is to be undone first",
			r.name(u), r.undoing(s, i), stepName(r.steps[later]), r.doing(later, did))
	}}
}

func (r *rollbacks) doneTooLate(s int, i, began uint32) suspect {
	u := r.unit
	return suspect{unit: u, events: []uint32{began, i}, notes: map[uint32]string{i: "after compensation began"}, say: func() string {
		first := r.H.Step[began]
		back := r.step(first)
		if r.H.Kind[began] == history.KindAudit {
			r.recordedSteps(began, func(s int, _ bool) { back = s })
		}
		how := "it " + r.undoing(back, began)
		if r.H.Kind[began] == history.KindEffect && r.H.Outcome[began] != history.OutcomeApplied {
			how = fmt.Sprintf("%s was to be undone at %s", stepName(r.steps[back]), when(r.at(began)))
		}
		return fmt.Sprintf("%s %s, after its compensation had begun: %s", r.name(u), r.doing(s, i), how)
	}}
}

// doing says that a step was done, as the event i tells it: "was charged 49.90 at 2.104s".
func (r *rollbacks) doing(s int, i uint32) string {
	return was(r.steps[s]) + " " + r.told(i)
}

// undoing says that a step was undone.
func (r *rollbacks) undoing(s int, i uint32) string {
	return wasUndone(r.steps[s]) + " " + r.told(i)
}

// told says when: an effect when it landed, an audit event when it was read.
func (r *rollbacks) told(i uint32) string {
	if r.H.Kind[i] == history.KindAudit {
		return fmt.Sprintf("(%s's audit event %d, read at %s)", clip(r.str(r.H.Comp[i]), 40), r.H.Token[i], when(r.at(i)))
	}
	return r.instance(i)
}

// beenDone is the verb of a step after "had never": "been charged".
func (r *rollbacks) beenDone(s int) string {
	if does := r.steps[s].Does; does != "" {
		return "been " + does
	}
	return "had its " + stepName(r.steps[s])
}
