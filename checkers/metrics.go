package checkers

import (
	"encoding/json"
	"math"
	"slices"
	"time"

	"github.com/wreckon/wreckon/history"
)

// MetricKind is an indicator that is measured in every run, as a value: listed, explained and checked from one place.
type MetricKind struct {
	Name string
	Unit string // s, ratio, count
	M    string // its number among the ten indicators of safe completion, M1 to M10; "" for what is measured beside them
	Doc  string
}

// Metrics lists every indicator, in the order of reports. Thresholds and requirements can name each.
var Metrics = slices.Concat(
	[]MetricKind{{"completion_rate", "ratio", "M1", "acknowledged units that ended completed, compensated, expired or quarantined"}},
	distribution("completion_latency", "s", "M2", "from when a unit was due to be asked for to the first evidence of its end"),
	distribution("submit_latency", "s", "", "from when a unit was due to be asked for to its acknowledgement, retries included"),
	[]MetricKind{
		{"dead_letter_rate", "ratio", "M3", "acknowledged units that ended quarantined or in the dead letters"},
		{"duplicate_rate", "ratio", "M4", "repeated effects that the sink absorbed, for each effect applied"},
		{"compensation_success", "ratio", "M5", "units that began to be undone, or ended compensated, and ended compensated or expired with nothing in force"},
		{"retries_per_unit", "count", "M6", "submits beyond the first, for each unit, on average"},
	},
	distribution("retries_per_unit", "count", "M6", "submits of a unit beyond the first"),
	distribution("intent_latency", "s", "M7", "from the first request for a unit to the first evidence that its intent is durable: the ok, an audit event or an effect"),
	[]MetricKind{
		{"stuck", "count", "M8", "units still open at the end"},
		{"audit_completeness", "ratio", "M9", "audit events delivered, of those that the sources say they wrote"},
		{"rollback_rate", "ratio", "M10", "units that ended compensated or expired, of those that ended so or completed"},
		{"recovery_time", "s", "", "from the beginning of a fault's heal to the first operation begun after it that was ok; the slowest fault"},
		{"redeliveries", "count", "", "messages that the target says it got more than once"},
		{"deduplicated", "count", "", "repeated effects that the sink absorbed"},
		{"exchanges", "count", "", "requests, with or without an answer, that the proxies saw on edges whose messages they understand"},
		{"harness_duplicates", "count", "", "deliveries of a request that a fault of ours added: what the target repeats by itself is not in it"},
		{"units", "count", "", "units that clients asked for"},
		{"acknowledged", "count", "", "units that some attempt got an ok for"},
		{"refused", "count", "", "units of which every attempt was turned down for good"},
		{"operations", "count", "", "client operations"},
		{"submit.ok", "count", "", "submits that were ok"},
		{"read.ok", "count", "", "reads that were ok"},
		{"amend.ok", "count", "", "conditional updates that were ok"},
		{"info_rate", "ratio", "", "operations of which nobody knows whether they took effect"},
		{"in_flight.min", "count", "", "operations in flight during the fault that saw the fewest"},
		{"lateness.p50", "s", "", "how late the harness itself began its operations: median"},
		{"lateness.p99", "s", "", "the same: 99 of 100 were at most this"},
		{"lateness.max", "s", "", "the same: the latest"},
	},
)

// distribution names the four quantiles of what is measured for each unit.
func distribution(name, unit, m, doc string) []MetricKind {
	return []MetricKind{
		{name + ".p50", unit, m, doc + ": median"},
		{name + ".p95", unit, m, "the same: 95 of 100 were at most this"},
		{name + ".p99", unit, m, "the same: 99 of 100 were at most this"},
		{name + ".max", unit, m, "the same: the most"},
	}
}

func metricKind(name string) (MetricKind, bool) {
	k := slices.IndexFunc(Metrics, func(m MetricKind) bool { return m.Name == name })
	if k < 0 {
		return MetricKind{}, false
	}
	return Metrics[k], true
}

// values is what was measured; what is not in it was not measurable.
type values map[string]float64

func (v values) ratio(name string, part, whole int) {
	if whole > 0 {
		v[name] = float64(part) / float64(whole)
	}
}

