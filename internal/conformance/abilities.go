package conformance

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/wreckon/wreckon/faults"
	"github.com/wreckon/wreckon/history"
	"github.com/wreckon/wreckon/targets"
)

// tried is a target, and what a quiet run has shown of it.
type tried struct {
	targets.Target
	sighting
	repeats repeats
}

// phase is how a phase of the run ended.
func (s sighting) phase(name string) history.Outcome {
	e, _ := s.ending(name)
	return e.Outcome
}

func (s sighting) ending(name string) (history.Event, bool) {
	for i := range s.Len() {
		if e := s.Event(i); e.Kind == history.KindPhase && e.Op == name && e.Outcome != history.OutcomeBegin {
			return e, true
		}
	}
	return history.Event{}, false
}

// events lists those that are wanted.
func (s sighting) events(wanted func(history.Event) bool) (list []history.Event) {
	for i := range s.Len() {
		if e := s.Event(i); wanted(e) {
			list = append(list, e)
		}
	}
	return list
}

func kind(k history.Kind, op string) func(history.Event) bool {
	return func(e history.Event) bool { return e.Kind == k && (op == "" || e.Op == op) }
}

// abilities says of each ability what a quiet run has shown.
func (t tried) abilities() []Ability {
	list := []Ability{t.start()}
	if !t.started {
		return list
	}
	list = append(list, t.operation("submit"), t.again(), t.operation("read"), t.operation("amend"))
	list = append(list, t.effects()...)
	list = append(list, t.audit(), t.spans(), t.executions(), t.states())
	list = append(list, t.read(history.FeedSteps, "steps", "step"), t.read(history.FeedLetters, "dead letters", "dead-letter"), t.read(history.FeedTotals, "totals", "total"))
	list = append(list, holes(t.sighting, Broken, "of what rests on them nothing can be judged, in any run")...)
	return append(list, t.idle(), t.still())
}

func (t tried) start() Ability {
	a := Ability{Name: "start", Status: Works}
	e, _ := t.ending("start")
	took := time.Duration(0)
	for _, p := range t.manifest.Phases {
		if p.Name == "start" {
			took = p.Took
		}
	}
	a.Saw = fmt.Sprintf("%s after %v", e.Value, took.Round(time.Millisecond))
	if e.Outcome != history.OutcomeEnd {
		a.Status, a.Saw = Broken, e.Value
	}
	return a
}

// operation counts how an operation's tries ended.
func (t tried) operation(op string) Ability {
	a := Ability{Name: op, Status: Works}
	if slices.Contains(t.Lacks, op) {
		a.Status, a.Saw = Declined, "not declared: clients do not "+op
		return a
	}
	ok, fail, info, why := 0, 0, 0, ""
	for _, e := range t.events(func(e history.Event) bool { return e.Op == op }) {
		switch e.Kind {
		case history.KindOK:
			ok++
		case history.KindFail:
			fail++
			why = e.Value
		case history.KindInfo:
			info++
			why = e.Value
		}
	}
	a.Saw = fmt.Sprintf("%d ok, %d fail, %d info", ok, fail, info)
	if why != "" {
		a.Saw += "; the last that was not ok: " + why
	}
	switch {
	case ok == 0:
		a.Status = Broken
	case op == "submit" && t.phase("baseline") != history.OutcomeEnd:
		a.Status = Broken
		e, _ := t.ending("baseline")
		a.Saw += "; " + e.Value
	case info > 0:
		a.Status = Broken
		a.Saw += ": without faults every answer should be one that the file gives a meaning"
	}
	return a
}

// again is what a repeated submit was told.
func (t tried) again() Ability {
	n := t.repeats
	a := Ability{Name: "submit again", Status: Works, Saw: fmt.Sprintf("%d answered like the first under the same key", n.same)}
	switch {
	case n.other > 0:
		a.Status, a.Saw = Broken, fmt.Sprintf("%d answered otherwise than the first under the same key: %s", n.other, n.example)
	case n.unsure > 0:
		a.Status, a.Saw = Broken, fmt.Sprintf("%d left open whether they took effect", n.unsure)
	case n.failed > 0:
		a.Saw = fmt.Sprintf("%d refused (%s): a client whose first answer was lost is told that nothing happened; if this status says that it is done already, it belongs to ok", n.failed, n.example)
		a.Status = Broken
	case n.same == 0:
		a.Status, a.Saw = Unknown, "nothing was accepted that could be repeated"
	}
	return a
}

