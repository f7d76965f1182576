package checkers

import (
	"strings"
	"time"

	"github.com/wreckon/wreckon/history"
)

// Guarantee is a property a target promises, as a value: listed, explained, tested and documented from one place.
type Guarantee struct {
	Name    string
	Promise string // one sentence
	Finds   string // what a violation looks like, in a few sentences
	// Needs are history.Feed constants, or several with " or " between them: without them it is not tested. Empty: what the harness
	// records by itself is enough.
	Needs []string
	Uses  []string // further feeds that it looks at where they are there
	Bears []string // feeds of which something may have been missed, and what it finds stands all the same
	Check func(*Case) Judgement
}

// Wants says what a guarantee needs, as a person reads it.
func (g Guarantee) Wants() string {
	if len(g.Needs) == 0 {
		return "nothing but what the harness itself records"
	}
	return strings.Join(g.Needs, ", ")
}

// Spec says what to judge and against what. Its zero value judges every guarantee the history can carry.
type Spec struct {
	Guarantees []string    // names; empty: all
	Extra      []Guarantee // of one's own, judged like the others; see Case.Judge
	Require    []string
	Thresholds []string
	Planned    []PlannedFault
	Late       time.Duration // bound on the p99 of lateness; 0: none
	Failed     string        // why the run ended as error, if it did
	Aborted    string        // why it was aborted, if it was
	Budget     time.Duration // for the exponential checkers together; 0: 10 s
}

// PlannedFault is a fault that the plan holds, whether or not the history shows it.
type PlannedFault struct {
	ID, Kind, Target string

	When  *Waits // placed by an event; nil: by time
	After string // id of the fault that must have bitten before this one is armed
}

// Waits is the exchange that a fault waits for, as its plan says it.
type Waits struct {
	Edge     string // "payments -> gateway"
	Exchange string // signature pattern
	Nth      uint64 // 0: any
	Every    uint64
	Unit     string // id; empty: any
	Point    string // before or after
}

// Judge judges a history. It never fails: what cannot be judged is said in the result.
func Judge(h *history.History, spec Spec) Result {
	return judge(h, spec)
}
