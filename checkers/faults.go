package checkers

import (
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/wreckon/wreckon/history"
)

// span is what the history tells of one fault.
type span struct {
	id, kind, target              string
	begin, confirmed, end, healed uint32 // none where it did not happen
	failed                        uint32
	force, heal                   evidence // what the probes saw
	bites                         []int    // exchanges that it touched, as indices of bites
	point                         string   // where the plan places it, if it is placed by an event
}

func newSpan(id string) span {
	return span{id: id, begin: none, confirmed: none, end: none, healed: none, failed: none}
}

// evidence is the JSON in a fault's events, as far as a verdict needs it.
type evidence struct {
	Probe       string `json:"probe"`
	Connections int64  `json:"connections"`
	Bytes       int64  `json:"bytes"`
	Detail      string `json:"detail"`
	Hits        int64  `json:"hits"`
	Exchange    *struct {
		Edge      string        `json:"edge"`
		Signature string        `json:"signature"`
		Nth       uint64        `json:"nth"`
		Unit      *history.Unit `json:"unit"`
		Point     string        `json:"point"`
	} `json:"exchange"` // of a fault placed by an event: where it bit
}

func (p *pass) fault(i uint32) {
	k, ok := p.faultOf[p.H.Key[i]]
	if !ok {
		k = len(p.faults)
		p.faultOf[p.H.Key[i]] = k
		p.faults = append(p.faults, newSpan(p.str(p.H.Key[i])))
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
	e.Connections, e.Bytes, e.Hits = max(e.Connections, x.Connections), max(e.Bytes, x.Bytes), max(e.Hits, x.Hits)
	if e.Exchange == nil {
		e.Exchange = x.Exchange
	}
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
type overlap struct {
	starts, ends []int64
	others       func(from, to int64) int // counts those that are not here; nil: none
}

func (o *overlap) add(start, end int64) {
	o.starts, o.ends = append(o.starts, start), append(o.ends, end)
}

func (o *overlap) sort() {
	slices.Sort(o.starts)
	slices.Sort(o.ends)
}

func (o *overlap) count(from, to int64) int {
	if to <= from { // a fault that was healed before it began
		return 0
	}
	began := sort.Search(len(o.starts), func(i int) bool { return o.starts[i] >= to })
	ended := sort.Search(len(o.ends), func(i int) bool { return o.ends[i] > from })
	if o.others != nil {
		began += o.others(from, to)
	}
	return began - ended
}

// load is what went on while faults held: operations by sequence, units by time.
type load struct{ all, hurt, open overlap }

func (c *Case) load() (l load) {
	if len(c.faults) == 0 {
		return l
	}
	if c.whole != nil {
		return c.whole.load(c)
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
	l.all.sort()
	l.hurt.sort()
	l.open = c.openUnits()
	return l
}

// openUnits are the stretches of time in which units were acknowledged and had not ended.
func (c *Case) openUnits() (o overlap) {
	last := c.last()
	for i := range c.units {
		if u := &c.units[i]; u.acknowledged() {
			from, to := c.at(u.acked), u.done
			if to < 0 {
				to = last
			}
			if to > from {
				o.add(int64(from), int64(to))
			}
		}
	}
	o.sort()
	return o
}

// last is when the history ends.
func (c *Case) last() time.Duration {
	if c.whole != nil {
		return time.Duration(c.whole.last)
	}
	if n := c.H.Len(); n > 0 {
		return c.at(uint32(n - 1))
	}
	return 0
}

// faultResults gives every planned fault its own verdict, in the order of the plan; then those that nobody planned.
func (c *Case) faultResults(planned []PlannedFault) []FaultResult {
	results := make([]FaultResult, 0, max(len(planned), len(c.faults)))
	l := c.load()
	reached := make(map[string]bool, len(planned))
	for _, p := range planned {
		k := slices.IndexFunc(c.faults, func(s span) bool { return s.id == p.ID })
		if k >= 0 && c.faults[k].reached(p.When != nil) {
			reached[p.ID] = true
			results = append(results, c.faultResult(&c.faults[k], &l))
			continue
		}
		results = append(results, FaultResult{ID: p.ID, Kind: p.Kind, Target: p.Target, Verdict: NotReached, Reason: p.missed(reached), Recovery: -1})
	}
	for k := range c.faults {
		s := &c.faults[k]
		if !slices.ContainsFunc(planned, func(p PlannedFault) bool { return p.ID == s.id }) {
			results = append(results, c.faultResult(s, &l))
		}
	}
	return results
}

// place notes what only the plan knows of the faults: where those that are placed by an event wait, and of what kind one is of which the
// history shows nothing but what it did.
func (c *Case) place(planned []PlannedFault) {
	for _, p := range planned {
		k := slices.IndexFunc(c.faults, func(s span) bool { return s.id == p.ID })
		if k < 0 {
			continue
		}
		s := &c.faults[k]
		if s.kind == "" {
			s.kind, s.target = p.Kind, p.Target
		}
		if p.When != nil {
			s.point = p.When.Point
		}
	}
}

// reached tells that a planned fault came to something. One that waits for an event may be armed and never bite.
func (s *span) reached(waits bool) bool {
	switch {
	case s.failed != none || len(s.bites) > 0:
		return true
	case waits || acts[s.kind].did != "":
		return s.confirmed != none || s.force.Exchange != nil || s.force.Hits > 0
	}
	return s.begin != none
}

// missed says why a planned fault was not reached.
func (p PlannedFault) missed(reached map[string]bool) string {
	w := p.When
	switch {
	case w == nil:
		return "the run ended before its time came"
	case p.After != "" && !reached[p.After]:
		return clip(p.After, 20) + ", which it follows, was not reached"
	}
	what := exchangeName(coalesce(w.Exchange, "exchange"), w.Nth)
	if w.Unit != "" {
		what += " of " + clip(w.Unit, 60)
	}
	if w.Point == pointAfter {
		what += " was answered"
	} else {
		what += " came by"
	}
	if w.Edge != "" {
		what += " on " + clip(w.Edge, 80)
	}
	if p.After != "" {
		what += " after " + clip(p.After, 20)
	}
	if w.Every > 1 {
		return fmt.Sprintf("fewer than %d %s before the load was over", w.Every, what)
	}
	return "no " + what + " before the load was over"
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
	c.tellBites(s, &r)
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
	if _, ok := acts[s.kind]; ok {
		r.Verdict, r.Reason = c.judgeAct(s, &r)
	} else {
		r.Verdict, r.Reason = s.judge(&r)
	}
	return r
}

// maxBites is how many of the exchanges that a fault touched are told. Hits counts all.
const maxBites = 100

// tellBites says at which exchanges a fault bit. What its injector says stands in for an exchange that the history does not hold.
func (c *Case) tellBites(s *span, r *FaultResult) {
	r.Hits = max(int(max(s.force.Hits, s.heal.Hits)), len(s.bites))
	for _, n := range s.bites[:min(len(s.bites), maxBites)] {
		r.Bites = append(r.Bites, c.biteOf(&c.bites[n]))
	}
	if x := s.force.Exchange; x != nil && len(r.Bites) == 0 {
		from, to := ends(x.Edge)
		b := Bite{From: from, To: to, Exchange: clip(x.Signature, 80), Nth: x.Nth, Point: clip(x.Point, 20)}
		if x.Unit != nil {
			b.Unit = clip(c.H.UnitName(*x.Unit), 120)
		}
		r.Exchange, r.Hits = b.told(), max(r.Hits, 1)
	}
	if len(r.Bites) > 0 {
		r.Exchange = r.Bites[0].told()
	}
}

// judgeAct judges a fault that acts on messages by the exchanges that it touched: one that shows what was meant confirms it.
func (c *Case) judgeAct(s *span, r *FaultResult) (FaultVerdict, string) {
	verdict, reason := c.judgeBites(s)
	switch {
	case s.failed != none && verdict == Masked: // its injector found nothing either
		return verdict, reason
	case s.failed != none:
		return Misfired, s.because("it could not be armed, or not do what it was to do")
	case len(s.bites) > 0:
		return verdict, reason
	case r.Hits == 0 && s.confirmed == none:
		return NotReached, "no message that it waited for came by"
	case c.exchanges > 0:
		return Misfired, s.because("no exchange of the history shows what it did")
	case s.confirmed == none:
		return Misfired, s.because("nothing ever showed what it did")
	}
	return Confirmed, "" // a history without exchanges: the injector's word is all there is
}

// judgeBites asks the exchanges that a fault touched until one shows what was meant.
func (c *Case) judgeBites(s *span) (verdict FaultVerdict, reason string) {
	for _, n := range s.bites {
		switch v, why := acts[s.kind].shows(c, &c.bites[n]); {
		case v == Confirmed:
			return Confirmed, ""
		case verdict == "" || v == Misfired && verdict == Masked:
			verdict, reason = v, why
		}
	}
	return verdict, reason
}

// recovery is the time from the beginning of a heal to the first operation begun after it that was ok; -1 where none was. tried
// tells whether any operation was begun at all.
func (c *Case) recovery(from uint32) (d time.Duration, tried bool) {
	if c.whole != nil {
		return c.whole.recovery(from)
	}
	asked, ok := c.comesBack(from)
	if ok == none {
		return -1, asked != none
	}
	return c.at(ok) - c.at(from), true
}

// comesBack finds the first operation that was begun after an event, and the first success of those that were; none where there is
// none.
func (c *Case) comesBack(from uint32) (asked, ok uint32) {
	c.successes.once.Do(func() { // the first success of each operation and those begun after it
		c.successes.first = make([]uint32, len(c.ops)+1)
		c.successes.first[len(c.ops)] = none
		for k, o := range slices.Backward(c.ops) {
			c.successes.first[k] = c.successes.first[k+1]
			if o.ret != none && c.H.Kind[o.ret] == history.KindOK {
				c.successes.first[k] = min(c.successes.first[k], o.ret)
			}
		}
	})
	k := sort.Search(len(c.ops), func(i int) bool { return c.ops[i].call > from })
	if k == len(c.ops) {
		return none, none
	}
	return c.ops[k].call, c.successes.first[k]
}

type successes struct {
	once  sync.Once
	first []uint32
}

// because adds to a reason what the injector said.
func (s *span) because(text string) string {
	if detail := coalesce(s.heal.Detail, s.force.Detail); detail != "" {
		return text + ": " + clip(detail, 300)
	}
	return text
}

func (s *span) judge(r *FaultResult) (FaultVerdict, string) {
	touched := r.Conns > 0 || r.Bytes > 0 || r.Hits > 0
	switch {
	case s.failed != none:
		return Misfired, s.because("it could not be injected, confirmed or healed")
	case s.confirmed == none:
		return Misfired, s.because("no probe ever showed it in force")
	case s.healed == none:
		return Misfired, s.because("no probe showed it gone again")
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
