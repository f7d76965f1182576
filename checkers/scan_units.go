package checkers

import (
	"time"

	"github.com/wreckon/wreckon/history"
)

// tale is what a scan knows of one unit: enough to tell that nothing is wrong with a unit that lived an ordinary life. Whatever does not
// fit makes the unit a suspect, and suspects are judged by all that the history has of them. It is half a cache line.
type tale struct {
	intended uint64 // when its first submit was due: 48 bits of nanoseconds; then the states it was seen in, 8 bits, and those recorded, 8 bits
	steps    uint32 // four bits for each step; see stepBits
	intent   uint32 // nanoseconds from its first submit to the first evidence of it; until that comes, how late the submit was
	submit   uint32 // nanoseconds from intended to its first ok, with eight bits more in submitHigh
	done     uint32 // the same to the first evidence of its end
	high     [2]uint8
	flags    taleFlags
	kind     stateKind
	attempts uint8
	ops      uint8 // operations, up to many
}

type taleFlags uint16

const (
	inDoubt      taleFlags = 1 << iota // it is judged by all that the history has of it
	beside                             // it is looked at because a suspect is near
	taleAsked                          // a client submitted it
	taleAcked                          // and got an ok
	taleMaybe                          // some submit ended without an answer
	taleEffect                         // an effect of it was applied
	taleIntent                         // intent holds what its name says
	taleDone                           // done does
	taleDead                           // it has a dead letter
	taleLoose                          // it has audit events without a number
	taleSpeaking                       // it has a client operation
)

// The four bits of a step: of one that a sink sees, and of one that is observed at the end.
const (
	bitDid       = 1 // applied
	bitUndid     = 2 // undone
	bitLooked    = 1 // observed
	bitInForce   = 2 // and in force
	bitAuditDo   = 4
	bitAuditUndo = 8

	taleSteps = 8
	taleSlots = 8
	manyOps   = 255
)

const (
	timeBits   = 48
	timeMask   = 1<<timeBits - 1
	longestFor = 1<<40 - 1 // nanoseconds: 18 minutes
)

func (x *tale) from() int64 { return int64(x.intended & timeMask) }

func (x *tale) submitted() time.Duration {
	return time.Duration(uint64(x.submit) | uint64(x.high[0])<<32)
}

func (x *tale) ended() time.Duration { return time.Duration(uint64(x.done) | uint64(x.high[1])<<32) }

func (x *tale) suspect() { x.flags |= inDoubt }

func (x *tale) has(f taleFlags) bool { return x.flags&f != 0 }

// unrecorded tells that it was seen in a state, and no audit event records that.
func (x *tale) unrecorded() bool {
	return x.intended>>timeBits&^(x.intended>>(timeBits+taleSlots))&(1<<taleSlots-1) != 0
}

func (x *tale) refused() bool { return x.flags&(taleAsked|taleAcked|taleMaybe) == taleAsked }

func (x *tale) accounted() bool { return x.has(taleDead) || x.kind == quarantined }

// ask notes a submit, due at an instant and begun at another.
func (x *tale) ask(due, begun int64) {
	if x.attempts++; x.attempts == 0 {
		x.attempts--
		x.suspect()
	}
	if x.has(taleAsked) {
		return
	}
	x.flags |= taleAsked
	late := begun - due
	if due < 0 || due > timeMask || late < 0 || late > 1<<32-1 {
		x.suspect()
		return
	}
	x.intended |= uint64(due)
	x.intent = uint32(late)
}

// show gives the first evidence that a unit's intent is durable.
func (x *tale) show(t int64) {
	if x.has(taleIntent) {
		return
	}
	d := t - x.from() - int64(x.intent)
	if !x.has(taleAsked) || d < 0 || d > 1<<32-1 {
		x.suspect() // among them a unit of which something was seen before anybody asked for it
		return
	}
	x.flags |= taleIntent
	x.intent = uint32(d)
}

func (x *tale) ack(t int64) {
	x.show(t)
	if x.has(taleAcked) {
		return
	}
	x.flags |= taleAcked
	d := t - x.from()
	if d < 0 || d > longestFor {
		x.suspect()
		return
	}
	x.submit, x.high[0] = uint32(d), uint8(d>>32)
}

// finish notes evidence of its end; the earliest counts.
func (x *tale) finish(t int64) {
	d := t - x.from()
	if !x.has(taleAsked) || d < 0 || d > longestFor {
		x.suspect()
		return
	}
	if !x.has(taleDone) || d < int64(x.ended()) {
		x.flags |= taleDone
		x.done, x.high[1] = uint32(d), uint8(d>>32)
	}
}

const (
	pageBits = 14
	pageSize = 1 << pageBits
)

// tales hold the units of a history in pages, so that the table grows without being copied, and a number that is far off costs no more
// than one.
type tales struct {
	pages []*[pageSize]tale
	top   history.Unit // one above the greatest that is there
}

// at gives a unit's tale, nil for a unit beyond the limit.
func (t *tales) at(u history.Unit, limit uint64) *tale {
	if k := int(u >> pageBits); k < len(t.pages) {
		if p := t.pages[k]; p != nil {
			if u >= t.top {
				t.top = u + 1
			}
			return &p[u&(pageSize-1)]
		}
	}
	return t.add(u, limit)
}

func (t *tales) add(u history.Unit, limit uint64) *tale {
	if uint64(u) >= limit {
		return nil
	}
	k := int(u >> pageBits)
	for len(t.pages) <= k {
		t.pages = append(t.pages, nil)
	}
	t.pages[k] = new([pageSize]tale)
	t.top = max(t.top, u+1)
	return &t.pages[k][u&(pageSize-1)]
}

// find gives the tale of a unit that is there; nil for any other.
func (t *tales) find(u history.Unit) *tale {
	if k := int(u >> pageBits); u < t.top && t.pages[k] != nil {
		return &t.pages[k][u&(pageSize-1)]
	}
	return nil
}

// each goes through all units, in order, those that never appeared included.
func (t *tales) each(f func(u history.Unit, x *tale)) {
	for k, p := range t.pages {
		if p != nil {
			for i := range p {
				f(history.Unit(k)<<pageBits|history.Unit(i), &p[i])
			}
		}
	}
}
