package faults

import (
	"context"
	"fmt"
	"time"

	"github.com/wreckon/wreckon/targets"
)

// Direction says which way of an edge a connection fault cuts, seen from the component that dials.
type Direction string

// The directions.
const (
	Both      Direction = "both"
	Requests  Direction = "requests"  // from the dialling component to the listening one
	Responses Direction = "responses" // and back
)

// Spec is one fault of a plan, resolved: nothing in it is left to chance. It is data: printed, stored, compared, replayed.
type Spec struct {
	ID         string        `json:"id"`                   // f1, f2, ... in the order of the scenario
	Kind       string        `json:"kind"`                 // name of a Kind
	Component  string        `json:"component,omitempty"`  // for process faults
	Components []string      `json:"components,omitempty"` // for rolling-restart, in order
	From       string        `json:"from,omitempty"`       // for connection faults: the edge ...
	To         string        `json:"to,omitempty"`
	Direction  Direction     `json:"direction,omitempty"` // ... and the way
	At         time.Duration `json:"at"`                  // since the start of the chaos phase
	For        time.Duration `json:"for,omitempty"`       // how long it holds; crash, terminate: until the restart begins; rolling-restart: what it is spread over
	Delay      time.Duration `json:"delay,omitempty"`     // latency: added to each chunk of each response and request it cuts
	Rate       int64         `json:"rate,omitempty"`      // bandwidth: bytes per second
	Flap       time.Duration `json:"flap,omitempty"`      // partition: half a period of opening and closing; 0: it holds throughout
	CPUs       float64       `json:"cpus,omitempty"`      // cpu-limit: processors that it may use at most
	Grace      time.Duration `json:"grace,omitempty"`     // terminate, rolling-restart: how long a drain may take before SIGKILL
	Line       int           `json:"line,omitempty"`      // where the scenario file says so

	When  *When  `json:"when,omitempty"`  // placed by an event instead of by time: At is then not used
	Frame string `json:"frame,omitempty"` // crash, pause, terminate at a point: what becomes of the held message: pass (default) or drop
	End   string `json:"end,omitempty"`   // drop-request, drop-response: what the caller sees: close (default), reset or silent
	Again string `json:"again,omitempty"` // duplicate: at-once (default), after-answer, or later: after Delay
	Then  []Spec `json:"then,omitempty"`  // what is armed once this one has bitten, all at once; each with a When of its own
}

// When is a point: an instant that is the same from run to run, whatever the clock says.
type When struct {
	From     string `json:"from"` // the edge, as the topology has it
	To       string `json:"to"`
	Exchange string `json:"exchange"`        // signature, with * for any run of characters: "PUB orders.*"
	Nth      uint64 `json:"nth,omitempty"`   // this one of all that Exchange and Unit match, in the order asked, counted on the edge from the start of the chaos phase, or, in a Then, from the bite before it; 0: the first, unless Every says else
	Every    uint64 `json:"every,omitempty"` // or each whose number it divides
	Unit     string `json:"unit,omitempty"`  // of this unit only: "o-17"; its id must be in the request
	Point    string `json:"point"`           // before: the request is at the proxy, undelivered; after: its answer is
}

// Target is what the fault is aimed at, as a person writes it: "payments -> gateway", "relay".
func (s Spec) Target() string {
	switch {
	case s.From != "" && s.When != nil: // a message, of an edge as it is dialled
		return s.From + " -> " + s.To
	case s.From != "" && (s.Direction == Both || s.Direction == ""):
		return s.From + " <-> " + s.To
	case s.From != "" && s.Direction == Responses:
		return s.To + " -> " + s.From
	case s.From != "":
		return s.From + " -> " + s.To
	case len(s.Components) > 0:
		return fmt.Sprint(s.Components)
	}
	return s.Component
}

// Evidence is what an outside probe saw, and what the injector counted: it is stored as JSON in the fault's events.
type Evidence struct {
	Probe       string        `json:"probe"`                 // one sentence: "no answer through relay -> broker within 150ms"
	Took        time.Duration `json:"took"`                  // from the call until the probe was satisfied
	Connections int64         `json:"connections,omitempty"` // connections of the target (not of probes) that the fault touched
	Bytes       int64         `json:"bytes,omitempty"`       // bytes of the target held, delayed or dropped
	Dropped     int64         `json:"dropped,omitempty"`     // of these: bytes that were never delivered
	Detail      string        `json:"detail,omitempty"`
	Exchange    *Touched      `json:"exchange,omitempty"` // of a fault placed by an event: the exchange at which it bit, the first one
	Hits        int64         `json:"hits,omitempty"`     // and how many exchanges it did something to
}

