package checkers

import "time"

// Verdict is what a run comes to.
type Verdict string

// The verdicts, with the exit code of each in ExitCode.
const (
	Pass         Verdict = "pass"         // every guarantee named was checked and holds, every requirement was met
	Violation    Verdict = "violation"    // at least one finding; wins over everything below
	Inconclusive Verdict = "inconclusive" // a fault was not confirmed, a requirement was not met, a checker gave up
	Errored      Verdict = "error"        // the target did not start, the baseline failed, the harness failed
	Aborted      Verdict = "aborted"      // a person or a stop condition ended the run
	Missed       Verdict = "missed"       // all holds, but a threshold was missed
)

// ExitCode is the process exit code of a verdict; 2 is kept for usage errors.
func (v Verdict) ExitCode() int {
	switch v {
	case Pass:
		return 0
	case Violation:
		return 1
	case Inconclusive:
		return 3
	case Aborted:
		return 5
	case Missed:
		return 6
	}
	return 4
}

// Status is what became of one guarantee.
type Status string

// The statuses. Only Holds counts for a pass.
const (
	Holds     Status = "holds"
	Violated  Status = "violated"
	Unknown   Status = "unknown"    // the checker ran out of its budget, or failed: Reason says where
	NotTested Status = "not-tested" // this target, or this history, does not show what is needed: Reason says what
)

// Result is a judged history. It is what result.json holds, under "result".
type Result struct {
	Verdict    Verdict       `json:"verdict"`
	Reasons    []string      `json:"reasons"` // why the verdict is what it is, most important first
	Guarantees []Judgement   `json:"guarantees"`
	Faults     []FaultResult `json:"faults"`
	Require    []Condition   `json:"require"`
	Thresholds []Condition   `json:"thresholds"`
	Metrics    []Metric      `json:"metrics"`
	Counts     Counts        `json:"counts"`
	Warnings   []string      `json:"warnings,omitempty"` // a truncated tail, unknown events: what limits the verdict without changing it
	Took       time.Duration `json:"took"`               // judging alone
}

// Counts says how much there was to judge.
type Counts struct {
	Events       int `json:"events"`
	Units        int `json:"units"`        // asked for by clients
	Acknowledged int `json:"acknowledged"` // some attempt ok
	Refused      int `json:"refused"`      // every attempt definitely failed
	Unknown      int `json:"unknown"`      // no ok, at least one info
	Operations   int `json:"operations"`
	OK           int `json:"ok"`
	Fail         int `json:"fail"`
	Info         int `json:"info"`
	Effects      int `json:"effects"`      // applied
	Deduplicated int `json:"deduplicated"` // repeats that the sink absorbed
}

// Judgement is what became of one guarantee.
type Judgement struct {
	Guarantee string    `json:"guarantee"`
	Promise   string    `json:"promise"`
	Status    Status    `json:"status"`
	Checked   int       `json:"checked"` // of What
	What      string    `json:"what"`    // orders, effects, transitions
	Reason    string    `json:"reason,omitempty"`
	Findings  []Finding `json:"findings,omitempty"` // capped; Total counts all
	Total     int       `json:"total"`
}

// Finding is one violation: a sentence, the events that prove it, the faults active at the time, and the unit's whole story.
type Finding struct {
	Guarantee string      `json:"guarantee"`
	Unit      string      `json:"unit,omitempty"` // id of the unit
	Sentence  string      `json:"sentence"`       // "order o-17 was charged twice: 49.90 at 2.104s, and again at 2.913s under another key"
	Events    []uint64    `json:"events"`         // seq of the events that prove it, ascending
	Faults    []string    `json:"faults"`         // ids of the faults in force while the unit was under way; without a unit, between the first event and the last
	Story     []StoryLine `json:"story"`
	Twin      string      `json:"twin,omitempty"`       // one sentence on a unit of the same kind that went well
	TwinStory []StoryLine `json:"twin_story,omitempty"` // and its story
	Order     []Ordered   `json:"order,omitempty"`      // of a unit whose operations no order explains: how far an order goes
}

