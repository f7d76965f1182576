package history

import (
	"fmt"
	"time"
)

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

	// The claims below are each judged by one guarantee. One that is not made is not tested.
	Compensation string        `json:"compensation,omitempty"` // order in which steps are undone: reverse (of Steps; default) or any
	Retries      []Retries     `json:"retries,omitempty"`      // bounded-retries
	DeadLetters  *DeadLetters  `json:"dead_letters,omitempty"` // dead-letters-accounted
	Privileges   []Privilege   `json:"privileges,omitempty"`   // authorised-actions
	Deadlines    []Deadline    `json:"deadlines,omitempty"`    // honoured-deadlines
	Fencing      []Fencing     `json:"fencing,omitempty"`      // fencing
	Ordering     []Ordering    `json:"ordering,omitempty"`     // ordered-delivery
	Checkpoints  []Checkpoints `json:"checkpoints,omitempty"`  // checkpoint-progress
	Totals       []Total       `json:"totals,omitempty"`       // conserved-totals
	Recovery     *Recovery     `json:"recovery,omitempty"`     // bounded-recovery
	Drain        []Drain       `json:"drain,omitempty"`        // graceful-drain
	Traced       []string      `json:"traced,omitempty"`       // traced: kinds of event that carry their unit's trace; empty: all of operations, effects and audit
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
	Expired     string            `json:"expired,omitempty"`     // its time to live ran out: no step is in force
	Audits      map[string]string `json:"audits,omitempty"`      // state -> the audit transition that must exist once a unit has been in it
	// Next declares the lifecycle: state -> the states that may follow it at once. A state that is not in it has no successor. Empty:
	// every transition is legal but one out of an end (legal-lifecycle).
	Next map[string][]string `json:"next,omitempty"`
}

// Retries bounds how often, and how fast, the executions of a step are repeated.
type Retries struct {
	Step   string   `json:"step,omitempty"`   // whose executions; empty: of every step
	Max    int      `json:"max,omitempty"`    // attempts of one unit's step, the first included; 0: no bound
	Base   Duration `json:"base,omitempty"`   // the least wait before the second attempt; 0: nothing is promised of waits
	Factor float64  `json:"factor,omitempty"` // by which the least wait grows from attempt to attempt; below 1: 1
	Cap    Duration `json:"cap,omitempty"`    // beyond which the least wait does not grow; 0: none
	Jitter bool     `json:"jitter,omitempty"` // waits are spread at random, so that units that failed together do not come back together
}

// DeadLetters says what a dead letter must hold and how many there may be.
type DeadLetters struct {
	Context []string `json:"context,omitempty"`  // fields that its record (a JSON object) must have, not empty
	MaxRate float64  `json:"max_rate,omitempty"` // share of the acknowledged units that may end there; 0: no bound
}

// Privilege is an action that needs a right. Who did it stands in the audit record: the field "actor" of its JSON.
type Privilege struct {
	Action string   `json:"action"`           // the audit transition that records it: released
	Actors []string `json:"actors,omitempty"` // who may; empty: anybody who is named
	From   string   `json:"from,omitempty"`   // state that a unit leaves by this action only: quarantined
	// Approval is the audit transition of a second person's consent, which must come before and name another actor; Above is the
	// amount (the field "amount" of the record) from which on it is needed.
	Approval string  `json:"approval,omitempty"`
	Above    float64 `json:"above,omitempty"`
}

// Deadline bounds a stretch of a unit's life. An instant is named by what happens there: "submit" (the unit was acknowledged),
// "effect STEP", "undo STEP", "audit TRANSITION" or "state STATE" (somebody was shown it).
type Deadline struct {
	Name   string   `json:"name"` // what a person calls it: "time to live", "hold"
	From   string   `json:"from"`
	To     string   `json:"to"`
	Within Duration `json:"within"`
	Must   bool     `json:"must,omitempty"` // To must come; otherwise it must not come late
}

// Fencing says what the tokens of effects and executions guard.
type Fencing struct {
	Step     string `json:"step,omitempty"`     // whose effects and executions; empty: of every step that has tokens
	Resource string `json:"resource,omitempty"` // what one sequence of tokens is for: unit (a unit's step; default), step (all units of it), component or key
}

// Ordering says in which order effects land.
type Ordering struct {
	Step string `json:"step,omitempty"` // whose effects; empty: all that have tokens
	Key  string `json:"key,omitempty"`  // what the order is of: unit, key (default), component or step
	Gaps bool   `json:"gaps,omitempty"` // numbers may be missing; otherwise each follows the one before
}

// Checkpoints says how far resumed work may go back. Chunks are executions (start, finish) of the step, numbered by their token from 1;
// a checkpoint is a finish with Op "checkpoint", whose token is the last chunk it covers.
type Checkpoints struct {
	Step  string `json:"step"`
	Every int    `json:"every"` // chunks from one checkpoint to the next
}

// Total declares a sum over the target that keeps its value, or stays within bounds. It is read in "observe" events with Op "total", Key the
// name of a term and Value a number.
type Total struct {
	Name    string   `json:"name"`
	Terms   []Term   `json:"terms"`
	Equals  *float64 `json:"equals,omitempty"` // nil, without bounds: the same value whenever it is read
	AtLeast *float64 `json:"at_least,omitempty"`
	AtMost  *float64 `json:"at_most,omitempty"`
}

// Term is one part of a total: a number that is observed, or what effects add up to.
type Term struct {
	Observed string  `json:"observed,omitempty"` // Key of the observation
	Effects  string  `json:"effects,omitempty"`  // step: the sum of the values of its effects in force
	Count    string  `json:"count,omitempty"`    // step: how many of its effects are in force
	Times    float64 `json:"times,omitempty"`    // factor; 0: 1
}

// Recovery bounds what a fault may cost once it is over.
type Recovery struct {
	Success Duration `json:"success,omitempty"` // from heal to the first success (RTO)
	Backlog Duration `json:"backlog,omitempty"` // from the last heal to an empty backlog
	// Loss is the recovery point (RPO): what was acknowledged longer than this before a fault began must survive it. Nil: nothing may be
	// lost at all, which no-lost-work judges.
	Loss *Duration `json:"loss,omitempty"`
}

// Drain says how a component stops when it is told to (SIGTERM).
type Drain struct {
	Component string   `json:"component,omitempty"` // empty: every component
	Grace     Duration `json:"grace"`               // from SIGTERM to its exit, at most
}

// Duration is a time.Duration that is written as text: "2s".
type Duration time.Duration

// MarshalText writes 1.5s.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads what time.ParseDuration does.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	if err != nil {
		return fmt.Errorf("duration %q: want a number and a unit, as in 250ms or 2s", b)
	}
	*d = Duration(v)
	return nil
}

// What can be observed on a target. A guarantee that needs a feed the target has not got is not tested, and says so.
const (
	FeedEffects = "effects" // effects are recorded at a sink
	FeedAudit   = "audit"   // the target's audit trail is read
	FeedSpans   = "spans"   // what the target's spans tell of units is read: they prove by being there, and nothing by being absent
	FeedStates  = "states"  // final states of units are read
	FeedSteps   = "steps"   // final states of internal steps are read (stock reservations)
	FeedReads   = "reads"   // clients read and update units while the run goes on
	FeedTokens  = "tokens"  // effects carry their fencing token or number
	FeedStarts  = "starts"  // executions are recorded as they begin and end
	FeedLetters = "letters" // dead letters are read with their context
	FeedTotals  = "totals"  // sums over the target are read
	FeedTraces  = "traces"  // events carry a correlation id
)
