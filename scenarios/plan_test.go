package scenarios

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/wreckon/wreckon/faults"
)

func parse(t require.TestingT, src string) *Scenario {
	s, problems := Parse("test.yaml", []byte(src), words())
	require.Empty(t, problems, "%v", problems)
	return s
}

func TestASeedGivesOnePlan(t *testing.T) {
	s := parse(t, whole)
	before := parse(t, whole)
	first, again := s.Plan(7, "some-defect"), s.Plan(7, "some-defect")
	assert.Equal(t, first, again)
	assert.Equal(t, before, s, "planning changes nothing in the scenario")
	assert.Equal(t, "some-defect", first.Defect)
	assert.NotEqual(t, first.Faults[0].At, s.Plan(8, "").Faults[0].At)

	again.Workload.Phases[0].Rate, again.Workload.Mix["happy"] = 1, 1
	again.Guarantees[0], again.Require[0] = "x", "x"
	again.Faults[9].Components[0] = "x"
	assert.Equal(t, first, s.Plan(7, "some-defect"), "plans share nothing that one of them could change in another")
}

// These figures stand in no file but this one: if they change, seeds that people have written down mean something else.
func TestWhatASeedMeansStaysTheSame(t *testing.T) {
	plan := parse(t, whole).Plan(42, "")
	assert.Equal(t, []time.Duration{2342 * time.Millisecond, 670 * time.Millisecond, 4384 * time.Millisecond, 816 * time.Millisecond},
		[]time.Duration{plan.Faults[0].At, plan.Faults[1].For, plan.Faults[2].At, plan.Faults[2].For})
}

// A range changed in one fault must not move any other: otherwise no seed survives an edit.
func TestFaultsDrawApart(t *testing.T) {
	src := func(at string) string {
		return "scenario: a\nworkload: {orders: {rate: 1/s, for: 9s}}\nfaults:\n" +
			"  - {crash: relay, at: " + at + "}\n  - {crash: saga, at: 1s..8s, restart: 1ms..999ms}\n"
	}
	narrow, wide := parse(t, src("1s")).Plan(5, ""), parse(t, src("1s..8s")).Plan(5, "")
	assert.Equal(t, narrow.Faults[1], wide.Faults[1])
	assert.NotEqual(t, wide.Faults[0].At, wide.Faults[1].At)
}

func TestDrawsStayInTheirRange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ms := rapid.IntRange(0, 5000)
		from, width := ms.Draw(t, "from"), ms.Draw(t, "width")
		held := rapid.IntRange(1, 2000).Draw(t, "held")
		src := fmt.Sprintf("scenario: a\nworkload: {orders: {rate: 1/s, for: 20s}}\nfaults:\n  - {pause: relay, at: %dms..%dms, for: %dms..%dms}\n",
			from, from+width, held, 2*held)
		f := parse(t, src).Plan(rapid.Uint64().Draw(t, "seed"), "").Faults[0]
		if at := int(f.At / time.Millisecond); at < from || at > from+width {
			t.Fatalf("at %v is not between %dms and %dms", f.At, from, from+width)
		}
		if lasts := int(f.For / time.Millisecond); lasts < held || lasts > 2*held {
			t.Fatalf("for %v is not between %dms and %dms", f.For, held, 2*held)
		}
	})
}

func TestBothEndsOfARangeAreDrawn(t *testing.T) {
	s := parse(t, "scenario: a\nworkload: {orders: {rate: 1/s, for: 9s}}\nfaults:\n  - {crash: relay, at: 1ms..3ms}\n")
	seen := map[time.Duration]bool{}
	for seed := range uint64(100) {
		seen[s.Plan(seed, "").Faults[0].At] = true
	}
	assert.Len(t, seen, 3)
}

func TestAPlanSurvivesItsFile(t *testing.T) {
	plan := parse(t, whole).Plan(7, "some-defect")
	text, err := json.Marshal(plan)
	require.NoError(t, err)
	var back Plan
	require.NoError(t, json.Unmarshal(text, &back))
	assert.Equal(t, plan, back)
	assert.NoError(t, back.Validate())
}

