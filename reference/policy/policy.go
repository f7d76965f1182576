// Package policy says whether something may be tried now, and how long to wait before it is tried again: Backoff spaces the tries of one
// caller, Breaker holds back all who call a party that does not answer, and Gate keeps new work out.
//
// Promise of Backoff: the n-th wait lies between half and all of Base doubled n-1 times, and never above Cap. The random half is what keeps
// many workers that failed at the same instant from coming back at the same instant; the doubling is what gives an overloaded
// party room to recover; the cap is what keeps recovery from being noticed late.
//
// It must never know what is being retried.
package policy

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// Backoff is capped exponential backoff with jitter. It is safe for concurrent use.
type Backoff struct {
	base, max time.Duration

	mu  sync.Mutex
	rng *rand.Rand
}

// New makes a Backoff; see NewBackoff.
type New func(base, limit time.Duration, rng *rand.Rand) *Backoff

// NewBackoff waits about base the first time and never longer than limit. rng becomes its own; nobody else may draw from it.
func NewBackoff(base, limit time.Duration, rng *rand.Rand) *Backoff {
	return &Backoff{base: max(base, time.Millisecond), max: max(limit, base, time.Millisecond), rng: rng}
}

// Delay is the wait after the n-th failure, from 1.
func (b *Backoff) Delay(n int) time.Duration {
	full := b.base
	for i := 1; i < n && full < b.max; i++ {
		full *= 2
	}
	full = min(full, b.max)
	b.mu.Lock()
	defer b.mu.Unlock()
	return full/2 + time.Duration(b.rng.Int64N(int64(full/2)+1))
}

// Wait waits for the delay after the n-th failure, or until ctx ends, whose error it then returns.
func (b *Backoff) Wait(ctx context.Context, n int) error {
	return Sleep(ctx, b.Delay(n))
}

// Sleep waits for d, or until ctx ends, whose error it then returns.
func Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
