package scenarios

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/wreckon/wreckon/faults"
	"github.com/wreckon/wreckon/internal/document"
	"github.com/wreckon/wreckon/targets"
	"github.com/wreckon/wreckon/workloads"
)

// Scenario is a file, read and checked: target, workload, faults, guarantees, requirements and thresholds. What it leaves open, a
// seed decides: see Plan.
type Scenario struct {
	Name        string
	About       string
	Hypothesis  string
	Covers      []string // use cases of the catalogue
	File        string   // where it was read from; "" for a shipped one
	Target      string
	TargetFile  string // that describes it; "" for a target that comes with the program
	Environment string // that runs its components; "": whichever runs them if nobody says anything
	Workload    workloads.Spec
	Faults      []Fault
	Guarantees  []string
	Require     []string
	Thresholds  []string
	Abort       []string // of the thresholds: those that end a run as soon as they are missed
	Quiesce     time.Duration
}

// Fault is one fault of a scenario. Spec.At, Spec.For and Spec.Then are zero until a plan draws them from At, For and Then.
type Fault struct {
	Spec    faults.Spec
	At, For Range
	Then    []Fault // armed once this one has bitten
}

// Vocabulary is what scenarios may name: whoever wires the program together fills it from the packages that own these names.
type Vocabulary struct {
	Targets      []targets.Target
	TargetFile   func(path string) (targets.Target, document.Problems) // reads a target file; nil: there are none
	Target       string                                                // in place of what a scenario names; "": what it names
	Environments []string
	Kinds        []faults.Kind
	Guarantees   []string // in the order of the report

	// Condition says what is wrong with an entry of require or thresholds, nil when nothing is. Made with Placed, its error says
	// where.
	Condition func(text string) error

	// Abort says why a threshold cannot end a run early, nil if it can. It is asked about conditions that nothing else is wrong with.
	Abort func(text string) error

	// Overlap says which of these faults may not hold at the same time, and do.
	Overlap func([]faults.Spec) []error
}

func (v Vocabulary) target(name string) (targets.Target, bool) {
	for _, t := range v.Targets {
		if t.Name == name {
			return t, true
		}
	}
	return targets.Target{}, false
}

func (v Vocabulary) kind(name string) (faults.Kind, bool) {
	for _, k := range v.Kinds {
		if k.Name == name {
			return k, true
		}
	}
	return faults.Kind{}, false
}

func (v Vocabulary) kindNames() []string {
	names := make([]string, 0, len(v.Kinds))
	for _, k := range v.Kinds {
		names = append(names, k.Name)
	}
	return names
}

// Overrun is how long a fault may hold beyond the end of the load.
const Overrun = 2 * time.Second

// Load reads and checks a scenario file. The scenario is nil exactly when there are problems.
func Load(path string, v Vocabulary) (*Scenario, Problems) {
	src, err := document.ReadFile(path)
	if err != nil {
		return nil, Problems{{File: path, Message: err.Error()}}
	}
	s, problems := Parse(path, src, v)
	if s != nil {
		s.File = path
	}
	return s, problems
}

// Plan resolves a scenario with a seed: the same two give the same plan, always. Each fault draws from streams of its own, so that a
// range changed in one of them moves no other. defect names a deliberate bug of the target to switch on, or is empty.
func (s *Scenario) Plan(seed uint64, defect string) Plan {
	plan := Plan{
		Format: PlanFormat, Scenario: s.Name, About: s.About, Hypothesis: s.Hypothesis, File: s.File,
		Target: s.Target, TargetFile: s.TargetFile, Environment: s.Environment, Defect: defect, Seed: seed,
		Workload:   cloneWorkload(s.Workload),
		Faults:     make([]faults.Spec, 0, len(s.Faults)),
		Guarantees: slices.Clone(s.Guarantees), Require: slices.Clone(s.Require), Thresholds: slices.Clone(s.Thresholds),
		Abort:   slices.Clone(s.Abort),
		Quiesce: s.Quiesce,
	}
	for _, f := range s.Faults {
		plan.Faults = append(plan.Faults, f.draw(seed))
	}
	return plan
}

// draw resolves a fault, and those that follow it.
func (f Fault) draw(seed uint64) faults.Spec {
	spec := f.Spec
	spec.Components = slices.Clone(spec.Components)
	spec.At = f.At.draw(workloads.Stream(seed, "fault/"+spec.ID+"/at"))
	spec.For = f.For.draw(workloads.Stream(seed, "fault/"+spec.ID+"/for"))
	if spec.When != nil {
		spec.When = new(*spec.When)
	}
	for _, next := range f.Then {
		spec.Then = append(spec.Then, next.draw(seed))
	}
	return spec
}

// draw picks an instant of the range, in whole milliseconds from its beginning: what a person can read and type.
func (r Range) draw(random *rand.Rand) time.Duration {
	steps := int64((r.Max - r.Min) / time.Millisecond)
	return r.Min + time.Duration(random.Int64N(steps+1))*time.Millisecond
}
