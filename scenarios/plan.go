package scenarios

import (
	"time"

	"github.com/wreckon/wreckon/faults"
	"github.com/wreckon/wreckon/workloads"
)

// Plan is a scenario and a seed, resolved: what will be done, when, with nothing left to chance. It is data: printed by --dry-run,
// stored as plan.json before the run starts, compared, and run again.
type Plan struct {
	Format     int            `json:"format"`
	Scenario   string         `json:"scenario"`
	About      string         `json:"about,omitempty"`
	Hypothesis string         `json:"hypothesis,omitempty"`
	File       string         `json:"file,omitempty"` // where the scenario was read from; "" for a shipped one
	Target     string         `json:"target"`
	Defect     string         `json:"defect,omitempty"` // deliberate bug in the reference, to test the tester
	Seed       uint64         `json:"seed"`
	Workload   workloads.Spec `json:"workload"`
	Faults     []faults.Spec  `json:"faults"`
	Guarantees []string       `json:"guarantees"` // judged; in the order of the report
	Require    []string       `json:"require"`    // conditions without which a pass would prove nothing
	Thresholds []string       `json:"thresholds"` // bounds on indicators
	Quiesce    time.Duration  `json:"quiesce"`    // deadline for the target to become idle after the faults are healed
}
