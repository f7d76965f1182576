package checkers

import (
	"math"
	"slices"

	"github.com/wreckon/wreckon/history"
)

// shapes are what the shapes of events mean.
type shapes struct {
	mean     []meaning // of the block's
	glances  []glance
	widths   []history.Place
	units    []history.Unit // zero for those that have one, and NoUnit
	lanings  []laning
	listings []listing
	listed   bool // some event of the block is on a list
	keyed    bool // some event of it is a submit with a key
	timed    bool // of some event another instant matters than that of its recording
	turns    map[turn]*turns
	unsaid   bool // some audit event or observation names no step
}

// meet adds the steps that effects and observations name beyond the claimed ones, in the order in which their events stand, as
// vocabulary.addSteps does.
func (s *scan) meet(b *history.Block) {
	var fresh []int
	for k := range b.Shapes {
		x := &b.Shapes[k]
		if x.Kind != history.KindEffect && (x.Step == 0 || x.Kind != history.KindObserve && x.Kind != history.KindStart) {
			continue
		}
		if s.stepNamed(s.name(x.Step)) < 0 && len(s.steps) < maxSteps {
			fresh = append(fresh, k)
		}
	}
	if len(fresh) == 0 {
		return
	}
	for _, k := range b.Which { // shapes need not be numbered as they appear, nor appear at all
		name := ""
		if !slices.Contains(fresh, int(k)) {
			continue
		}
		if name = s.name(b.Shapes[k].Step); s.stepNamed(name) < 0 && len(s.steps) < maxSteps {
			s.steps = append(s.steps, history.Step{Name: name})
			s.auditDo, s.auditUndo = append(s.auditDo, -1), append(s.auditUndo, -1)
		}
	}
}

func (s *scan) stepNamed(name string) int {
	return slices.IndexFunc(s.steps, func(x history.Step) bool { return x.Name == name })
}

// meaning is what an event of one shape of the block at hand is about.
type meaning struct {
	turn
	turns *turns
	mark  bool // its unit is in doubt
	token bool // it may carry one that counts
	unit  bool // it has one
	trail *auditTrail
	shape history.Shape
	width history.Place
}

// forget makes ready for another block.
func (x *shapes) forget() {
	x.mean, x.glances, x.widths, x.units, x.lanings, x.listings = x.mean[:0], x.glances[:0], x.widths[:0], x.units[:0], x.lanings[:0], x.listings[:0]
	x.listed, x.keyed, x.timed = false, false, false
}

// know takes in what the next shape of the block means.
func (s *scan) know(m meaning) {
	none := history.NoUnit
	if m.unit {
		none = 0
	}
	list := listOf(&m)
	s.mean, s.glances, s.widths, s.units = append(s.mean, m), append(s.glances, glanceOf(&m)), append(s.widths, m.width), append(s.units, none)
	s.lanings, s.listings = append(s.lanings, s.laning(&m)), append(s.listings, listing{uint8(list * listShift), 1 << (list * listShift)})
	s.listed, s.keyed, s.timed = s.listed || list != listNone, s.keyed || s.glances[len(s.glances)-1].keyed, s.timed || m.timed
}

// glance is what the passes over clients, audit trails and instants ask about the events of a shape: of each column, what is left of a place
// and of what stands there, nothing where the shape has none or it does not matter.
type glance struct {
	trail    *auditTrail
	code     uint64 // of what its client does; see openMask
	due      int64
	op       history.Ref
	actor    uint32
	value    history.Ref
	actorAt  uint16
	valueAt  uint16
	dueAt    uint16
	keyed    bool // a submit with a key
	numbered bool // an audit event with a number, a unit, and no hash
}

type action uint8

const (
	actNothing action = iota
	actInvoke
	actOK
	actFail
	actInfo
	actApplied
	actDeduplicated
	actAudit
	actState
	actLetter
	actStep
	actHead
	actExchange
	actFault
	actPhase
)

type opCode uint8

const (
	opOther opCode = iota
	opSubmit
	opRead
	opAmend
)

// meaning says what an event of a shape is about.
func (s *scan) meaning(x *history.Shape) meaning {
	m := meaning{shape: *x, width: x.Width(), unit: x.Has&history.HasUnit != 0, trail: &s.silent}
	m.token = x.Has&history.HasToken != 0 && (x.Kind == history.KindEffect || x.Kind == history.KindStart)
	op := s.name(x.Op)
	switch op {
	case "submit":
		m.op = opSubmit
	case "read":
		m.op = opRead
	case "amend":
		m.op = opAmend
	}
	switch x.Kind {
	case history.KindInvoke:
		m.act = actInvoke
	case history.KindOK:
		m.act = actOK
	case history.KindFail:
		m.act = actFail
	case history.KindInfo:
		m.act = actInfo
	case history.KindEffect:
		s.effectMeans(&m, op)
	case history.KindAudit:
		s.auditMeans(&m, op)
	case history.KindObserve:
		s.observeMeans(&m, op)
	case history.KindExchange:
		m.act = actExchange
	case history.KindFault:
		m.act, m.mark = actFault, true
	case history.KindPhase:
		m.act, m.mark = actPhase, true
	case history.KindProcess, history.KindNote:
		m.mark = true
	case history.KindStart:
		m.mark = len(s.claims.Feeds) == 0 // what a history shows is inferred from the part
	}
	for _, r := range s.rules {
		if r.marks != nil && r.marks(s, x) {
			m.mark = true
		}
	}
	s.attemptMeans(&m, op)
	m.doubt = m.mark
	switch m.act {
	case actOK:
		m.looks = m.op == opSubmit || m.op == opRead
	case actState, actExchange:
		m.looks = true
	case actStep:
		m.looks = m.need != 0
	case actInvoke:
		m.timed = m.op == opSubmit && x.Has&history.HasAt != 0
	case actAudit:
		m.timed = m.ends && x.Has&history.HasAt != 0
	}
	m.turns = s.turnsOf(m.turn)
	return m
}

