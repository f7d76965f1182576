package proxy

import (
	"sync"
	"time"

	"github.com/wreckon/wreckon/faults"
)

// The two ways of a connection.
const (
	requests  = 0 // from the dialling component to the listening one
	responses = 1
)

// rule is what a link does to bytes: the shapes of all its owners, merged. The zero value lets everything pass.
type rule struct {
	hold    [2]bool
	delay   [2]time.Duration
	rate    int64
	swallow bool
	lose    bool
	reset   bool
}

func (r rule) with(s faults.Shape) rule {
	r.hold[requests] = r.hold[requests] || s.HoldRequests
	r.hold[responses] = r.hold[responses] || s.HoldResponses
	r.swallow = r.swallow || s.Swallow
	r.lose = r.lose || s.LoseResponses
	r.reset = r.reset || s.Reset
	if s.DelayRequests {
		r.delay[requests] += s.Delay
	}
	if s.DelayResponses {
		r.delay[responses] += s.Delay
	}
	if s.Rate > 0 && (r.rate == 0 || s.Rate < r.rate) {
		r.rate = s.Rate
	}
	return r
}

// affects tells whether bytes of a way fare otherwise than with nothing armed.
func (r rule) affects(way int) bool {
	return r.hold[way] || r.delay[way] > 0 || r.rate > 0 || r.swallow || r.reset || r.lose && way == responses
}

// armed is the rule in force. It is never changed, only replaced.
type armed struct {
	rule
	by      *handle // who set the latest shape
	limit   [2]limiter
	changed chan struct{} // closed when this rule is replaced
}

// limiter spaces the bytes of one way, over all connections of its link.
type limiter struct {
	mu   sync.Mutex
	free time.Time
}

// catchUp is how far a late timer may be made up for. Without it the rate falls short by each timer's lateness.
const catchUp = 4 * time.Millisecond

// pass books n bytes and returns when the last of them is through.
func (l *limiter) pass(n int, rate int64) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if l.free.IsZero() {
		l.free = now
	}
	if earliest := now.Add(-catchUp); l.free.Before(earliest) {
		l.free = earliest
	}
	l.free = l.free.Add(time.Duration(float64(n) / float64(rate) * float64(time.Second)))
	return l.free
}

// slice is how many bytes pass at once at a rate: five milliseconds' worth, so that a slow link trickles.
func slice(rate int64) int { return int(max(1, rate/200)) }
