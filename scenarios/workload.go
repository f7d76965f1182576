package scenarios

import (
	"maps"
	"slices"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/wreckon/wreckon/targets"
	"github.com/wreckon/wreckon/workloads"
)

// The keys of a workload and of one phase of it, as schema.json has them too.
var (
	workloadKeys = []string{"rate", "for", "phases", "clients", "mix", "reads", "amends", "attempts", "timeout", "late"}
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

func (p *parser) workload(o object, target targets.Target, known bool) workloads.Spec {
	example := "workload: {orders: {rate: 40/s, for: 8s}}"
	n := p.required(o, "workload", "a scenario", example)
	if n == nil {
		return workloads.Spec{}
	}
	w, ok := p.object(n, "workload")
	if !ok {
		return workloads.Spec{}
	}
	key := workloadKey(target)
	p.unknown(w, "workload", []string{key})
	if n = p.required(w, key, "workload", example); n == nil {
		return workloads.Spec{}
	}
	units, ok := p.object(n, key)
	if !ok {
		return workloads.Spec{}
	}
	p.unknown(units, key, workloadKeys)
	otherwise := workloads.Spec{}.Defaults()
	before := len(p.problems)
	spec := workloads.Spec{
		Phases:   p.phases(units, key),
		Clients:  value(p, units.get("clients"), "clients", otherwise.Clients, between(1, 10_000)),
		Reads:    value(p, units.get("reads"), "reads", defaultReads, ratio),
		Amends:   value(p, units.get("amends"), "amends", defaultAmends, ratio),
		Attempts: value(p, units.get("attempts"), "attempts", otherwise.Attempts, between(1, workloads.MaxIndeterminate)),
		Timeout:  value(p, units.get("timeout"), "timeout", otherwise.Timeout, length(time.Millisecond, time.Minute)),
		Late:     value(p, units.get("late"), "late", otherwise.Late, length(time.Millisecond, 10*time.Second)),
	}
	if known {
		spec.Mix = p.mix(units, target.Mix)
	}
	if len(p.problems) == before {
		p.bounds(units.node, spec, key)
	}
	return spec
}

// bounds reports a workload whose values are right one by one and too much together.
func (p *parser) bounds(at *yaml.Node, spec workloads.Spec, what string) {
	if n := spec.Units(); n > maxUnits {
		p.problem(at, "this submits %d %s: a run holds at most %d", n, what, maxUnits)
		return
	}
	if err := spec.Validate(); err != nil {
		p.problem(at, "%s", oneLine(err))
	}
}

// phases reads the stretches of load; rate and for beside each other are short for one.
func (p *parser) phases(o object, what string) []workloads.Phase {
	list, rated, timed := o.get("phases"), o.get("rate"), o.get("for")
	switch {
	case list == nil && rated == nil && timed == nil:
		p.problem(o.node, "%s does not say how many: add rate: 40/s and for: 8s, or phases", what)
		return nil
	case list == nil:
		return []workloads.Phase{p.phase(o, what)}
	}
	for _, key := range phaseKeys {
		if e, ok := o.entry(key); ok {
			p.problem(e.key, "%s and phases exclude each other: rate and for are short for one phase", key)
		}
	}
	var phases []workloads.Phase
	for _, item := range p.list(list, "phases") {
		phase, ok := p.object(item, "a phase")
		if !ok {
			continue
		}
		p.unknown(phase, "a phase", phaseKeys)
		phases = append(phases, p.phase(phase, "a phase"))
	}
	return phases
}

func (p *parser) phase(o object, what string) workloads.Phase {
	var phase workloads.Phase
	if n := p.required(o, "rate", what, "rate: 40/s"); n != nil {
		phase.Rate = value(p, n, "rate", 0, rate)
	}
	if n := p.required(o, "for", what, "for: 8s"); n != nil {
		phase.For = value(p, n, "for", 0, length(time.Millisecond, maxDuration))
	}
	return phase
}

// mix reads how often each kind of unit comes. Without it, every unit is of the target's first kind.
func (p *parser) mix(o object, classes []string) map[string]int {
	n := o.get("mix")
	if n == nil {
		if len(classes) == 0 {
			return nil
		}
		return map[string]int{classes[0]: 1}
	}
	m, ok := p.object(n, "mix")
	if !ok {
		return nil
	}
	p.unknown(m, "mix", classes)
	mix, total := map[string]int{}, 0
	for _, e := range m.entries {
		mix[e.key.Value] = value(p, e.value, "weight of "+e.key.Value, 1, between(0, 1_000_000))
		total += mix[e.key.Value]
	}
	if total == 0 {
		p.problem(m.node, "mix holds nothing: give at least one kind of unit a weight, as in {%s: 1}", firstOf(classes, "happy"))
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
