package checkers

// life is what a unit has been through, without when: enough to tell that nothing is wrong with a unit that lived an ordinary one. Whatever
// does not fit puts the unit in doubt. Millions of units share a few lives, so each has a number, and what an event makes of a life is
// found out once.
type life struct {
	flags    lifeFlags
	kind     stateKind // as observed at the end
	attempts uint8
	ops      uint8  // operations, up to many
	steps    uint32 // four bits for each step; see stepBits
	tries    uint64 // and how often each was attempted, if that matters; see tryBits
	seen     uint8  // states that somebody was shown and that must be recorded
	recorded uint8  // those that are
	sightings
}

type lifeFlags uint16

const (
	lifeMet    lifeFlags = 1 << iota // some event names it
	inDoubt                          // it is judged by all that the history has of it
	lifeAsked                        // a client submitted it
	lifeAcked                        // and got an ok
	lifeMaybe                        // some submit ended without an answer
	lifeEffect                       // an effect of it was applied
	lifeIntent                       // something showed that it was asked for
	lifeDone                         // there is evidence of its end
	lifeDead                         // it has a dead letter
	lifeLoose                        // it has audit events without a number
)

// The four bits of a step: of one that a sink sees, and of one that is observed at the end.
const (
	bitDid       = 1 // applied
	bitUndid     = 2 // undone
	bitLooked    = 1 // observed
	bitInForce   = 2 // and in force
	bitAuditDo   = 4
	bitAuditUndo = 8

	lifeSteps = 8
	everyStep = 0x11111111
	lifeSlots = 8
	many      = 255
)

// The first two lives.
const (
	lifeNone    = 0 // nothing is known of the unit
	lifeInDoubt = 1
)

func (x *life) has(f lifeFlags) bool { return x.flags&f != 0 }

func (x *life) doubt() { x.flags |= inDoubt }

// unrecorded tells that it was seen in a state, and no audit event records that.
func (x *life) unrecorded() bool { return x.seen&^x.recorded != 0 }

func (x *life) refused() bool { return x.flags&(lifeAsked|lifeAcked|lifeMaybe) == lifeAsked }

func (x *life) accounted() bool { return x.has(lifeDead) || x.kind == quarantined }

// lives are those that units have had so far.
type lives struct {
	all    []life
	number map[life]uint16
	lanes  []*turns // the turn of each lane
	moves  [][]move // what it makes of each life, as far as that was asked
}

func newLives() lives {
	l := lives{number: make(map[life]uint16)}
	for _, x := range []life{{}, {flags: lifeMet | inDoubt}} {
		l.number[x] = uint16(len(l.all))
		l.all = append(l.all, x)
	}
	return l
}

// numberOf gives a life its number. All that are in doubt are one, and those that come when there are too many are in doubt.
func (l *lives) numberOf(x life) uint16 {
	if x.has(inDoubt) {
		return lifeInDoubt
	}
	x.flags |= lifeMet
	n, known := l.number[x]
	switch {
	case known:
	case len(l.all) > lifeMask:
		return lifeInDoubt
	default:
		n = uint16(len(l.all))
		l.number[x] = n
		l.all = append(l.all, x)
	}
	return n
}

// turn is what an event of one shape means to its unit.
type turn struct {
	act   action
	op    opCode
	doubt bool   // it puts the unit in doubt
	timed bool   // it tells when what it tells of happened
	loose bool   // an audit event without a number
	again bool   // an audit event that came before
	late  bool   // an audit event after one with a greater number
	ends  bool   // it is evidence of an end
	looks bool   // what its value says matters
	step  uint32 // bits to set
	guard uint32 // bits that must not be set yet
	need  uint32 // bits that must be
	slots uint8  // states that it records
	tries uint64 // what it is an attempt of, if that matters

	tells  uint8 // the one state that it tells of, from 1; 0: none
	source uint8 // its audit trail, from 1
}

// turns are a turn and its lanes: one where the value of its event does not matter, otherwise one for each class of values.
type turns struct {
	turn
	first uint32 // lane
}

// moveOf finds out what a turn makes of a life.
func (s *scan) moveOf(number uint16, lane uint32) *move {
	known := s.moves[lane]
	if int(number) < len(known) && known[number].state != 0 {
		return &known[number]
	}
	t := s.lanes[lane]
	next, mv := s.next(s.all[number], &t.turn, uint8(lane-t.first))
	mv.state, mv.life, mv.since = max(mv.state, moveKnown), uint64(s.numberOf(next)), mv.ask|mv.show
	for len(known) <= int(number) {
		known = append(known, move{})
	}
	known[number], s.moves[lane] = mv, known
	return &known[number]
}

