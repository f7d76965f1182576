package checkers

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/wreckon/wreckon/history"
)

var honouredDeadlines = Guarantee{
	Name:    "honoured-deadlines",
	Promise: "What must happen within a time happens within it, and what may not come late does not.",
	Finds: "An instant of a unit's life that came later after another than the claims allow (deadlines) or, where it must come, had not " +
		"come when the time was up. Only what is certain counts: the earliest that the second can have been, less the latest that the " +
		"first can. An effect was when it landed. A submit was between the first call and the acknowledgement. A state was entered " +
		"before it was shown, and after the beginning of every read that showed one which does not follow it. A transition was " +
		"recorded before its audit event was read, and after its unit was asked for, and each unit of which the same source had " +
		"recorded something before; the source's own time can clear a unit, and never convict it. What neither bound decides is " +
		"unknown, and of an instant that comes several times each is held against the next of the other.",
	Needs: []string{history.FeedEffects + " or " + history.FeedAudit + " or " + history.FeedStates + " or " + history.FeedReads},
	Check: checkDeadlines,
}

func checkDeadlines(c *Case) Judgement {
	const name = "honoured-deadlines"
	if len(c.claims.Deadlines) == 0 {
		return Judgement{Guarantee: name, What: c.nouns, Status: NotTested, Reason: "the target claims no deadline: declare claims.deadlines"}
	}
	d := deadlines{instants: newInstants(c)}
	var idle []string
	for k, claim := range c.claims.Deadlines {
		before := d.checked + d.doubts
		d.hold(claim)
		if d.checked+d.doubts == before && c.whole.held(k) == 0 {
			idle = append(idle, fmt.Sprintf("nothing could be held against the deadline %q", clip(claim.Name, 60)))
		}
	}
	j := c.judgement(name, "deadlines of "+c.nouns, d.checked, d.suspects)
	switch {
	case d.doubts > 0:
		j = j.unknown(d.undecided)
	case j.Status != Violated && len(idle) > 0:
		j.Reason = list(idle)
	}
	return j
}

// deadlines holds one claim after the other against every unit.
type deadlines struct {
	instants
	deadline
	checked   int
	suspects  []suspect
	doubts    int
	undecided string // the first of them
}

// deadline is one claim, understood.
type deadline struct {
	called   string
	from, to instant
	within   time.Duration
	must     bool
}

// broken tells that an instant is later than another by more than is allowed.
func (d deadline) broken(from, to time.Duration) bool {
	return to > from && uint64(to)-uint64(from) > uint64(d.within)
}

func (d *deadlines) doubt(format string, args ...any) {
	if d.doubts == 0 {
		d.undecided = fmt.Sprintf(format, args...)
	}
	d.doubts++
}

func (d *deadlines) hold(claim history.Deadline) {
	from, err := d.parse(claim.From)
	to, wrong := d.parse(claim.To)
	if err = cmp.Or(err, wrong); err != nil {
		d.doubt("the deadline %q cannot be judged: %v", clip(claim.Name, 60), err)
		return
	}
	d.deadline = deadline{called: clip(claim.Name, 60), from: from, to: to, within: time.Duration(max(claim.Within, 0)), must: claim.Must}
	returns := d.returns(from)
	for u := range d.units {
		begins := d.occurrences(u, from)
		if len(begins) > 0 && returns {
			d.doubt("%s %s, and perhaps again later, unseen: its lifecycle (states: next) does not exclude it", d.name(u), from.says)
			continue
		}
		if len(begins) > 0 {
			d.unit(u, begins, d.occurrences(u, to))
		}
	}
}

// unit holds the deadline against a unit. Both lists ascend by both of their bounds.
func (d *deadlines) unit(u int, begins, ends []occurrence) {
	for k, f := range begins {
		n, _ := slices.BinarySearchFunc(ends, f.lo, func(o occurrence, t time.Duration) int { return cmp.Compare(o.hi, t) })
		last := k+1 == len(begins)
		switch {
		case n == len(ends) && last:
			d.never(u, f)
		case n == len(ends) || !last && begins[k+1].lo <= ends[n].hi: // begun anew before it came
		case d.broken(f.hi, ends[n].lo):
			d.checked++
			d.late(u, f, ends[n])
		case d.broken(f.lo, ends[n].hi):
			d.doubt("whether %s kept its %s is not certain: it %s at %s, and %s at %s", d.name(u), d.called, d.from.says, f.text(),
				d.to.says, ends[n].text())
		default:
			d.checked++
		}
	}
}

// text says when: "2.104s", "2.104s to 3.2s".
func (o occurrence) text() string {
	if o.lo == o.hi {
		return when(o.lo)
	}
	return when(o.lo) + " to " + when(o.hi)
}

// never judges a deadline whose second instant was not seen to come.
func (d *deadlines) never(u int, f occurrence) {
	until, why := d.absence(u, d.to)
	switch {
	case !d.must && d.broken(f.hi, d.last()):
		d.checked++
	case !d.must:
	case why != "":
		d.doubt("whether %s kept its %s is not known: %s", d.name(u), d.called, why)
	case d.broken(f.hi, until):
		d.checked++
		x := d.deadline
		d.suspects = append(d.suspects, suspect{unit: u, events: []uint32{f.i}, notes: map[uint32]string{f.i: "never followed"}, say: func() string {
			return fmt.Sprintf("%s missed its %s: it %s at %s, and never %s, up to %s; %v are allowed", d.name(u), x.called, x.from.says, f.text(),
				x.to.says, when(until), x.within)
		}})
	}
}

func (d *deadlines) late(u int, f, o occurrence) {
	x := d.deadline
	d.suspects = append(d.suspects, suspect{unit: u, events: []uint32{f.i, o.i}, notes: map[uint32]string{o.i: "too late"}, say: func() string {
		return fmt.Sprintf("%s broke its %s: it %s at %s, and %s at %s, at least %v later; %v are allowed", d.name(u), x.called, x.from.says,
			f.text(), x.to.says, o.text(), briefly(o.lo-f.hi), x.within)
	}})
}
