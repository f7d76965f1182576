package checkers

import (
	"slices"
	"sync"
	"time"

	"github.com/wreckon/wreckon/history"
)

// whole is what a case knows of a history of which it holds only a part: the units that a scan doubts, and all that belongs to no unit. Where
// a guarantee, a metric or a verdict asks about all units, the scan has counted the others. Every method works on nil, and then there
// are no others.
type whole struct {
	*scan
	seqs    []uint64 // of the part's events in the whole
	checked map[string]int
	census  census

	mu    sync.Mutex
	shown []history.Unit // units of the findings that were told
}

// census adds up the units that are not in the part.
type census struct {
	units, acknowledged, refused, unknown                        int
	ended, dead, stuck, rolledBack, finished, undone, undoneWell int
	submit, completion, intent, retries                          histogram
}

func (t *census) add(e *ending, x *tale) {
	if x.has(taleAsked) {
		t.units++
		t.retries.add(int64(x.attempts) - 1)
		switch {
		case x.has(taleAcked):
			t.acknowledged++
		case x.refused():
			t.refused++
		default:
			t.unknown++
		}
	}
	if x.has(taleIntent) {
		t.intent.add(int64(x.intent))
	}
	if x.kind == open && !x.has(taleDead) {
		t.stuck++
	}
	if x.kind.final() {
		t.finished++
	}
	if x.kind.final() && x.kind != completed {
		t.rolledBack++
		t.undone++
		if e.force(x)&e.back == 0 {
			t.undoneWell++
		}
	} else if x.steps>>1&e.sinks != 0 {
		t.undone++
	}
	if !x.has(taleAcked) {
		return
	}
	t.submit.add(int64(x.submitted()))
	if x.kind.terminal() || x.has(taleDead) {
		t.ended++
	}
	if x.accounted() {
		t.dead++
	}
	if x.has(taleDone) {
		t.completion.add(int64(x.ended()))
	}
}

// within tells that a unit is judged by all that the history has of it.
func (x *tale) within() bool { return x.flags&(inDoubt|beside) != 0 }

// part reads what is in doubt, with what is beside it, and counts the rest.
func (s *scan) part() (*history.History, *whole, error) {
	h, seqs, err := s.r.Part(s.wants)
	if err != nil {
		return nil, nil, err
	}
	w := &whole{scan: s, seqs: seqs, checked: make(map[string]int)}
	return h, w, nil
}

// wants tells that an event is in the part.
func (s *scan) wants(b *history.Block, x *history.Shape, _ int, p history.Place) bool {
	if x.Has&history.HasUnit != 0 {
		t := s.tales.find(b.Unit[p.Unit()])
		return t == nil || t.within()
	}
	if x.Kind != history.KindExchange {
		return true
	}
	return x.Has&history.HasValue != 0 && s.class[b.Value[p.Value()]]&classFault != 0
}

// count counts the units that are not in the part.
func (w *whole) count(e *ending) {
	rules := slices.DeleteFunc(slices.Clone(w.rules), func(r rule) bool { return r.checks == nil })
	counts := make([]int, len(rules))
	w.tales.each(func(_ history.Unit, x *tale) {
		if x.flags == 0 && x.kind == unseen || x.within() {
			return
		}
		w.census.add(e, x)
		for k := range rules {
			if rules[k].checks(e, x) {
				counts[k]++
			}
		}
	})
	for k := range rules {
		w.checked[rules[k].guarantee] = counts[k]
	}
}

// suspects puts those units in doubt that a rule says are.
func (s *scan) suspects(e *ending) (doubted int) {
	var rules []rule
	for _, r := range s.rules {
		if r.doubts != nil {
			rules = append(rules, r)
		}
	}
	s.tales.each(func(_ history.Unit, x *tale) {
		if x.flags == 0 && x.kind == unseen && x.steps == 0 {
			return
		}
		if x.kind.final() && x.kind != completed && e.force(x)&e.back != 0 {
			x.suspect() // whether that was well is for a metric, too
		}
		for k := 0; k < len(rules) && !x.has(inDoubt); k++ {
			if rules[k].doubts(e, x) {
				x.suspect()
			}
		}
		if x.has(inDoubt) {
			doubted++
		}
	})
	return doubted
}

// lookBeside takes in the units among which the twins of findings are looked for.
func (w *whole) lookBeside() (more bool) {
	for _, u := range w.shown {
		for d := -twinReach; d <= twinReach; d++ {
			if x := w.tales.find(u + history.Unit(d)); x != nil && !x.within() {
				x.flags |= beside
				more = true
			}
		}
	}
	return more
}

// show notes a unit of which something was told.
func (w *whole) show(u history.Unit) {
	if w != nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.shown = append(w.shown, u)
	}
}

// also is how many units that are not in the part a guarantee has checked.
func (w *whole) also(guarantee string) int {
	if w == nil {
		return 0
	}
	return w.checked[guarantee]
}