// next goes through a turn of a life.
func (s *scan) next(x life, t *turn, number uint8) (life, move) {
	if x.has(inDoubt) {
		return x, move{}
	}
	if t.doubt {
		x.doubt()
		return x, move{}
	}
	says := class{state: -1, blank: true}
	if t.looks {
		says = s.classes[number-1]
	}
	x.try(t.tries)
	var mv move
	switch t.act {
	case actInvoke:
		if x.ops < many {
			x.ops++
		}
		if t.op == opSubmit {
			x.ask(&mv)
		}
	case actInfo:
		if t.op == opSubmit {
			x.flags |= lifeMaybe
		}
	case actOK:
		s.answered(&x, t, says, &mv)
	case actApplied:
		x.flags |= lifeEffect
		x.show(&mv)
		x.did(t)
	case actAudit:
		x.show(&mv)
		s.keeping.lifecycle.hears(&x, t)
		if !t.again {
			x.recordedBy(t, &mv)
		}
	case actState:
		if s.keeping.lifecycle.sees(&x, says.state, says.blank); x.kind != unseen && s.keeping.lifecycle != nil {
			x.doubt() // only the last counts
		}
		if x.kind = s.kindOf(says.state); says.state < 0 {
			x.doubt()
		}
		s.saw(&x, says.state)
	case actLetter:
		x.flags |= lifeDead
	case actStep:
		if x.steps = x.steps&^t.guard | t.step; says.force {
			x.steps |= t.need
		}
	case actExchange:
		if says.fault {
			x.doubt()
		}
	}
	return x, mv
}

func (x *life) ask(mv *move) {
	if x.attempts++; x.attempts == 0 {
		x.doubt()
	}
	if !x.has(lifeAsked) {
		x.flags |= lifeAsked
		mv.ask = allOnes
	}
}

// show takes evidence that a unit's intent is durable.
func (x *life) show(mv *move) {
	switch {
	case x.has(lifeIntent):
	case !x.has(lifeAsked):
		x.doubt() // something was seen of it before anybody asked for it
	default:
		x.flags |= lifeIntent
		mv.show = allOnes
	}
}

// answered takes an answer that was ok.
func (s *scan) answered(x *life, t *turn, says class, mv *move) {
	if t.op != opSubmit && t.op != opRead {
		return
	}
	s.saw(x, says.state)
	if t.op == opRead || says.state >= 0 { // an answer to a submit need not name a state
		s.keeping.lifecycle.sees(x, says.state, says.blank)
	}
	if t.op == opSubmit {
		x.show(mv)
		if !x.has(lifeAcked) {
			x.flags |= lifeAcked
			mv.write, mv.which = allOnes, okAt
		}
	} else if s.kindOf(says.state).terminal() {
		x.finish(mv)
	}
}

// finish takes evidence of its end.
func (x *life) finish(mv *move) {
	switch {
	case !x.has(lifeAsked):
		x.doubt()
	case !x.has(lifeDone):
		x.flags |= lifeDone
		mv.write, mv.which = allOnes, endAt
	default:
		mv.state = moveMinds // a source's clock may be ahead of ours
	}
}

// saw notes that somebody was shown a unit in a state.
func (s *scan) saw(x *life, state int) {
	if state >= 0 && s.guarded.has(state) {
		x.doubt()
	}
	if state < 0 || s.stateAudit[state] < 0 {
		return
	}
	if slot := s.slot(state); slot < lifeSlots {
		x.seen |= 1 << slot
	} else {
		x.doubt()
	}
}

// slot numbers the states that must be recorded.
func (s *scan) slot(state int) (n int) {
	for _, t := range s.stateAudit[:state] {
		if t >= 0 {
			n++
		}
	}
	return n
}

// did sets the bits of a turn.
func (x *life) did(t *turn) {
	if x.steps&t.guard != 0 || x.steps&t.need != t.need {
		x.doubt()
	}
	x.steps |= t.step
}

func (x *life) recordedBy(t *turn, mv *move) {
	if t.loose {
		x.flags |= lifeLoose
	}
	x.did(t)
	x.recorded |= t.slots
	if t.ends {
		x.finish(mv)
	}
}

const allOnes = ^uint64(0)