// Fault is one injected fault. Inject returns once an outside probe shows it in force, Heal once it is shown to be gone. Heal is
// idempotent, and legal after a failed Inject. Both honour their context's deadline and then say what the probe last saw.
type Fault interface {
	Inject(ctx context.Context) (Evidence, error)
	Heal(ctx context.Context) (Evidence, error)
}

// Means are what faults are injected with. Whoever has none of a kind leaves it nil: a fault that needs it is refused.
type Means struct {
	Links      Links
	Processes  Processes
	Containers Containers
	Sessions   Sessions
}

// Processes is what process faults need of an environment. Each verb returns when it has happened: Kill when the process is
// reaped, Pause when the kernel shows it stopped, Start when its readiness probe answers.
type Processes interface {
	Kill(ctx context.Context, component string) error
	Terminate(ctx context.Context, component string, grace time.Duration) error // SIGTERM, wait, SIGKILL after grace; an error if the grace was not enough
	Pause(ctx context.Context, component string) error
	Resume(ctx context.Context, component string) error
	Start(ctx context.Context, component string) error
	Alive(component string) bool
	Probe(ctx context.Context, component string) error // its readiness, asked from outside and past every proxy
}

// Links is what connection faults need of the proxies: see faults/proxy.
type Links interface {
	Link(edge targets.Edge) (Link, error)
}

// Link is one fault's hold on a proxied edge. Set swaps what it does to bytes from now on; it never blocks and never touches
// Toxiproxy. Several Link values of one edge are merged: what any of them holds is held, delays add up, the lowest rate counts.
type Link interface {
	Set(Shape)
	Probe(ctx context.Context) Probe // one exchange through the proxy, as a client of the edge would see it
	Touched() Counters               // what the present and past shapes did to connections of the target
}

// Shape is what a link does to bytes. The zero value lets everything pass.
type Shape struct {
	HoldRequests   bool // nothing is read or written that way; nothing is lost
	HoldResponses  bool
	Swallow        bool          // black hole: bytes are read and thrown away, both ways; a connection that lost any dies at the end of the fault
	LoseResponses  bool          // requests pass; the first response byte from now on closes the connection, undelivered
	Reset          bool          // every connection, existing and new, is closed with RST
	Delay          time.Duration // added to bytes, each way it applies
	DelayRequests  bool          // Delay applies to requests
	DelayResponses bool          // Delay applies to responses
	Rate           int64         // bytes per second, each way, shared by all connections of the link; 0: no limit
}

// Counters of a link, for connections of the target only: probes are not counted.
type Counters struct {
	Connections int64 // touched by a shape other than the zero one; once for each Link value that set one
	Bytes       int64 // held, delayed or dropped
	Dropped     int64
}

// Padded is a link that can move a given number of bytes with a probe: without it, a rate cannot be confirmed.
type Padded interface {
	ProbePadded(ctx context.Context, bytes int) Probe // at least so many bytes of request, answered only when all have arrived
}

// What a probe saw.
const (
	SawAnswer  = "answered" // of any kind: a 404 is an answer
	SawTimeout = "timeout"  // nothing, and the connection stayed open
	SawClose   = "closed"   // an orderly close, without an answer
	SawReset   = "reset"    // ECONNRESET
	SawRefusal = "refused"  // nobody listens on the other side
)

// Probe is what one exchange through a link looked like.
type Probe struct {
	Outcome string        // SawAnswer, SawTimeout, SawClose, SawReset or SawRefusal
	Took    time.Duration // from the dial until the outcome was known
	Sent    int64         // bytes of the probe that the link delivered to the listening side
	Dropped int64         // bytes of the probe and of its answer that the link threw away
	Err     error         // what the outcome was read from; nil when answered
}

// Kind is a kind of fault, as a value: listed, explained, validated and documented from one place.
type Kind struct {
	Name   string
	Doc    string   // one sentence
	Story  string   // how this happens in real systems
	On     string   // what it is aimed at: edge or component
	Params []string // what it takes beside its aim and what places it, as a scenario has it: delay, rate, flap, grace, cpus, end, again
	Placed string   // by what: ByTime, ByEvent or ByEither

	Contained bool // it is done to containers: an environment of processes cannot do it
	Applies   func(Spec, targets.Topology) error
	New       func(Spec, targets.Topology, Means) (Fault, error)
}