// measured is what was measured for each unit. whole is how much of it makes one of the metric's unit.
type measured struct {
	name  string
	whole time.Duration
	list  []time.Duration
}

// distributions take the nearest rank: the value that the fraction named is at most.
func (c *Case) distributions(v values, all []measured) {
	if c.whole != nil {
		c.whole.distributions(v, all)
		return
	}
	for _, m := range all {
		slices.Sort(m.list)
		for q, suffix := range quantileNames {
			if n := len(m.list); n > 0 {
				v[m.name+suffix] = float64(m.list[rank(q, n)-1]) / float64(m.whole)
			}
		}
	}
}

// quantileNames are the quantiles of a distribution.
var quantileNames = map[float64]string{0.5: ".p50", 0.95: ".p95", 0.99: ".p99", 1: ".max"}

// rank is the place of a quantile among n values that are sorted, from 1.
func rank(q float64, n int) int { return max(int(math.Ceil(q*float64(n))), 1) }

// counts adds up the units and operations.
func (c *Case) counts() Counts {
	n := Counts{Events: c.H.Len(), Operations: len(c.ops), Effects: c.applied, Deduplicated: c.deduplicated}
	for u := range c.units {
		switch x := &c.units[u]; {
		case x.attempts == 0:
			continue
		case x.acknowledged():
			n.Acknowledged++
		case x.refused():
			n.Refused++
		default:
			n.Unknown++
		}
		n.Units++
	}
	for _, o := range c.ops {
		switch {
		case o.ret == none || c.H.Kind[o.ret] == history.KindInfo:
			n.Info++
		case c.H.Kind[o.ret] == history.KindOK:
			n.OK++
		default:
			n.Fail++
		}
	}
	c.whole.addCounts(&n)
	return n
}

// metrics measures every indicator.
func (c *Case) metrics(n Counts, faults []FaultResult) []Metric {
	v := make(values)
	c.unitMetrics(v, n)
	c.operationMetrics(v, n)
	c.faultMetrics(v, faults)
	c.lateMetrics(v)
	if c.redelivered {
		v["redeliveries"] = float64(c.redeliveries)
	}
	if c.exchanges > 0 {
		v["exchanges"], v["harness_duplicates"] = float64(c.exchanges), float64(c.repeats())
	}
	if c.sees(history.FeedEffects) {
		v["deduplicated"] = float64(c.deduplicated)
		v.ratio("duplicate_rate", c.deduplicated, c.applied)
	}
	var heads uint64
	arrived := 0
	for k := range c.chains {
		if ch := &c.chains[k]; ch.head != none {
			heads += c.H.Token[ch.head]
			arrived += c.arrived(ch)
		}
	}
	if heads > 0 && len(c.missed[history.FeedAudit]) == 0 {
		v["audit_completeness"] = float64(arrived) / float64(heads)
	}
	list := make([]Metric, len(Metrics))
	for k, m := range Metrics {
		value, ok := v[m.Name]
		list[k] = Metric{Name: m.Name, Value: value, Unit: m.Unit, M: m.M, Doc: m.Doc, NA: !ok}
	}
	return list
}

