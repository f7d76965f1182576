package faults_test

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/faults"
)

func TestKindsAreComplete(t *testing.T) {
	docs, err := os.ReadFile("../docs/faults.md")
	require.NoError(t, err)
	seen := map[string]bool{}
	for _, k := range faults.Kinds {
		assert.False(t, seen[k.Name], "%s is there twice", k.Name)
		seen[k.Name] = true
		assert.NotEmpty(t, k.Doc, k.Name)
		assert.Contains(t, string(docs), "### `"+k.Name+"`\n", "docs/faults.md tells each kind")
		assert.NotEmpty(t, k.Story, k.Name)
		assert.Contains(t, []string{faults.OnEdge, faults.OnComponent}, k.On, k.Name)
		assert.NotNil(t, k.Applies, k.Name)
		assert.NotNil(t, k.New, k.Name)
		got, err := faults.Lookup(k.Name)
		require.NoError(t, err)
		assert.Equal(t, k.Doc, got.Doc)
		assert.Error(t, k.Applies(faults.Spec{Kind: k.Name}, shop), "%s applies to nothing at all", k.Name)
	}
	_, err = faults.Lookup("partitoin")
	assert.ErrorContains(t, err, `unknown fault "partitoin" (did you mean "partition"?); kinds are: partition, latency,`)
}

func TestAppliesSaysWhatWouldBeRight(t *testing.T) {
	const s = time.Second
	for _, tc := range []struct {
		spec faults.Spec
		want string // "" if it applies
	}{
		{faults.Spec{Kind: "partition", From: "relay", To: "broker", For: s}, ""},
		{faults.Spec{Kind: "partition", From: "broker", To: "relay", For: s, Direction: faults.Both}, ""},
		{faults.Spec{Kind: "partition", From: "broker", To: "relay", For: s, Direction: faults.Requests}, "broker does not dial relay: the edge is relay -> broker"},
		{faults.Spec{Kind: "partition", From: "relay", To: "api", For: s}, "relay -> api is no edge of the target; edges are: client -> api, relay -> broker, payments -> gateway"},
		{faults.Spec{Kind: "partition", From: "relay", To: "borker", For: s}, `(did you mean "relay -> broker"?)`},
		{faults.Spec{Kind: "partition", For: s}, "partition needs an edge, written as: client -> api"},
		{faults.Spec{Kind: "partition", From: "relay", To: "broker", For: s, Direction: "upwards"}, `direction "upwards" is none: both, requests or responses`},
		{faults.Spec{Kind: "partition", From: "relay", To: "broker"}, "partition needs a time to hold, as in: for: 1s"},
		{faults.Spec{Kind: "partition", From: "relay", To: "broker", For: s, Flap: 2 * s}, "flap 2s is half a period"},
		{faults.Spec{Kind: "partition", From: "relay", To: "broker", For: s, Delay: s}, "partition takes no delay"},
		{faults.Spec{Kind: "partition", From: "relay", To: "broker", For: -s}, "cannot be negative"},
		{faults.Spec{Kind: "partition", From: "payments", To: "gateway", For: s}, "only reset applies"},
		{faults.Spec{Kind: "reset", From: "payments", To: "gateway"}, ""},
		{faults.Spec{Kind: "reset", From: "payments", To: "gateway", Direction: faults.Responses}, "write payments <-> gateway"},
		{faults.Spec{Kind: "latency", From: "client", To: "api", For: s}, "latency needs a delay from 2ms to 10s, not 0s"},
		{faults.Spec{Kind: "bandwidth", From: "client", To: "api", For: s, Rate: 10}, "bandwidth needs a rate from 1000"},
		{faults.Spec{Kind: "lost-response", From: "client", To: "api", For: s, Direction: faults.Responses}, ""},
		{faults.Spec{Kind: "crash", Component: "relay"}, ""},
		{faults.Spec{Kind: "crash", Component: "gateway"}, "gateway belongs to the harness and is no process of the target: crash applies to api, relay, broker, payments"},
		{faults.Spec{Kind: "crash", Component: "really"}, `really is no component of the target (did you mean "relay"?); components are: api, relay`},
		{faults.Spec{Kind: "crash"}, "crash needs a component: api, relay"},
		{faults.Spec{Kind: "pause", Component: "relay"}, "pause needs a time to hold"},
		{faults.Spec{Kind: "crash", Component: "relay", Grace: s}, "crash takes no grace"},
		{faults.Spec{Kind: "terminate", Component: "relay", Grace: s}, ""},
		{faults.Spec{Kind: "rolling-restart", Components: []string{"relay", "api"}}, ""},
		{faults.Spec{Kind: "rolling-restart", Components: []string{"relay", "api", "relay"}}, "rolling-restart names relay twice"},
	} {
		k, err := faults.Lookup(tc.spec.Kind)
		require.NoError(t, err)
		err = k.Applies(tc.spec, shop)
		if tc.want == "" {
			assert.NoError(t, err, "%+v", tc.spec)
			continue
		}
		assert.ErrorContains(t, err, tc.want, "%+v", tc.spec)
	}
}

