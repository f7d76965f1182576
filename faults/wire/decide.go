package wire

import (
	"errors"
	"fmt"
	"slices"

	"github.com/wreckon/wreckon/history"
)

// msg is an ask, or the first part of an answer, at a point.
type msg struct {
	point      Point
	bytes      []byte
	start, end int  // in the buffer
	last       bool // of an answer: it is all of it
}

// message takes one message of a way, at an offset of its buffer.
func (t *Tap) message(w Way, m Message, off int) {
	switch y := &t.ways[w]; {
	case m.Role == Ask && m.Exchange != 0:
		y.owner = t.ask(w, m, off)
	case m.Role == Answer && t.open.asked[m.Exchange] != nil:
		y.owner = t.open.asked[m.Exchange]
		t.answer(w, m, off)
	default:
		if !y.more {
			y.owner = nil
		}
		t.plain(w, y.owner, m, off, false)
	}
}

// plain lets a message pass that nothing is decided about. One that goes on fares as its first part did.
func (t *Tap) plain(w Way, of *exchange, m Message, off int, last bool) {
	y := &t.ways[w]
	switch {
	case of != nil && w != of.way && (of.replace || of.of != nil):
	case of != nil && of.gate != nil && (w == of.way) == (of.gate.point == Before):
		y.pieces = append(y.pieces, Piece{Bytes: m.Bytes, Gate: of.gate, follows: true, last: last})
	default:
		y.emit(m.Bytes, off, off+len(m.Bytes), answerMark(of, last))
	}
}

func (t *Tap) ask(w Way, m Message, off int) *exchange {
	s := t.session
	x := t.exchange()
	x.id, x.way, x.signature, x.silent = m.Exchange, w, m.Signature, m.Last
	x.asked, x.nth, x.unit = t.clock(), t.number(w, m.Signature), s.unit(m.Bytes)
	x.ask.More = m.More
	traps := *s.traps.Load()
	if !m.Last || len(traps) > 0 { // else nothing will be asked of it
		x.ask = m
		x.ask.Bytes = nil
	}
	t.admit(x)
	for _, a := range traps {
		if a.pattern.matches(x.signature) {
			x.ask.Bytes = m.Bytes
			a.count(x)
		}
	}
	for _, l := range t.ways[w].late {
		l.ripe, l.x.overtaken = true, l.x.overtaken || !l.ripe
	}
	at := msg{Before, m.Bytes, off, off + len(m.Bytes), false}
	f, by, g := t.fire(x, at)
	t.apply(w, x, at, f, by, g)
	return x
}

// admit opens an exchange.
func (t *Tap) admit(x *exchange) {
	t.open.add(x)
	if t.open.n > maxOpen {
		t.finish(t.open.first)
	}
}

func (t *Tap) answer(w Way, m Message, off int) {
	x := t.open.asked[m.Exchange]
	if x.of != nil { // the caller did not ask twice
		t.reached(x, 0)
		if m.Last {
			t.finish(x)
			t.repeated(x.of)
			t.settle(x.of)
		}
		return
	}
	first := !x.answering
	t.answered(x, m)
	if !first {
		t.plain(w, x, m, off, m.Last)
		t.settle(x)
		return
	}
	at := msg{After, m.Bytes, off, off + len(m.Bytes), m.Last}
	f, by, g := t.fire(x, at)
	for _, id := range m.Also {
		other := t.open.asked[id]
		if other == nil {
			continue
		}
		t.answered(other, m)
		if f.Action == Pass {
			if f, by, g = t.fire(other, at); f.Action != Pass { // it decides for all
				x, other = other, x
				x.also, other.also = other.also, nil
			}
		}
		x.also = append(x.also, other)
	}
	if x.refuse && f.Action == Pass {
		f, by = Fate{Action: Refuse}, x.armed
	}
	t.apply(w, x, at, f, by, g)
}

// answered notes that an answer, or a part of it, has arrived.
func (t *Tap) answered(x *exchange, m Message) {
	if !x.answering {
		x.answering, x.answered = true, t.clock()
		t.reached(x, x.answered)
		if x.unit == history.NoUnit {
			x.unit = t.session.unit(m.Bytes)
		}
	}
	x.refused = x.refused || m.Refused
	if m.Last {
		x.answeredAll = true
		t.unlate(x)
	}
}

func answerMark(x *exchange, last bool) mark {
	if !last {
		return mark{}
	}
	return mark{x: x, answer: true}
}

// fire asks the traps what to do.
func (t *Tap) fire(x *exchange, m msg) (Fate, *Armed, *Gate) {
	for _, a := range *t.session.traps.Load() {
		if a.trap.Point != m.point || !a.meets(x) {
			continue
		}
		g := newGate()
		f := a.decide(Hit{Exchange{t.session.edge, x.signature, x.nth, x.unit, x.asked}, m.point, len(m.bytes), g})
		if f.Action != Pass {
			a.hits.Add(1)
			return f, a, g
		}
	}
	return Fate{}, nil, nil
}

// apply does to a message what was decided.
func (t *Tap) apply(w Way, x *exchange, m msg, f Fate, by *Armed, g *Gate) {
	y := &t.ways[w]
	if f.Action != Pass {
		x.fault = by.trap.Fault
		if !slices.Contains(x.touched, by) {
			x.touched = append(x.touched, by)
		}
	}
	var err error
	switch f.Action {
	case Drop:
		t.finish(x)
		y.pieces = append(y.pieces, Piece{Then: max(f.End, Close)})
		return
	case Hold, Delay:
		t.hold(w, x, m, f, by, g)
		return
	case Refuse:
		if m.point == After {
			if err = t.replace(w, x, m); err == nil {
				return
			}
			break
		}
		x.refuse, x.armed = true, by
	case Repeat:
		err = t.repeat(w, x, m, f, by)
	case Swap:
		if err = t.swap(w, x, m, f, by, g); err == nil {
			return
		}
	}
	if err != nil {
		by.fail(x, err)
	}
	k := mark{x: x}
	if m.point == After {
		k = answerMark(x, m.last)
	}
	y.emit(m.bytes, m.start, m.end, k)
}

// hold keeps a message behind a gate.
func (t *Tap) hold(w Way, x *exchange, m msg, f Fate, by *Armed, g *Gate) {
	g.x, g.by, g.point, g.bytes, g.last = x, by, m.point, m.bytes, m.last
	x.gate = g
	if m.point == Before && !x.late && !x.silent {
		x.late = true
		t.linger(w)
	}
	t.ways[w].pieces = append(t.ways[w].pieces, Piece{Bytes: m.bytes, Gate: g})
	if f.Action != Hold {
		g.promise = t.promise(by, max(f.After, 1), func(bool) { g.release(Fate{}) })
	}
}

// replace answers in the other's name.
func (t *Tap) replace(w Way, x *exchange, m msg) (err error) {
	refuse := t.session.protocol.Refuse
	switch {
	case refuse == nil:
		return errors.New("refuse: this protocol has no such answer")
	case len(x.also) > 0:
		return errors.New("refuse: its answer is that of other exchanges too")
	}
	defer contain(&err)
	b, err := refuse(x.ask)
	if err != nil {
		return fmt.Errorf("refuse: %w", err)
	}
	y := &t.ways[w]
	y.emit(b, 0, 0, mark{x: x, answer: true})
	x.replace, x.refused = true, true
	return nil
}

func contain(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("panic: %v", r)
	}
}
