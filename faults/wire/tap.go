package wire

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Bounds of what one connection keeps. A way keeps at most maxKept bytes that make no message yet, twice (here and in its decoder), and
// in practice far less: see the protocols. The open exchanges take about 300 bytes each.
const (
	maxKept = 1 << 20
	maxOpen = 1 << 12 // more asks without an answer: the oldest is given up
)

// Tap is what a session holds on one connection: bytes in, pieces to deliver out. The carrier of a way calls Feed with what arrives,
// Offer when it begins to deliver a piece, Written as bytes are delivered, End when the source has ended, and Close when both ways
// have. It may be used from the goroutines of both ways at once.
//
// The bytes of all pieces of a way are the bytes that were fed, whatever the decoder does, unless a trap decided otherwise: the
// decoder only says where to cut.
type Tap struct {
	session *Session

	mu       sync.Mutex
	now      time.Duration // of the call at hand; 0: the clock was not read
	conn     Conn          // nil: it failed, and everything passes as it comes
	opaque   int64
	open     open
	ways     [2]tapWay
	closed   bool
	promises map[*promise]struct{} // that traps made on this connection
	spare    []*exchange           // to be used again
	buf      []byte                // for events
}

// tapWay is one way of a tap.
type tapWay struct {
	buf    []byte    // what the messages at hand are cut from; kept of it is what makes no message yet
	kept   []byte    //
	more   bool      // the latest message goes on in the next
	owner  *exchange // whose message that is
	pieces []Piece   // made by the call at hand

	offered, written int64
	flights          []flight // instants that come when so many bytes are written
	spare            []mark   // memory of marks that are in flights by now

	counted string         // the latest signature ...
	counter *atomic.Uint64 // ... and what counts it

	waiting []*exchange // asks to deliver once more as soon as it is sound
	late    []*late     // asks to deliver behind another one
	busy    int         // exchanges for which the end of this way is kept back
	ended   bool
	torn    bool // ended in the middle of a message: nothing can be said behind it
	wake    chan struct{}
}

// Piece is a run of bytes of a way, to be delivered in its turn.
type Piece struct {
	Bytes []byte
	Gate  *Gate // not nil: this, and what is behind it, waits until the gate is done; Resolve then says what is delivered in its place
	Then  End   // not zero: nothing is delivered over this way any more, and the connection ends so; Bytes is empty

	start, end int // where Bytes is in the buffer that is being cut; 0, 0: elsewhere
	marks      []mark
	follows    bool // more of the message that the gate keeps back
	last       bool
}

// mark is an instant of an exchange that comes when the bytes of a piece are delivered up to end.
type mark struct {
	x      *exchange
	end    int
	answer bool
	again  bool // an ask that is delivered once more, unanswered
}

type flight struct {
	at int64
	mark
}

// late is an ask that another is to overtake.
type late struct {
	x       *exchange
	b       []byte
	ripe    bool
	promise *promise // that it is, some time
}

// NewConn begins a connection.
func (s *Session) NewConn() *Tap {
	t := &Tap{session: s, conn: s.protocol.New(), open: open{asked: map[uint64]*exchange{}}, promises: map[*promise]struct{}{}}
	for w := range t.ways {
		t.ways[w].wake = make(chan struct{}, 1)
	}
	return t
}

// Feed takes the next bytes of a way, which it keeps, and gives what is to be delivered behind all that it gave before. The slice is
// valid until the next call for this way.
func (t *Tap) Feed(w Way, b []byte) []Piece {
	t.enter()
	defer t.mu.Unlock()
	y := t.begin(w)
	y.buf = b
	if len(y.kept) > 0 {
		y.buf = append(y.kept, b...)
	}
	t.cut(w, func(c Conn) []Message { return c.Feed(w, b) })
	if len(y.kept) > maxKept {
		t.fail(fmt.Errorf("more than %d bytes make no message", maxKept))
		t.rest(w)
	}
	t.between(w)
	return y.pieces
}

// End takes the end of a way, and gives what was kept for it. The end itself may be passed on when all is delivered and Lingers is false.
func (t *Tap) End(w Way) []Piece {
	t.enter()
	defer t.mu.Unlock()
	y := t.begin(w)
	y.ended, y.torn = true, len(y.kept) > 0 || y.more
	if y.busy == 0 || len(y.kept) > 0 { // else the decoder will be fed a repeat
		y.buf = y.kept
		t.cut(w, func(c Conn) []Message { return c.End(w) })
		t.rest(w)
	}
	for _, l := range y.late {
		l.ripe = true
	}
	t.between(w)
	t.ways[1-w].signal() // what it keeps its end back for will never come
	return y.pieces
}

// Lingers tells that the end of a way is kept back: an ask that was held is not answered yet, or one is still to be repeated, and the
// other side would give it up if it saw the caller leave.
func (t *Tap) Lingers(w Way) bool {
	t.enter()
	defer t.mu.Unlock()
	return t.ways[w].busy > 0 && !t.ways[1-w].ended && !t.closed
}

// Wake has something when Take or Lingers may have something new for a way.
func (t *Tap) Wake(w Way) <-chan struct{} { return t.ways[w].wake }

// Take gives what is to be delivered behind all that was given before, without anything having arrived.
func (t *Tap) Take(w Way) []Piece {
	t.enter()
	defer t.mu.Unlock()
	y := t.begin(w)
	t.between(w)
	return y.pieces
}

