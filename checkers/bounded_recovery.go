package checkers

import (
	"fmt"
	"slices"
	"time"

	"github.com/wreckon/wreckon/history"
)

var boundedRecovery = Guarantee{
	Name:    "bounded-recovery",
	Promise: "Once a fault is over, the target works again, and catches up, within its limits.",
	Finds: "After the heal of a fault: a first success that came later than claimed, or none, though clients asked for all that time. A " +
		"backlog that was still worked off, or still there at the deadline, later than claimed after the last heal and the end of the " +
		"load. An acknowledged unit that is lost (see no-lost-work) and was acknowledged longer before a fault began than the claimed " +
		"recovery point; no-lost-work speaks of every lost unit, whatever that point is. The clock of a heal starts with the first operation begun after it, and where another fault strikes before the " +
		"limit is over, that heal is not judged. What is within the lateness of the harness itself is not late; " +
		"where that is beyond its bound, nobody knows what is.",
	Uses:  []string{history.FeedEffects, history.FeedLetters},
	Bears: []string{history.FeedEffects},
	Check: checkBoundedRecovery,
}

func checkBoundedRecovery(c *Case) Judgement {
	if c.claims.Recovery == nil {
		return Judgement{Status: NotTested, Reason: "the target claims no limit to its recovery (claims: recovery)"}
	}
	r := recovering{Case: c, Recovery: *c.claims.Recovery, lastHeal: none}
	for k := range c.faults {
		if from := c.faults[k].over(); from != none {
			r.heals++
			if r.lastHeal == none || from > r.lastHeal {
				r.lastHeal = from
			}
		}
	}
	if r.heals == 0 {
		return Judgement{Status: NotTested, Reason: "no fault was in force and healed in this history"}
	}
	if r.Success > 0 {
		r.success()
	}
	if r.Backlog > 0 {
		r.backlog()
	}
	if r.Loss != nil {
		r.losses()
	}
	j := c.judgement("bounded-recovery", "limits applied", r.checked, r.suspects)
	if r.unsure != "" {
		return j.unknown(r.unsure)
	}
	if r.checked == 0 {
		j.Reason = coalesce(r.unasked, j.Reason)
	}
	return j
}

// over is where the heal of a fault began; none for one that was not healed, and for one that acts on single messages: each of these is
// over by itself.
func (s *span) over() uint32 {
	if _, ok := acts[s.kind]; ok || s.confirmed == none {
		return none
	}
	return min(s.end, s.healed)
}

// recovering judges what came after the faults.
type recovering struct {
	*Case
	history.Recovery
	heals    int
	lastHeal uint32
	checked  int
	suspects []suspect
	unsure   string
	unasked  string // why a heal could not be judged that nobody can be blamed for
}

// tooLate notes what came after its limit, if the clock can be believed.
func (r *recovering) tooLate(s suspect) {
	if why := r.starved(); why != "" {
		r.undecided("%s: %s", s.say(), why)
		return
	}
	r.suspects = append(r.suspects, s)
}

func (r *recovering) undecided(format string, args ...any) {
	r.unsure = coalesce(r.unsure, fmt.Sprintf(format, args...))
}

// under calls f with every stretch in which a fault was in force. One that acts on messages was where it touched one.
func (r *recovering) under(f func(from, to time.Duration)) {
	for k := range r.faults {
		s := &r.faults[k]
		if _, ok := acts[s.kind]; ok {
			for _, n := range s.bites {
				f(r.bitten(&r.bites[n]), r.at(r.bites[n].i)+1)
			}
			continue
		}
		if from, to := s.holds(r.Case); from != none {
			until := r.last() + 1
			if to < uint32(r.H.Len()) {
				until = r.at(to)
			}
			f(r.at(from), until)
		}
	}
}

// success asks after each heal when an operation first succeeded that was begun after it.
func (r *recovering) success() {
	limit := time.Duration(r.Success)
	var disturbed overlap
	r.under(func(from, to time.Duration) { disturbed.add(int64(from), int64(to)) })
	disturbed.sort()
	waited := r.waited()
	for k := range r.faults {
		s := &r.faults[k]
		heal := s.over()
		if heal == none {
			continue
		}
		asked, ok := r.comesBack(heal)
		if asked == none {
			r.unasked = "no client asked for anything after a fault was over"
			continue
		}
		proof := ok
		if ok == none {
			n, _ := slices.BinarySearchFunc(r.ops, asked, func(o operation, i uint32) int { return int(int64(o.call) - int64(i)) })
			proof = waited[n]
		}
		from := max(r.at(heal), r.at(asked))
		took := r.at(proof) - from
		own := 0 // while it is being undone, the fault itself is still in force
		if s.healed == none || r.at(s.healed) > from {
			own = 1
		}
		switch {
		case ok != none && took-limit <= r.slack():
			r.checked++
		case disturbed.count(int64(from), int64(from+min(limit, took))+1) > own:
			r.unasked = "another fault struck before the target had time to recover"
		case took-limit > r.slack():
			r.checked++
			r.tooLate(r.slow(s, heal, asked, ok, proof, took))
		default:
			r.undecided("after %s was over no operation succeeded, but nobody asked for as long as the target may take", r.fault(s))
		}
	}
}

func (r *recovering) fault(s *span) string {
	return clip(s.kind+" "+s.target, 80) + " (" + clip(s.id, 20) + ")"
}

