package workloads

import (
	"context"
	"time"

	"github.com/wreckon/wreckon/history"
)

// The operations a client can do. They are the Op of the history's invoke, ok, fail and info events.
const (
	Submit = "submit" // ask for the unit, under its idempotency key
	Read   = "read"   // ask for the unit's state
	Amend  = "amend"  // conditional update: change the unit's note if its version is still the one last seen
)

// Spec says what clients do, as a scenario writes it, resolved. A field that is left out has the value that Defaults gives it.
type Spec struct {
	Phases   []Phase        `json:"phases"`            // one after the other: busy and sparse
	Clients  int            `json:"clients"`           // how many operations may be open at once
	Mix      map[string]int `json:"mix"`               // kind of unit -> weight
	Reads    float64        `json:"reads"`             // status reads for each submitted unit, on average
	Amends   float64        `json:"amends"`            // conditional updates for each submitted unit, on average
	Repeats  float64        `json:"repeats,omitempty"` // submits of each acknowledged unit that come again under their key, on average
	Clashes  float64        `json:"clashes,omitempty"` // the same, with another payload
	Attempts int            `json:"attempts"`          // tries of one operation before its client gives up; retries use the same key
	Timeout  time.Duration  `json:"timeout"`           // of one try
	Late     time.Duration  `json:"late"`              // bound on the p99 of lateness; above it the run is inconclusive
	// First is the ordinal of the first unit: a second load of the same run continues where the first one ended.
	First history.Unit `json:"first,omitempty"`
}

// Phase is a stretch of load at one rate of arrivals.
type Phase struct {
	Rate float64       `json:"rate"` // units submitted per second
	For  time.Duration `json:"for"`
}

// Operation is one thing a client intends to do.
type Operation struct {
	Due     time.Duration // intended start, from the start of the load; latency counts from here
	Op      string
	Unit    history.Unit
	Class   string // kind of unit, from the mix
	Attempt uint32 // from 1; set for each try
	Nonce   uint64 // drawn from the seed: the payload's varying part (amount, note)
	Trace   string // correlation id of the unit, the same for all its operations: 32 hex digits, a W3C trace id
	Key     string // idempotency key: one for each operation, the same for all its tries; empty for a read
	Version uint64 // amend: the version it is conditional on, the newest seen when its first try began; set for each try
	Again   bool   // submit: it was acknowledged, and is asked for once more under its key; not made otherwise
	Clash   bool   // and with another payload: another Nonce
	Note    string // amend: the new note, different for every amend of a run
}

// Answer is how a try ended. Kind is KindOK, KindFail or KindInfo: never an error to interpret. When in doubt, KindInfo.
type Answer struct {
	Kind  history.Kind
	Value string // what the target answered: state, note; or why not
	Token uint64 // version that came with it
}

// Client does operations against a target. It is called from as many goroutines as the workload has clients. Do returns soon
// after its context ends, and then says KindInfo unless it knows better.
type Client interface {
	Do(ctx context.Context, op Operation) Answer
}

// Recorder is where clients write what they did.
type Recorder interface {
	Record(history.Event) (seq uint64)
}

// Clock is the monotonic clock of the run: the time since its start.
type Clock interface {
	Now() time.Duration
}
