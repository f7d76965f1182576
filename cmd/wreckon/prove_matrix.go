package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wreckon/wreckon/faults"
	"github.com/wreckon/wreckon/internal/proof"
	"github.com/wreckon/wreckon/scenarios"
	"github.com/wreckon/wreckon/targets"
)

// subject is what is proven with.
type subject struct {
	name       string // of the target; "": the reference systems
	defects    []targets.Defect
	scenarios  []string // that the correct system is run under
	guarantees []string // that some defect should prove; nil: those that some run could judge
	vocabulary scenarios.Vocabulary
}

// subjectOf reads who is proven with.
func subjectOf(f proveFlags) (subject, error) {
	if f.target == "" {
		return subject{defects: referenceDefects(), scenarios: shippedNames(), guarantees: namesOf("guarantees"), vocabulary: vocabulary()}, nil
	}
	if !scenarios.IsPath(f.target) {
		return subject{}, usage(fmt.Errorf("--target %s: want a target file; the defects of all reference systems are proven with without it", f.target))
	}
	t, err := loadTarget(f.target)
	if err == nil {
		err = confirmed(t, f.foreign)
	}
	if err != nil {
		return subject{}, usage(err)
	}
	if len(t.Defects) == 0 {
		return subject{}, usage(fmt.Errorf("%s declares no defects, so there is nothing to prove with: docs/targets.md#defects says how", f.target))
	}
	s := subject{name: t.Name, defects: t.Defects, vocabulary: vocabularyFor(f.target)}
	for _, d := range t.Defects {
		s.add(d.Reveals)
	}
	s.add(f.scenarios)
	return s, nil
}

// add adds scenarios that are not there yet.
func (s *subject) add(names []string) {
	for _, name := range names {
		if !slices.Contains(s.scenarios, name) {
			s.scenarios = append(s.scenarios, name)
		}
	}
}

// matrix is what has to be run: each defect under each scenario that it says it is found by, and every scenario on the correct system; or
// the part of it that was asked for.
func matrix(f proveFlags) (*proof.Matrix, error) {
	if f.target != "" {
		for i, name := range f.scenarios {
			f.scenarios[i] = filepath.Clean(name) // as those that the target file names
		}
	}
	from, err := subjectOf(f)
	if err != nil {
		return nil, err
	}
	m := &proof.Matrix{Guarantees: from.guarantees, Part: len(f.defects)+len(f.scenarios) > 0}
	names := namesOfDefects(from.defects)
	for _, name := range f.defects {
		if !slices.Contains(names, name) {
			return nil, unknown("defect", name, names, "known: "+strings.Join(names, ", "))
		}
	}
	for _, name := range f.scenarios {
		if !slices.Contains(from.scenarios, name) {
			return nil, unknown("shipped scenario", name, from.scenarios, "wreckon list scenarios shows them")
		}
	}
	wanted := func(name string, of []string) bool { return len(of) == 0 || slices.Contains(of, name) }
	var shows []string // scenarios
	for _, d := range from.defects {
		for _, s := range d.Reveals {
			if !wanted(d.Name, f.defects) || !wanted(s, f.scenarios) {
				continue
			}
			m.Cells = append(m.Cells, &proof.Cell{Defect: d.Name, Falls: d.Falls, Scenario: s, Runs: f.runs})
			shows = append(shows, s)
		}
	}
	if len(f.defects) > 0 && len(shows) == 0 {
		return nil, usage(errors.New("none of these defects is to be found by these scenarios; wreckon list defects says by which"))
	}
	for _, s := range from.scenarios {
		if wanted(s, f.scenarios) && (len(f.defects) == 0 || slices.Contains(shows, s)) {
			m.Cells = append(m.Cells, &proof.Cell{Scenario: s, Runs: f.seeds})
		}
	}
	for _, c := range m.Cells {
		s, err := loadScenarioIn(c.Scenario, from.vocabulary)
		if err != nil {
			return nil, usage(err)
		}
		env := environmentOf(f.env, s.Environment)
		of := slices.IndexFunc(from.defects, func(d targets.Defect) bool { return d.Name == c.Defect })
		if of >= 0 && !isThere(from.defects[of], env) {
			return nil, usage(errors.New(absent(from.defects[of], env)))
		}
		p := s.Plan(f.seed, c.Defect)
		c.Placed, c.Takes = placed(p), overhead+p.Workload.Duration()
	}
	if f.within > 0 {
		m.Fit(f.runs, fewest, f.within*time.Duration(f.parallel))
	}
	return m, nil
}

// overhead is about how long a run takes beside its load: starting, a baseline, draining, judging. It is the mean of the shipped scenarios, but for
// those on PostgreSQL, which take longer to start and to come to rest.
const overhead = 2 * time.Second

// fewest runs of a defect say something of how surely it is found.
const fewest = 5

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
	for _, c := range m.Cells {
		system := "on the correct system"
		if c.Defect != "" {
			system = fmt.Sprintf("with %s: %s must fall", c.Defect, c.Falls)
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%4d × %s %s\n", c.Runs, c.Scenario, system)
	}
	_, runs := m.Runs()
	fmt.Fprintf(cmd.OutOrStdout(), "%d runs, %d at once: about %v on an idle machine, and more where the target is slow to start or to come to rest;\n"+
		"as runs are made, it says what they really take\n", runs, f.parallel, rounded(m.Left()/time.Duration(f.parallel)))
	return nil
}
