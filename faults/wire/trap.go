package wire

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wreckon/wreckon/history"
)

// Point is an instant of an exchange.
type Point int

// The points.
const (
	Before Point = iota // the ask is at the proxy, and not yet delivered
	After               // its answer is at the proxy, the first part at least, and not yet delivered: the ask took effect
)

// Action is what is done to a message at a point.
type Action int

// The actions.
const (
	Pass   Action = iota // it is delivered
	Drop                 // it is not, and its connection ends as End says
	Refuse               // the caller gets Protocol.Refuse in place of the answer; the ask is delivered all the same
	Hold                 // it waits for Hit.Release, and what is behind it on its way waits too
	Delay                // it waits for After, and is then delivered, even if the caller is gone by then
	Repeat               // the ask is delivered, and once more: at once, behind the answer (AnswerFirst), or after After
	Swap                 // the ask is delivered behind the next one: see Fate.After
)

// End says how a connection ends from which a message was dropped. What another message of it asks or answers is lost with it.
type End int

// The ends.
const (
	Close  End = iota + 1 // in an orderly way, on both sides
	Reset                 // with RST, on both sides
	Silent                // it stays open, but nothing is delivered over it any more, either way, until a side ends it
)

// swapPatience is how long a swapped ask waits when its fate does not say.
const swapPatience = time.Second

// Fate is what becomes of a message at a point. The zero value lets it pass.
//
// Repeat is of Before: at After it is not done, and neither is Swap (see Armed.Err).
//
// Swap is sound where no answer can go to another's ask. In a protocol whose answers name their asks (Protocol.Unordered) the ask is
// delivered behind the next one of its connection. In the others a connection keeps its order: there the ask, and what is behind it,
// waits until an ask of another connection of the edge has been delivered. Either way it waits no longer than After, a second if
// that is zero.
type Fate struct {
	Action      Action
	End         End           // of Drop; zero: Close
	After       time.Duration // of Delay, Repeat and Swap
	AnswerFirst bool          // of Repeat

	overtaken bool // that is why it passes
}

// Exchange is what is known of an exchange at a point.
type Exchange struct {
	Edge      string
	Signature string
	Nth       uint64       // of its signature on the edge, from 1, since the session began; 0: the edge has too many signatures
	Unit      history.Unit // whose id it carries; at Before, the ask's; NoUnit: none is known
	Asked     time.Duration
}

// Hit is one exchange at the point of a trap.
type Hit struct {
	Exchange
	Point Point
	Bytes int // of the message that is at the proxy

	gate *Gate
}

// Release ends a Hold, from any goroutine, even before Do has returned. The first call counts; a Fate of Hold counts as Pass. After the
// connection has ended it does nothing.
func (h Hit) Release(f Fate) {
	if f.Action == Hold {
		f = Fate{}
	}
	h.gate.release(f)
}

// Trap says at which exchanges something is done, and what.
type Trap struct {
	Signature string       // with * for any run of characters, in any case; empty: all
	Nth       uint64       // this one of its signature on the edge, counted since the session began, whenever the trap was armed; 0: any
	Every     uint64       // each whose number it divides; 0: any
	Unit      history.Unit // of this unit only; NoUnit: any
	Since     bool         // Nth and Every count from when the trap was armed, all that Signature and Unit match by their asks, in the order asked
	Point     Point
	Fault     string // id of the fault this is for: events carry it
	// Do decides. It runs while the connection waits, and must return at once; a panic counts as Pass. Where several traps meet at
	// one point of an exchange, the first that does not say Pass decides.
	Do func(Hit) Fate
	// Over is told when an exchange that Do did something to is over. It runs while the connection waits, and must return at once.
	// nil: nobody is told.
	Over func(Outcome)
}

// Outcome is what became of an exchange.
type Outcome struct {
	Exchange
	Deliveries int  // of its ask
	Answered   bool // an answer has arrived
	Returned   bool // and was delivered, whole
	Refused    bool // the answer, or what was given in place of it, says that the request failed
	Overtaken  bool // of a Swap: another ask was delivered before it
}