func TestCheckOverlap(t *testing.T) {
	const s = time.Second
	edge := func(id, kind string, at, hold time.Duration) faults.Spec {
		return faults.Spec{ID: id, Kind: kind, From: "relay", To: "broker", At: at, For: hold}
	}
	process := func(id, kind, component string, at, hold time.Duration) faults.Spec {
		return faults.Spec{ID: id, Kind: kind, Component: component, At: at, For: hold}
	}
	for name, tc := range map[string]struct {
		specs []faults.Spec
		want  []string
	}{
		"one after the other":         {[]faults.Spec{edge("f1", "partition", 0, s), edge("f2", "partition", 2*s, s)}, nil},
		"on other edges":              {[]faults.Spec{edge("f1", "partition", 0, s), {ID: "f2", Kind: "partition", From: "client", To: "api", For: s}}, nil},
		"an edge and a process":       {[]faults.Spec{edge("f1", "partition", 0, s), process("f2", "crash", "broker", 0, s)}, nil},
		"a slow edge that is cut":     {[]faults.Spec{edge("f1", "latency", 0, 3*s), edge("f2", "partition", s, s)}, nil},
		"two ways of being slow":      {[]faults.Spec{edge("f1", "latency", 0, 3*s), edge("f2", "bandwidth", s, s)}, nil},
		"slowed while cut":            {[]faults.Spec{edge("f2", "latency", s, s), edge("f1", "partition", 0, 3*s)}, []string{"f1 lets no answer through, so nothing could show f2 in force"}},
		"cut until after it was slow": {[]faults.Spec{edge("f1", "latency", 0, 2*s), edge("f2", "reset", s, 3*s)}, []string{"f2 must end before f1 does"}},
		"slow twice":                  {[]faults.Spec{edge("f1", "latency", 0, 2*s), edge("f2", "latency", s, s)}, []string{"cannot be told apart"}},
		"crashed while paused": {[]faults.Spec{process("f1", "pause", "relay", 0, 2*s), process("f2", "crash", "relay", s, s)},
			[]string{"f1 (pause on relay) and f2 (crash on relay) overlap: both act on the process of one component"}},
		"crashed while rolling": {[]faults.Spec{
			{ID: "f1", Kind: "rolling-restart", Components: []string{"api", "relay"}},
			process("f2", "crash", "relay", s, s), process("f3", "crash", "broker", s, s)}, []string{"f1 (rolling-restart on [api relay]) and f2"}},
	} {
		t.Run(name, func(t *testing.T) {
			errs := faults.CheckOverlap(tc.specs)
			require.Len(t, errs, len(tc.want), "%v", errs)
			for i, err := range errs {
				assert.ErrorContains(t, err, tc.want[i])
				var o *faults.Overlap
				assert.ErrorAs(t, err, &o)
			}
		})
	}
}
