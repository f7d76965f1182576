package scenarios

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/wreckon/wreckon/faults"
	"github.com/wreckon/wreckon/targets"
)

// words is a vocabulary of the tests' own, so that they say what the language does and not what the catalogue happens to hold: the
// reference target, and kinds of fault that take what the real ones take.
func words() Vocabulary {
	kind := func(name, on string, params ...string) faults.Kind {
		return faults.Kind{Name: name, On: on, Params: params, Applies: applies}
	}
	return Vocabulary{
		Targets:      []targets.Target{targets.Reference(), targets.ReferencePostgres(), targets.Choreography(), targets.Jobs(), targets.Bookings(), targets.Metering(), targets.Regions()},
		Environments: []string{"process", "docker"},
		Kinds: []faults.Kind{
			kind("crash", "component"), kind("pause", "component"), kind("terminate", "component", "grace"),
			kind("disconnect", "component"), kind("cpu-limit", "component", "cpus"), kind("out-of-memory", "component"), kind("end-sessions", "component"),
			kind("rolling-restart", "component", "grace"), kind("partition", "edge", "flap"), kind("latency", "edge", "delay"),
			kind("bandwidth", "edge", "rate"), kind("blackhole", "edge"), kind("reset", "edge"), kind("lost-response", "edge"),
			kind("drop-request", "edge", "end"), kind("drop-response", "edge", "end"), kind("error-after", "edge"),
			kind("delay-past-timeout", "edge", "delay"), kind("late-response", "edge", "delay"),
			kind("duplicate", "edge", "again"), kind("swap", "edge"),
		},
		Guarantees: []string{
			"no-duplicate-effects", "no-lost-work", "no-phantom-effects", "atomic-outcome", "complete-audit", "no-stuck-work",
			"linearizable-state",
		},
		Condition: condition,
		Abort: func(text string) error {
			if strings.HasPrefix(text, "recovery_time") {
				return Placed(1, "recovery_time is not known before a run is over")
			}
			return nil
		},
		Overlap: overlap,
	}
}

func applies(s faults.Spec, t targets.Topology) error {
	if c, _ := t.Component(s.Component); c.External {
		return fmt.Errorf("%s is hosted by the harness: there is no process to %s", s.Component, s.Kind)
	}
	return nil
}

// condition accepts the two phrases, and comparisons of some metrics.
func condition(text string) error {
	if text == "every fault confirmed" || text == "operations in flight during every fault" {
		return nil
	}
	fields := strings.Fields(text)
	if len(fields) != 3 {
		return errors.New("want a metric, a comparison and a value")
	}
	if !slices.Contains([]string{"submit.ok", "refused", "redeliveries", "deduplicated", "dead_letter_rate", "rollback_rate", "completion_latency.p99", "recovery_time"}, fields[0]) {
		return fmt.Errorf("unknown metric %q", fields[0])
	}
	if !slices.Contains([]string{">=", "<=", "<", ">"}, fields[1]) {
		return Placed(strings.Index(text, fields[1])+1, fmt.Sprintf("unknown comparison %q", fields[1]))
	}
	return nil
}

// overlap refuses two faults that hold one component at the same time.
func overlap(specs []faults.Spec) []error {
	var errs []error
	for i, b := range specs {
		for _, a := range specs[:i] {
			if a.Component != "" && a.Component == b.Component && a.At < b.At+b.For && b.At < a.At+a.For {
				errs = append(errs, fmt.Errorf("%s (%s) overlaps %s (%s) on %s", b.ID, b.Kind, a.ID, a.Kind, a.Component))
			}
		}
	}
	return errs
}