// StoryLine is one event of a unit's story, in words.
type StoryLine struct {
	Seq   uint64        `json:"seq"`
	T     time.Duration `json:"t"`
	Who   string        `json:"who"`             // client 3, api, payments, f2
	Text  string        `json:"text"`            // "charges 49.90, key o-17/charge/1"
	Note  string        `json:"note,omitempty"`  // "applied", "deduplicated", "in force twice"
	Proof bool          `json:"proof,omitempty"` // one of the finding's events
	Fault bool          `json:"fault,omitempty"` // a fault, not something the target did
	From  string        `json:"from,omitempty"`  // of an exchange at which a fault bit: the edge that it is on, the component that dials first
	To    string        `json:"to,omitempty"`
}

// FaultVerdict is a fault's own verdict.
type FaultVerdict string

// The verdicts of a fault.
const (
	Confirmed  FaultVerdict = "confirmed"   // a probe showed it in force and later gone, and it touched something; of a message: its exchange shows what was meant
	NotReached FaultVerdict = "not-reached" // planned, never begun
	Masked     FaultVerdict = "masked"      // in force, but nothing was there for it to touch, or nobody to notice
	Misfired   FaultVerdict = "misfired"    // could not be confirmed, or not be healed
)

// FaultResult is one planned fault and what it did.
type FaultResult struct {
	ID        string        `json:"id"`
	Kind      string        `json:"kind"`
	Target    string        `json:"target"`
	Verdict   FaultVerdict  `json:"verdict"`
	Reason    string        `json:"reason,omitempty"`
	Begin     time.Duration `json:"begin"`
	Confirmed time.Duration `json:"confirmed"`
	End       time.Duration `json:"end"`
	Healed    time.Duration `json:"healed"`
	InFlight  int           `json:"in_flight"`  // client operations open at some time from its beginning until it was seen to be gone
	Hurt      int           `json:"hurt"`       // of these: ended info or fail
	OpenUnits int           `json:"open_units"` // units acknowledged and not yet finished in that time
	Probe     string        `json:"probe,omitempty"`
	HealProbe string        `json:"heal_probe,omitempty"`
	Bytes     int64         `json:"bytes,omitempty"`
	Conns     int64         `json:"connections,omitempty"`
	Exchange  string        `json:"exchange,omitempty"` // where it bit first, if it is placed by an event: "payments -> gateway: POST /charges #12 of o-17, after"
	Hits      int           `json:"hits,omitempty"`     // exchanges that it touched
	Bites     []Bite        `json:"bites,omitempty"`    // these, as far as the history holds them; the first hundred
	Recovery  time.Duration `json:"recovery"`           // from the beginning of the heal to the first operation begun after it that was ok; -1: none was
}

// Bite is an exchange at which a fault bit.
type Bite struct {
	Seq      uint64        `json:"seq"`            // of its event, which comes when the exchange is over
	T        time.Duration `json:"t"`              // when the message was at its point
	From     string        `json:"from"`           // the edge: who asks ...
	To       string        `json:"to"`             // ... whom
	Exchange string        `json:"exchange"`       // signature: "POST /charges"
	Nth      uint64        `json:"nth"`            // of its signature on the edge, since the run began; 0: not known
	Unit     string        `json:"unit,omitempty"` // whose id it carries
	Point    string        `json:"point,omitempty"`
	Did      string        `json:"did"` // "answer dropped"
}

// Condition is a requirement or a threshold and what became of it.
type Condition struct {
	Text   string `json:"text"`
	Met    bool   `json:"met"`
	Actual string `json:"actual"`
	Reason string `json:"reason,omitempty"`
}

// Metric is one measured indicator.
type Metric struct {
	Name  string  `json:"name"` // completion_latency.p99
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`        // s, ratio, count
	M     string  `json:"m,omitempty"` // its number among the ten indicators of safe completion: M2
	Doc   string  `json:"doc"`
	NA    bool    `json:"na,omitempty"` // nothing to measure it on
}
