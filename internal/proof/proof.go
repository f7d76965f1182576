// Package proof turns many runs into a statement about the checkers: which deliberate defect was found by which guarantee, how often and
// how soon, and whether any guarantee spoke on the system that is right. A tester that nobody has tested says nothing by its silence.
//
// It must never know how a run is made.
package proof

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/wreckon/wreckon/checkers"
)

// nearlyEvery is the share of runs in which a defect must be found, and of all runs in which the correct system must come to a pass. The rest
// allows for a machine that was busy with something else: a run that could not be judged says so and is counted, never hidden.
const nearlyEvery = 0.95

// needed is in how many of n runs something must have happened: in nearly every one. One miss in five runs or more says nothing against
// that; fewer runs may not miss at all.
func needed(n int) int {
	need := int(math.Ceil(nearlyEvery * float64(n)))
	if n >= 5 {
		need = min(need, n-1)
	}
	return need
}

// How the faults of a scenario are placed.
const (
	ByTime   = "by time"
	AtPoints = "at points"
	Both     = "both"
)

// Matrix is what is run, and what became of it.
type Matrix struct {
	Cells      []*Cell
	Guarantees []string // that some defect should prove; nil: those that some run could judge
	Part       bool     // some cells were left out: nothing can be said of what they would have shown
	Stopped    bool     // before all runs were made
}

// Cell is a scenario on a system: one with a defect, or the correct one.
type Cell struct {
	Defect   string // "": the correct system
	Falls    string // the guarantee that the defect must bring down
	Scenario string
	Placed   string
	Runs     int           // asked for
	Takes    time.Duration // about, of one run on an idle machine, as planned

	begun    int // runs
	verdicts map[checkers.Verdict]int
	fell     map[string]int  // guarantee -> runs in which it fell
	any      int             // runs in which one fell
	notMade  []string        // runs that came to nothing, and why
	odd      []string        // runs that did not end as they should, and how
	took     []time.Duration // of a run
	found    []time.Duration // from the first fault that had to do with it to the evidence
	judged   []string        // guarantees that a run could judge
}

// Run is what one run came to.
type Run struct {
	Dir    string
	Result checkers.Result
	Err    error // it came to no result
	Took   time.Duration
}

// Count adds a run to the cell, and says whether it ended as it should.
//
// A run that came to nothing, because the target did not start or the harness failed, is counted as that: it has neither found a defect
// nor missed it.
func (c *Cell) Count(r Run) bool {
	switch {
	case r.Err != nil:
		c.notMade = append(c.notMade, r.Err.Error())
		return false
	case r.Result.Verdict == checkers.Errored:
		c.notMade = append(c.notMade, r.Dir+": "+strings.Join(r.Result.Reasons, "; "))
		return false
	}
	if c.verdicts == nil {
		c.verdicts, c.fell = map[checkers.Verdict]int{}, map[string]int{}
	}
	c.verdicts[r.Result.Verdict]++
	c.took = append(c.took, r.Took)
	well := c.weigh(r.Result)
	if !well {
		c.odd = append(c.odd, fmt.Sprintf("%s: %s: %s", r.Dir, r.Result.Verdict, strings.Join(r.Result.Reasons, "; ")))
	}
	return well
}

// weigh counts what fell, and says whether that is what should have fallen.
func (c *Cell) weigh(r checkers.Result) bool {
	spoke, found := false, false
	for _, j := range r.Guarantees {
		if j.Status != checkers.NotTested && !slices.Contains(c.judged, j.Guarantee) {
			c.judged = append(c.judged, j.Guarantee)
		}
		if j.Status != checkers.Violated {
			continue
		}
		spoke = true
		c.fell[j.Guarantee]++
		if j.Guarantee == c.Falls {
			found = true
			if after, ok := detection(j, r.Faults); ok {
				c.found = append(c.found, after)
			}
		}
	}
	if spoke {
		c.any++
	}
	if c.Defect == "" {
		return r.Verdict == checkers.Pass
	}
	return found
}

// detection is how long it took from the first fault that a judgement's first finding has to do with, or without one from the start of the
// run, until the last event that proves it.
func detection(j checkers.Judgement, faults []checkers.FaultResult) (time.Duration, bool) {
	if len(j.Findings) == 0 {
		return 0, false
	}
	first := j.Findings[0] // they are in the order of their last proof
	proven := time.Duration(-1)
	for _, l := range first.Story {
		if l.Proof {
			proven = max(proven, l.T)
		}
	}
	if proven < 0 {
		return 0, false
	}
	begun := time.Duration(-1)
	for _, f := range faults {
		if slices.Contains(first.Faults, f.ID) && f.Begin <= proven && (begun < 0 || f.Begin < begun) {
			begun = f.Begin
		}
	}
	return proven - max(begun, 0), true
}

// Most is how many runs are asked for of the defect that has the most.
func (m *Matrix) Most() (n int) {
	for _, c := range m.Cells {
		if c.Defect != "" {
			n = max(n, c.Runs)
		}
	}
	return n
}

// made is how many runs came to a result.
func (c *Cell) made() int {
	n := 0
	for _, k := range c.verdicts {
		n += k
	}
	return n
}

// proves tells that the cell's guarantee found its defect in nearly every run.
func (c *Cell) proves() bool {
	return c.Defect != "" && c.made() > 0 && c.fell[c.Falls] >= needed(c.made())
}

// wanted are the guarantees that some defect should prove.
func (m *Matrix) wanted() []string {
	if m.Guarantees != nil {
		return m.Guarantees
	}
	var names []string
	for _, c := range m.Cells {
		for _, g := range c.judged {
			if !slices.Contains(names, g) {
				names = append(names, g)
			}
		}
	}
	return names
}

// Unproven lists the guarantees that no defect of the matrix has shown to see anything.
func (m *Matrix) Unproven() []string {
	var names []string
	for _, g := range m.wanted() {
		if !slices.ContainsFunc(m.Cells, func(c *Cell) bool { return c.Falls == g && c.proves() }) {
			names = append(names, g)
		}
	}
	return names
}

// Idle lists the scenarios that no defect of the matrix says it is found by.
func (m *Matrix) Idle() []string {
	var names []string
	for _, c := range m.Cells {
		busy := func(d *Cell) bool { return d.Defect != "" && d.Scenario == c.Scenario }
		if c.Defect == "" && !slices.ContainsFunc(m.Cells, busy) {
			names = append(names, c.Scenario)
		}
	}
	return names
}

// Exact lists the defects that were found, and only where the faults are placed at points: no clock would have hit them.
func (m *Matrix) Exact() []string {
	var exact []string
	for _, c := range m.Cells {
		elsewhere := func(d *Cell) bool { return d.Defect == c.Defect && d.Placed != AtPoints }
		if c.proves() && !slices.Contains(exact, c.Defect) && !slices.ContainsFunc(m.Cells, elsewhere) {
			exact = append(exact, c.Defect)
		}
	}
	return exact
}

func median(of []time.Duration) string {
	if len(of) == 0 {
		return "–"
	}
	sorted := slices.Sorted(slices.Values(of))
	return fmt.Sprintf("%.1f s", sorted[len(sorted)/2].Seconds())
}
