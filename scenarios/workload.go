package scenarios

import (
	"maps"
	"slices"
	"time"

	"github.com/wreckon/wreckon/internal/document"
	"github.com/wreckon/wreckon/targets"
	"github.com/wreckon/wreckon/workloads"
)

// The keys of a workload and of one phase of it, as schema.json has them too.
var (
	workloadKeys = []string{"rate", "for", "phases", "clients", "mix", "reads", "amends", "repeats", "clashes", "attempts", "timeout", "late"}
	phaseKeys    = []string{"rate", "for"}
)

// maxUnits bounds what one run submits: its history is read into memory to be judged.
const maxUnits = 5_000_000

// workloadKey is the key under workload: what the target calls a unit, in the plural.
func workloadKey(t targets.Target) string {
	if t.Claims.Unit == "" {
		return "orders"
	}
	return t.Claims.Unit + "s"
}

func (p *parser) workload(o document.Object, target targets.Target, known bool) workloads.Spec {
	example := "workload: {orders: {rate: 40/s, for: 8s}}"
	n := p.required(o, "workload", "a scenario", example)
	if n == nil {
		return workloads.Spec{}
	}
	w, ok := p.Object(n, "workload")
	if !ok {
		return workloads.Spec{}
	}
	key := workloadKey(target)
	p.Unknown(w, "workload", []string{key})
	if n = p.required(w, key, "workload", example); n == nil {
		return workloads.Spec{}
	}
	units, ok := p.Object(n, key)
	if !ok {
		return workloads.Spec{}
	}
	p.Unknown(units, key, workloadKeys)
	otherwise := workloads.Spec{}.Defaults()
	before := len(p.Problems)
	spec := workloads.Spec{
		Phases:   p.phases(units, key),
		Clients:  document.Value(&p.Reader, units.Get("clients"), "clients", otherwise.Clients, between(1, 10_000)),
		Reads:    p.share(units, target, "reads", "read", defaultReads),
		Amends:   p.share(units, target, "amends", "amend", defaultAmends),
		Repeats:  document.Value(&p.Reader, units.Get("repeats"), "repeats", 0, ratio),
		Clashes:  document.Value(&p.Reader, units.Get("clashes"), "clashes", 0, ratio),
		Attempts: document.Value(&p.Reader, units.Get("attempts"), "attempts", otherwise.Attempts, between(1, workloads.MaxIndeterminate)),
		Timeout:  document.Value(&p.Reader, units.Get("timeout"), "timeout", otherwise.Timeout, length(time.Millisecond, time.Minute)),
		Late:     document.Value(&p.Reader, units.Get("late"), "late", otherwise.Late, length(time.Millisecond, 10*time.Second)),
	}
	if known && spec.Clashes > 0 && !target.Varies {
		p.Problem(units.Get("clashes"), "what is submitted to %s does not vary: a key cannot come again with another payload", target.Name)
	}
	if known {
		spec.Mix = p.mix(units, target.Mix)
	}
	if len(p.Problems) == before {
		p.bounds(units.Node, spec, key)
	}
	return spec
}

// share reads how many operations of a kind come for each unit: none where the target has no such operation.
func (p *parser) share(units document.Object, target targets.Target, key, op string, otherwise float64) float64 {
	lacks := slices.Contains(target.Lacks, op)
	if lacks {
		otherwise = 0
	}
	n := document.Value(&p.Reader, units.Get(key), key, otherwise, ratio)
	if lacks && n > 0 {
		p.Problem(units.Get(key), "target %s has no %s: leave %s out, or describe it in the target file", target.Name, op, key)
	}
	return n
}

// bounds reports a workload whose values are right one by one and too much together.
func (p *parser) bounds(at *document.Node, spec workloads.Spec, what string) {
	if n := spec.Units(); n > maxUnits {
		p.Problem(at, "this submits %d %s: a run holds at most %d", n, what, maxUnits)
		return
	}
	if err := spec.Validate(); err != nil {
		p.Problem(at, "%s", document.OneLine(err))
	}
}

// phases reads the stretches of load; rate and for beside each other are short for one.
func (p *parser) phases(o document.Object, what string) []workloads.Phase {
	list, rated, timed := o.Get("phases"), o.Get("rate"), o.Get("for")
	switch {
	case list == nil && rated == nil && timed == nil:
		p.Problem(o.Node, "%s does not say how many: add rate: 40/s and for: 8s, or phases", what)
		return nil
	case list == nil:
		return []workloads.Phase{p.phase(o, what)}
	}
	for _, key := range phaseKeys {
		if e, ok := o.Entry(key); ok {
			p.Problem(e.Key, "%s and phases exclude each other: rate and for are short for one phase", key)
		}
	}
	var phases []workloads.Phase
	for _, item := range p.List(list, "phases") {
		phase, ok := p.Object(item, "a phase")
		if !ok {
			continue
		}
		p.Unknown(phase, "a phase", phaseKeys)
		phases = append(phases, p.phase(phase, "a phase"))
	}
	return phases
}

func (p *parser) phase(o document.Object, what string) workloads.Phase {
	var phase workloads.Phase
	if n := p.required(o, "rate", what, "rate: 40/s"); n != nil {
		phase.Rate = document.Value(&p.Reader, n, "rate", 0, rate)
	}
	if n := p.required(o, "for", what, "for: 8s"); n != nil {
		phase.For = document.Value(&p.Reader, n, "for", 0, length(time.Millisecond, maxDuration))
	}
	return phase
}

// mix reads how often each kind of unit comes. Without it, every unit is of the target's first kind.
func (p *parser) mix(o document.Object, classes []string) map[string]int {
	n := o.Get("mix")
	if n == nil {
		if len(classes) == 0 {
			return nil
		}
		return map[string]int{classes[0]: 1}
	}
	m, ok := p.Object(n, "mix")
	if !ok {
		return nil
	}
	p.Unknown(m, "mix", classes)
	mix, total := map[string]int{}, 0
	for _, e := range m.Entries {
		mix[e.Key.Value] = document.Value(&p.Reader, e.Value, "weight of "+e.Key.Value, 1, between(0, 1_000_000))
		total += mix[e.Key.Value]
	}
	if total == 0 {
		p.Problem(m.Node, "mix holds nothing: give at least one kind of unit a weight, as in {%s: 1}", firstOf(classes, "happy"))
	}
	return mix
}

func firstOf(names []string, otherwise string) string {
	if len(names) == 0 {
		return otherwise
	}
	return names[0]
}

// load is how long a workload lasts, 0 when that could not be read.
func load(w workloads.Spec) time.Duration {
	if len(w.Phases) == 0 || slices.ContainsFunc(w.Phases, func(p workloads.Phase) bool { return p.For == 0 }) {
		return 0
	}
	return w.Duration()
}

func cloneWorkload(w workloads.Spec) workloads.Spec {
	w.Phases, w.Mix = slices.Clone(w.Phases), maps.Clone(w.Mix)
	return w
}
