package checkers

import (
	"encoding/json"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/wreckon/wreckon/history"
)

// span is what the history tells of one fault.
type span struct {
	id, kind, target              string
	begin, confirmed, end, healed uint32 // none where it did not happen
	failed                        uint32
	force, heal                   evidence // what the probes saw
}

// evidence is the JSON in a fault's events, as far as a verdict needs it.
type evidence struct {
	Probe       string `json:"probe"`
	Connections int64  `json:"connections"`
	Bytes       int64  `json:"bytes"`
	Detail      string `json:"detail"`
}

func (p *pass) fault(i uint32) {
	k, ok := p.faultOf[p.H.Key[i]]
	if !ok {
		k = len(p.faults)
		p.faultOf[p.H.Key[i]] = k
		p.faults = append(p.faults, span{id: p.str(p.H.Key[i]), begin: none, confirmed: none, end: none, healed: none, failed: none})
	}
	s := &p.faults[k]
	s.kind, s.target = p.str(p.H.Op[i]), p.str(p.H.Comp[i])
	var e evidence
	if v := p.str(p.H.Value[i]); json.Unmarshal([]byte(v), &e) != nil {
		e = evidence{Detail: v} // an import may hold plain text
	}
	switch p.H.Outcome[i] {
	case history.OutcomeBegin:
		s.begin = min(s.begin, i)
	case history.OutcomeConfirmed:
		s.confirmed = min(s.confirmed, i)
		s.force.join(e)
	case history.OutcomeEnd:
		s.end = min(s.end, i)
		s.force.join(e)
	case history.OutcomeHealed:
		s.healed = i
		s.heal.join(e)
	case history.OutcomeFailed:
		s.failed = i
		s.heal.join(e)
	}
}

func (e *evidence) join(x evidence) {
	e.Probe, e.Detail = coalesce(e.Probe, x.Probe), coalesce(e.Detail, x.Detail)
	e.Connections, e.Bytes = max(e.Connections, x.Connections), max(e.Bytes, x.Bytes)
}

