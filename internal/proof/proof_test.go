package proof

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/checkers"
)

// fell is a run in which guarantees fell, each proven at 5 s, after fault f2 which began at 3 s.
func fell(names ...string) Run {
	r := Run{Dir: "dir", Result: checkers.Result{Verdict: checkers.Violation, Faults: []checkers.FaultResult{
		{ID: "f1", Begin: time.Second}, {ID: "f2", Begin: 3 * time.Second}, {ID: "f3", Begin: 4 * time.Second},
	}}}
	for _, n := range names {
		r.Result.Guarantees = append(r.Result.Guarantees, checkers.Judgement{Guarantee: n, Status: checkers.Violated, Total: 1,
			Findings: []checkers.Finding{{Guarantee: n, Faults: []string{"f3", "f2"}, Story: []checkers.StoryLine{
				{T: 2 * time.Second}, {T: 4 * time.Second, Proof: true}, {T: 5 * time.Second, Proof: true}, {T: 9 * time.Second},
			}}}})
	}
	return r
}

func ended(v checkers.Verdict) Run {
	return Run{Dir: "dir", Result: checkers.Result{Verdict: v, Reasons: []string{"why"}}}
}

// times repeats a run.
func times(n int, r Run) (runs []Run) {
	for range n {
		runs = append(runs, r)
	}
	return runs
}

func cell(defect, falls string, runs ...[]Run) *Cell {
	c := &Cell{Defect: defect, Falls: falls, Scenario: "s", Placed: ByTime}
	for _, rs := range runs {
		for _, r := range rs {
			c.Runs++
			c.Count(r)
		}
	}
	return c
}

// TestWhatAMatrixComesTo holds what a proof is: neither a survivor, nor a false alarm, nor runs that came to nothing are one.
func TestWhatAMatrixComesTo(t *testing.T) {
	bug := func(runs ...[]Run) []*Cell { return []*Cell{cell("bug", "g", runs...)} }
	right := func(runs ...[]Run) []*Cell { return []*Cell{cell("", "", runs...)} }
	pass, failed := ended(checkers.Pass), Run{Err: errors.New("no binary")}
	for name, c := range map[string]struct {
		cells []*Cell
		want  Outcome
	}{
		"found":                                   {bug(times(20, fell("g"))), Proven},
		"found in nearly every run":               {bug(times(19, fell("g")), times(1, pass)), Proven},
		"found too seldom":                        {bug(times(18, fell("g")), times(2, pass)), Survived},
		"never found, in one run":                 {bug(times(1, pass)), Survived},
		"found among others":                      {bug(times(20, fell("other", "g"))), Proven},
		"found by another guarantee":              {bug(times(20, fell("other"))), WrongOne},
		"found by another too often":              {bug(times(18, fell("g")), times(2, fell("other"))), WrongOne},
		"an inconclusive run found nothing":       {bug(times(18, fell("g")), times(2, ended(checkers.Inconclusive))), Survived},
		"a run that came to nothing is no find":   {bug(times(20, failed)), NotMade},
		"nor is one whose target did not start":   {bug(times(20, ended(checkers.Errored))), NotMade},
		"one of them is enough":                   {bug(times(19, fell("g")), times(1, failed)), NotMade},
		"and it hides no survivor":                {bug(times(10, pass), times(10, failed)), Survived},
		"the correct system passes":               {right(times(50, pass)), Proven},
		"one false alarm":                         {right(times(49, pass), times(1, fell("g"))), FalseAlarm},
		"a false alarm is graver than a survivor": {append(bug(times(20, pass)), right(times(1, fell("g")))...), FalseAlarm},
		"nearly every one passes":                 {right(times(48, pass), times(2, ended(checkers.Missed))), Proven},
		"too few came to a pass":                  {right(times(47, pass), times(3, ended(checkers.Missed))), NoPass},
		"of many scenarios one may fall short": {append(right(times(1, pass), times(1, ended(checkers.Missed))),
			right(times(38, pass))...), Proven},
		"but not in most of its runs": {append(right(times(1, pass), times(2, ended(checkers.Missed))),
			right(times(100, pass))...), NoPass},
		"one run, and not a pass":                    {right(times(1, ended(checkers.Inconclusive))), NoPass},
		"the correct system could not be run at all": {right(times(3, ended(checkers.Errored))), NotMade},
	} {
		m := &Matrix{Cells: c.cells}
		got, problems := m.Judge(false)
		assert.Equal(t, c.want, got, name)
		assert.Equal(t, c.want == Proven, len(problems) == 0, name)
		var b strings.Builder
		require.NoError(t, m.Text(&b, false))
		assert.Contains(t, b.String(), c.want.Means, name)
		for _, p := range problems {
			assert.Contains(t, b.String(), "✗ "+p.Text, name)
		}
	}
}

