package containers_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/internal/environment"
)

func TestAContainerLosesItsNetworkAndFindsItAgain(t *testing.T) {
	r := start(t, environment.Options{}, "server")
	probe := func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		return r.Probe(ctx, "server")
	}
	require.NoError(t, probe())
	require.NoError(t, r.Disconnect(t.Context(), "server"))
	assert.Error(t, probe())
	assert.True(t, r.Alive("server"))
	for range 2 { // whoever heals twice has healed
		require.NoError(t, r.Connect(t.Context(), "server"))
		require.Eventually(t, func() bool { return probe() == nil }, 20*time.Second, 10*time.Millisecond, "at its address")
	}
	assert.Equal(t, "started ready", r.story())
	assert.ErrorContains(t, r.Disconnect(t.Context(), "nobody"), "disconnect nobody: it has no network")
}

func TestAContainerIsShortOfProcessorTime(t *testing.T) {
	r := start(t, environment.Options{}, "server")
	before, err := r.Throttled(t.Context(), "server")
	require.NoError(t, err)
	require.NoError(t, r.LimitCPU(t.Context(), "server", 0.01))
	require.Eventually(t, func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, _ = get(ctx, r.places["server"].Listen, "/eat?mb=4") // work
		now, err := r.Throttled(t.Context(), "server")
		return err == nil && now > before
	}, 30*time.Second, time.Millisecond)
	require.NoError(t, r.LimitCPU(t.Context(), "server", 0))
	require.NoError(t, r.Probe(t.Context(), "server"))
	last, err := r.Throttled(t.Context(), "server")
	require.NoError(t, err)
	for range 200 {
		require.NoError(t, r.Probe(t.Context(), "server"))
	}
	now, err := r.Throttled(t.Context(), "server")
	require.NoError(t, err)
	assert.Equal(t, last, now, "the limit is gone")
}

func TestTheKernelKillsAContainerForWantOfMemory(t *testing.T) {
	r := start(t, environment.Options{}, "server")
	starved, stop := context.WithTimeout(t.Context(), 30*time.Second)
	defer stop()
	err := r.Starve(starved, "server")
	require.NoError(t, err)
	assert.False(t, r.Alive("server"))
	assert.Equal(t, "exit status 137: killed, out of memory", r.last().Value)
	require.NoError(t, r.Start(t.Context(), "server"), "with as much memory as before")
	assert.Equal(t, "started ready killed started ready", r.story())

	enough, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("that is enough"))
	require.ErrorContains(t, r.Starve(enough, "server"), "that is enough")
	assert.True(t, r.Alive("server"))
	require.NoError(t, r.Kill(t.Context(), "server"))
	assert.Equal(t, "killed", string(r.last().Outcome.String()))
}
