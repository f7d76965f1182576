package runner_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/wreckon/wreckon/faults"
	"github.com/wreckon/wreckon/history"
	"github.com/wreckon/wreckon/internal/rundir"
	"github.com/wreckon/wreckon/internal/runner"
	"github.com/wreckon/wreckon/scenarios"
	"github.com/wreckon/wreckon/targets"
	"github.com/wreckon/wreckon/workloads"
)

// TestMain is also the toy: a component that serves HTTP on the address it is given, in one of several moods.
func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == "toy" {
		os.Exit(toy(os.Args[2], os.Args[3]))
	}
	goleak.VerifyTestMain(m)
}

func toy(listen, mood string) int {
	fmt.Println("the toy is", mood)
	if mood == "curious" { // what it finds where it runs decides whether it starts
		if _, err := os.Stat("for-the-curious"); err != nil {
			fmt.Println(err)
			return 4
		}
	}
	if mood == "broken" {
		return 3
	}
	http.HandleFunc("/die", func(http.ResponseWriter, *http.Request) { os.Exit(7) })
	http.HandleFunc("/ready", func(w http.ResponseWriter, _ *http.Request) {
		if mood == "shy" {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	fmt.Println(http.ListenAndServe(listen, nil))
	return 1
}

// toyTarget is a target of one component, whose answers the test decides.
type toyTarget struct {
	mood    string
	launch  targets.Launch // program and directory
	answer  func(workloads.Operation, func(path string)) workloads.Answer
	backlog func() targets.Backlog
	w       targets.Wiring
}

func (t *toyTarget) target() targets.Target {
	return targets.Target{
		Name: "toy", Claims: history.Claims{Target: "toy", Unit: "job", Prefix: "j-"},
		Topology: targets.Topology{
			Components: []targets.Component{{Name: "toy"}, {Name: "client", External: true}},
			Edges:      []targets.Edge{{From: "client", To: "toy", Protocol: targets.HTTP}},
		},
		New: func(w targets.Wiring) (targets.Instance, error) { t.w = w; return t, nil },
	}
}

func (t *toyTarget) get(ctx context.Context, addr, path string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+path, nil)
	if err != nil {
		return err
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("it answered %s", resp.Status)
	}
	return nil
}

func (t *toyTarget) Launches() []targets.Launch {
	l := t.launch
	l.Component, l.Args = "toy", []string{"toy", t.w.Listen["toy"], t.mood}
	l.Ready = func(ctx context.Context) error { return t.get(ctx, t.w.Listen["toy"], "/ready") }
	return []targets.Launch{l}
}

func (t *toyTarget) Sinks() map[string]string        { return nil }
func (t *toyTarget) Client() workloads.Client        { return t }
func (t *toyTarget) Subscribe(context.Context) error { return nil }
func (t *toyTarget) Follow(ctx context.Context)      { <-ctx.Done() }
func (t *toyTarget) Operate(ctx context.Context)     { <-ctx.Done() }
func (t *toyTarget) Totals(context.Context) error    { return nil }
func (t *toyTarget) Observe(context.Context) error   { return nil }
func (t *toyTarget) Close() error                    { return nil }

func (t *toyTarget) Backlog(context.Context) (targets.Backlog, error) {
	if t.backlog == nil {
		return targets.Backlog{}, nil
	}
	return t.backlog(), nil
}

func (t *toyTarget) Do(ctx context.Context, op workloads.Operation) workloads.Answer {
	if t.answer != nil {
		return t.answer(op, func(path string) { _ = t.get(ctx, t.w.Dial["client -> toy"], path) })
	}
	if err := t.get(ctx, t.w.Dial["client -> toy"], "/ready"); err != nil {
		return workloads.Answer{Kind: history.KindInfo, Value: err.Error()}
	}
	return workloads.Answer{Kind: history.KindOK, Value: "done", Token: 1}
}

func plan(fs ...faults.Spec) scenarios.Plan {
	return scenarios.Plan{
		Format: 1, Scenario: "toy", Target: "toy", Seed: 1, Quiesce: 2 * time.Second, Faults: fs,
		Workload: workloads.Spec{Phases: []workloads.Phase{{Rate: 100, For: 500 * time.Millisecond}}, Late: 5 * time.Second}.Defaults(),
	}
}

// do runs the toy and gives its manifest and its history, after everything has been torn down.
func do(t *testing.T, ctx context.Context, toy *toyTarget, p scenarios.Plan, obs runner.Observer, with ...func(*runner.Options)) (rundir.Manifest, *history.History) {
	t.Helper()
	if toy.mood == "" {
		toy.mood = "fine"
	}
	self, err := os.Executable()
	require.NoError(t, err)
	o := runner.Options{
		Plan: p, Target: toy.target(), Root: t.TempDir(), Binary: self, Environment: "process", Tool: "test", Observer: obs,
		StartWithin: 2 * time.Second,
	}
	for _, change := range with {
		change(&o)
	}
	run, err := runner.Run(ctx, o)
	require.NoError(t, err)
	require.NoError(t, run.Close())
	require.NoError(t, run.Close(), "closing twice is closing once")
	assert.NoFileExists(t, filepath.Join(run.Dir, rundir.UndoFile))
	assert.Error(t, toy.get(context.Background(), toy.w.Listen["toy"], "/ready"), "the component outlives the run")
	m, err := rundir.ReadManifest(run.Dir)
	require.NoError(t, err)
	h, err := history.Open(filepath.Join(run.Dir, rundir.HistoryFile))
	require.NoError(t, err)
	assert.True(t, h.Sealed)
	assert.Empty(t, h.Lost)
	return m, h
}

// phases are how the phases of a run ended: "quiesce: settled".
func phases(h *history.History) (ends []string) {
	for i := range h.Len() {
		if e := h.Event(i); e.Kind == history.KindPhase && e.Outcome != history.OutcomeBegin {
			ends = append(ends, e.Op+": "+e.Outcome.String())
		}
	}
	return ends
}

func endOf(h *history.History, phase string) string {
	for i := range h.Len() {
		if e := h.Event(i); e.Kind == history.KindPhase && e.Op == phase && e.Outcome != history.OutcomeBegin {
			return e.Value
		}
	}
	return ""
}

func TestARunGoesThroughItsPhases(t *testing.T) {
	crash := faults.Spec{ID: "f1", Kind: "crash", Component: "toy", At: 100 * time.Millisecond, For: 50 * time.Millisecond}
	m, h := do(t, t.Context(), &toyTarget{}, plan(crash), nil)
	assert.Empty(t, m.Error)
	assert.Empty(t, m.Aborted)
	assert.Equal(t, []string{"start: end", "baseline: end", "chaos: end", "heal: end", "quiesce: end", "observe: end"}, phases(h))
	assert.Equal(t, "settled", endOf(h, "quiesce"))
	var fault []string
	for i := range h.Len() {
		if e := h.Event(i); e.Kind == history.KindFault {
			fault = append(fault, e.Outcome.String())
		}
	}
	assert.Equal(t, []string{"begin", "confirmed", "end", "healed"}, fault)
}

// A component may be any program, and run anywhere.
func TestAComponentIsAProgramOfItsOwn(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "for-the-curious"), nil, 0o644))
	toy := &toyTarget{mood: "curious", launch: targets.Launch{Path: self, Dir: dir}}
	m, _ := do(t, t.Context(), toy, plan(), nil, func(o *runner.Options) { o.Binary, o.BinaryArgs = "/no/such/binary", []string{"of the target"} })
	assert.Empty(t, m.Error)
}

