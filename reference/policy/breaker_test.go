package policy_test

import (
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/reference/policy"
)

func breaker(after int) *policy.Breaker {
	return policy.NewBreaker(after, policy.NewBackoff(100*time.Millisecond, time.Second, rand.New(rand.NewPCG(1, 2))))
}

func call(t *testing.T, b *policy.Breaker, r policy.Result) (opened bool) {
	t.Helper()
	permit, err := b.Allow()
	require.NoError(t, err)
	return permit.Done(r)
}

func held(t *testing.T, b *policy.Breaker) time.Time {
	t.Helper()
	_, err := b.Allow()
	var open *policy.OpenError
	require.ErrorAs(t, err, &open)
	return open.Until
}

func TestABreakerOpensAfterFailuresInARow(t *testing.T) {
	b := breaker(3)
	for range 5 { // an answer in between, and it stays closed
		assert.False(t, call(t, b, policy.Unanswered))
		assert.False(t, call(t, b, policy.Unanswered))
		assert.False(t, call(t, b, policy.Abandoned), "says nothing")
		assert.False(t, call(t, b, policy.Answered))
	}
	call(t, b, policy.Unanswered)
	call(t, b, policy.Unanswered)
	assert.False(t, b.Open())
	assert.True(t, call(t, b, policy.Unanswered))
	assert.True(t, b.Open())
	held(t, b)
}

func TestOneAtATimeFindsOutWhetherItCanClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := breaker(1)
		early, err := b.Allow()
		require.NoError(t, err)
		require.True(t, call(t, b, policy.Unanswered))
		longest := time.Duration(0)
		for range 10 { // each wait is longer, up to a limit
			until := held(t, b)
			wait := time.Until(until)
			assert.LessOrEqual(t, wait, time.Second)
			longest = max(longest, wait)
			time.Sleep(wait)
			probe, err := b.Allow()
			require.NoError(t, err)
			held(t, b)
			assert.True(t, probe.Done(policy.Unanswered))
		}
		assert.GreaterOrEqual(t, longest, time.Second/2)
		assert.False(t, early.Done(policy.Answered), "it was asked before all this")
		assert.True(t, b.Open())

		time.Sleep(time.Until(held(t, b)))
		assert.False(t, call(t, b, policy.Abandoned))
		assert.True(t, b.Open(), "nothing was found out, and the next may try at once")
		assert.False(t, call(t, b, policy.Answered))
		assert.False(t, b.Open())
	})
}

func TestNoBreakerHoldsNothingBack(t *testing.T) {
	var b *policy.Breaker
	for range 100 {
		assert.False(t, call(t, b, policy.Unanswered))
	}
	assert.False(t, b.Open())
}

// However many call at once, while it is open never two of them are on their way.
func TestManyCallersAreHeldBackTogether(t *testing.T) {
	b := policy.NewBreaker(1, policy.NewBackoff(time.Millisecond, time.Millisecond, rand.New(rand.NewPCG(1, 2))))
	require.True(t, call(t, b, policy.Unanswered))
	var under, most, made atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for made.Load() < 20 {
				permit, err := b.Allow()
				if errors.As(err, new(*policy.OpenError)) {
					continue
				}
				now := under.Add(1)
				for m := most.Load(); now > m && !most.CompareAndSwap(m, now); m = most.Load() {
				}
				made.Add(1)
				under.Add(-1)
				permit.Done(policy.Unanswered)
			}
		})
	}
	all.Wait()
	assert.EqualValues(t, 1, most.Load())
}
