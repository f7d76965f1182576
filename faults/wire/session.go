package wire

import (
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wreckon/wreckon/history"
)

// maxSignatures bounds how many signatures an edge counts. What is asked under a further one has no number.
const maxSignatures = 1 << 13

// Options of a session. The zero value works: nothing is recorded, and no exchange belongs to a unit.
type Options struct {
	Record interface{ Record(history.Event) uint64 } // takes an event for each exchange that is over; nil: nobody
	Unit   func(message []byte) history.Unit         // finds the unit whose id a message carries; must not keep the message; nil: none does
	Prefix string                                    // what the ids of units begin with, for people
	Now    func() time.Duration                      // the run's clock; nil: since the session was made
}

// Session is what is known of one edge: the exchanges over all its connections, and the traps armed on them. It is safe for use
// from any goroutine.
type Session struct {
	edge     string
	protocol Protocol
	options  Options
	value    string // what the values of its events begin with

	traps atomic.Pointer[[]*Armed] // in the order they were armed; never changed, only replaced

	mu     sync.Mutex
	counts map[string]*atomic.Uint64 // of asks, by signature
	swaps  []swap                    // asks held until one of another connection is delivered

	swapping           atomic.Int64 // how many swaps there are: nearly always none, and then no lock is taken
	exchanges, unknown atomic.Int64
	why                atomic.Pointer[string]
}

// NewSession makes the session of an edge. edge is its name, as events carry it.
func NewSession(edge string, p Protocol, o Options) *Session {
	if o.Now == nil {
		start := time.Now()
		o.Now = func() time.Duration { return time.Since(start) }
	}
	s := &Session{edge: edge, protocol: p, options: o, counts: map[string]*atomic.Uint64{}}
	s.value = `{"protocol":` + strconv.Quote(p.Name) + `,"asked_ns":`
	s.traps.Store(new([]*Armed))
	return s
}

// Stats is what a session has seen.
type Stats struct {
	Exchanges int64  `json:"exchanges"`     // begun
	Opaque    int64  `json:"opaque"`        // bytes that passed without being understood
	Why       string `json:"why,omitempty"` // the latest reason for that
}

// Stats counts what has gone over the edge so far.
func (s *Session) Stats() Stats {
	st := Stats{Exchanges: s.exchanges.Load(), Opaque: s.unknown.Load()}
	if why := s.why.Load(); why != nil {
		st.Why = *why
	}
	return st
}

// counter is what counts the asks of a signature; nil: there are too many signatures.
func (s *Session) counter(signature string) *atomic.Uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.counts[signature]
	if n == nil && len(s.counts) < maxSignatures {
		n = &atomic.Uint64{}
		s.counts[signature] = n
	}
	return n
}

func (s *Session) unit(message []byte) history.Unit {
	if s.options.Unit == nil {
		return history.NoUnit
	}
	return s.options.Unit(message)
}

// Arm puts a trap in force, for what arrives from now on. It takes no longer than copying the list of traps.
func (s *Session) Arm(t Trap) *Armed {
	a := &Armed{session: s, trap: t, pattern: compile(t.Signature)}
	s.mu.Lock()
	defer s.mu.Unlock()
	next := append(slices.Clip(*s.traps.Load()), a)
	s.traps.Store(&next)
	return a
}

func (s *Session) disarm(a *Armed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := slices.DeleteFunc(slices.Clone(*s.traps.Load()), func(b *Armed) bool { return a == b })
	s.traps.Store(&next)
}

// swap is an ask that waits for one of another connection to overtake it.
type swap struct {
	tap  *Tap
	gate *Gate
}

func (s *Session) swapLater(t *Tap, g *Gate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.swaps = append(s.swaps, swap{t, g})
	s.swapping.Store(int64(len(s.swaps)))
}

// overtaken lets go of the asks that waited for one that another connection has now delivered, and forgets those that wait no more.
func (s *Session) overtaken(by *Tap) {
	if s.swapping.Load() == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.swaps = slices.DeleteFunc(s.swaps, func(w swap) bool {
		if w.tap != by {
			w.gate.release(Fate{overtaken: true})
		}
		return w.gate.open()
	})
	s.swapping.Store(int64(len(s.swaps)))
}