// A run knows exchanges where a fault is placed by one, or where somebody asks for them; no other run does.
func TestExchangesAreRecordedWhereTheyAreOfUse(t *testing.T) {
	crash := faults.Spec{ID: "f1", Kind: "crash", Component: "toy",
		When: &faults.When{From: "client", To: "toy", Exchange: "GET /jobs/{id}", Nth: 7, Point: "after"}}
	ask := func(op workloads.Operation, get func(string)) workloads.Answer {
		get("/jobs/" + history.UnitID("j-", op.Unit))
		return workloads.Answer{Kind: history.KindOK, Value: "done", Token: 1}
	}
	for name, tc := range map[string]struct {
		plan  scenarios.Plan
		asked bool
		want  bool // that there are exchanges
	}{
		"no": {plan(), false, false}, "a fault": {plan(crash), false, true}, "asked for": {plan(), true, true},
	} {
		t.Run(name, func(t *testing.T) {
			toy := &toyTarget{answer: ask}
			m, h := do(t, t.Context(), toy, tc.plan, nil, func(o *runner.Options) { o.Exchanges = tc.asked })
			assert.Empty(t, m.Error)
			n, asked, first := 0, uint64(0), uint64(0) // first: asked before the chaos phase
			units, touched := map[history.Unit]bool{}, map[history.Unit]bool{}
			var fault []string
			for i := range h.Len() {
				switch e := h.Event(i); {
				case e.Kind == history.KindExchange:
					n++
					assert.Equal(t, "GET /jobs/{id}", e.Op)
					assert.Equal(t, "client -> toy", e.Component)
					touched[e.Unit] = true
				case e.Kind == history.KindInvoke:
					units[e.Unit] = true
					asked++
				case e.Kind == history.KindPhase && e.Op == "chaos" && e.Outcome == history.OutcomeBegin:
					first = asked // an exchange may be recorded later than its operation ends
				case e.Kind == history.KindFault:
					fault = append(fault, e.Outcome.String())
					if e.Outcome == history.OutcomeConfirmed {
						assert.Contains(t, e.Value, fmt.Sprintf("after GET /jobs/{id} #%d of j-", first+7))
					}
				}
			}
			assert.NotEmpty(t, units)
			switch {
			case !tc.want:
				assert.Zero(t, n)
			case len(tc.plan.Faults) == 0:
				assert.Equal(t, units, touched, "each exchange belongs to the unit whose id it carries")
			default: // while the component is down nobody takes a request: that is no exchange
				for u := range touched {
					assert.True(t, units[u], "unit %d", u)
				}
				assert.Greater(t, 2*len(touched), len(units))
			}
			if len(tc.plan.Faults) > 0 {
				assert.Equal(t, []string{"begin", "confirmed", "end", "healed"}, fault)
			}
		})
	}
}

