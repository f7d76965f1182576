package policy_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/reference/policy"
)

func TestAGateIsShutWhileTooMuchWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		waiting, looks := int64(7), 0
		var broken error
		g := &policy.Gate{Limit: 10, Fresh: 50 * time.Millisecond, After: time.Second, Depth: func(context.Context) (int64, error) {
			looks++
			return waiting, broken
		}}
		for range 3 {
			require.NoError(t, g.Admit(t.Context()))
		}
		err := g.Admit(t.Context())
		var full *policy.FullError
		require.ErrorAs(t, err, &full, "what was let in counts before it is seen")
		assert.Equal(t, policy.FullError{Waiting: 10, After: time.Second}, *full)
		assert.Equal(t, 1, looks)
		waiting = 9
		require.Error(t, g.Admit(t.Context()), "it does not look all the time")
		time.Sleep(50 * time.Millisecond)
		require.NoError(t, g.Admit(t.Context()))
		require.Error(t, g.Admit(t.Context()))
		assert.Equal(t, 2, looks)
		time.Sleep(50 * time.Millisecond)
		broken = errors.New("database is away")
		require.NoError(t, g.Admit(t.Context()))
	})
}

func TestNoGateAndNoLimitLetEverybodyIn(t *testing.T) {
	var none *policy.Gate
	assert.NoError(t, none.Admit(t.Context()))
	assert.NoError(t, (&policy.Gate{}).Admit(t.Context()))
}
