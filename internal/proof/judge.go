package proof

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/wreckon/wreckon/checkers"
)

// Outcome is what a matrix comes to.
type Outcome struct {
	Code  int // the exit code
	Means string
}

// The outcomes. Where a code is also a verdict's, it means the same; 1 and 6 have no meaning here.
var (
	Proven     = Outcome{0, "every defect was found by its guarantee in nearly every run, and none spoke on the correct system"}
	FalseAlarm = Outcome{10, "a guarantee spoke on the correct system, once is enough"}
	Survived   = Outcome{11, "a defect survived: in too many runs nothing was found"}
	WrongOne   = Outcome{12, "a defect was found, but by another guarantee than the one that must"}
	Stopped    = Outcome{5, "somebody stopped it before all runs were made"}
	NotMade    = Outcome{4, "runs could not be made: the target did not start, or the harness failed"}
	NoPass     = Outcome{3, "the correct system came to a pass too seldom"}
	Unproven   = Outcome{13, "a guarantee is proven by no defect (with --complete)"}
)

// Outcomes are all of them, the gravest first: of several, it decides.
var Outcomes = []Outcome{FalseAlarm, Survived, WrongOne, Stopped, NotMade, NoPass, Unproven, Proven}

// Problem is one reason why a matrix proves less than it should.
type Problem struct {
	Outcome
	Text string
}

// Judge says what the matrix comes to, and why, the gravest first. complete makes it a problem that a guarantee is proven by no defect.
func (m *Matrix) Judge(complete bool) (Outcome, []Problem) {
	var all []Problem
	for _, c := range m.Cells {
		all = append(all, c.problems(m.Stopped)...)
	}
	if m.Stopped {
		all = append(all, Problem{Stopped, "stopped before all runs were made: what is missing is not judged"})
	} else {
		all = append(all, m.passes()...)
	}
	if complete && !m.Part && !m.Stopped {
		for _, g := range m.Unproven() {
			all = append(all, Problem{Unproven, fmt.Sprintf("no defect proves that %s sees anything", g)})
		}
	}
	slices.SortStableFunc(all, func(a, b Problem) int { return cmp.Compare(gravity(a.Outcome), gravity(b.Outcome)) })
	if len(all) == 0 {
		return Proven, nil
	}
	return all[0].Outcome, all
}

func gravity(o Outcome) int { return slices.Index(Outcomes, o) }

// problems are those of one cell. Of a matrix that was stopped only what is there counts, not what is missing.
func (c *Cell) problems(stopped bool) (all []Problem) {
	add := func(o Outcome, format string, args ...any) {
		all = append(all, Problem{o, fmt.Sprintf(format, args...)})
	}
	made := c.made()
	need := needed(made)
	if c.Defect == "" && c.verdicts[checkers.Violation] > 0 {
		add(FalseAlarm, "false alarm: %s on the correct system: %s", c.Scenario, tally(c.fell, ""))
	}
	if stopped {
		return all
	}
	switch {
	case made == 0:
	case c.Defect == "" && 2*c.verdicts[checkers.Pass] < made:
		add(NoPass, "%s passed on the correct system in %d of %d runs, want half at least", c.Scenario, c.verdicts[checkers.Pass], made)
	case c.Defect == "" || c.proves():
	case c.any < need:
		add(Survived, "defect %s survived %s: %s found it in %d of %d runs, want %d", c.Defect, c.Scenario, c.Falls, c.fell[c.Falls], made, need)
	default:
		add(WrongOne, "defect %s was found in %s by the wrong guarantee: %s fell in %d of %d runs, want %d; instead: %s",
			c.Defect, c.Scenario, c.Falls, c.fell[c.Falls], made, need, tally(c.fell, c.Falls))
	}
	if missing := c.Runs - made; missing > 0 {
		add(NotMade, "%d of %d runs of %s could not be made", missing, c.Runs, c.name())
	}
	return all
}

// passes asks whether the correct system came to a pass in nearly every run, all scenarios together: there may be few runs of each.
func (m *Matrix) passes() []Problem {
	made, passed := 0, 0
	for _, c := range m.Cells {
		if c.Defect == "" {
			made += c.made()
			passed += c.verdicts[checkers.Pass]
		}
	}
	if need := needed(made); passed < need {
		return []Problem{{NoPass, fmt.Sprintf("the correct system passed in %d of %d runs, want %d", passed, made, need)}}
	}
	return nil
}

func (c *Cell) name() string {
	if c.Defect == "" {
		return c.Scenario + " on the correct system"
	}
	return c.Scenario + " with " + c.Defect
}

// tally says how often each of them came: "complete-audit 3, no-lost-work 1"; but leaves one out.
func tally[K ~string](of map[K]int, but K) string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(of)) {
		if k != but {
			parts = append(parts, fmt.Sprintf("%s %d", k, of[k]))
		}
	}
	return strings.Join(parts, ", ")
}
