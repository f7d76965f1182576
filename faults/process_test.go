package faults_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/faults"
)

func TestProcessFaults(t *testing.T) {
	for _, tc := range []struct {
		spec  faults.Spec
		saw   string
		calls []string
	}{
		{faults.Spec{Kind: "crash", Component: "relay"}, "relay is gone, and its probe sees: connection refused", []string{"kill relay", "start relay"}},
		{faults.Spec{Kind: "pause", Component: "relay", For: time.Second}, "relay exists and answers nothing within 150ms", []string{"pause relay", "resume relay"}},
		{faults.Spec{Kind: "terminate", Component: "relay"}, "relay is gone", []string{"terminate relay", "start relay"}},
		{faults.Spec{Kind: "rolling-restart", Components: []string{"api", "relay"}}, "each was gone, and came back as a new process",
			[]string{"terminate api", "start api", "terminate relay", "start relay"}},
	} {
		t.Run(tc.spec.Kind, func(t *testing.T) {
			env := newFake()
			f := build(t, tc.spec, nil, env)
			e, err := f.Inject(ctx(t))
			require.NoError(t, err)
			assert.Contains(t, e.Probe, tc.saw)
			e, err = f.Heal(ctx(t))
			require.NoError(t, err)
			assert.Contains(t, e.Probe, "ready")
			_, err = f.Heal(ctx(t))
			require.NoError(t, err, "healing is idempotent")
			assert.Equal(t, tc.calls, env.calls)
			assert.True(t, env.Alive("relay"))
		})
	}
}

func TestRollingRestartIsSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		f := build(t, faults.Spec{Kind: "rolling-restart", Components: []string{"api", "relay"}, For: 3 * time.Second}, nil, newFake())
		_, err := f.Inject(t.Context())
		require.NoError(t, err)
		assert.Equal(t, 3*time.Second, time.Since(start))
	})
}

// A rolling restart that fails half-way leaves nobody down, and touches nobody else.
func TestRollingRestartHealsWhatItBegan(t *testing.T) {
	env := newFake()
	env.down["broker"] = true
	f := build(t, faults.Spec{Kind: "rolling-restart", Components: []string{"api", "broker", "relay"}}, nil, env)
	_, err := f.Inject(ctx(t))
	require.ErrorContains(t, err, "restart broker: before the fault: broker does not run")
	env.down["api"] = true
	_, err = f.Heal(ctx(t))
	require.NoError(t, err)
	assert.Equal(t, []string{"terminate api", "start api", "start api"}, env.calls)
}

// A fault that did nothing is an error, never a pass.
func TestProcessFaultsThatDoNothing(t *testing.T) {
	for _, tc := range []struct {
		spec faults.Spec
		want string
	}{
		{faults.Spec{Kind: "crash", Component: "relay"}, "relay still runs"},
		{faults.Spec{Kind: "pause", Component: "relay", For: time.Second}, "probe relay: saw an answer, not silence"},
		{faults.Spec{Kind: "terminate", Component: "relay"}, "relay still runs"},
		{faults.Spec{Kind: "rolling-restart", Components: []string{"relay"}}, "restart relay: relay still runs"},
	} {
		env := newFake()
		env.undead = true
		f := build(t, tc.spec, nil, env)
		_, err := f.Inject(ctx(t))
		require.ErrorContains(t, err, tc.want, tc.spec.Kind)
		_, err = f.Heal(ctx(t))
		require.NoError(t, err)
	}
}

func TestProcessFaultsOnWhatDoesNotRun(t *testing.T) {
	for _, kind := range []string{"crash", "pause", "terminate"} {
		env := newFake()
		env.down["relay"] = true
		f := build(t, faults.Spec{Kind: kind, Component: "relay", For: time.Second}, nil, env)
		_, err := f.Inject(ctx(t))
		require.ErrorContains(t, err, "before the fault: relay does not run")
		_, err = f.Heal(ctx(t))
		require.NoError(t, err)
		require.Empty(t, env.calls, "who died alone is not brought back in secret")
	}
}

func TestTerminateTellsThatGraceWasNotEnough(t *testing.T) {
	env := newFake()
	env.slow = true
	e, err := build(t, faults.Spec{Kind: "terminate", Component: "relay", Grace: time.Second}, nil, env).Inject(ctx(t))
	require.NoError(t, err, "the process is gone: the fault is in force")
	assert.Equal(t, "relay outlived its grace of 1s", e.Detail)
}

func TestHealSaysWhatItLastSaw(t *testing.T) {
	env := newFake()
	f := build(t, faults.Spec{Kind: "crash", Component: "relay"}, nil, env)
	_, err := f.Inject(ctx(t))
	require.NoError(t, err)
	env.deaf = true
	_, err = f.Heal(ctx(t))
	require.ErrorContains(t, err, "relay does not run: connection refused")
	env.deaf = false
	_, err = f.Heal(ctx(t))
	require.NoError(t, err, "and can be repeated")

	all, _ := proxies(t)
	link, err := all.Link(natsEdge)
	require.NoError(t, err)
	f = build(t, faults.Spec{Kind: "reset", From: "relay", To: "broker"}, all, nil)
	_, err = f.Inject(ctx(t))
	require.NoError(t, err)
	link.Set(faults.Shape{HoldResponses: true}) // another one's
	short, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	_, err = f.Heal(short)
	require.ErrorContains(t, err, "after the fault: no answer through relay -> broker: the last probe saw timeout")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	link.Set(faults.Shape{})
	_, err = f.Heal(ctx(t))
	require.NoError(t, err)
}

func TestInjectRefusesAnEdgeThatIsSilentAlready(t *testing.T) {
	all, _ := proxies(t)
	link, err := all.Link(httpEdge)
	require.NoError(t, err)
	link.Set(faults.Shape{HoldRequests: true})
	short, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	f := build(t, faults.Spec{Kind: "partition", From: "client", To: "api", For: time.Second}, all, nil)
	_, err = f.Inject(short)
	require.ErrorContains(t, err, "before the fault: no answer through client -> api")
	e, err := f.Heal(ctx(t))
	require.NoError(t, err, "nothing was set, so that nothing is waited for")
	require.Equal(t, "nothing was in force", e.Probe)
}
