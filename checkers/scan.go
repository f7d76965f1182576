package checkers

import (
	"bytes"
	"slices"
	"time"
	"unsafe"

	"github.com/wreckon/wreckon/history"
)

// This file is the one pass over a history that is too long to be held and looked at from every side: block by block, with half a cache line
// for each unit. It counts what is counted, and finds the units that may be worth a closer look: a unit that it does not doubt is one
// of which no guarantee has anything to say. What it doubts is judged by the checkers, on a history of these units alone. It may doubt
// too much; it must never doubt too little.

// scan is the state of the pass.
type scan struct {
	r    *history.Reader
	spec Spec
	vocabulary
	names  map[history.Ref]string // strings that shapes name
	class  []uint8                // of each string; see classify
	force  history.Ref            // "in-force", once it was seen
	block  *history.Block
	mean   []meaning      // of the block's shapes
	limit  uint64         // on the ordinals of units
	unsaid bool           // some audit event or observation names no step
	owners []history.Unit // of each string that is the key of a submit: one more than its unit
	giveUp bool           // the whole history must be judged
	err    error
	hashed []byte

	tales  tales
	trails []*auditTrail
	source map[string]int
	actors actors
	flight flight
	phases *history.History // events of phases alone
	rules  []rule           // those that may have something to say

	total totals
	last  int64 // when the history ends
}

// totals count events over the whole history.
type totals struct {
	submits, ops, ok, fail           int
	submitOK, readOK, amendOK        int
	applied, deduplicated, states    int
	stepsSeen, unnumbered, exchanges int
	tokens                           int  // effects and executions that carry one
	reads                            bool // a client read or updated a unit
	acked                            bool // some unit was acknowledged
}

