package main

import (
	"bytes"
	"slices"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/checkers"
	"github.com/wreckon/wreckon/reports"
)

// What was stopped between two runs is no pass, though each run that was made is one.
func TestRunsThatWereNotMadeAreNoPass(t *testing.T) {
	for name, c := range map[string]struct {
		made  []checkers.Verdict
		asked int
		want  int
	}{
		"all":                   {[]checkers.Verdict{checkers.Pass, checkers.Pass}, 2, 0},
		"stopped":               {[]checkers.Verdict{checkers.Pass}, 2, checkers.Aborted.ExitCode()},
		"stopped, with finding": {[]checkers.Verdict{checkers.Pass, checkers.Violation}, 3, checkers.Violation.ExitCode()},
	} {
		t.Run(name, func(t *testing.T) {
			var runs []reports.Run
			many := &campaign{runs: c.asked, verdicts: map[checkers.Verdict]int{}}
			for _, v := range c.made {
				runs = append(runs, reports.Run{Result: checkers.Result{Verdict: v}})
				many.verdicts[v]++
			}
			assert.Equal(t, c.want, many.worst(true).ExitCode())
			cmd := &cobra.Command{}
			var out bytes.Buffer
			cmd.SetOut(&out)
			cmd.SetErr(&out)
			err := finish(cmd, runFlags{output: "json"}, runs, c.asked)
			if c.want == 0 {
				require.NoError(t, err)
				return
			}
			var exit exitError
			require.ErrorAs(t, err, &exit)
			assert.Equal(t, c.want, exit.code)
			assert.Contains(t, out.String(), "stopped after")
		})
	}
}

// A target that runs a PostgreSQL of this machine cannot do without; nobody else needs one.
func TestDoctorAsksForPostgreSQLWhereTheTargetNeedsIt(t *testing.T) {
	for _, needed := range []bool{false, true} {
		all := probes("runs", "process", needed)
		i := slices.IndexFunc(all, func(p probe) bool { return p.name == "postgresql" })
		require.GreaterOrEqual(t, i, 0)
		assert.Equal(t, needed, all[i].optional == "")
	}
}

// Every defect can be switched on in the target of each scenario that it says it is found by, or the proof could not be made.
func TestEveryDefectIsOneOfTheTargetsThatShowIt(t *testing.T) {
	for _, d := range referenceDefects() {
		for _, name := range d.Reveals {
			s, err := loadScenario(name)
			require.NoError(t, err)
			target, err := targetOf(s.Plan(1, d.Name))
			require.NoError(t, err)
			assert.NoError(t, canMistake(target, d.Name, "process"), "%s in %s", d.Name, name)
		}
	}
}
