package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wreckon/wreckon/faults"
	"github.com/wreckon/wreckon/internal/proof"
	"github.com/wreckon/wreckon/reference"
	"github.com/wreckon/wreckon/scenarios"
)

// matrix is what has to be run: each defect under each scenario that it says it is found by, and every shipped scenario on the correct
// system; or the part of it that was asked for.
func matrix(f proveFlags) (*proof.Matrix, error) {
	m := &proof.Matrix{Guarantees: namesOf("guarantees"), Part: len(f.defects)+len(f.scenarios) > 0}
	for _, name := range f.defects {
		if !slices.Contains(defectNames(), name) {
			return nil, unknown("defect", name, defectNames(), "known: "+strings.Join(defectNames(), ", "))
		}
	}
	for _, name := range f.scenarios {
		if !slices.Contains(shippedNames(), name) {
			return nil, unknown("shipped scenario", name, shippedNames(), "wreckon list scenarios shows them")
		}
	}
	wanted := func(name string, of []string) bool { return len(of) == 0 || slices.Contains(of, name) }
	var shows []string // scenarios
	for _, d := range reference.Defects() {
		for _, s := range d.Reveals {
			if wanted(d.Name, f.defects) && wanted(s, f.scenarios) {
				m.Cells = append(m.Cells, &proof.Cell{Defect: d.Name, Falls: d.Falls, Scenario: s, Runs: f.runs})
				shows = append(shows, s)
			}
		}
	}
	if len(f.defects) > 0 && len(shows) == 0 {
		return nil, usage(errors.New("none of these defects is to be found by these scenarios; wreckon list defects says by which"))
	}
	for _, s := range shippedNames() {
		if wanted(s, f.scenarios) && (len(f.defects) == 0 || slices.Contains(shows, s)) {
			m.Cells = append(m.Cells, &proof.Cell{Scenario: s, Runs: f.seeds})
		}
	}
	for _, c := range m.Cells {
		s, err := loadScenario(c.Scenario)
		if err != nil {
			return nil, usage(err)
		}
		p := s.Plan(f.seed, c.Defect)
		c.Placed, c.Takes = placed(p), overhead
		for _, phase := range p.Workload.Phases {
			c.Takes += phase.For
		}
	}
	if f.within > 0 {
		fit(m, f.within*time.Duration(f.parallel))
	}
	return m, nil
}

// overhead is about how long a run takes beside its load: starting, a baseline, draining, judging.
const overhead = 1500 * time.Millisecond

// fewest runs of a defect say something of how surely it is found.
const fewest = 5

// fit takes runs from all defects alike until the matrix takes no more than so much of one run at a time, or few are left.
func fit(m *proof.Matrix, within time.Duration) {
	for most := m.Most(); m.Takes() > within && most > fewest; most-- {
		for _, c := range m.Cells {
			if c.Defect != "" {
				c.Runs = min(c.Runs, most-1)
			}
		}
	}
}

// placed says how a plan's faults find their instant.
func placed(p scenarios.Plan) string {
	timed := func(s faults.Spec) bool { return s.When == nil }
	pointed := func(s faults.Spec) bool { return s.When != nil }
	switch {
	case !slices.ContainsFunc(p.Faults, pointed):
		return proof.ByTime
	case !slices.ContainsFunc(p.Faults, timed):
		return proof.AtPoints
	}
	return proof.Both
}

// announce says what would be run.
func announce(cmd *cobra.Command, f proveFlags, m *proof.Matrix) error {
	runs := 0
	for _, c := range m.Cells {
		runs += c.Runs
		system := "on the correct system"
		if c.Defect != "" {
			system = fmt.Sprintf("with %s: %s must fall", c.Defect, c.Falls)
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%4d × %s %s\n", c.Runs, c.Scenario, system)
	}
	about := (m.Takes() / time.Duration(f.parallel)).Round(time.Minute / 2)
	fmt.Fprintf(cmd.OutOrStdout(), "%d runs, %d at once: about %v on an idle machine\n", runs, f.parallel, about)
	return nil
}
