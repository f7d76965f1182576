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
	seqs []uint64 // of the part's events in the whole

	mu    sync.Mutex
	shown []history.Unit // units of the findings that were told
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
	return w.census.checked[guarantee]
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
	if t.tokens {
		c.tokens = 1
	}
	c.applied, c.deduplicated, c.states, c.stepsSeen, c.exchanges = t.applied, t.deduplicated, t.states, t.stepsSeen, t.exchanges
	c.audits = t.unnumbered
	for _, x := range s.trails {
		c.audits += x.arrived
	}
}

// places is where the accepted units that are not in the part ended.
func (w *whole) places() (b balance) {
	if w != nil {
		b = w.census.places
	}
	return b
}

// attempted counts what of units that are not in the part was attempted, for one claim on retries.
func (w *whole) attempted(claim int) int {
	if w == nil {
		return 0
	}
	return w.census.attempted[claim]
}

func (w *whole) audited() bool {
	return w != nil && slices.ContainsFunc(w.trails, func(t *auditTrail) bool { return t.known || t.headed })
}

func (w *whole) readsSeen() bool { return w != nil && w.total.reads }

func (w *whole) acked() bool { return w != nil && w.census.acknowledged > 0 }

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
	of := map[string]*histogram{submitLatency: &w.census.submit, completionLatency: &w.census.completion,
		intentLatency: &w.census.intent, retriesPerUnit: &w.census.retries}
	pickers := make(map[string]*picker)
	for _, m := range all {
		h := of[m.name]
		for _, d := range m.list {
			h.add(int64(d))
		}
		n := h.size()
		if n == 0 {
			continue
		}
		p := h.picker()
		for q := range quantileNames {
			p.want(rank(q, n))
		}
		for _, d := range m.list {
			p.offer(int64(d))
		}
		pickers[m.name] = p
	}
	w.offer(pickers)
	for _, m := range all {
		if p := pickers[m.name]; p != nil {
			n := of[m.name].size()
			for q, suffix := range quantileNames {
				v[m.name+suffix] = float64(p.pick(rank(q, n))) / float64(m.whole)
			}
		}
	}
}

// load is what went on while faults held. The events of faults are all in the part.
func (w *whole) load(c *Case) (l load) {
	l.all.others = func(from, to int64) int { return w.flight.inFlight(w.markAt(from), w.markAt(to)) }
	l.hurt.others = func(from, to int64) int { return w.flight.harmed(w.markAt(from), w.markAt(to)) }
	l.open = c.openUnits()
	l.open.others = w.underWay
	return l
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
