package history

import "time"

// Kind says what an event is about. The values are part of the file format: append, never renumber.
type Kind uint8

// The kinds of event, in the words of docs/history.md.
const (
	KindNone     Kind = iota
	KindInvoke        // a client starts an operation; Op names it, Unit is the unit it is for
	KindOK            // the operation of this Actor took effect
	KindFail          // the operation of this Actor definitely did not take effect
	KindInfo          // nobody knows: a timeout, a cut connection, a 5xx after sending
	KindEffect        // a side effect, recorded where it landed; Outcome says applied, deduplicated or refused; Op says do or undo
	KindStart         // an execution began, where that can be seen
	KindFinish        // an execution ended, where that can be seen
	KindAudit         // what the target says about itself: Op is the transition, Component its source, Token its number in the source's chain
	KindExchange      // one request and its response on an edge, from a message-aware proxy
	KindFault         // Key is the fault's id, Op its kind, Component its target; Outcome begin, confirmed, end, healed or failed
	KindProcess       // Component changed; Outcome started, ready, killed, paused, resumed, terminated or exited
	KindPhase         // Op is the phase, Outcome begin or end; Value says how it ended where there is more than one way
	KindObserve       // final state, read from the target; Op says what was read (state, step, outbox, dead-letter, audit-head, redeliveries, ...)
	KindNote          // a person or the harness remarks something; Value is the text
)

// Outcome qualifies an event. Which outcomes a kind has is said at the kind. The values are part of the file format.
type Outcome uint8

// The outcomes.
const (
	OutcomeNone         Outcome = iota
	OutcomeApplied              // effect: it changed the world now
	OutcomeDeduplicated         // effect: the sink had seen the key and did nothing
	OutcomeRefused              // effect: the sink said no (a declined card)
	OutcomeBegin                // fault, phase
	OutcomeConfirmed            // fault: an outside probe shows it in force
	OutcomeEnd                  // fault, phase
	OutcomeHealed               // fault: an outside probe shows it gone
	OutcomeFailed               // fault: could not be injected, confirmed or healed; phase: failed
	OutcomeStarted              // process
	OutcomeReady                // process: its readiness probe answered
	OutcomeKilled               // process: SIGKILL by us
	OutcomePaused               // process: SIGSTOP by us
	OutcomeResumed              // process: SIGCONT by us
	OutcomeTerminated           // process: SIGTERM by us
	OutcomeExited               // process: gone; Value says how
)

// Unit is the dense ordinal of a unit of work, from 0. Every id the harness issues carries it (see UnitID), so that checking
// needs no hash table. NoUnit marks an event that belongs to none.
type Unit uint32

// NoUnit is the Unit of an event that belongs to no unit of work.
const NoUnit = ^Unit(0)

// Event is one line of a history. Its zero value has unit 0: use Unit: NoUnit where there is none.
//
// The low-cardinality strings (Op, Step, Component) and Key, Trace are interned by the recorder; Value is free text, usually
// small, often JSON. A field that does not apply is its zero value.
type Event struct {
	Seq       uint64        // position in the history, from 0; set by the recorder
	T         time.Duration // since the start of the run; set by the recorder
	Kind      Kind
	Outcome   Outcome
	Unit      Unit
	Actor     uint32        // the client, from 1; an actor has at most one open operation. 0: not a client
	Attempt   uint32        // which try of the unit's operation this is, from 1
	Op        string        // what is done: an operation (submit, read, amend), do/undo, a transition, a fault kind, a phase
	Step      string        // the step of the unit it belongs to (charge, ship)
	Component string        // who: a component or, for a fault, its target as text
	Key       string        // idempotency key, fault id, hash: what identifies it
	Token     uint64        // fencing token, version or sequence number
	Value     string        // answer, amount, evidence: free text or JSON
	Trace     string        // correlation id
	At        time.Duration // when the source itself says it happened, on the run's clock; 0: not said. For people only
}