// met are the steps that nobody claimed.
func (w *whole) met() []history.Step {
	if w == nil {
		return nil
	}
	return w.steps[min(len(w.claims.Steps), maxSteps):]
}

// complete gives a case of the part the counts of the whole.
func (w *whole) complete(c *Case) {
	if w != nil {
		w.scan.complete(c)
	}
}

func (s *scan) complete(c *Case) {
	t := &s.total
	c.tokens = t.tokens
	c.applied, c.deduplicated, c.states, c.stepsSeen, c.exchanges = t.applied, t.deduplicated, t.states, t.stepsSeen, t.exchanges
	c.audits = t.unnumbered
	for _, x := range s.trails {
		c.audits += x.arrived
	}
}

func (w *whole) audited() bool {
	return w != nil && slices.ContainsFunc(w.trails, func(t *auditTrail) bool { return t.known || t.headed })
}

func (w *whole) readsSeen() bool { return w != nil && w.total.reads }

func (w *whole) acked() bool { return w != nil && w.total.acked }

// missing tells that an audit event never came, and is not only left out of the part.
func (w *whole) missing(source string, number uint64) bool {
	if w == nil {
		return true
	}
	return w.trails[w.source[source]].missing(number)
}

// arrived counts the audit events of a source, repeats not counted.
func (c *Case) arrived(ch *chain) int {
	if w := c.whole; w != nil {
		return w.trails[w.source[c.str(ch.source)]].arrived
	}
	return len(ch.events)
}

func (w *whole) addCounts(n *Counts) {
	if w == nil {
		return
	}
	n.Events, n.Operations, n.OK, n.Fail = w.r.Len(), w.total.ops, w.total.ok, w.total.fail
	n.Info = n.Operations - n.OK - n.Fail
	n.Units, n.Acknowledged = n.Units+w.census.units, n.Acknowledged+w.census.acknowledged
	n.Refused, n.Unknown = n.Refused+w.census.refused, n.Unknown+w.census.unknown
}

// distributions find quantiles of what was measured in the part and what the scan has of the others.
func (w *whole) distributions(v values, all []measured) {
	of := map[string]*histogram{"submit_latency": &w.census.submit, "completion_latency": &w.census.completion,
		"intent_latency": &w.census.intent, "retries_per_unit": &w.census.retries}
	pickers := make(map[string]*picker)
	for _, m := range all {
		h := of[m.name]
		for _, d := range m.list {
			h.add(int64(d))
		}
		if h.n == 0 {
			continue
		}
		p := h.picker()
		for q := range quantileNames {
			p.want(rank(q, h.n))
		}
		for _, d := range m.list {
			p.offer(int64(d))
		}
		pickers[m.name] = p
	}
	w.offer(pickers["submit_latency"], pickers["completion_latency"], pickers["intent_latency"], pickers["retries_per_unit"])
	for _, m := range all {
		if p := pickers[m.name]; p != nil {
			for q, suffix := range quantileNames {
				v[m.name+suffix] = float64(p.pick(rank(q, of[m.name].n))) / float64(m.whole)
			}
		}
	}
}

// offer gives the pickers what census.add gave the histograms.
func (w *whole) offer(submit, completion, intent, retries *picker) {
	w.tales.each(func(_ history.Unit, x *tale) {
		if x.within() {
			return
		}
		if x.has(taleAcked) {
			submit.offer(int64(x.submitted()))
			if x.has(taleDone) {
				completion.offer(int64(x.ended()))
			}
		}
		if x.has(taleIntent) {
			intent.offer(int64(x.intent))
		}
		if x.has(taleAsked) {
			retries.offer(int64(x.attempts) - 1)
		}
	})
}

// load is what went on while faults held. The events of faults are all in the part.
func (w *whole) load(c *Case) (l load) {
	l.all.others = func(from, to int64) int { return w.flight.inFlight(w.markAt(from), w.markAt(to)) }
	l.hurt.others = func(from, to int64) int { return w.flight.harmed(w.markAt(from), w.markAt(to)) }
	l.open = c.openUnits()
	l.open.others = w.underWay
	return l
}

// underWay counts the units of the scan that were acknowledged and had not ended at some time between two instants.
func (w *whole) underWay(from, to int64) (n int) {
	w.tales.each(func(_ history.Unit, x *tale) {
		if x.within() || !x.has(taleAcked) {
			return
		}
		begin, end := x.from()+int64(x.submitted()), w.last
		if x.has(taleDone) {
			end = x.from() + int64(x.ended())
		}
		if end > begin && begin < to && end > from {
			n++
		}
	})
	return n
}

// markAt finds the mark of the part's event i; nil beyond its last.
func (w *whole) markAt(i int64) *faultMark {
	if i >= int64(len(w.seqs)) {
		return nil
	}
	return w.flight.at(w.seqs[i])
}

func (w *whole) recovery(from uint32) (d time.Duration, tried bool) {
	m := w.markAt(int64(from))
	if m.recovered < 0 {
		return -1, w.flight.calls > m.calls
	}
	return time.Duration(m.recovered - m.t), true
}