func coalesce(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// holds is the stretch of the history in which the fault was under way: from its beginning until it was seen to be gone. A crash is
// over when the component serves again, not when it is started; a rolling restart is confirmed when all of it has happened.
func (s *span) holds(c *Case) (from, to uint32) {
	from, to = s.begin, s.healed
	if from == none {
		from = s.confirmed
	}
	if to == none {
		to = uint32(c.H.Len())
	}
	return from, to
}

// overlap counts intervals by their sorted ends: of those that began before a stretch ended, take away those that ended before
// it began.
type overlap struct{ starts, ends []int64 }

func (o *overlap) add(start, end int64) {
	o.starts, o.ends = append(o.starts, start), append(o.ends, end)
}

func (o *overlap) sort() {
	slices.Sort(o.starts)
	slices.Sort(o.ends)
}

func (o *overlap) count(from, to int64) int {
	began := sort.Search(len(o.starts), func(i int) bool { return o.starts[i] >= to })
	ended := sort.Search(len(o.ends), func(i int) bool { return o.ends[i] > from })
	return began - ended
}

// load is what went on while faults held: operations by sequence, units by time.
type load struct{ all, hurt, open overlap }

func (c *Case) load() (l load) {
	if len(c.faults) == 0 {
		return l
	}
	end := int64(c.H.Len())
	for _, o := range c.ops {
		ret := end
		if o.ret != none {
			ret = int64(o.ret)
		}
		l.all.add(int64(o.call), ret)
		if o.ret == none || c.H.Kind[o.ret] != history.KindOK {
			l.hurt.add(int64(o.call), ret)
		}
	}
	last := c.last()
	for i := range c.units {
		if u := &c.units[i]; u.acknowledged() {
			from, to := c.at(u.acked), u.done
			if to < 0 {
				to = last
			}
			if to > from {
				l.open.add(int64(from), int64(to))
			}
		}
	}
	l.all.sort()
	l.hurt.sort()
	l.open.sort()
	return l
}

// last is when the history ends.
func (c *Case) last() time.Duration {
	if n := c.H.Len(); n > 0 {
		return c.at(uint32(n - 1))
	}
	return 0
}

// faultResults gives every planned fault its own verdict, in the order of the plan; then those that nobody planned.
func (c *Case) faultResults(planned []PlannedFault) []FaultResult {
	results := make([]FaultResult, 0, max(len(planned), len(c.faults)))
	l := c.load()
	for _, p := range planned {
		k := slices.IndexFunc(c.faults, func(s span) bool { return s.id == p.ID })
		if k < 0 || c.faults[k].begin == none && c.faults[k].failed == none {
			results = append(results, FaultResult{ID: p.ID, Kind: p.Kind, Target: p.Target, Verdict: NotReached,
				Reason: "the run ended before its time came", Recovery: -1})
			continue
		}
		results = append(results, c.faultResult(&c.faults[k], &l))
	}
	for k := range c.faults {
		s := &c.faults[k]
		if !slices.ContainsFunc(planned, func(p PlannedFault) bool { return p.ID == s.id }) {
			results = append(results, c.faultResult(s, &l))
		}
	}
	return results
}

func (c *Case) faultResult(s *span, l *load) FaultResult {
	when := func(i uint32) time.Duration {
		if i == none {
			return 0
		}
		return c.at(i)
	}
	r := FaultResult{ID: s.id, Kind: s.kind, Target: s.target, Begin: when(s.begin), Confirmed: when(s.confirmed), End: when(s.end),
		Healed: when(s.healed), Probe: s.force.Probe, HealProbe: s.heal.Probe, Recovery: -1,
		Bytes: max(s.force.Bytes, s.heal.Bytes), Conns: max(s.force.Connections, s.heal.Connections)}
	if from, to := s.holds(c); from != none {
		r.InFlight = l.all.count(int64(from), int64(to))
		r.Hurt = l.hurt.count(int64(from), int64(to))
		until := c.last()
		if to < uint32(c.H.Len()) {
			until = c.at(to)
		}
		r.OpenUnits = l.open.count(int64(c.at(from)), int64(until)+1)
	}
	if from := min(s.end, s.healed); from != none {
		r.Recovery, _ = c.recovery(from)
	}
	r.Verdict, r.Reason = s.judge(&r)
	return r
}

// recovery is the time from the beginning of a heal to the first operation begun after it that was ok; -1 where none was. tried
// tells whether any operation was begun at all.
func (c *Case) recovery(from uint32) (d time.Duration, tried bool) {
	first := sort.Search(len(c.ops), func(i int) bool { return c.ops[i].call > from })
	best := none
	for _, o := range c.ops[first:] {
		if o.call > best {
			break
		}
		if o.ret != none && c.H.Kind[o.ret] == history.KindOK {
			best = min(best, o.ret)
		}
	}
	if best == none {
		return -1, first < len(c.ops)
	}
	return c.at(best) - c.at(from), true
}

func (s *span) judge(r *FaultResult) (FaultVerdict, string) {
	why := func(text string) string {
		if detail := coalesce(s.heal.Detail, s.force.Detail); detail != "" {
			return text + ": " + clip(detail, 300)
		}
		return text
	}
	touched := r.Conns > 0 || r.Bytes > 0
	switch {
	case s.failed != none:
		return Misfired, why("it could not be injected, confirmed or healed")
	case s.confirmed == none:
		return Misfired, why("no probe ever showed it in force")
	case s.healed == none:
		return Misfired, why("no probe showed it gone again")
	case !touched && r.InFlight == 0 && r.OpenUnits == 0:
		return Masked, "it was in force, but no operation and no unit was in flight, and nothing passed where it was"
	case !touched && strings.Contains(s.target, "->"): // a connection fault counts what it touches
		return Masked, "it was in force, but no connection of the target was there for it to touch"
	}
	return Confirmed, ""
}

// faultsBetween lists the faults in force at some time between two events.
func (c *Case) faultsBetween(first, last uint32) []*span {
	var list []*span
	for k := range c.faults {
		s := &c.faults[k]
		to := s.healed
		if to == none {
			to = s.end
		}
		if s.begin != none && s.begin <= last && (to == none || to >= first) {
			list = append(list, s)
		}
	}
	return list
}