// Armed is a trap in force.
type Armed struct {
	session *Session
	trap    Trap
	pattern pattern
	seen    atomic.Uint64 // asks that it matches, if it counts them
	hits    atomic.Int64
	err     atomic.Pointer[error]

	promises promises
}

// Disarm takes the trap away. What it holds stays held until released, and what it decided comes: see CallOff.
func (a *Armed) Disarm() { a.session.disarm(a) }

// Hits is how many exchanges the trap did something to.
func (a *Armed) Hits() int64 { return a.hits.Load() }

// Err is why something that the trap decided could not be done, the first time; the message passed instead. nil: all was done.
func (a *Armed) Err() error {
	if err := a.err.Load(); err != nil {
		return *err
	}
	return nil
}

func (a *Armed) fail(x *exchange, err error) {
	err = fmt.Errorf("%s #%d: %w", x.signature, x.nth, err)
	a.err.CompareAndSwap(nil, &err)
}

// count numbers an ask that the trap's signature matches.
func (a *Armed) count(x *exchange) {
	if t := &a.trap; t.Since && (t.Unit == history.NoUnit || t.Unit == x.unit) {
		x.numbers = append(x.numbers, number{a, a.seen.Add(1)})
	}
}

func (a *Armed) meets(x *exchange) bool {
	t, n := &a.trap, x.nth
	if t.Since {
		if n = x.number(a); n == 0 {
			return false // it was asked before
		}
	}
	return (t.Nth == 0 || t.Nth == n) &&
		(t.Every == 0 || n != 0 && n%t.Every == 0) &&
		(t.Unit == history.NoUnit || t.Unit == x.unit) &&
		a.pattern.matches(x.signature)
}

func (a *Armed) decide(h Hit) (f Fate) {
	defer func() {
		if r := recover(); r != nil {
			err := fmt.Errorf("decide at %s #%d: panic: %v", h.Signature, h.Nth, r)
			a.err.CompareAndSwap(nil, &err)
			f = Fate{}
		}
	}()
	return a.trap.Do(h)
}

func (a *Armed) over(o Outcome) {
	defer func() {
		if r := recover(); r != nil {
			err := fmt.Errorf("tell of %s #%d: panic: %v", o.Signature, o.Nth, r)
			a.err.CompareAndSwap(nil, &err)
		}
	}()
	a.trap.Over(o)
}

// Gate keeps a message back until its fate is decided.
type Gate struct {
	once  sync.Once
	done  chan struct{}
	fate  Fate
	x     *exchange
	by    *Armed
	point Point
	bytes []byte
	last  bool // of an answer: see Message

	promise *promise // that it ends after a time
}

func newGate() *Gate { return &Gate{done: make(chan struct{})} }

// Done is closed when the gate's fate is decided: it is time for Tap.Resolve.
func (g *Gate) Done() <-chan struct{} { return g.done }

func (g *Gate) release(f Fate) {
	g.once.Do(func() {
		g.fate = f
		close(g.done)
	})
}

func (g *Gate) open() bool {
	select {
	case <-g.done:
		return true
	default:
		return false
	}
}

// pattern is a signature pattern, cut at its stars.
type pattern struct {
	any   bool
	parts []string
}

func compile(s string) pattern {
	return pattern{any: s == "" || s == "*", parts: strings.Split(strings.ToLower(s), "*")}
}

func (p pattern) matches(s string) bool {
	if p.any {
		return true
	}
	s = strings.ToLower(s)
	first, rest := p.parts[0], p.parts[1:]
	if len(rest) == 0 {
		return s == first
	}
	s, ok := strings.CutPrefix(s, first)
	if !ok {
		return false
	}
	for _, part := range rest[:len(rest)-1] {
		i := strings.Index(s, part)
		if i < 0 {
			return false
		}
		s = s[i+len(part):]
	}
	return strings.HasSuffix(s, rest[len(rest)-1])
}