func (r *recovering) slow(s *span, heal, asked, ok, proof uint32, took time.Duration) suspect {
	events := []uint32{heal, asked, proof}
	return suspect{unit: -1, events: events, say: func() string {
		limit := time.Duration(r.Success)
		if ok == none {
			return fmt.Sprintf("after %s was over at %s no operation succeeded for %s, until nobody asked any more: the limit is %s", r.fault(s),
				when(r.at(heal)), briefly(took), limit)
		}
		return fmt.Sprintf("after %s was over at %s the first operation succeeded at %s, %s after somebody asked: the limit is %s", r.fault(s),
			when(r.at(heal)), when(r.at(ok)), briefly(took), limit)
	}}
}

// waited lists for each operation the last end of those begun from it on, which is the end of the history where one has none: until
// then somebody waited for a success.
func (r *recovering) waited() []uint32 {
	last := make([]uint32, len(r.ops)+1)
	for k, o := range slices.Backward(r.ops) {
		ret := o.ret
		if ret == none {
			ret = uint32(r.H.Len() - 1)
		}
		last[k] = max(last[k+1], ret)
	}
	return last
}

// backlog asks how long the target went on working once there was nothing more to do than to catch up.
func (r *recovering) backlog() {
	limit := time.Duration(r.Backlog)
	if r.quiesceAt == none || !r.settled() && r.quiesce != "deadline" {
		r.undecided("the history does not tell when the backlog was empty: the target was not waited for")
		return
	}
	from, work := r.lastHeal, r.lastHeal
	for i, kind := range r.H.Kind[:r.quiesceAt] {
		switch {
		case kind >= history.KindInvoke && kind <= history.KindInfo:
			from = max(from, uint32(i))
		case works(kind):
			work = max(work, uint32(i))
		}
	}
	rested, still := r.at(r.quiesceAt)-r.at(from), r.at(work)-r.at(from)
	r.checked++
	switch {
	case r.quiesce == "deadline" && rested-limit > r.slack():
		r.tooLate(suspect{unit: -1, events: []uint32{from, r.quiesceAt}, say: func() string {
			return fmt.Sprintf("the target was still busy at %s, %s after the last fault was over and the last client was answered: its backlog is to be empty within %s",
				when(r.at(r.quiesceAt)), briefly(rested), limit)
		}})
	case work > from && still-limit > r.slack():
		r.tooLate(suspect{unit: -1, events: []uint32{from, work}, say: func() string {
			return fmt.Sprintf("the target still worked off its backlog at %s, %s after the last fault was over and the last client was answered: it is to be empty within %s",
				when(r.at(work)), briefly(still), limit)
		}})
	case r.quiesce == "deadline":
		r.undecided("the target was still busy at the deadline, %s after the last fault was over, and it may take %s", briefly(rested), limit)
	case rested-limit > r.slack():
		r.undecided("the target was seen at rest %s after the last fault was over, and its backlog is to be empty within %s: whether it was, nobody saw",
			briefly(rested), limit)
	}
}

// losses judges the lost units that no fault excuses.
func (r *recovering) losses() {
	if why := r.endMissing(); why != "" {
		r.undecided("what was lost is not known: %s", why)
		return
	}
	point := time.Duration(*r.Loss)
	var excused overlap
	r.under(func(from, to time.Duration) { excused.add(int64(from-point), int64(to)+1) })
	lastBegin := none
	for k := range r.faults {
		if s := &r.faults[k]; s.confirmed != none && s.begin != none && (lastBegin == none || s.begin > lastBegin) {
			lastBegin = s.begin
		}
	}
	excused.sort()
	if lastBegin != none {
		r.checked += r.whole.acknowledgedBefore(int64(r.at(lastBegin)))
	}
	for u := range r.units {
		x := &r.units[u]
		if !x.acknowledged() || lastBegin == none || x.acked > lastBegin {
			continue
		}
		r.checked++
		acked := int64(r.at(x.acked))
		if loss, lost := r.lost(u); lost && excused.count(acked, acked+1) == 0 {
			r.suspects = append(r.suspects, r.beyond(u, loss, point))
		}
	}
}

func (r *recovering) beyond(u int, loss suspect, point time.Duration) suspect {
	var next *span // the first fault after the unit was acknowledged
	for k := range r.faults {
		if s := &r.faults[k]; s.begin != none && s.begin > r.units[u].acked && (next == nil || s.begin < next.begin) {
			next = s
		}
	}
	events := loss.events
	if next != nil {
		events = append(events, next.begin)
	}
	return suspect{unit: u, events: events, notes: loss.notes, say: func() string {
		text := loss.say()
		if next != nil {
			text += fmt.Sprintf("; it was acknowledged %s before %s began, and only what is younger than %s may be lost",
				briefly(r.at(next.begin)-r.at(r.units[u].acked)), r.fault(next), point)
		}
		return text
	}}
}

// starved says that the harness itself was later than it may be, and how much; empty: it was not. On such a machine the target had as
// little time, and what it takes by the clock says nothing of it.
func (c *Case) starved() string {
	p99 := time.Duration(c.late()["p99"])
	if c.bound <= 0 || p99 <= c.bound {
		return ""
	}
	return fmt.Sprintf("the harness itself was late (p99 %s, and the bound is %v), and so may the target have been", briefly(p99), c.bound)
}

// slack is how late the harness itself was at worst: what it noticed that much after a limit may have happened within it.
func (c *Case) slack() time.Duration {
	worst := c.late()["max"]
	if !(worst > 0 && worst < float64(time.Hour)) {
		return 0
	}
	return time.Duration(worst)
}
