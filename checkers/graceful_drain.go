package checkers

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/wreckon/wreckon/history"
)

var gracefulDrain = Guarantee{
	Name:    "graceful-drain",
	Promise: "A component that is told to stop finishes or hands over its work, and is gone in time.",
	Finds: "A component that was still running when its claimed grace after SIGTERM was over: it exited later, or had to be killed. An " +
		"acknowledged unit that is lost (see no-lost-work), and whose execution such a component had begun and not ended when it was gone, " +
		"with nobody who began it again or showed anything of it. Of a component that the harness paused, or killed before its grace was over, " +
		"it is unknown how long it would have taken. What is within the lateness of the harness itself is not late; " +
		"where that is beyond its bound, nobody knows what is.",
	Uses:  []string{history.FeedStarts, history.FeedEffects, history.FeedLetters},
	Check: checkGracefulDrain,
}

func checkGracefulDrain(c *Case) Judgement {
	if len(c.claims.Drain) == 0 {
		return Judgement{Status: NotTested, Reason: "the target does not claim how its components stop (claims: drain)"}
	}
	d := draining{Case: c, told: make(map[history.Ref]*stop), paused: make(map[history.Ref]bool), lastExit: make(map[history.Ref]uint32),
		open: make(map[history.Ref]map[workKey]uint32)}
	for i, kind := range c.H.Kind {
		switch kind {
		case history.KindProcess:
			d.process(uint32(i))
		case history.KindStart, history.KindFinish:
			d.execution(uint32(i), kind == history.KindStart)
		}
	}
	for _, s := range d.stops {
		d.judge(s)
	}
	d.losses()
	j := c.judgement("graceful-drain", "components told to stop", d.checked, d.suspects)
	if d.unsure != "" {
		return j.unknown(d.unsure)
	}
	if j.Status == Holds && !c.has(history.FeedStarts) {
		j.Reason = "executions are not recorded: whether work was lost with a component was not looked at"
	}
	return j
}

// draining follows components from SIGTERM to their exit.
type draining struct {
	*Case
	told     map[history.Ref]*stop              // component -> the SIGTERM that it has not answered yet
	paused   map[history.Ref]bool               // by SIGSTOP
	lastExit map[history.Ref]uint32             // component -> where it was last gone
	open     map[history.Ref]map[workKey]uint32 // component -> executions begun and not ended -> their start
	stops    []*stop
	cut      []cut
	checked  int
	suspects []suspect
	unsure   string // why something could not be decided
}

// stop is one SIGTERM and what came of it.
type stop struct {
	component string
	grace     time.Duration // claimed
	told      uint32
	gone      uint32 // none: nobody saw it
	killed    bool   // it did not exit by itself
	held      bool   // it was paused meanwhile
}

type workKey struct {
	unit history.Unit
	step history.Ref
}

// cut is an execution that a component took with it.
type cut struct {
	workKey
	start uint32
	by    *stop
}

// graceOf is what the claims say of a component: its own claim counts before that of every component.
func (d *draining) graceOf(component string) (grace time.Duration, claimed bool) {
	for _, name := range []string{component, ""} {
		for _, claim := range d.claims.Drain {
			if claim.Component == name {
				return max(time.Duration(claim.Grace), 0), true
			}
		}
	}
	return 0, false
}

func (d *draining) process(i uint32) {
	comp := d.H.Comp[i]
	s := d.told[comp]
	switch d.H.Outcome[i] {
	case history.OutcomeTerminated:
		d.terminated(comp, i)
	case history.OutcomePaused:
		d.paused[comp] = true
		if s != nil {
			s.held = true
		}
	case history.OutcomeResumed:
		d.paused[comp] = false
	case history.OutcomeExited, history.OutcomeKilled:
		if s != nil {
			s.gone, s.killed = i, d.H.Outcome[i] == history.OutcomeKilled && !strings.HasPrefix(d.str(d.H.Value[i]), "exit status")
			for key, start := range d.open[comp] {
				d.cut = append(d.cut, cut{key, start, s})
			}
		}
		d.lastExit[comp] = i
		d.ended(comp)
	case history.OutcomeStarted:
		d.ended(comp)
	}
}

func (d *draining) ended(comp history.Ref) {
	delete(d.told, comp)
	delete(d.open, comp)
	delete(d.paused, comp)
}

