package checkers

import (
	"time"

	"github.com/wreckon/wreckon/history"
)

// Guarantee is a property a target promises, as a value: listed, explained, tested and documented from one place.
type Guarantee struct {
	Name    string
	Promise string   // one sentence
	Finds   string   // what a violation looks like, in a few sentences
	Needs   []string // history.Feed constants; without them it is not tested
	Check   func(*Case) Judgement
}

// Spec says what to judge and against what. Its zero value judges every guarantee the history can carry.
type Spec struct {
	Guarantees []string // names; empty: all
	Require    []string
	Thresholds []string
	Planned    []PlannedFault
	Late       time.Duration // bound on the p99 of lateness; 0: none
	Failed     string        // why the run ended as error, if it did
	Aborted    string        // why it was aborted, if it was
	Budget     time.Duration // for the exponential checkers together; 0: 10 s
}

// PlannedFault is a fault that the plan holds, whether or not the history shows it.
type PlannedFault struct{ ID, Kind, Target string }

// Judge judges a history. It never fails: what cannot be judged is said in the result.
func Judge(h *history.History, spec Spec) Result {
	return judge(h, spec)
}
