package faults_test

import (
	"context"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/faults"
	"github.com/wreckon/wreckon/targets"
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

func TestAppliesAtAPoint(t *testing.T) {
	post := faults.When{From: "client", To: "api", Exchange: "POST /orders"}
	with := func(change func(*faults.When)) *faults.When { w := post; change(&w); return &w }
	at := func(point string) *faults.When { return with(func(w *faults.When) { w.Point = point }) }
	on := func(kind string, change func(*faults.Spec)) faults.Spec {
		s := faults.Spec{ID: "f1", Kind: kind, From: "client", To: "api", When: &post}
		change(&s)
		return s
	}
	same := func(*faults.Spec) {}
	for _, tc := range []struct {
		spec faults.Spec
		want string // "" if it applies
	}{
		{on("drop-request", same), ""},
		{on("drop-request", func(s *faults.Spec) { s.When = nil }), "place it with when"},
		{on("drop-request", func(s *faults.Spec) { s.When = &faults.When{Exchange: "*"}; s.Direction = faults.Requests }), ""},
		{on("drop-request", func(s *faults.Spec) { s.When = at("after") }), "drop-request acts before the exchange: write point: before, or leave it out"},
		{on("drop-request", func(s *faults.Spec) { s.End = "bang" }), `end "bang" is none: close, reset or silent`},
		{on("drop-request", func(s *faults.Spec) { s.For = time.Second }), "takes no time to hold"},
		{on("drop-request", func(s *faults.Spec) { s.Frame = "drop" }), "drop-request takes no frame"},
		{on("drop-request", func(s *faults.Spec) { s.Delay = time.Second }), "drop-request takes no delay"},
		{on("drop-request", func(s *faults.Spec) { s.At = time.Second }), "takes at or when, not both"},
		{on("drop-request", func(s *faults.Spec) { s.From, s.To = "relay", "broker" }), "acts on a message of relay -> broker, and cannot wait on client -> api"},
		{on("drop-request", func(s *faults.Spec) { s.From, s.To, s.When = "api", "client", &faults.When{Exchange: "*"} }), "api does not dial client: write client -> api"},
		{on("drop-request", func(s *faults.Spec) { s.From, s.To, s.When = "payments", "gateway", &faults.When{Exchange: "*"} }),
			`payments -> gateway, whose messages are not understood: its protocol is "tcp"`},
		{on("drop-request", func(s *faults.Spec) { s.When = with(func(w *faults.When) { w.Exchange = "" }) }), `needs an exchange, as in "POST /orders"`},
		{on("drop-request", func(s *faults.Spec) { s.When = with(func(w *faults.When) { w.Nth, w.Every = 1, 2 }) }), "takes nth or every, not both"},
		{on("drop-request", func(s *faults.Spec) { s.When = with(func(w *faults.When) { w.Unit = "o-0" }) }), `unit "o-0" is none`},
		{on("drop-response", func(s *faults.Spec) { s.Direction = faults.Responses }), "drop-response acts on a message of an edge: write client -> api"},
		{on("late-response", same), "late-response needs a delay from 2ms to 10s, not 0s"},
		{on("duplicate", func(s *faults.Spec) { s.Again = "later"; s.Delay = time.Second }), ""},
		{on("duplicate", func(s *faults.Spec) { s.Again = "later" }), "duplicate needs a delay from 2ms to 10s"},
		{on("duplicate", func(s *faults.Spec) { s.Delay = time.Second }), "takes a delay only where it comes again later"},
		{on("duplicate", func(s *faults.Spec) { s.Again = "soon" }), `again "soon" is none: at-once, after-answer or later`},
		{on("swap", func(s *faults.Spec) { s.End = "reset" }), "swap takes no end"},
		{on("error-after", func(s *faults.Spec) { s.Again = "at-once" }), "error-after takes no again"},
		{faults.Spec{Kind: "crash", Component: "relay", When: at("before"), Frame: "drop"}, ""},
		{faults.Spec{Kind: "crash", Component: "relay", When: &post}, "crash needs a point: before (the request is at the proxy, undelivered) or after (its answer is)"},
		{faults.Spec{Kind: "crash", Component: "relay", When: at("after"), Frame: "keep"}, `frame "keep" is none: pass or drop`},
		{faults.Spec{Kind: "crash", Component: "relay", Frame: "drop"}, "crash takes no frame where it is placed by time"},
		{faults.Spec{Kind: "crash", Component: "relay", When: with(func(w *faults.When) { w.Every, w.Point = 2, "before" })}, "crash happens once: write nth in place of every"},
		{faults.Spec{Kind: "crash", Component: "relay", When: &faults.When{Exchange: "*", Point: "after"}}, "crash waits on no edge: when needs one of: client -> api, relay -> broker"},
		{faults.Spec{Kind: "pause", Component: "relay", When: at("after")}, "pause needs a time to hold"},
		{faults.Spec{Kind: "partition", From: "relay", To: "broker", For: time.Second, When: &post}, "partition is placed by time: write at in place of when"},
		{faults.Spec{Kind: "rolling-restart", Components: []string{"relay"}, When: &post}, "rolling-restart is placed by time"},
		{on("drop-request", func(s *faults.Spec) { s.Then = []faults.Spec{{ID: "f2", Kind: "crash", Component: "relay"}} }), "crash follows drop-request: it needs a when of its own"},
		{on("drop-request", func(s *faults.Spec) {
			s.Then = []faults.Spec{on("late-response", func(s *faults.Spec) { s.ID = "f2" })}
		}), "f2: late-response needs a delay"},
	} {
		err := faults.Check(tc.spec, shop)
		if tc.want == "" {
			assert.NoError(t, err, "%+v", tc.spec)
			continue
		}
		assert.ErrorContains(t, err, tc.want, "%+v", tc.spec)
	}
	for _, tc := range []struct {
		kind     string
		protocol targets.Protocol
		want     string
	}{
		{"duplicate", "postgres", "nothing in postgres can be delivered twice on one connection"},
		{"duplicate", "resp", ""},
		{"error-after", "amqp", ""},
	} {
		t.Run(tc.kind+" on "+string(tc.protocol), func(t *testing.T) {
			db := targets.Topology{Components: shop.Components, Edges: []targets.Edge{{From: "api", To: "broker", Protocol: tc.protocol}}}
			err := faults.Check(faults.Spec{Kind: tc.kind, From: "api", To: "broker", When: &faults.When{Exchange: "*"}}, db)
			if tc.want == "" {
				assert.NoError(t, err)
			} else {
				assert.ErrorContains(t, err, tc.want)
			}
		})
	}
}

func TestKindsThatNeedMoreThanAProcess(t *testing.T) {
	onBroker := func(kind string) faults.Spec {
		return faults.Spec{ID: "f1", Kind: kind, Component: "broker", For: time.Second, CPUs: map[string]float64{"cpu-limit": 0.05}[kind]}
	}
	for _, kind := range []string{"disconnect", "cpu-limit", "out-of-memory"} {
		spec := onBroker(kind)
		require.NoError(t, faults.Check(spec, shop))
		assert.NoError(t, faults.CheckEnvironment([]faults.Spec{spec}, true))
		assert.ErrorContains(t, faults.CheckEnvironment([]faults.Spec{{Kind: "crash"}, spec}, false), "f1 is a "+kind+" of broker, which needs components in containers: run it with --env docker")
		_, err := faults.Plan([]faults.Spec{spec}, shop, faults.Means{})
		assert.ErrorContains(t, err, kind+" needs components in containers")
	}
	spec := onBroker("cpu-limit")
	spec.CPUs = 0
	assert.ErrorContains(t, faults.Check(spec, shop), "cpu-limit needs cpus from 0.01 to 64, as in cpus: 0.05, not 0")
	spec.Kind, spec.CPUs = "crash", 1
	assert.ErrorContains(t, faults.Check(spec, shop), "crash takes no cpus")

	named := targets.Topology{Edges: shop.Edges}
	for _, c := range shop.Components {
		c.Names = []string{c.Name}
		named.Components = append(named.Components, c)
	}
	relay := faults.Spec{Kind: "disconnect", Component: "relay", For: time.Second}
	assert.ErrorContains(t, faults.Check(relay, named), "disconnect would leave relay -> broker in force")

	assert.ErrorContains(t, faults.Check(onBroker("end-sessions"), shop), "end-sessions needs a PostgreSQL that Wreckon knows how to connect to, and this target declares none")
	one := targets.Topology{Edges: shop.Edges, Components: slices.Clone(shop.Components)}
	at := slices.IndexFunc(one.Components, func(c targets.Component) bool { return c.Name == "broker" })
	one.Components[at].Sessions = true
	assert.NoError(t, faults.Check(onBroker("end-sessions"), one))
	assert.ErrorContains(t, faults.Check(faults.Spec{Kind: "end-sessions", Component: "relay"}, one), "end-sessions applies to broker")
}

// ending is a target with so many sessions, and processes that answer.
type ending struct {
	faults.Processes
	sessions int
}

func (e *ending) Probe(context.Context, string) error { return nil }

func (e *ending) EndSessions(context.Context, string) (int, error) {
	n := e.sessions
	e.sessions = 0
	return n, nil
}

func TestThatSessionsEndedIsShownByTheirNumber(t *testing.T) {
	topology := targets.Topology{Components: []targets.Component{{Name: "db", Sessions: true}}}
	db := &ending{sessions: 3}
	planned, err := faults.Plan([]faults.Spec{{ID: "f1", Kind: "end-sessions", Component: "db"}}, topology, faults.Means{Processes: db, Sessions: db})
	require.NoError(t, err)
	f := planned[0].Fault
	e, err := f.Inject(ctx(t))
	require.NoError(t, err)
	assert.Equal(t, int64(3), e.Connections)
	_, err = f.Heal(ctx(t))
	require.NoError(t, err)
	_, err = f.Inject(ctx(t))
	assert.ErrorContains(t, err, "nobody had a session at db")
}

func TestPlanNeedsProxiesThatUnderstand(t *testing.T) {
	spec := onPost("f1", "drop-request", 1)
	all, _ := proxies(t)
	planned, err := faults.Plan([]faults.Spec{spec}, shop, faults.Means{Links: all})
	require.NoError(t, err)
	log := newLog()
	errs := faults.NewGuard(log, log).Schedule(ctx(t), time.Now(), planned)
	assert.ErrorContains(t, errs[0], "arm f1: arm client -> api: its messages are not understood")
	b := newBench(t)
	spec.When.Unit = "x-7"
	_, err = faults.Plan([]faults.Spec{spec}, shop, faults.Means{Links: b.all})
	assert.ErrorContains(t, err, "plan f1: x-7 is no unit of this target: write o-7")
}

func TestAllFaultsOfAPlan(t *testing.T) {
	var ids []string
	for _, s := range faults.All([]faults.Spec{{ID: "f1", Then: []faults.Spec{{ID: "f2", Then: []faults.Spec{{ID: "f3"}}}, {ID: "f4"}}}, {ID: "f5"}}) {
		ids = append(ids, s.ID)
	}
	assert.Equal(t, []string{"f1", "f2", "f3", "f4", "f5"}, ids)
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
		"placed by an event":          {[]faults.Spec{edge("f1", "partition", 0, s), {ID: "f2", Kind: "drop-request", From: "relay", To: "broker", When: &faults.When{Exchange: "*"}}}, nil},
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