// meaning is what an event of one shape of the block at hand is about.
type meaning struct {
	act   action
	op    opCode
	mark  bool // its unit is in doubt
	token bool // it may carry one that counts
	chain *auditTrail
	step  uint32 // bits to set
	guard uint32 // bits that must not be set yet
	need  uint32 // bits that must be
	slots uint64 // states that it records
	ends  bool   // it is evidence of an end
	shape history.Shape
	width history.Place
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

func newScan(r *history.Reader, spec Spec) *scan {
	s := &scan{r: r, spec: spec, vocabulary: newVocabulary(history.New(r.Header), nil), names: map[history.Ref]string{0: ""}, force: noRef,
		limit: 4*uint64(r.Len()) + 1024, source: map[string]int{}, flight: flight{opened: []int{0}}, phases: history.New(r.Header)}
	s.rules = s.concerned()
	return s
}

// run reads the history from its beginning to its end.
func (s *scan) run() error {
	err := s.r.Each(func(b *history.Block) error {
		s.begin(b)
		s.rows(b)
		s.last = b.T[b.Len()-1]
		return s.err
	})
	if err != nil {
		return err
	}
	for _, o := range s.actors.open() {
		s.unanswered(o)
		s.flight.lose(o.seq)
	}
	s.giveUp = s.giveUp || s.unsaid && s.stepNamed("") >= 0
	for _, t := range s.trails {
		t.close(s)
	}
	return nil
}

// begin finds out what the shapes of a block mean.
func (s *scan) begin(b *history.Block) {
	s.block = b
	s.class = slices.Grow(s.class, max(b.Strings()-len(s.class), 0))[:b.Strings()]
	s.meet(b)
	s.mean = s.mean[:0]
	for k := range b.Shapes {
		s.mean = append(s.mean, s.meaning(&b.Shapes[k]))
	}
}

// rows goes through the events of a block.
func (s *scan) rows(b *history.Block) {
	var p history.Place
	for i, k := range b.Which {
		m := &s.mean[k]
		u, x := history.NoUnit, (*tale)(nil)
		if m.token && b.Token[p.Token()] > 0 {
			s.total.tokens++
		}
		if m.shape.Has&history.HasUnit != 0 {
			u = b.Unit[p.Unit()]
			if x = s.tales.at(u, s.limit); x == nil {
				s.giveUp = true
				p.Move(m.width)
				continue
			}
			if m.mark {
				x.suspect()
			}
		}
		switch m.act {
		case actInvoke:
			s.invoke(b, m, i, p, u, x)
		case actOK, actFail, actInfo:
			s.end(b, m, i, p, u)
		case actApplied:
			s.total.applied++
			if x != nil {
				x.apply(m, b.T[i])
			}
		case actDeduplicated:
			s.total.deduplicated++
		case actAudit:
			s.audit(b, m, i, p, u, x)
		case actState:
			s.sawState(b, m, p, x)
		case actLetter:
			if x != nil {
				x.flags |= taleDead
			}
		case actStep:
			s.sawStep(b, m, p, x)
		case actHead:
			m.chain.head()
		case actExchange:
			s.total.exchanges++
			if s.touched(b, m, p) && x != nil {
				x.suspect()
			}
		case actFault:
			s.flight.mark(b.First+uint64(i), b.T[i])
		case actPhase:
			s.sawPhase(b, m, i, p)
		}
		p.Move(m.width)
	}
}

func (s *scan) invoke(b *history.Block, m *meaning, i int, p history.Place, u history.Unit, x *tale) {
	o := s.actors.of(entry(m, history.HasActor, b.Actor, p.Actor(), 0))
	seq := b.First + uint64(i)
	if o.open {
		s.unanswered(*o)
		s.doubt(o.unit)
		s.doubt(u)
		s.flight.lose(o.seq)
	}
	*o = openOp{seq: seq, unit: u, op: m.op, open: true}
	s.total.ops++
	s.flight.calls++
	s.total.reads = s.total.reads || m.op == opRead || m.op == opAmend
	if m.op == opSubmit {
		s.own(entry(m, history.HasKey, b.Key, p.Key(), 0), u)
	}
	if x == nil {
		return
	}
	x.flags |= taleSpeaking
	if x.ops < manyOps {
		x.ops++
	}
	if m.op == opSubmit {
		s.total.submits++
		due := b.T[i]
		if at := entry(m, history.HasAt, b.At, p.At(), 0); at > 0 {
			due = at
		}
		x.ask(due, b.T[i])
	}
}

// own notes whose submit has a key: one key for two units puts both in doubt.
func (s *scan) own(key history.Ref, u history.Unit) {
	if key == 0 {
		return
	}
	if n := s.block.Strings(); n > len(s.owners) {
		s.owners = append(s.owners, make([]history.Unit, n-len(s.owners))...)
	}
	owner := history.NoUnit // also of a submit without a unit: no unit has a number that great
	if u != history.NoUnit {
		owner = u + 1
	}
	switch o := s.owners[key]; o {
	case 0:
		s.owners[key] = owner
	case owner:
	default:
		s.doubt(o - 1)
		s.doubt(u)
	}
}

// unanswered notes an operation that never ended.
func (s *scan) unanswered(o openOp) {
	if x := s.tales.find(o.unit); x != nil && o.op == opSubmit {
		x.flags |= taleMaybe
	}
}

func (s *scan) end(b *history.Block, m *meaning, i int, p history.Place, u history.Unit) {
	o := s.actors.of(entry(m, history.HasActor, b.Actor, p.Actor(), 0))
	if !o.open {
		s.doubt(u)
		return
	}
	o.open = false
	if o.unit != u {
		s.doubt(u)
		s.doubt(o.unit)
	}
	s.flight.end(o.seq, b.T[i], m.act == actOK)
	switch m.act {
	case actFail:
		s.total.fail++
	case actOK:
		s.total.ok++
	}
	if m.act == actOK {
		switch o.op {
		case opSubmit:
			s.total.submitOK++
		case opRead:
			s.total.readOK++
		case opAmend:
			s.total.amendOK++
		}
	}
	x := s.tales.find(o.unit)
	if x == nil {
		return
	}
	switch {
	case m.act == actInfo && o.op == opSubmit:
		x.flags |= taleMaybe
	case m.act == actOK && (o.op == opSubmit || o.op == opRead):
		state := s.stateOfValue(entry(m, history.HasValue, b.Value, p.Value(), 0))
		s.seen(x, state)
		if o.op == opSubmit {
			x.ack(b.T[i])
			s.total.acked = true
		} else if s.kindOf(state).terminal() {
			x.finish(b.T[i])
		}
	}
}

// seen notes that somebody was shown a unit in a state.
func (s *scan) seen(x *tale, state int) {
	if state < 0 || s.stateAudit[state] < 0 {
		return
	}
	if slot := s.slot(state); slot < taleSlots {
		x.intended |= 1 << (timeBits + slot)
	} else {
		x.suspect()
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

// apply takes an applied effect.
func (x *tale) apply(m *meaning, t int64) {
	x.flags |= taleEffect
	x.show(t)
	if x.steps&m.guard != 0 || x.steps&m.need != m.need {
		x.suspect()
	}
	x.steps |= m.step
}

func (s *scan) audit(b *history.Block, m *meaning, i int, p history.Place, u history.Unit, x *tale) {
	if !m.chain.known {
		m.chain.known = true
		s.doubt(u)
	}
	t := b.T[i]
	if x != nil {
		x.show(t)
	}
	number := entry(m, history.HasToken, b.Token, p.Token(), 0)
	if number == 0 {
		s.total.unnumbered++
		if x != nil {
			x.flags |= taleLoose
		}
	} else {
		e := heard{number: number, key: entry(m, history.HasKey, b.Key, p.Key(), 0),
			value: entry(m, history.HasValue, b.Value, p.Value(), 0), op: m.shape.Op, unit: u}
		if !m.chain.hear(s, e) {
			return
		}
	}
	if x == nil {
		return
	}
	if x.steps&m.guard != 0 {
		x.suspect()
	}
	x.steps |= m.step
	x.intended |= m.slots
	if m.ends {
		if at := entry(m, history.HasAt, b.At, p.At(), 0); at > 0 {
			t = at
		}
		x.finish(t)
	}
}

func (s *scan) sawState(b *history.Block, m *meaning, p history.Place, x *tale) {
	if x == nil {
		return
	}
	s.total.states++
	state := s.stateOfValue(entry(m, history.HasValue, b.Value, p.Value(), 0))
	x.kind = s.kindOf(state)
	if state < 0 {
		x.suspect()
		return
	}
	s.seen(x, state)
}

func (s *scan) sawStep(b *history.Block, m *meaning, p history.Place, x *tale) {
	if x == nil {
		return
	}
	s.total.stepsSeen++
	value := entry(m, history.HasValue, b.Value, p.Value(), 0)
	s.classOf(value)
	x.steps = x.steps&^m.guard | m.step
	if value != 0 && value == s.force {
		x.steps |= m.need
	}
}

// touched tells that a fault may have touched an exchange.
func (s *scan) touched(b *history.Block, m *meaning, p history.Place) bool {
	return s.classOf(entry(m, history.HasValue, b.Value, p.Value(), 0))&classFault != 0
}

func (s *scan) sawPhase(b *history.Block, m *meaning, i int, p history.Place) {
	s.phases.Append(history.Event{T: time.Duration(b.T[i]), Kind: history.KindPhase, Outcome: m.shape.Outcome, Unit: history.NoUnit,
		Op: s.name(m.shape.Op), Value: s.text(entry(m, history.HasValue, b.Value, p.Value(), 0))})
}

// doubt makes a suspect of a unit.
func (s *scan) doubt(u history.Unit) {
	if x := s.tales.find(u); x != nil {
		x.suspect()
	}
}

func entry[E any](m *meaning, col history.Columns, column []E, at int, absent E) E {
	if m.shape.Has&col == 0 {
		return absent
	}
	return column[at]
}

// The class of a string: 0 while it is not known, 1 and above for what state it begins with, and a bit for what a fault left its mark on.
const (
	classNone  = 1
	classState = 2
	classFault = 0x80
)

func (s *scan) classify(text []byte, ref history.Ref) uint8 {
	if string(text) == "in-force" {
		s.force = ref
	}
	c := uint8(classNone)
	state := text
	if bar := bytes.IndexByte(text, '|'); bar >= 0 {
		state = text[:bar]
	}
	for k, name := range s.stateNames {
		if string(state) == name {
			c = classState + uint8(k)
			break
		}
	}
	if len(text) >= len(faultField) && bytes.Contains(text, []byte(faultField)) {
		c |= classFault
	}
	return c
}

// classOf gives the class of a string. One that is neither new nor known was in a block gone by: all of that block's are looked at then.
func (s *scan) classOf(ref history.Ref) uint8 {
	if c := s.class[ref]; c != 0 {
		return c
	}
	if text, ok := s.block.Fresh(ref); ok {
		s.class[ref] = s.classify(text, ref)
		return s.class[ref]
	}
	near, err := s.r.Near(ref)
	if err != nil {
		s.err = err
		return classNone
	}
	for from, to := near.Bounds(); from < to; from++ {
		text, _ := near.Fresh(from)
		s.class[from] = s.classify(text, from)
	}
	return s.class[ref]
}

// stateOfValue is vocabulary.state for a reference.
func (s *scan) stateOfValue(ref history.Ref) int {
	return int(s.classOf(ref)&^classFault) - classState
}

// text gives a string that the event at hand refers to.
func (s *scan) text(ref history.Ref) string {
	if text, ok := s.block.Fresh(ref); ok {
		return string(text)
	}
	texts, err := s.r.Texts([]history.Ref{ref})
	if err != nil {
		s.err = err
		return ""
	}
	return texts[0]
}

// name gives a string that a shape refers to: they are few, and kept.
func (s *scan) name(ref history.Ref) string {
	text, ok := s.names[ref]
	if !ok {
		text = s.text(ref)
		s.names[ref] = text
	}
	return text
}

// size is how many bytes the scan holds.
func (s *scan) size() (n int) {
	for _, p := range s.tales.pages {
		if p != nil {
			n += int(unsafe.Sizeof(*p))
		}
	}
	for _, t := range s.trails {
		n += len(t.ring) * int(unsafe.Sizeof(heard{}))
	}
	return n + cap(s.class) + 4*cap(s.owners)
}
