package checkers

import (
	"slices"

	"github.com/wreckon/wreckon/history"
)

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

// meaning says what an event of a shape is about.
func (s *scan) meaning(x *history.Shape) meaning {
	m := meaning{shape: *x, width: x.Width()}
	m.token = x.Has&history.HasToken != 0 && (x.Kind == history.KindEffect || x.Kind == history.KindStart)
	op := s.name(x.Op)
	switch x.Kind {
	case history.KindInvoke:
		m.act = actInvoke
		switch op {
		case "submit":
			m.op = opSubmit
		case "read":
			m.op = opRead
		case "amend":
			m.op = opAmend
		}
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
	return m
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
	if k < 0 || k >= taleSteps || s.steps[k].Observed {
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
	m.act, m.chain = actAudit, s.trail(s.name(m.shape.Component))
	t := slices.Index(s.transitionName, op)
	if t < 0 {
		return
	}
	m.ends = s.terminalAudits>>t&1 == 1
	for state, must := range s.stateAudit {
		if slot := s.slot(state); must == t && slot < taleSlots {
			m.slots |= 1 << (timeBits + taleSlots + slot)
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
		if k >= taleSteps {
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
		m.act, m.mark, m.chain = actHead, true, s.trail(s.name(m.shape.Component))
	case "redeliveries":
		m.mark = true
	case "state":
		m.act = actState
	case "dead-letter":
		m.act, m.mark = actLetter, true
	case "step":
		k := s.stepNamed(s.name(m.shape.Step))
		switch {
		case k < 0:
			s.unsaid = true
		case k >= taleSteps:
			m.act, m.mark = actStep, true
		case !s.steps[k].Observed:
			m.act = actStep
		default:
			m.act, m.step, m.guard, m.need = actStep, stepBits(k, bitLooked), stepBits(k, bitLooked|bitInForce), stepBits(k, bitInForce)
		}
	}
}

// trail finds the audit trail of a source.
func (s *scan) trail(source string) *auditTrail {
	k, ok := s.source[source]
	if !ok {
		k = len(s.trails)
		s.source[source] = k
		s.trails = append(s.trails, newTrail(s.r.Len()))
	}
	return s.trails[k]
}