// effects counts what landed, step by step.
func (t tried) effects() []Ability {
	if !slices.Contains(t.Claims.Feeds, history.FeedEffects) {
		return []Ability{{"effects", Declined, "not declared: nobody sees what happens outside"}}
	}
	type count struct{ applied, repeated, refused, keyless, foreign int }
	steps := map[string]*count{}
	for _, s := range t.Claims.Steps {
		if !s.Observed {
			steps[s.Name] = &count{}
		}
	}
	for _, e := range t.events(kind(history.KindEffect, "")) {
		c := steps[e.Step]
		if c == nil {
			c = &count{}
			steps[e.Step] = c
		}
		switch e.Outcome {
		case history.OutcomeApplied:
			c.applied++
		case history.OutcomeDeduplicated:
			c.repeated++
		default:
			c.refused++
		}
		if e.Key == "" {
			c.keyless++
		}
		if e.Unit == history.NoUnit {
			c.foreign++
		}
	}
	var list []Ability
	for _, name := range slices.Sorted(maps.Keys(steps)) {
		c := steps[name]
		a := Ability{Name: "effects of " + name, Status: Works, Saw: fmt.Sprintf("%d applied, %d deduplicated, %d refused", c.applied, c.repeated, c.refused)}
		if c.keyless > 0 {
			a.Saw += fmt.Sprintf("; %d carried no key: a repeat of them is done again", c.keyless)
		}
		switch {
		case c.foreign > 0:
			a.Status = Broken
			a.Saw += fmt.Sprintf("; %d name no unit that clients asked for: is unit the right place, and does the target carry the id so far?", c.foreign)
		case c.applied == 0:
			a.Status = Unknown
			a.Saw += ": nothing landed; is there a kind of unit (mix) that needs it, and does the target call the sink?"
		}
		list = append(list, a)
	}
	return list
}

func (t tried) audit() Ability {
	if !slices.Contains(t.Claims.Feeds, history.FeedAudit) {
		return Ability{"audit", Declined, "not declared: what the target says about itself is not read"}
	}
	all := t.events(kind(history.KindAudit, ""))
	units, told := map[history.Unit]bool{}, map[string]int{}
	for _, e := range all {
		told[e.Op]++
		if e.Unit != history.NoUnit {
			units[e.Unit] = true
		}
	}
	a := Ability{"audit", Works, fmt.Sprintf("%d entries of %d units: %s", len(all), len(units), counted(told))}
	switch {
	case len(all) == 0:
		a.Status = Unknown
	case len(units) == 0:
		a.Status = Broken
		a.Saw += "; not one names a unit that clients asked for"
	}
	return a
}

// states looks whether the final states are there, and are those that are declared.
func (t tried) states() Ability {
	if !slices.Contains(t.Claims.Feeds, history.FeedStates) {
		return Ability{"states", Declined, "not declared: what has become of a unit is not known"}
	}
	all := t.events(kind(history.KindObserve, "state"))
	names, units := map[string]int{}, map[history.Unit]bool{}
	for _, e := range all {
		names[e.Value]++
		units[e.Unit] = true
	}
	accepted := map[history.Unit]bool{}
	for _, e := range t.events(kind(history.KindOK, "submit")) {
		accepted[e.Unit] = true
	}
	missing := 0
	for u := range accepted {
		if !units[u] {
			missing++
		}
	}
	s := t.Claims.States
	known := append([]string{s.Completed, s.Compensated, s.Quarantined, s.Expired}, s.Open...)
	if s.Completed+s.Compensated+s.Quarantined+s.Expired == "" {
		known = append(known, "completed", "compensated", "quarantined")
	}
	var strange []string
	for name := range names {
		if !slices.Contains(known, name) {
			strange = append(strange, name)
		}
	}
	slices.Sort(strange)
	a := Ability{"states", Works, fmt.Sprintf("%d read: %s", len(all), counted(names))}
	e, _ := t.ending("observe")
	switch {
	case e.Outcome != history.OutcomeEnd:
		a.Status, a.Saw = Broken, e.Value
	case len(strange) > 0:
		a.Status = Broken
		a.Saw += "; claims.states know nothing of " + strings.Join(strange, ", ")
	case missing > 0:
		a.Status = Broken
		a.Saw += fmt.Sprintf("; of %d accepted units nothing was read", missing)
	}
	return a
}