// Resolve gives what is to be delivered in place of a piece whose gate is done.
func (t *Tap) Resolve(w Way, p Piece) []Piece {
	t.enter()
	defer t.mu.Unlock()
	y, g := t.begin(w), p.Gate
	if !p.follows {
		g.x.gate = nil
		g.promise.settle(false)
		g.x.overtaken = g.x.overtaken || g.fate.overtaken
		t.apply(w, g.x, msg{point: g.point, bytes: g.bytes, last: g.last}, g.fate, g.by, newGate())
		return y.pieces
	}
	switch x := g.x; {
	case x.replace:
		t.settle(x)
	case x.gate != nil: // it waits on
		p.Gate = x.gate
		y.pieces = append(y.pieces, p)
	default:
		y.emit(p.Bytes, 0, 0, answerMark(x, p.last))
	}
	return y.pieces
}

// Offer says, once, that the delivery of a piece begins: no piece before it is still to be delivered.
func (t *Tap) Offer(w Way, p Piece) {
	t.enter()
	defer t.mu.Unlock()
	y := &t.ways[w]
	for _, m := range p.marks {
		y.flights = append(y.flights, flight{y.offered + int64(m.end), m})
	}
	if cap(p.marks) > cap(y.spare) {
		clear(p.marks)
		y.spare = p.marks[:0]
	}
	y.offered += int64(len(p.Bytes))
	t.land(y)
}

// Written says that n more bytes of a way were delivered.
func (t *Tap) Written(w Way, n int) {
	t.enter()
	defer t.mu.Unlock()
	y := &t.ways[w]
	y.written += int64(n)
	t.land(y)
}

// Close ends the connection: the exchanges that are still open are over.
func (t *Tap) Close() {
	t.enter()
	defer t.mu.Unlock()
	t.closed = true
	for p := range t.promises {
		p.settle(false)
	}
	for t.open.n > 0 {
		t.finish(t.open.first)
	}
}

// enter begins a call.
func (t *Tap) enter() {
	t.mu.Lock()
	t.now = 0
}

// clock is read once in a call: what arrives together arrives at one instant, and so does what is delivered together.
func (t *Tap) clock() time.Duration {
	if t.now == 0 {
		t.now = t.session.options.Now()
	}
	return t.now
}

// number counts an ask: it is the n-th of its signature on the edge since the session began.
func (t *Tap) number(w Way, signature string) uint64 {
	t.session.exchanges.Add(1)
	y := &t.ways[w]
	if y.counter == nil || y.counted != signature {
		y.counted, y.counter = signature, t.session.counter(signature)
	}
	if y.counter == nil {
		return 0
	}
	return y.counter.Add(1)
}

func (t *Tap) begin(w Way) *tapWay {
	y := &t.ways[w]
	clear(y.pieces)
	y.pieces = y.pieces[:0]
	return y
}

// cut makes pieces of the messages that the decoder finds in the buffer. What they do not cover is kept.
func (t *Tap) cut(w Way, decode func(Conn) []Message) {
	y := &t.ways[w]
	messages, err := t.decode(decode, len(y.buf))
	if err != nil {
		t.fail(err)
	}
	if t.conn == nil {
		y.kept = y.buf
		t.rest(w)
		return
	}
	off := 0
	for _, m := range messages {
		n := len(m.Bytes)
		m.Bytes = y.buf[off : off+n : off+n]
		t.message(w, m, off)
		off += n
		y.more = m.More
		if !m.More {
			t.overtake(w)
		}
	}
	y.kept = y.buf[off:] // more of it is appended behind, which moves nothing that was given out
	y.buf = nil
}

// decode asks the decoder, which may fail but must not take the connection with it.
func (t *Tap) decode(ask func(Conn) []Message, have int) (messages []Message, err error) {
	if t.conn == nil {
		return nil, nil
	}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("decode: panic: %v", r)
		}
	}()
	messages = ask(t.conn)
	for _, m := range messages {
		have -= len(m.Bytes)
	}
	if have < 0 {
		return nil, fmt.Errorf("decode: the messages are longer than the bytes")
	}
	if bytes, why := t.conn.Opaque(); bytes > t.opaque {
		t.session.unknown.Add(bytes - t.opaque)
		latest := why // not why itself, which every call would then allocate
		t.session.why.Store(&latest)
		t.opaque = bytes
	}
	return messages, nil
}

// fail gives the decoder up.
func (t *Tap) fail(err error) {
	t.conn = nil
	why := err.Error()
	t.session.why.Store(&why)
}

// rest passes what was kept.
func (t *Tap) rest(w Way) {
	y := &t.ways[w]
	if t.conn == nil {
		t.session.unknown.Add(int64(len(y.kept)))
	}
	if len(y.kept) > 0 {
		y.emit(y.kept, 0, 0, mark{})
	}
	y.kept, y.buf = nil, nil
}

// emit adds bytes to the pieces; start and end say where they are in the buffer.
func (y *tapWay) emit(b []byte, start, end int, m mark) {
	n := len(y.pieces)
	if n == 0 || end == 0 || y.pieces[n-1].end == 0 || y.pieces[n-1].Gate != nil || y.pieces[n-1].Then != 0 || y.pieces[n-1].end != start {
		y.pieces = append(y.pieces, Piece{Bytes: b, start: start, end: end})
		n++
	} else {
		p := &y.pieces[n-1]
		p.end = end
		p.Bytes = y.buf[p.start:end:end]
	}
	if m.x != nil {
		p := &y.pieces[n-1]
		m.end = len(p.Bytes)
		if p.marks == nil {
			p.marks, y.spare = y.spare, nil
		}
		p.marks = append(p.marks, m)
	}
}