// TestExitCodesAreTheirOwn: a script that asks why must get one answer. Where a verdict has the code, it means the same.
func TestExitCodesAreTheirOwn(t *testing.T) {
	same := map[int]Outcome{
		checkers.Pass.ExitCode(): Proven, checkers.Inconclusive.ExitCode(): NoPass,
		checkers.Errored.ExitCode(): NotMade, checkers.Aborted.ExitCode(): Stopped,
	}
	seen := map[int]bool{2: true, checkers.Violation.ExitCode(): true, checkers.Missed.ExitCode(): true}
	for _, o := range Outcomes {
		assert.False(t, seen[o.Code], "%d is taken: %s", o.Code, o.Means)
		seen[o.Code] = true
		if o.Code <= 6 {
			assert.Equal(t, same[o.Code], o)
		}
	}
}

func TestAStoppedMatrixJudgesOnlyWhatItHas(t *testing.T) {
	c := cell("bug", "g", times(1, ended(checkers.Pass)))
	c.Runs = 20
	m := &Matrix{Cells: []*Cell{c, cell("", "", times(1, ended(checkers.Pass)))}, Guarantees: []string{"h"}, Stopped: true}
	got, problems := m.Judge(true)
	assert.Equal(t, Stopped, got)
	assert.Len(t, problems, 1)
	m.Cells[1].Count(fell("g"))
	got, _ = m.Judge(false)
	assert.Equal(t, FalseAlarm, got, "what was seen was seen")
}

func TestAGuaranteeWithoutADefectIsNamed(t *testing.T) {
	m := &Matrix{Guarantees: []string{"g", "h"}, Cells: []*Cell{cell("bug", "g", times(20, fell("g", "h")))}}
	assert.Equal(t, []string{"h"}, m.Unproven(), "that it fell beside another proves nothing of it")
	got, _ := m.Judge(false)
	assert.Equal(t, Proven, got)
	got, _ = m.Judge(true)
	assert.Equal(t, Unproven, got)
	for _, write := range []func(*strings.Builder) error{
		func(b *strings.Builder) error { return m.Text(b, false) },
		func(b *strings.Builder) error { return m.Markdown(b, About{}, false) },
	} {
		var b strings.Builder
		require.NoError(t, write(&b))
		assert.Contains(t, b.String(), "Not proven by any defect yet (1): h.")
	}

	m.Cells[0] = cell("bug", "g", times(10, fell("g")), times(10, ended(checkers.Pass)))
	assert.Equal(t, []string{"g", "h"}, m.Unproven(), "a defect that mostly survives proves nothing")

	m.Part = true
	got, _ = m.Judge(true)
	assert.Equal(t, Survived, got)
	var b strings.Builder
	require.NoError(t, m.Text(&b, true))
	assert.Contains(t, b.String(), "is not judged")
	assert.NotContains(t, b.String(), "Not proven")
}

func TestPointsAreNeededWhereNoClockFindsTheDefect(t *testing.T) {
	placed := func(defect, scenario, how string) *Cell {
		c := cell(defect, "g", times(20, fell("g")))
		c.Scenario, c.Placed = scenario, how
		return c
	}
	m := &Matrix{Cells: []*Cell{
		placed("a", "x", AtPoints), placed("a", "y", AtPoints), placed("b", "x", AtPoints), placed("b", "z", ByTime),
		{Scenario: "x"}, {Scenario: "quiet"},
	}}
	assert.Equal(t, []string{"a"}, m.Exact())
	assert.Equal(t, []string{"quiet"}, m.Idle())
}

// TestTimeToDetection: from the first fault that the finding has to do with to its last proof, not to the end of its story.
func TestTimeToDetection(t *testing.T) {
	c := cell("bug", "g", times(3, fell("g")))
	assert.Equal(t, []time.Duration{2 * time.Second, 2 * time.Second, 2 * time.Second}, c.found)
	assert.Equal(t, "2.0 s", median(c.found))

	unhurt := fell("g")
	unhurt.Result.Guarantees[0].Findings[0].Faults = nil
	c = cell("bug", "g", times(1, unhurt))
	assert.Equal(t, []time.Duration{5 * time.Second}, c.found, "without a fault: from the start of the run")

	untold := fell("g")
	untold.Result.Guarantees[0].Findings = nil
	c = cell("bug", "g", times(1, untold))
	assert.True(t, c.proves(), "it fell")
	assert.Equal(t, "–", median(c.found), "nobody knows when")
}

func TestEveryRunThatDidNotEndAsItShouldIsListed(t *testing.T) {
	m := &Matrix{Cells: []*Cell{
		cell("bug", "g", times(19, fell("g")), times(1, Run{Dir: "runs/lost", Result: checkers.Result{Verdict: checkers.Pass}})),
		cell("", "", times(1, Run{Dir: "runs/late", Result: checkers.Result{Verdict: checkers.Missed, Reasons: []string{"too slow"}}})),
		cell("", "", times(1, Run{Err: errors.New("no such file")})),
	}}
	var b strings.Builder
	require.NoError(t, m.Text(&b, false))
	for _, want := range []string{"runs/lost", "runs/late: missed: too slow", "no such file", "19 of 20", "missed 1"} {
		assert.Contains(t, b.String(), want)
	}
	assert.NotContains(t, b.String(), "dir:", "the others are as they should be")
}
