package policy

import (
	"fmt"
	"sync"
	"time"
)

// Breaker holds calls back from a party that does not answer.
//
// Promise: after some calls in a row without an answer no call is made for a while, and then one at a time, until one is answered: then
// everybody may call again. A call that is held back was not made: nothing can have become of it. How: closed, it counts failures in a row
// over all who call; open, it lets nobody through until a wait is over that grows with each time; half-open, one call finds out. Cost: once the
// party is back, the rest of a wait. Breaks: a party that answers some and not others keeps it closed, which is what retries are for; each
// process finds out by itself.
//
// A nil Breaker holds nothing back. It is safe for concurrent use.
type Breaker struct {
	after int
	waits *Backoff

	mu       sync.Mutex
	failures int       // in a row, while closed
	openings int       // since it was closed last; 0: closed
	until    time.Time // when the next call may find out
	probing  bool      // one is doing so
}

// MakeBreaker makes a Breaker; see NewBreaker.
type MakeBreaker func(after int, waits *Backoff) *Breaker

// NewBreaker opens after so many failures in a row, for waits that grow as those of a Backoff do.
func NewBreaker(after int, waits *Backoff) *Breaker {
	return &Breaker{after: max(after, 1), waits: waits}
}

// OpenError says that a call was held back, and until when at least.
type OpenError struct{ Until time.Time }

func (e *OpenError) Error() string {
	return fmt.Sprintf("held back until %s: earlier calls were not answered", e.Until.Format(time.RFC3339Nano))
}

// Result is what became of a call.
type Result int

// The results of a call. That somebody else ended it says nothing about the party.
const (
	Answered Result = iota
	Unanswered
	Abandoned
)

// Permit is leave to make one call, whose result must be told.
type Permit struct {
	of      *Breaker
	opening int // the breaker's, when it was given
}

// Allow gives leave to make a call, or says, with an *OpenError, that it is held back.
func (b *Breaker) Allow() (Permit, error) {
	if b == nil {
		return Permit{}, nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	switch {
	case b.openings == 0:
	case now.Before(b.until):
		return Permit{}, &OpenError{b.until}
	case b.probing:
		return Permit{}, &OpenError{now.Add(b.waits.Delay(1))}
	default:
		b.probing = true
	}
	return Permit{b, b.openings}, nil
}

// Done tells the result of the call, once. opened says that it opened the breaker, for the first time or again. What was begun before the
// breaker opened, and ends after that, changes nothing.
func (p Permit) Done(r Result) (opened bool) {
	b := p.of
	if b == nil {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if p.opening != b.openings {
		return false
	}
	b.probing = false
	switch {
	case r == Answered:
		b.failures, b.openings = 0, 0
	case r == Unanswered && b.openings == 0:
		b.failures++
		opened = b.failures >= b.after
	case r == Unanswered:
		opened = true
	}
	if opened {
		b.openings++
		b.failures = 0
		b.until = time.Now().Add(b.waits.Delay(b.openings))
	}
	return opened
}

// Open says whether calls are being held back, or one is finding out.
func (b *Breaker) Open() bool {
	if b == nil {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.openings > 0
}