func (c *Case) unitMetrics(v values, n Counts) {
	var submit, completion, intent, retries []time.Duration // retries: one is as long as a nanosecond
	var ended, dead, stuck, rolledBack, finished, undone, undoneWell int
	attempts := 0
	for u := range c.units {
		x := &c.units[u]
		if x.attempts > 0 {
			attempts += int(x.attempts)
			retries = append(retries, time.Duration(x.attempts-1))
		}
		if d, known := c.intentLatency(x); known {
			intent = append(intent, d)
		}
		if x.open() {
			stuck++
		}
		if x.kind.final() {
			finished++
		}
		if x.kind.undone() {
			rolledBack++
		}
		if began, well := c.compensation(u); began {
			undone++
			if well {
				undoneWell++
			}
		}
		if !x.acknowledged() {
			continue
		}
		submit = append(submit, c.at(x.acked)-x.intended)
		if x.kind.terminal() || x.dead != none {
			ended++
		}
		if x.accounted() {
			dead++
		}
		if x.done >= 0 {
			completion = append(completion, x.done-x.intended)
		}
	}
	if w := c.whole; w != nil {
		t := &w.census
		attempts = w.total.submits
		ended, dead, stuck, rolledBack = ended+t.ended, dead+t.dead, stuck+t.stuck, rolledBack+t.rolledBack
		finished, undone, undoneWell = finished+t.finished, undone+t.undone, undoneWell+t.undoneWell
	}
	v["units"], v["acknowledged"], v["refused"] = float64(n.Units), float64(n.Acknowledged), float64(n.Refused)
	c.distributions(v, []measured{{"submit_latency", time.Second, submit}, {"completion_latency", time.Second, completion},
		{"intent_latency", time.Second, intent}, {"retries_per_unit", time.Nanosecond, retries}})
	v.ratio("retries_per_unit", attempts-n.Units, n.Units)
	if c.states == 0 {
		return
	}
	v.ratio("rollback_rate", rolledBack, finished)
	if len(c.missed[history.FeedLetters]) == 0 {
		v["stuck"] = float64(stuck)
		v.ratio("completion_rate", ended, n.Acknowledged)
		v.ratio("dead_letter_rate", dead, n.Acknowledged)
	}
	if len(c.missed[history.FeedEffects]) == 0 {
		v.ratio("compensation_success", undoneWell, undone)
	}
}

// intentLatency is how long it took, at most, until a unit's intent was durable. The target knows when it committed; what is certain
// here, on one clock, is when the first thing was seen that cannot be without it. What came before anybody asked is none.
func (c *Case) intentLatency(x *unit) (d time.Duration, known bool) {
	first := none
	for _, i := range []uint32{x.acked, x.effect, x.told} {
		if x.asked != none && i > x.asked {
			first = min(first, i)
		}
	}
	if first == none {
		return 0, false
	}
	return c.at(first) - c.at(x.asked), true
}

// compensation tells whether a unit began to be undone, and whether that left nothing in force.
func (c *Case) compensation(u int) (began, well bool) {
	began = c.units[u].kind == compensated
	for s := range c.steps {
		began = began || c.cell(u, s).undo > 0
	}
	return began, began && c.units[u].kind.undone() && len(c.stepsInForce(u, false)) == 0
}

func (c *Case) operationMetrics(v values, n Counts) {
	var submits, reads, amends int
	for _, o := range c.ops {
		if o.ret == none || c.H.Kind[o.ret] != history.KindOK {
			continue
		}
		switch c.H.Op[o.call] {
		case c.submit:
			submits++
		case c.read:
			reads++
		case c.amend:
			amends++
		}
	}
	if w := c.whole; w != nil {
		submits, reads, amends = w.total.submitOK, w.total.readOK, w.total.amendOK
	}
	v["operations"] = float64(n.Operations)
	v["submit.ok"], v["read.ok"], v["amend.ok"] = float64(submits), float64(reads), float64(amends)
	v.ratio("info_rate", n.Info, n.Operations)
}

// faultMetrics: a fault after which operations were begun and none was ok took at least as long as the history goes on.
func (c *Case) faultMetrics(v values, faults []FaultResult) {
	slowest := time.Duration(-1)
	least := -1
	for _, f := range faults {
		if f.Verdict == NotReached {
			continue
		}
		if least < 0 || f.InFlight < least {
			least = f.InFlight
		}
		slowest = max(slowest, f.Recovery)
	}
	for k := range c.faults {
		if from := min(c.faults[k].end, c.faults[k].healed); from != none {
			if d, tried := c.recovery(from); d < 0 && tried {
				slowest = max(slowest, c.last()-c.at(from))
			}
		}
	}
	if least >= 0 {
		v["in_flight.min"] = float64(least)
	}
	if slowest >= 0 {
		v["recovery_time"] = slowest.Seconds()
	}
}

func (c *Case) lateMetrics(v values) {
	late := c.late()
	for _, q := range []string{"p50", "p99", "max"} {
		if ns, ok := late[q]; ok {
			v["lateness."+q] = ns / 1e9
		}
	}
}

// late is how late the harness itself was, in nanoseconds; nil where nobody measured it.
func (c *Case) late() (late map[string]float64) {
	if c.lateness == none || json.Unmarshal([]byte(c.str(c.H.Value[c.lateness])), &late) != nil {
		return nil
	}
	return late
}
