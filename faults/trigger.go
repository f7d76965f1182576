package faults

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/wreckon/wreckon/faults/wire"
	"github.com/wreckon/wreckon/history"
	"github.com/wreckon/wreckon/targets"
)

// awaiting is a fault that begins when its point is reached. The guard arms it, injects it once reached is closed, and disarms it
// whatever became of it.
type awaiting interface {
	Fault
	arm() error
	disarm()                  // idempotent; lets go of everything that is held, and calls off what is still to come
	reached() <-chan struct{} // closed at the first exchange at the point, which is then held
	onBite(func())            // called by Inject when the fault has bitten, and before the exchange goes on
	where() string            // the point, for people
}

// trigger keeps the exchanges at a point until the fault has decided what becomes of them.
type trigger struct {
	exchanges Exchanges
	edge      targets.Edge
	when      When
	id        string
	bitten    func()
	arrived   chan struct{}

	mu      sync.Mutex
	armed   *wire.Armed
	closed  bool
	decided bool // fate is
	fate    wire.Fate
	delay   time.Duration          // that a hit is held, once decided
	held    map[uint64]wire.Hit    // by the number of the hit
	timers  map[uint64]*time.Timer // that let them go
	hits    uint64
	bytes   int64 // of the messages at the point
	first   wire.Hit
	over    chan wire.Outcome // of the first
}

func newTrigger(s Spec, t targets.Topology, links Links) (*trigger, error) {
	exchanges, ok := links.(Exchanges)
	if !ok {
		return nil, fmt.Errorf("%s needs proxies that understand messages", s.Kind)
	}
	edge, err := pointEdge(s, t)
	if err != nil {
		return nil, err
	}
	tr := &trigger{
		exchanges: exchanges, edge: edge, when: *s.When, id: s.ID, bitten: func() {}, arrived: make(chan struct{}),
		held: map[uint64]wire.Hit{}, timers: map[uint64]*time.Timer{}, over: make(chan wire.Outcome, 1),
	}
	if s.When.Unit != "" {
		u, err := unitOf(s.When.Unit)
		if err != nil {
			return nil, err
		}
		if id := exchanges.UnitID(u); id != s.When.Unit {
			return nil, fmt.Errorf("%s is no unit of this target: write %s", s.When.Unit, id)
		}
	}
	return tr, nil
}

func (t *trigger) arm() (err error) {
	trap := wire.Trap{
		Signature: t.when.Exchange, Nth: t.when.Nth, Every: t.when.Every, Since: true, Unit: history.NoUnit, Fault: t.id,
		Do: t.hit, Over: t.ended,
	}
	if trap.Nth == 0 && trap.Every == 0 {
		trap.Nth = 1
	}
	if t.when.Point == PointAfter {
		trap.Point = wire.After
	}
	if t.when.Unit != "" {
		if trap.Unit, err = unitOf(t.when.Unit); err != nil {
			return err
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.armed, err = t.exchanges.Arm(t.edge, trap); err != nil {
		return fmt.Errorf("arm %s: %w", t.id, err)
	}
	return nil
}

func (t *trigger) reached() <-chan struct{} { return t.arrived }
func (t *trigger) onBite(f func())          { t.bitten = f }

func (t *trigger) where() string {
	s := t.when.Exchange
	switch {
	case t.when.Every > 0:
		s += fmt.Sprintf(", each %d.", t.when.Every)
	case t.when.Nth > 0:
		s += fmt.Sprintf(" #%d", t.when.Nth)
	}
	if t.when.Unit != "" {
		s += " of " + t.when.Unit
	}
	return fmt.Sprintf("%s %s on %s", t.when.Point, s, t.edge.Name())
}

// hit is the trap: it decides while the connection waits.
func (t *trigger) hit(h wire.Hit) wire.Fate {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return wire.Fate{}
	}
	t.hits++
	t.bytes += int64(h.Bytes)
	if t.hits == 1 {
		t.first = h
		close(t.arrived)
	}
	if t.decided && t.delay == 0 {
		return t.fate
	}
	t.held[t.hits] = h
	if t.decided {
		t.later(t.hits, h)
	}
	return wire.Fate{Action: wire.Hold}
}

// later lets a held exchange go when its delay is over.
func (t *trigger) later(n uint64, h wire.Hit) {
	t.timers[n] = time.AfterFunc(t.delay, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if !t.closed {
			delete(t.held, n)
			delete(t.timers, n)
			h.Release(t.fate)
		}
	})
}

// ended notes what became of the first exchange.
func (t *trigger) ended(o wire.Outcome) {
	t.mu.Lock()
	first := o.Signature == t.first.Signature && o.Nth == t.first.Nth && o.Asked == t.first.Asked
	t.mu.Unlock()
	if first {
		select {
		case t.over <- o:
		default: // told before
		}
	}
}

// decide lets what is held go to its fate, each after a delay, and all that comes.
func (t *trigger) decide(fate wire.Fate, delay time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return
	}
	t.decided, t.fate, t.delay = true, fate, delay
	for n, h := range t.held {
		if delay > 0 {
			t.later(n, h)
			continue
		}
		delete(t.held, n)
		h.Release(fate)
	}
}

func (t *trigger) disarm() {
	if t.letGo() {
		t.armed.CallOff() // outside the lock: exchanges may be over with it, which ended is told
	}
}

// letGo takes the trap away and releases what is held. It tells whether there is a trap that had not been taken away.
func (t *trigger) letGo() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return false
	}
	t.closed = true
	for _, timer := range t.timers {
		timer.Stop()
	}
	for _, h := range t.held {
		h.Release(wire.Fate{})
	}
	clear(t.held)
	if t.armed == nil {
		return false
	}
	t.armed.Disarm()
	return true
}

// outcome waits for what became of the first exchange. An error that the session met doing what was decided is an error here.
func (t *trigger) outcome(ctx context.Context) (wire.Outcome, error) {
	select {
	case o := <-t.over:
		return o, t.failure()
	case <-ctx.Done():
		if err := t.failure(); err != nil {
			return wire.Outcome{}, err
		}
		return wire.Outcome{}, fmt.Errorf("%s is not over: %w", t.exchange(), context.Cause(ctx))
	}
}

func (t *trigger) failure() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.armed.Err()
}

// exchange names the first exchange: "POST /charges #12 of o-17 (payments -> gateway)".
func (t *trigger) exchange() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := fmt.Sprintf("%s #%d", t.first.Signature, t.first.Nth)
	if t.first.Unit != history.NoUnit {
		s += " of " + t.exchanges.UnitID(t.first.Unit)
	}
	return fmt.Sprintf("%s (%s)", s, t.edge.Name())
}

// evidence says which exchanges were touched.
func (t *trigger) evidence(start time.Time, saw, detail string) Evidence {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := Evidence{Probe: saw, Detail: detail, Took: time.Since(start)}
	if t.hits == 0 {
		return e
	}
	x := &Touched{Edge: t.edge.Name(), Signature: t.first.Signature, Nth: t.first.Nth, Point: PointBefore}
	if t.first.Point == wire.After {
		x.Point = PointAfter
	}
	if t.first.Unit != history.NoUnit {
		unit := t.first.Unit
		x.Unit = &unit
	}
	e.Exchange, e.Hits, e.Connections, e.Bytes = x, int64(t.hits), 1, t.bytes
	return e
}