func (d *draining) terminated(comp history.Ref, i uint32) {
	component := d.str(comp)
	grace, claimed := d.graceOf(component)
	if !claimed || d.told[comp] != nil {
		return
	}
	s := &stop{component: clip(coalesce(component, "a component"), 60), grace: grace, told: i, gone: none, held: d.paused[comp]}
	d.stops = append(d.stops, s)
	if last, ok := d.lastExit[comp]; ok && d.H.Token[i] != 0 && d.H.Token[last] == d.H.Token[i] { // gone before it was noted that it had been told
		s.gone = last
		return
	}
	d.told[comp] = s
}

func (d *draining) execution(i uint32, begins bool) {
	comp, key := d.H.Comp[i], workKey{d.col[i], d.H.Step[i]}
	switch {
	case key.unit == history.NoUnit:
	case !begins:
		delete(d.open[comp], key)
	default:
		if d.open[comp] == nil {
			d.open[comp] = make(map[workKey]uint32)
		}
		d.open[comp][key] = i
	}
}

func (d *draining) undecided(format string, args ...any) {
	d.unsure = coalesce(d.unsure, fmt.Sprintf(format, args...))
}

// judge holds one stop to the claimed grace.
func (d *draining) judge(s *stop) {
	if s.gone == none {
		d.undecided("%s was told to stop at %s, and nobody saw it exit", s.component, when(d.at(s.told)))
		return
	}
	d.checked++
	took := d.at(s.gone) - d.at(s.told)
	late := took-s.grace > d.slack() || s.killed && d.granted(s) >= s.grace && took >= s.grace
	switch {
	case late && s.held:
		d.undecided("%s was paused while it was to stop: how long it needs, nobody knows", s.component)
	case late && d.starved() != "":
		d.undecided("%s was gone %s after it was told to stop, and its grace is %s: %s", s.component, briefly(took), s.grace, d.starved())
	case late:
		d.suspects = append(d.suspects, suspect{unit: -1, events: []uint32{s.told, s.gone}, say: func() string {
			how := "exited"
			if s.killed {
				how = "had to be killed"
			}
			return fmt.Sprintf("%s was told to stop at %s and %s at %s, after %s: its grace is %s", s.component, when(d.at(s.told)), how,
				when(d.at(s.gone)), briefly(took), s.grace)
		}})
	case s.killed:
		d.undecided("%s was killed %s after it had been told to stop, before its grace of %s was over", s.component, briefly(took), s.grace)
	}
}

// granted is how long the harness was to wait before it killed what it had told to stop; -1 where it does not say.
func (d *draining) granted(s *stop) time.Duration {
	text, ok := strings.CutPrefix(d.str(d.H.Value[s.told]), "grace ")
	grace, err := time.ParseDuration(text)
	if !ok || err != nil {
		return -1
	}
	return grace
}

// losses judges the executions that went with a component: those of units that are lost, and that nobody took up again.
func (d *draining) losses() {
	slices.SortFunc(d.cut, func(a, b cut) int { return cmp.Compare(a.start, b.start) })
	why := d.endMissing()
	for _, x := range d.cut {
		u := int(x.unit)
		if !d.units[u].acknowledged() || d.units[u].accounted() || d.takenUp(x) {
			continue
		}
		loss, lost := d.lost(u)
		switch {
		case why == "" && lost:
			d.suspects = append(d.suspects, d.takenAlong(x, loss))
		case why != "" || d.units[u].kind == open:
			d.undecided("%s was in the middle of %s when it was told to stop, and how that ended is not known", x.by.component, d.name(u))
		}
	}
}

func (d *draining) takenAlong(x cut, loss suspect) suspect {
	loss.events = append(loss.events, x.start, x.by.told, x.by.gone)
	loss.notes = map[uint32]string{x.start: "never ended"}
	end := loss.say
	loss.say = func() string {
		return fmt.Sprintf("%s, told to stop at %s, was gone at %s in the middle of the %s of %s, and nobody took that up again: %s", x.by.component,
			when(d.at(x.by.told)), when(d.at(x.by.gone)), clip(coalesce(d.str(x.step), "work"), 60), d.name(loss.unit), end())
	}
	return loss
}

// takenUp tells that somebody began an execution again, or showed that it had come to something.
func (d *draining) takenUp(x cut) bool {
	events := d.eventsOf(int(x.unit))
	k, _ := slices.BinarySearch(events, x.start+1)
	return slices.ContainsFunc(events[k:], func(i uint32) bool {
		kind := d.H.Kind[i]
		return d.H.Step[i] == x.step && (kind == history.KindStart || kind == history.KindFinish || kind == history.KindEffect)
	})
}
