package scenarios

import (
	"errors"
	"fmt"
	"time"

	"github.com/wreckon/wreckon/faults"
	"github.com/wreckon/wreckon/workloads"
)

// Plan is a scenario and a seed, resolved: what will be done, when, with nothing left to chance. It is data: printed by --dry-run,
// stored as plan.json before the run starts, compared, and run again.
type Plan struct {
	Format      int            `json:"format"`
	Scenario    string         `json:"scenario"`
	About       string         `json:"about,omitempty"`
	Hypothesis  string         `json:"hypothesis,omitempty"`
	File        string         `json:"file,omitempty"` // where the scenario was read from; "" for a shipped one
	Target      string         `json:"target"`
	TargetFile  string         `json:"target_file,omitempty"` // that describes it; "" for a target that comes with the program
	Environment string         `json:"environment,omitempty"` // that runs its components; "": whichever runs them if nobody says anything
	Defect      string         `json:"defect,omitempty"`      // deliberate bug in the reference, to test the tester
	Seed        uint64         `json:"seed"`
	Workload    workloads.Spec `json:"workload"`
	Faults      []faults.Spec  `json:"faults"`
	Guarantees  []string       `json:"guarantees,omitempty"` // asked for by name, in the order of the report; empty: all that can be tested
	Require     []string       `json:"require"`              // conditions without which a pass would prove nothing
	Thresholds  []string       `json:"thresholds"`           // bounds on indicators
	Abort       []string       `json:"abort,omitempty"`      // of the thresholds: those that end the run as soon as they are missed
	Quiesce     time.Duration  `json:"quiesce"`              // deadline for the target to become idle after the faults are healed
}

// PlanFormat is the version of the plan's form in plan.json. A plan of another format is not run.
const PlanFormat = 1

// Validate says everything that keeps a plan from being run as it stands: one that was read back from a file, or put together by
// hand. Whether its names exist, whoever runs it must ask; a plan made by Scenario.Plan is valid.
func (p Plan) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }

	if p.Format != PlanFormat {
		return fmt.Errorf("plan has format %d: this version reads format %d", p.Format, PlanFormat)
	}
	if p.Scenario == "" {
		bad("plan names no scenario")
	}
	if p.Target == "" {
		bad("plan names no target")
	}
	if len(p.Workload.Phases) == 0 {
		bad("plan has no load")
	} else if err := p.Workload.Validate(); err != nil {
		bad("workload: %w", err)
	}
	if p.Quiesce <= 0 {
		bad("quiesce: %v is no deadline", p.Quiesce)
	}
	seen := map[string]bool{}
	for i, f := range faults.All(p.Faults) {
		if f.ID == "" || seen[f.ID] {
			bad("faults[%d]: id %q is empty or taken", i, f.ID)
		}
		seen[f.ID] = true
		if err := p.validFault(f); err != nil {
			bad("fault %s: %w", f.ID, err)
		}
	}
	for _, f := range p.Faults {
		if d := depth(f); d > maxThen {
			bad("fault %s: then nests %d deep: %d is the most", f.ID, d, maxThen)
		}
	}
	return errors.Join(errs...)
}

// depth is how many faults follow one another after this one.
func depth(f faults.Spec) int {
	deepest := 0
	for _, next := range f.Then {
		deepest = max(deepest, 1+depth(next))
	}
	return deepest
}

func (p Plan) validFault(f faults.Spec) error {
	load := p.Workload.Duration()
	switch {
	case f.Kind == "":
		return errors.New("has no kind")
	case f.Component == "" && len(f.Components) == 0 && (f.From == "" || f.To == ""):
		return errors.New("is aimed at nothing")
	case f.At < 0 || f.For < 0:
		return fmt.Errorf("at %v for %v is no time", f.At, f.For)
	case f.At >= load:
		return fmt.Errorf("begins at %v, when the load of %v is over", f.At, load)
	case f.At+f.For > load+Overrun:
		return fmt.Errorf("holds until %v: the load ends at %v, and a fault may outlast it by %v at most", f.At+f.For, load, Overrun)
	}
	return validPlace(f)
}

// validPlace says what is wrong with how a fault is placed by an event.
func validPlace(f faults.Spec) error {
	_, acts := messages[f.Kind]
	w := f.When
	switch {
	case w == nil && acts:
		return errors.New("acts on a message, and does not say on which")
	case w == nil && len(f.Then) > 0:
		return fmt.Errorf("%s follows it, and it is placed by time", f.Then[0].ID)
	case w == nil:
		return nil
	case w.From == "" || w.To == "" || w.Exchange == "":
		return errors.New("waits for no message: it needs an edge and an exchange")
	case w.Point != before && w.Point != after:
		return fmt.Errorf("point %q is none: before or after", w.Point)
	case (w.Nth == 0) == (w.Every == 0):
		return errors.New("does not say which message: it needs nth or every")
	}
	for _, next := range f.Then {
		if next.When == nil {
			return fmt.Errorf("%s follows it, and waits for no message", next.ID)
		}
	}
	return nil
}
