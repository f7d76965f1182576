package policy_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/wreckon/wreckon/reference/policy"
)

func TestDelayDoublesUpToItsCapAndIsSpread(t *testing.T) {
	b := policy.NewBackoff(50*time.Millisecond, time.Second, rand.New(rand.NewPCG(1, 2)))
	for n, full := range map[int]time.Duration{
		0: 50 * time.Millisecond, 1: 50 * time.Millisecond, 2: 100 * time.Millisecond, 4: 400 * time.Millisecond, 5: 800 * time.Millisecond,
		6: time.Second, 1000: time.Second,
	} {
		seen := map[time.Duration]bool{}
		for range 100 {
			d := b.Delay(n)
			assert.GreaterOrEqual(t, d, full/2, "delay %d", n)
			assert.LessOrEqual(t, d, full, "delay %d", n)
			seen[d] = true
		}
		assert.Greater(t, len(seen), 50, "delay %d is spread", n)
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b := policy.NewBackoff(time.Hour, time.Hour, rand.New(rand.NewPCG(1, 2)))
	assert.ErrorIs(t, b.Wait(ctx, 1), context.Canceled)
	assert.NoError(t, policy.Sleep(t.Context(), time.Microsecond))
}
