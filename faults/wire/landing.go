package wire

import (
	"slices"
	"time"

	"github.com/wreckon/wreckon/history"
)

// What comes of an exchange as its bytes are delivered, until it is over.

func (y *tapWay) signal() {
	select {
	case y.wake <- struct{}{}:
	default:
	}
}

// land brings the instants that the bytes written have reached.
func (t *Tap) land(y *tapWay) {
	n := 0
	for n < len(y.flights) && y.flights[n].at <= y.written {
		t.delivered(y.flights[n].mark)
		n++
	}
	if n > 0 {
		y.flights = slices.Delete(y.flights, 0, n)
	}
}

func (t *Tap) delivered(m mark) {
	x, now := m.x, t.clock()
	switch {
	case m.answer:
		for _, other := range x.also {
			t.returned(other, now)
			t.settle(other)
		}
		t.returned(x, now)
	case m.again:
		x.deliveries++
		t.repeated(x)
		t.session.overtaken(t)
	default:
		t.reached(x, now)
		t.session.overtaken(t)
		t.settle(x)
		t.reuse(x)
		return
	}
	t.settle(x)
}

// reached notes that an ask was delivered. An answer shows it too, and may be here before the carrier has said so.
func (t *Tap) reached(x *exchange, now time.Duration) {
	switch {
	case x.reached:
		return
	case x.of != nil:
		x.of.deliveries++
	default:
		x.deliveries++
		x.delivered = now
	}
	x.reached = true
}

func (t *Tap) returned(x *exchange, now time.Duration) {
	x.givenBack, x.returned = true, now
	if x.again {
		x.promise.settle(false)
		x.again = false
		x.repeats++
		t.ways[x.way].waiting = append(t.ways[x.way].waiting, x)
		t.ways[x.way].signal()
	}
}

// settle records an exchange when it is over.
func (t *Tap) settle(x *exchange) {
	if x.over() {
		t.finish(x)
	}
}

func (t *Tap) finish(x *exchange) {
	if !x.isOpen {
		return
	}
	t.open.remove(x)
	t.unlate(x)
	x.promise.settle(false)
	if x.again {
		x.again, x.repeats = false, x.repeats+1
	}
	for x.repeats > 0 { // they will never be
		t.repeated(x)
	}
	x.tell(t.session.edge)
	if x.of == nil && t.session.options.Record != nil {
		var e history.Event
		e, t.buf = x.event(t.session, t.buf)
		t.session.options.Record.Record(e)
	}
}

// linger and unlinger keep the end of a way back, and let it go.
func (t *Tap) linger(w Way) { t.ways[w].busy++ }

func (t *Tap) unlinger(w Way) {
	t.ways[w].busy--
	t.ways[w].signal()
}

func (t *Tap) unlate(x *exchange) {
	if x.late {
		x.late = false
		t.unlinger(x.way)
	}
}

// maxUnused bounds how many exchanges are kept for being used again.
const maxUnused = 256

func (t *Tap) exchange() *exchange {
	n := len(t.spare) - 1
	if n < 0 {
		return &exchange{}
	}
	x := t.spare[n]
	t.spare = t.spare[:n]
	return x
}

// reuse takes back an exchange whose ask was delivered. Only one that is never answered, that no trap touched and whose ask is no
// part of a message is known by nobody then.
func (t *Tap) reuse(x *exchange) {
	if x.silent && x.touched == nil && !x.ask.More && !x.isOpen && len(t.spare) < maxUnused {
		*x = exchange{}
		t.spare = append(t.spare, x)
	}
}