func TestAPointThatIsNotReachedIsGivenUp(t *testing.T) {
	lost := faults.Spec{ID: "f1", Kind: "drop-response", From: "client", To: "toy", When: &faults.When{Exchange: "DELETE *"}}
	notes := &noted{}
	m, h := do(t, t.Context(), &toyTarget{}, plan(lost), notes)
	assert.Empty(t, m.Error)
	assert.Empty(t, texts(h, history.KindFault))
	assert.Contains(t, phases(h), "observe: end")
	assert.Contains(t, notes.all(), "inject f1: after DELETE * on client -> toy: its point was not reached")
}

// noted keeps what an observer is told.
type noted struct {
	hook
	mu    sync.Mutex
	texts []string
}

func (n *noted) Note(text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.texts = append(n.texts, text)
}

func (n *noted) all() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.texts
}

func TestHowAStartFails(t *testing.T) {
	for mood, want := range map[string][]string{
		"broken": {"start: ", "toy", "exit status 3", "the toy is broken"},
		"shy":    {"start: ", "toy", "the toy is shy"},
	} {
		t.Run(mood, func(t *testing.T) {
			m, h := do(t, t.Context(), &toyTarget{mood: mood}, plan(), nil)
			for _, w := range want {
				assert.Contains(t, m.Error, w)
			}
			assert.Equal(t, []string{"start: failed"}, phases(h))
		})
	}
}

func TestABaselineThatFailsIsAnError(t *testing.T) {
	refuse := func(workloads.Operation, func(string)) workloads.Answer {
		return workloads.Answer{Kind: history.KindFail}
	}
	m, h := do(t, t.Context(), &toyTarget{answer: refuse}, plan(), nil)
	assert.Contains(t, m.Error, "were not accepted before any fault")
	assert.NotContains(t, phases(h), "chaos: end")
}

func TestAComponentThatDiesByItselfEndsTheRun(t *testing.T) {
	var n atomic.Int32
	die := func(_ workloads.Operation, get func(string)) workloads.Answer {
		if n.Add(1) == 30 { // past the baseline
			get("/die")
		}
		return workloads.Answer{Kind: history.KindOK, Value: "done", Token: 1}
	}
	p := plan()
	p.Workload.Phases[0].For = 20 * time.Second // far longer than the test: the death must cut it short
	m, h := do(t, t.Context(), &toyTarget{answer: die}, p, nil)
	assert.Contains(t, m.Error, "toy died without being told to")
	assert.Contains(t, m.Error, "exit status 7")
	assert.Contains(t, phases(h), "chaos: failed")
}