func TestValidate(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*Plan)
		want  string
	}{
		"format":       {func(p *Plan) { p.Format = 2 }, "plan has format 2: this version reads format 1"},
		"scenario":     {func(p *Plan) { p.Scenario = "" }, "names no scenario"},
		"target":       {func(p *Plan) { p.Target = "" }, "names no target"},
		"load":         {func(p *Plan) { p.Workload.Phases = nil }, "has no load"},
		"workload":     {func(p *Plan) { p.Workload.Attempts = 99 }, "workload: attempts: 99 is out of range"},
		"quiesce":      {func(p *Plan) { p.Quiesce = 0 }, "quiesce: 0s is no deadline"},
		"ids":          {func(p *Plan) { p.Faults[1].ID = "f1" }, `faults[1]: id "f1" is empty or taken`},
		"kind":         {func(p *Plan) { p.Faults[0].Kind = "" }, "fault f1: has no kind"},
		"aim":          {func(p *Plan) { p.Faults[0].Component = "" }, "fault f1: is aimed at nothing"},
		"negative":     {func(p *Plan) { p.Faults[0].At = -1 }, "fault f1: at -1ns for 200ms is no time"},
		"late":         {func(p *Plan) { p.Faults[0].At = time.Minute }, "fault f1: begins at 1m0s, when the load of 8s is over"},
		"too long":     {func(p *Plan) { p.Faults[1].For = time.Minute }, "fault f2: holds until"},
		"both at once": {func(p *Plan) { p.Target, p.Quiesce = "", 0 }, "names no target\nquiesce"},
	} {
		t.Run(name, func(t *testing.T) {
			plan := parse(t, whole).Plan(1, "")
			require.NoError(t, plan.Validate())
			c.spoil(&plan)
			assert.ErrorContains(t, plan.Validate(), c.want)
		})
	}
}

func TestPrint(t *testing.T) {
	plan := parse(t, whole).Plan(42, "publish-before-commit")
	for name, got := range map[string]string{
		"testdata/plan.txt":   plan.String(),
		"testdata/marked.txt": plan.Marked("f2", "the probe was answered through relay <-> broker"),
	} {
		if *update {
			require.NoError(t, os.WriteFile(name, []byte(got), 0o644))
		}
		want, err := os.ReadFile(name)
		require.NoError(t, err)
		assert.Equal(t, string(want), got)
	}
	var b bytes.Buffer
	n, err := plan.WriteTo(&b)
	require.NoError(t, err)
	assert.Equal(t, plan.String(), b.String())
	assert.EqualValues(t, b.Len(), n)
	assert.Equal(t, plan.String(), plan.Marked("f99", "no such step"))
}

func TestEveryKindReadsAsASentence(t *testing.T) {
	for want, spec := range map[string]faults.Spec{
		"crash relay and start again after 200ms":                {Kind: "crash", Component: "relay", For: 200 * time.Millisecond},
		"terminate api and start again at once with 2s to drain": {Kind: "terminate", Component: "api", Grace: 2 * time.Second},
		"rolling-restart api, relay and start again at once":     {Kind: "rolling-restart", Components: []string{"api", "relay"}},
		"pause payments for 1s":                                  {Kind: "pause", Component: "payments", For: time.Second},
		"partition relay <-> broker for 1s opening and closing every 100ms": {
			Kind: "partition", From: "relay", To: "broker", Direction: faults.Both, For: time.Second, Flap: 100 * time.Millisecond},
		"latency payments -> gateway by 300ms for 1s": {
			Kind: "latency", From: "payments", To: "gateway", Direction: faults.Requests, Delay: 300 * time.Millisecond, For: time.Second},
		"bandwidth broker -> relay to 16000 B/s for 1s": {
			Kind: "bandwidth", From: "relay", To: "broker", Direction: faults.Responses, Rate: 16_000, For: time.Second},
	} {
		assert.Equal(t, want, sentence(spec))
	}
}