func glanceOf(m *meaning) glance {
	has := func(col history.Columns) bool { return m.shape.Has&col != 0 }
	g := glance{trail: m.trail, op: m.shape.Op}
	switch m.act {
	case actInvoke, actOK, actFail, actInfo, actFault:
		g.code, g.keyed = callCode(m), m.act == actInvoke && m.op == opSubmit && has(history.HasKey)
	case actAudit:
		g.numbered = m.unit && has(history.HasToken) && !has(history.HasKey)
	}
	if has(history.HasActor) {
		g.actorAt, g.actor = lastPlace, ^uint32(0)
	}
	if has(history.HasValue) {
		g.valueAt, g.value = lastPlace, ^history.Ref(0)
	}
	if m.timed {
		g.dueAt, g.due = lastPlace, -1
	}
	return g
}

const lastPlace = 1<<16 - 1 // in a column

// turnsOf gives what is known of a turn.
func (s *scan) turnsOf(t turn) *turns {
	known := s.turns[t]
	if known == nil {
		known = &turns{turn: t, first: uint32(len(s.lanes))}
		n := 1
		if t.looks {
			n = manyClasses
		}
		for range n {
			s.lanes = append(s.lanes, known)
		}
		s.moves = append(s.moves, make([][]move, n)...)
		s.turns[t] = known
	}
	return known
}

func stepBits(step int, b uint32) uint32 { return b << (4 * step) }

func (s *scan) effectMeans(m *meaning, op string) {
	switch m.shape.Outcome {
	case history.OutcomeDeduplicated:
		m.act = actDeduplicated
		return
	case history.OutcomeApplied:
		m.act = actApplied
	default:
		return
	}
	k := s.stepNamed(s.name(m.shape.Step))
	if k < 0 || k >= lifeSteps || s.steps[k].Observed {
		m.mark = true
		return
	}
	once := judgedOnce(s.steps[k])
	switch {
	case op != "undo" && once:
		m.step, m.guard = stepBits(k, bitDid), stepBits(k, bitDid|bitUndid)
	case op != "undo":
		m.step, m.guard = stepBits(k, bitDid), stepBits(k, bitUndid)
	case once:
		m.step, m.guard, m.need = stepBits(k, bitUndid), stepBits(k, bitUndid), stepBits(k, bitDid)
	default:
		m.mark = true
	}
}

func (s *scan) auditMeans(m *meaning, op string) {
	m.act = actAudit
	k := s.trail(s.name(m.shape.Component))
	m.trail = s.trails[k]
	t := slices.Index(s.transitionName, op)
	if t < 0 {
		return
	}
	m.ends = s.terminalAudits>>t&1 == 1
	if m.tells = s.recordsState(t, k); m.tells > 0 {
		m.source = uint8(min(k+1, math.MaxUint8))
		m.mark = m.mark || k >= math.MaxUint8-1
	}
	for state, must := range s.stateAudit {
		if slot := s.slot(state); must == t && slot < lifeSlots {
			m.slots |= 1 << slot
		}
	}
	said := -1
	if name := s.name(m.shape.Step); name == "" {
		s.unsaid = true
	} else if said = s.stepNamed(name); said < 0 || said >= len(s.claims.Steps) {
		m.mark = true // a step that nobody claimed, and that may yet be met
		return
	}
	for k := range s.steps {
		b := uint32(0)
		switch {
		case said >= 0 && said != k:
		case s.auditDo[k] == t:
			b = bitAuditDo
		case s.auditUndo[k] == t:
			b = bitAuditUndo
		}
		if b == 0 {
			continue
		}
		if k >= lifeSteps {
			m.mark = true
			continue
		}
		m.step |= stepBits(k, b)
		if judgedOnce(s.steps[k]) {
			m.guard |= stepBits(k, b)
		}
	}
}

func (s *scan) observeMeans(m *meaning, op string) {
	switch op {
	case "audit-head":
		m.act, m.mark, m.trail = actHead, true, s.trails[s.trail(s.name(m.shape.Component))]
	case "redeliveries", "told":
		m.mark = true
	case "missed": // what nothing was seen of is in doubt, too
		s.giveUp = true
	case "state":
		if m.act = actState; m.unit {
			s.readFrom(s.name(m.shape.Component))
		}
	case "dead-letter":
		m.act, m.mark = actLetter, true
	case "step":
		k := s.stepNamed(s.name(m.shape.Step))
		switch {
		case k < 0:
			s.unsaid = true
		case k >= lifeSteps:
			m.act, m.mark = actStep, true
		case !s.steps[k].Observed:
			m.act = actStep
		default:
			m.act, m.step, m.guard, m.need = actStep, stepBits(k, bitLooked), stepBits(k, bitLooked|bitInForce), stepBits(k, bitInForce)
		}
	}
}

// trail finds the number of the audit trail of a source.
func (s *scan) trail(source string) int {
	k, ok := s.source[source]
	if !ok {
		k = len(s.trails)
		s.source[source] = k
		s.trails = append(s.trails, newTrail(s.r.Len()))
	}
	return k
}
