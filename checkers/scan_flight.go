package checkers

import (
	"sort"

	"github.com/wreckon/wreckon/history"
)

// A call is an event of a client, or of a fault, which sees what clients have under way. What is wrong with it puts units in doubt, before
// or after anything else that happens to them. Its code says which operation of which unit it is, in openMask, and what becomes of it.
const (
	opBit    = 32
	callBit  = 40 // of every call
	beginBit = 41
	oddBit   = 42 // it neither begins nor was ok

	openMask = 1<<beginBit - 1
)

func openCode(op opCode, u history.Unit) uint64 { return 1<<callBit | uint64(op)<<opBit | uint64(u) }

// callCode is what the events of a shape have in common.
func callCode(m *meaning) uint64 {
	code := openCode(m.op, 0)
	switch m.act {
	case actInvoke:
		code |= 1 << beginBit
	case actFail, actInfo, actFault:
		code |= 1 << oddBit
	}
	return code
}

// openOp is what a client has under way.
type openOp struct {
	seq  uint64 // its beginning
	code uint64 // 0: nothing
}

func (o openOp) op() opCode { return opCode(o.code >> opBit) }

func (o openOp) unit() history.Unit { return history.Unit(o.code) }

// clients goes through the calls of a chunk. Most begin an operation of a client that has none, or are the ok to the one that it has.
func (s *scan) clients(b *history.Block, units []history.Unit) {
	w, f, near, glances := &s.rows, &s.flight, s.actors.near, s.glances
	actors, which := column(b.Actor), b.Which[w.from:][:w.len]
	for _, j := range w.list(listCalls) {
		g, p := &glances[which[j]], w.places[j]
		code := g.code | uint64(units[j])
		actor := actors[p.Actor()&int(g.actorAt)] & g.actor
		begins := -(code >> beginBit & 1)
		if int(actor) < len(near) && code>>oddBit&1 == 0 {
			o := &near[actor]
			if call := code & openMask; o.code == call&^begins && f.waits&^begins == 0 {
				o.code, o.seq = call&begins, b.First+uint64(w.from+int(j))
				f.calls += int(begins & 1)
				f.rets += int(^begins & 1)
				continue
			}
		}
		s.client(b, w.from+int(j), code, actor)
		near = s.actors.near
	}
}

// client looks at a call closely.
func (s *scan) client(b *history.Block, i int, code uint64, actor uint32) {
	m := &s.mean[b.Which[i]]
	seq, u := b.First+uint64(i), history.Unit(code)
	if m.act == actFault {
		s.flight.mark(seq, b.T[i])
		return
	}
	o := s.actors.of(actor)
	was := *o
	if m.act == actInvoke {
		*o = openOp{seq: seq, code: code & openMask}
		s.flight.calls++
		if was.code != 0 {
			s.unanswered(was)
			s.doubt(was.unit())
			s.doubt(u)
		}
		return
	}
	if was.code == 0 {
		s.doubt(u)
		s.total.add(m, -1)
		return
	}
	o.code = 0
	s.flight.end(was.seq, b.T[i], m.act == actOK)
	if was.code != code&openMask { // what was begun counts
		s.doubt(u)
		s.doubt(was.unit())
		if m.act == actOK {
			s.total.answered(m.op, -1)
			s.total.answered(was.op(), 1)
		}
	}
}

// unanswered notes an operation that never ended.
func (s *scan) unanswered(o openOp) {
	if o.op() == opSubmit {
		s.change(o.unit(), lifeMaybe)
	}
	s.flight.lose(o.seq)
}

// actors hold the open operation of each client.
type actors struct {
	near []openOp // those with small numbers
	far  map[uint32]*openOp
}

func newActors() actors { return actors{near: make([]openOp, 64), far: make(map[uint32]*openOp)} }

func (a *actors) of(actor uint32) *openOp {
	if int(actor) < len(a.near) {
		return &a.near[actor]
	}
	if actor < 1<<16 {
		a.near = append(a.near, make([]openOp, int(actor)+64-len(a.near))...)
		return &a.near[actor]
	}
	o := a.far[actor]
	if o == nil {
		o = new(openOp)
		a.far[actor] = o
	}
	return o
}

func (a *actors) open() (list []openOp) {
	for _, o := range a.near {
		if o.code != 0 {
			list = append(list, o)
		}
	}
	for _, o := range a.far {
		if o.code != 0 {
			list = append(list, *o)
		}
	}
	return list
}

// flight counts the operations under way at the events of faults, and how soon after them one was ok.
type flight struct {
	marks             []faultMark
	calls, rets, hurt int    // operations begun, answered, and of these not ok
	lost              int    // never answered
	opened            []int  // from mark to mark, by how much the operations under way there that came to harm become more; one longer than marks
	waits             uint64 // all ones while there are such marks as these:
	waiting           int    // marks from here on have seen no operation begun after them that was ok
}

// faultMark is an event of a fault.
type faultMark struct {
	seq               uint64
	t                 int64
	calls, rets, hurt int
	recovered         int64 // when the first operation begun after it that was ok was answered; -1: none was
}

func (f *flight) mark(seq uint64, t int64) {
	f.marks = append(f.marks, faultMark{seq: seq, t: t, calls: f.calls, rets: f.rets, hurt: f.hurt, recovered: -1})
	f.opened = append(f.opened, 0)
	f.waits = ^uint64(0)
}

// after is the first mark after an event.
func (f *flight) after(seq uint64) int {
	return sort.Search(len(f.marks), func(k int) bool { return f.marks[k].seq > seq })
}

// end takes the answer, at t, to an operation begun at call.
func (f *flight) end(call uint64, t int64, ok bool) {
	f.rets++
	switch {
	case !ok:
		f.hurt++
		if k := len(f.marks); k > 0 {
			f.opened[f.after(call)]++
			f.opened[k]--
		}
	case f.waiting < len(f.marks):
		for ; f.waiting < len(f.marks) && f.marks[f.waiting].seq < call; f.waiting++ {
			f.marks[f.waiting].recovered = t
		}
		if f.waiting == len(f.marks) {
			f.waits = 0
		}
	}
}

// lose takes an operation that is never answered.
func (f *flight) lose(call uint64) {
	f.lost++
	f.opened[f.after(call)]++
}

// at finds the mark of an event; nil for the end of the history.
func (f *flight) at(seq uint64) *faultMark {
	if k := f.after(seq) - 1; k >= 0 && f.marks[k].seq == seq {
		return &f.marks[k]
	}
	return nil
}

// inFlight counts the operations under way at some time from one mark to another; nil is the end.
func (f *flight) inFlight(from, to *faultMark) int {
	if to == nil {
		return f.calls - from.rets
	}
	return to.calls - from.rets
}

// harmed counts those of them that came to harm.
func (f *flight) harmed(from, to *faultMark) int {
	if to == nil {
		return f.hurt + f.lost - from.hurt
	}
	under := 0
	for k := range f.marks {
		under += f.opened[k]
		if &f.marks[k] == to {
			break
		}
	}
	return to.hurt + under - from.hurt
}