// read counts what is read at the end.
func (t tried) read(feed, name, op string) Ability {
	if !slices.Contains(t.Claims.Feeds, feed) {
		return Ability{name, Declined, "not declared"}
	}
	n := len(t.events(kind(history.KindObserve, op)))
	if n == 0 && feed != history.FeedLetters { // that there are no dead letters is how it should be
		return Ability{name, Unknown, "nothing was read"}
	}
	return Ability{name, Works, fmt.Sprintf("%d read", n)}
}

func (t tried) idle() Ability {
	e, ok := t.ending("quiesce")
	switch {
	case !ok:
		return Ability{"idle", Unknown, "the run did not come so far"}
	case e.Value == "settled":
		return Ability{"idle", Works, "every unit ended, and nothing was left to do"}
	case e.Value == "idle":
		return Ability{"idle", Broken, "there was nothing to do, and yet units were not at an end: work that nobody does, or idle does not see it"}
	}
	return Ability{"idle", Broken, "the target was never idle: is there a number (queued) that does not come down to 0, or a silence that is always broken?"}
}

// still looks whether anything moved after the target was said to be idle.
func (t tried) still() Ability {
	e, ok := t.ending("quiesce")
	if !ok || e.Value == "deadline" {
		return Ability{"still", Unknown, "the target was never idle"}
	}
	late := t.events(func(x history.Event) bool { return x.Kind == history.KindEffect && x.Seq > e.Seq })
	if len(late) > 0 {
		return Ability{"still", Broken, fmt.Sprintf("%d effects landed after it was said to be idle, the first of them %v later: work that is under way would be called lost",
			len(late), (late[0].T - e.T).Round(time.Millisecond))}
	}
	return Ability{"still", Works, fmt.Sprintf("no effect landed in the %v after it was said to be idle", lingers)}
}

// counted writes how often there was what: paid 12, declined 3.
func counted(names map[string]int) string {
	if len(names) == 0 {
		return "none"
	}
	var list []string
	for _, name := range slices.Sorted(maps.Keys(names)) {
		list = append(list, fmt.Sprintf("%s %d", name, names[name]))
		if len(list) == 8 {
			list = append(list, "…")
			break
		}
	}
	return strings.Join(list, ", ")
}

// restarts says of each component whether it came back from what was done to it.
func restarts(s sighting, strikes []faults.Spec) []Ability {
	var list []Ability
	for _, f := range strikes {
		a := Ability{Name: f.Kind + " " + f.Component, Status: Unknown, Saw: "it was not tried"}
		for _, e := range s.events(func(e history.Event) bool { return e.Kind == history.KindFault && e.Key == f.ID }) {
			switch e.Outcome {
			case history.OutcomeHealed:
				if a.Status != Broken {
					a.Status, a.Saw = Works, "it was ready again"
				}
			case history.OutcomeFailed:
				a.Status, a.Saw = Broken, detail(e.Value)
			}
		}
		if f.Kind == "terminate" && a.Status == Works {
			a.drained(s, f)
		}
		list = append(list, a)
	}
	return list
}

// detail is what the evidence of a fault says in words.
func detail(evidence string) string {
	var e faults.Evidence
	if json.Unmarshal([]byte(evidence), &e) != nil || e.Detail == "" {
		return evidence
	}
	return e.Detail
}

// drained looks how a component ended that was told to.
func (a *Ability) drained(s sighting, f faults.Spec) {
	told := false
	for _, e := range s.events(func(e history.Event) bool { return e.Kind == history.KindProcess && e.Component == f.Component }) {
		switch {
		case e.Outcome == history.OutcomeTerminated:
			told = true
		case told && e.Outcome == history.OutcomeExited:
			a.Saw = e.Value + ", and ready again"
			return
		case told && e.Outcome == history.OutcomeKilled:
			a.Status, a.Saw = Broken, fmt.Sprintf("it was still running %v after SIGTERM, and had to be killed", f.Grace)
			return
		}
	}
}
