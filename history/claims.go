package history

// Claims is what a target promises, as data: the words it uses for its states and steps, and what each step is worth. It travels
// in the header of every history, so that a history can be judged on its own, years later, on another machine.
// The zero value claims the defaults: the states completed, compensated and quarantined, and every step exactly once.
type Claims struct {
	Target string   `json:"target,omitempty"`
	Unit   string   `json:"unit,omitempty"`   // what a person calls a unit: "order"
	Prefix string   `json:"prefix,omitempty"` // what its ids begin with: "o-"
	Steps  []Step   `json:"steps,omitempty"`
	States States   `json:"states"`
	Feeds  []string `json:"feeds,omitempty"` // what can be observed on this target; see the Feed constants
}

// Step is one effect-bearing part of a unit.
type Step struct {
	Name      string `json:"name"`
	Does      string `json:"does,omitempty"`      // verb of a person for it: "charged"
	Undoes    string `json:"undoes,omitempty"`    // and for its compensation: "refunded"
	Component string `json:"component,omitempty"` // who performs it
	Required  bool   `json:"required,omitempty"`  // a completed unit must have it in force
	Observed  bool   `json:"observed,omitempty"`  // its state is read at the end (observe, Op "step") and not recorded at a sink
	Promise   string `json:"promise,omitempty"`   // exactly-once (default), at-most-once, at-least-once
	// Audits names the audit transition that must exist for each applied effect (Does) and each undone one.
	AuditDo   string `json:"audit_do,omitempty"`
	AuditUndo string `json:"audit_undo,omitempty"`
}

// States names the target's states.
type States struct {
	Open        []string          `json:"open,omitempty"`        // a unit in one of these is in progress
	Completed   string            `json:"completed,omitempty"`   // every required step is in force
	Compensated string            `json:"compensated,omitempty"` // no step is in force
	Quarantined string            `json:"quarantined,omitempty"` // set aside for a person, accounted for
	Audits      map[string]string `json:"audits,omitempty"`      // state -> the audit transition that must exist once a unit has been in it
}

// What can be observed on a target. A guarantee that needs a feed the target has not got is not tested, and says so.
const (
	FeedEffects = "effects" // effects are recorded at a sink
	FeedAudit   = "audit"   // the target's audit trail is read
	FeedStates  = "states"  // final states of units are read
	FeedSteps   = "steps"   // final states of internal steps are read (stock reservations)
	FeedReads   = "reads"   // clients read and update units while the run goes on
)
