package checkers

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/wreckon/wreckon/history"
)

// live lists the indicators whose value so far means something while a run goes on, and how much must have been measured before one
// of them may end it: so many that a quantile is more than the slowest, and a ratio more than an accident.
var live = map[string]int{
	"completion_latency.p50": 20, "completion_latency.p95": 20, "completion_latency.p99": 100, "completion_latency.max": 1,
	"submit_latency.p50": 20, "submit_latency.p95": 20, "submit_latency.p99": 100, "submit_latency.max": 1,
	"dead_letter_rate": 100, "duplicate_rate": 100, "info_rate": 100,
	"retries_per_unit": 20, "deduplicated": 1, "units": 1, "operations": 1,
}

// Live tells that a threshold on the metric may abort a run.
func (m MetricKind) Live() bool { return live[m.Name] > 0 }

// Abort says why a condition cannot end a run early; nil if it can.
func (cond Cond) Abort() error {
	switch {
	case cond.Metric == "":
		return &CondError{Text: cond.Text, Column: 1, Msg: "a phrase cannot abort a run: want an upper bound on an indicator"}
	case live[cond.Metric] == 0:
		var names []string
		for _, m := range Metrics {
			if m.Live() {
				names = append(names, m.Name)
			}
		}
		return &CondError{Text: cond.Text, Column: 1, Msg: fmt.Sprintf("%s is not known before a run is over, so it cannot abort one; these can: %s",
			cond.Metric, strings.Join(names, ", "))}
	case cond.Op != "<" && cond.Op != "<=":
		return &CondError{Text: cond.Text, Column: strings.Index(cond.Text, cond.Op) + 1,
			Msg: fmt.Sprintf("%s cannot abort a run: want < or <=, a bound that what has happened may exceed for good", cond.Op)}
	}
	return nil
}

// Watch measures, while a run goes on, the indicators that thresholds may abort it by. It sees each event as it is recorded, from any
// goroutine, and costs a lock and a few comparisons. What it measures is the value so far: the verdict on the whole run is Judge's.
type Watch struct {
	mu sync.Mutex
	vocabulary
	bounds []bound
	units  []watched

	asked, acked, dead, attempts uint64
	operations, infos            uint64
	applied, deduplicated        uint64
	submit, completion           []time.Duration // kept where a bound is on them
}

// watched is what the watch knows of one unit.
type watched struct {
	due         time.Duration
	done        time.Duration // first evidence of its end; -1: none
	acked, dead bool
}

// bound is a threshold that may abort the run.
type bound struct {
	Cond
	quantile float64 // of a distribution; 0: not one
	over     int     // values of the distribution that are not within the bound
}

// NewWatch understands the thresholds that may abort a run of a target with these claims.
func NewWatch(claims history.Claims, thresholds []string) (*Watch, error) {
	w := &Watch{vocabulary: newVocabulary(history.New(history.Header{Claims: claims}), nil)}
	for _, text := range thresholds {
		cond, err := ParseCondition(text)
		if err == nil {
			err = cond.Abort()
		}
		if err != nil {
			return nil, err
		}
		b := bound{Cond: cond}
		for q, suffix := range quantileNames {
			if strings.HasSuffix(cond.Metric, suffix) {
				b.quantile = q
			}
		}
		w.bounds = append(w.bounds, b)
	}
	return w, nil
}

// See takes an event that was recorded at an instant, and gives why the run must end: the first threshold that is missed, with its
// value so far. Empty: it need not.
func (w *Watch) See(at time.Duration, e history.Event) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch e.Kind {
	case history.KindInvoke:
		w.invoked(at, e)
	case history.KindOK, history.KindFail, history.KindInfo:
		w.ended(at, e)
	case history.KindEffect:
		switch e.Outcome {
		case history.OutcomeApplied:
			w.applied++
		case history.OutcomeDeduplicated:
			w.deduplicated++
		default:
			return ""
		}
	case history.KindAudit:
		w.audited(at, e)
	default:
		return ""
	}
	for i := range w.bounds {
		if b := &w.bounds[i]; w.missed(b) {
			return fmt.Sprintf("the threshold %q was missed: %s", b.Text, w.sofar(b))
		}
	}
	return ""
}

// unit is what is known of a unit that clients asked for. What others say of units that nobody asked for is no matter here.
func (w *Watch) unit(u history.Unit) *watched {
	if int64(u) >= int64(len(w.units)) || w.units[u].due < 0 {
		return nil
	}
	return &w.units[u]
}