func TestAPanicIsAnErrorAndLeavesNothing(t *testing.T) {
	m, _ := do(t, t.Context(), &toyTarget{backlog: func() targets.Backlog { panic("in the middle of it") }}, plan(), nil)
	assert.Contains(t, m.Error, "panic: in the middle of it")
}

func TestHowATargetComesToRest(t *testing.T) {
	for want, b := range map[string]targets.Backlog{
		"settled":  {},
		"idle":     {Open: 1},
		"deadline": {Open: 1, Queued: 1},
	} {
		t.Run(want, func(t *testing.T) {
			var baseline atomic.Bool // over
			toy := &toyTarget{backlog: func() targets.Backlog {
				if baseline.Load() {
					return b
				}
				return targets.Backlog{}
			}}
			m, h := do(t, t.Context(), toy, plan(), hook{"chaos", func() { baseline.Store(true) }})
			assert.Empty(t, m.Error)
			assert.Equal(t, want, endOf(h, "quiesce"))
		})
	}
}

func TestAStoppedRunIsAborted(t *testing.T) {
	for _, phase := range []string{"start", "baseline", "chaos", "heal", "quiesce", "observe"} {
		t.Run(phase, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			pause := faults.Spec{ID: "f1", Kind: "pause", Component: "toy", At: 0, For: 10 * time.Second}
			p := plan()
			if phase == "chaos" { // with a fault in force, that must be undone
				p = plan(pause)
			}
			m, h := do(t, ctx, &toyTarget{}, p, hook{phase, cancel})
			assert.Contains(t, m.Aborted, phase)
			assert.Empty(t, m.Error)
			for i := range h.Len() {
				if e := h.Event(i); e.Kind == history.KindFault && e.Outcome == history.OutcomeConfirmed {
					assert.Contains(t, texts(h, history.KindFault), "healed")
				}
			}
		})
	}
}

// A stop condition ends the load and the fault in force; the target still comes to rest, is observed, and the history sealed.
func TestAStopConditionEndsTheLoad(t *testing.T) {
	pause := faults.Spec{ID: "f1", Kind: "pause", Component: "toy", At: 0, For: 20 * time.Second}
	later := faults.Spec{ID: "f2", Kind: "crash", Component: "toy", At: 25 * time.Second}
	p := plan(pause, later)
	p.Workload.Phases[0].For = 30 * time.Second // far longer than the test
	var chaos atomic.Bool
	var asked atomic.Int32 // since the load began
	watch := func(e history.Event, now func() time.Duration) string {
		assert.Positive(t, now())
		if chaos.Load() && e.Kind == history.KindInvoke && asked.Add(1) >= 20 {
			return "enough of it"
		}
		if !chaos.Load() {
			return "too early to end anything"
		}
		return ""
	}
	notes := &noted{hook: hook{"chaos", func() { chaos.Store(true) }}}
	began := time.Now()
	m, h := do(t, t.Context(), &toyTarget{}, p, notes, func(o *runner.Options) { o.Watch = watch })
	assert.Less(t, time.Since(began), 20*time.Second)
	assert.Regexp(t, `^enough of it, [0-9.]+m?s into the run$`, m.Aborted)
	assert.Empty(t, m.Error)
	assert.Equal(t, []string{"start: end", "baseline: end", "chaos: end", "heal: end", "quiesce: end", "observe: end"}, phases(h))
	assert.Contains(t, endOf(h, "chaos"), "ended early")
	assert.Equal(t, "settled", endOf(h, "quiesce"))
	assert.Contains(t, texts(h, history.KindFault), "healed")
	assert.Contains(t, notes.all(), "the load is ended early: enough of it")
	said := false
	for i := range h.Len() {
		e := h.Event(i)
		said = said || e.Kind == history.KindNote && e.Op == "aborted" && strings.Contains(e.Value, "enough of it")
	}
	assert.True(t, said, "the history tells why")
}

func texts(h *history.History, kind history.Kind) string {
	var b strings.Builder
	for i := range h.Len() {
		if e := h.Event(i); e.Kind == kind {
			b.WriteString(e.Outcome.String() + " ")
		}
	}
	return b.String()
}

// hook calls back when a phase begins.
type hook struct {
	phase string
	call  func()
}

func (h hook) Phase(name, _ string) {
	if name == h.phase {
		h.call()
	}
}
func (hook) Fault(_, _, _, _ string) {}
func (hook) Counts(runner.Counts)    {}
func (hook) Note(string)             {}
