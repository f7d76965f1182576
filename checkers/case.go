package checkers

import (
	"context"
	"time"

	"github.com/wreckon/wreckon/history"
)

// none marks an event index that is not there.
const none = ^uint32(0)

// Case is a history prepared for judging: what one pass over its columns can know about each unit, dense and without a hash table.
// It is shared by all guarantees and read-only for them.
type Case struct {
	H *history.History

	whole *whole // what is known of the rest, where H is only a part of the history; nil where it is all

	ctx    context.Context // ends when the checker that runs has used up its time
	budget time.Duration   // for an exponential search
	bound  time.Duration   // on the p99 of the harness's own lateness; 0: none

	noun, nouns string // what a person calls a unit
	vocabulary

	col   []history.Unit // the unit column, with dense ordinals
	names []history.Unit // dense ordinal -> unit, where the history's own ordinals are too sparse to be an index
	units []unit
	cells []cell // units x steps

	ops     []operation
	phantom []uint32 // applied effects of no unit
	chains  []chain
	faults  []span
	bites   []bite   // exchanges that a fault touched, in order
	exits   []uint32 // processes that went without being asked to
	spans   []uint32 // what spans tell of units

	missed map[string][]uint32 // feed -> where something of it may have been missed

	phases        bool // the history tells of phases at all
	quiesce       string
	quiesceAt     uint32
	observeBegin  uint32
	observeEnd    uint32
	baselineFails uint32
	lateness      uint32
	states        int // observed
	stepsSeen     int // observed
	letters       int // dead letters, observed
	audits        int // delivered, repeats not counted
	applied       int
	deduplicated  int
	tokens        int // effects and executions that carry one
	exchanges     int
	redeliveries  uint64
	redelivered   bool // somebody said how many there were
	malformed     malformed

	events *lazyGroups // of a unit, in order
	opsOf  *lazyGroups // operations of a unit, in order of their call

	successes *successes // of operations, from each on
}

// unit is what the pass knows of one unit of work.
type unit struct {
	asked    uint32 // first submit
	acked    uint32 // first submit that was ok
	touched  uint32 // first event of any client operation
	final    uint32 // last observed state
	dead     uint32 // dead letter
	ended    uint32 // first answer to a read that showed it completed, compensated or expired
	effect   uint32 // first applied effect
	told     uint32 // first audit event
	attempts uint32 // submits
	fails    uint32 // of these: definitely not
	kind     stateKind
	flags    unitFlags
	seen     uint64        // states it was seen in, a bit each
	audited  uint64        // transitions in the audit trail, a bit each
	intended time.Duration // when its first submit was due
	done     time.Duration // first evidence of a terminal state; -1: none
}

type unitFlags uint8

const (
	twiceInForce   unitFlags = 1 << iota // some step's effect was in force twice
	againAfterEnd                        // some step was applied again after a client had read the end
	earlyEffect                          // an effect landed before anybody asked
	unnumbered                           // it has audit events without a number: repeats cannot be told apart
	undeclaredName                       // it was observed in a state that the claims do not name
	undoAsked                            // somebody asked the sink to undo a step of it
)

// cell counts one step of one unit.
type cell struct {
	do, undo           uint16 // applied effects
	auditDo, auditUndo uint16 // audit events, repeats not counted
	inForce            int8   // as observed at the end: 1, 0, or -1 for not observed
}

func (c cell) net() int { return int(c.do) - int(c.undo) }

// operation is one client call: indices of its invoke and of its end, if it has one.
type operation struct{ call, ret uint32 }

// malformed counts events that do not fit the event model: they limit the verdict without changing it.
type malformed struct {
	unpaired int // an end without an open operation
	nested   int // an invoke while the actor had one open
	steps    int // effects of steps beyond the bound
}

func (c *Case) cell(u, s int) *cell { return &c.cells[u*len(c.steps)+s] }

// id is a unit's id as the world sees it.
func (c *Case) id(u int) string {
	o := history.Unit(u)
	if c.names != nil {
		o = c.names[u]
	}
	return clip(c.H.UnitName(o), 120)
}

// name is how a sentence calls a unit: "order o-17".
func (c *Case) name(u int) string { return c.noun + " " + c.id(u) }

func (c *Case) at(i uint32) time.Duration { return time.Duration(c.H.T[i]) }

func (c *Case) str(r history.Ref) string { return c.H.Strings[r] }

func (u *unit) acknowledged() bool { return u.acked != none }

// refused tells that every attempt definitely failed.
func (u *unit) refused() bool {
	return u.attempts > 0 && u.acked == none && u.fails == u.attempts
}

// accounted tells that the target set the unit aside for a person.
func (u *unit) accounted() bool { return u.dead != none || u.kind == quarantined }

// open tells that the unit was observed in progress, and that nobody set it aside.
func (u *unit) open() bool { return u.kind == open && u.dead == none }

// settled tells that the target had come to rest when its final states were read: what is not finished then never will be.
func (c *Case) settled() bool { return c.quiesce == "settled" || c.quiesce == "idle" }

// moving tells that the run was stopped before the target was asked to come to rest: its parts were read while they worked, and
// need not agree.
func (c *Case) moving() bool { return c.phases && c.quiesce != "deadline" && !c.settled() }

// observed tells that the final states were read to the end, or, in a history without phases, that there are some.
func (c *Case) observed() bool {
	if c.phases {
		return c.observeEnd != none
	}
	return c.states > 0
}

// stepInForce tells how often a step of a unit is in force at the end; known is false where nobody looked. A target lists the
// observed steps that are in force, and may leave out the others: where any were listed, one that is not listed is not in force.
func (c *Case) stepInForce(u, s int) (n int, known bool) {
	x := c.cell(u, s)
	switch {
	case !c.steps[s].Observed:
		return x.net(), c.sees(history.FeedEffects)
	case c.quiesce == "deadline" && !c.endedBefore(u):
		return 0, false // state and step were read one after the other, while the target worked: they need not agree
	case x.inForce < 0:
		return 0, c.stepsSeen > 0 && c.phases && c.observeEnd != none
	}
	return int(x.inForce), true
}

// endedBefore tells that a unit is known to have ended before the final states were read.
func (c *Case) endedBefore(u int) bool {
	done := c.units[u].done
	return done >= 0 && c.observeBegin != none && done <= c.at(c.observeBegin)
}

// eventsOf lists the events of a unit in order.
func (c *Case) eventsOf(u int) []uint32 {
	return c.events.of(u, func() groups {
		return groupBy(len(c.units), len(c.col), func(i int) int {
			if c.col[i] == history.NoUnit {
				return -1
			}
			return int(c.col[i])
		})
	})
}

// operationsOf lists the operations of a unit, as indices of ops, in order of their call.
func (c *Case) operationsOf(u int) []uint32 {
	return c.opsOf.of(u, func() groups {
		return groupBy(len(c.units), len(c.ops), func(i int) int {
			if u := c.col[c.ops[i].call]; u != history.NoUnit {
				return int(u)
			}
			return -1
		})
	})
}