func (w *Watch) invoked(at time.Duration, e history.Event) {
	w.operations++
	if e.Op != "submit" || e.Unit == history.NoUnit {
		return
	}
	for int64(e.Unit) >= int64(len(w.units)) { // a run numbers its units densely
		w.units = append(w.units, watched{due: -1, done: -1})
	}
	w.attempts++
	if x := &w.units[e.Unit]; x.due < 0 {
		w.asked++
		if x.due = e.At; e.At <= 0 {
			x.due = at
		}
	}
}

func (w *Watch) ended(at time.Duration, e history.Event) {
	if e.Kind == history.KindInfo {
		w.infos++
	}
	x := w.unit(e.Unit)
	if x == nil || e.Kind != history.KindOK {
		return
	}
	switch {
	case e.Op == "read":
		w.shown(x, at, w.kindOf(w.state(e.Value)))
	case e.Op == "submit" && !x.acked:
		x.acked = true
		w.acked++
		w.measured("submit_latency", &w.submit, at-x.due)
		if x.done >= 0 {
			w.measured("completion_latency", &w.completion, x.done-x.due)
		}
		if x.dead {
			w.dead++
		}
	}
}

func (w *Watch) audited(at time.Duration, e history.Event) {
	x := w.unit(e.Unit)
	t := slices.Index(w.transitionName, e.Op)
	if x == nil || t < 0 {
		return
	}
	if e.At > 0 {
		at = e.At
	}
	for s, audit := range w.stateAudit {
		if audit == t {
			w.shown(x, at, w.stateKinds[s])
		}
	}
}

// shown notes that a unit was in a state.
func (w *Watch) shown(x *watched, at time.Duration, k stateKind) {
	if k == quarantined && !x.dead {
		x.dead = true
		if x.acked {
			w.dead++
		}
	}
	if k.terminal() && x.done < 0 {
		x.done = at
		if x.acked {
			w.measured("completion_latency", &w.completion, at-x.due)
		}
	}
}

// measured keeps a value of a distribution that a bound is on.
func (w *Watch) measured(name string, values *[]time.Duration, d time.Duration) {
	kept := false
	for i := range w.bounds {
		b := &w.bounds[i]
		if b.quantile == 0 || !strings.HasPrefix(b.Metric, name+".") {
			continue
		}
		kept = true
		if !b.within(d.Seconds()) {
			b.over++
		}
	}
	if kept {
		*values = append(*values, d)
	}
}

func (b *bound) within(v float64) bool { return v < b.Value || b.Op == "<=" && v == b.Value }

func (w *Watch) distribution(b *bound) []time.Duration {
	if strings.HasPrefix(b.Metric, "submit_latency.") {
		return w.submit
	}
	return w.completion
}

// missed tells that enough was measured, and the value so far is not within the bound. Of a distribution it needs no order: the
// quantile is within the bound if enough of the values are.
func (w *Watch) missed(b *bound) bool {
	if b.quantile > 0 {
		n := len(w.distribution(b))
		return n >= live[b.Metric] && n-b.over < rank(b.quantile, n)
	}
	part, whole := w.scalar(b.Metric)
	if part == 0 || whole < uint64(live[b.Metric]) {
		return false
	}
	return !b.within(w.value(b.Metric, part, whole))
}

// scalar is what an indicator that is no distribution is made of: a part of a whole, or a count in both.
func (w *Watch) scalar(name string) (part, whole uint64) {
	switch name {
	case "dead_letter_rate":
		return w.dead, w.acked
	case "duplicate_rate":
		return w.deduplicated, w.applied
	case "info_rate":
		return w.infos, w.operations
	case "retries_per_unit":
		return w.attempts - w.asked, w.asked
	case "deduplicated":
		return w.deduplicated, w.deduplicated
	case "units":
		return w.asked, w.asked
	}
	return w.operations, w.operations
}

func (w *Watch) value(name string, part, whole uint64) float64 {
	switch name {
	case "deduplicated", "units", "operations":
		return float64(part)
	}
	return float64(part) / float64(whole)
}

// sofar writes the value of an indicator, and what it was measured on.
func (w *Watch) sofar(b *bound) string {
	m, _ := metricKind(b.Metric)
	part, whole := w.scalar(b.Metric)
	what := map[string]string{"duplicate_rate": "effects", "info_rate": "operations"}[b.Metric]
	value := w.value(b.Metric, part, whole)
	if b.quantile > 0 {
		d := slices.Sorted(slices.Values(w.distribution(b)))
		value, whole = d[rank(b.quantile, len(d))-1].Seconds(), uint64(len(d))
	}
	text := (Metric{Name: b.Metric, Unit: m.Unit, Value: value}).text()
	switch b.Metric {
	case "deduplicated", "units", "operations":
		return text
	}
	if what == "" {
		what = "units"
	}
	return fmt.Sprintf("%s over %d %s so far", text, whole, what)
}
