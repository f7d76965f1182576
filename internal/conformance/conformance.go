// Package conformance tries out whether a target can do what is declared of it, by using it: first without faults, then ending and
// starting each of its components, one after the other. What it says is what a run against the target can judge, and what it cannot.
//
// It must never know any target by name.
package conformance

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/wreckon/wreckon/checkers"
	"github.com/wreckon/wreckon/faults"
	"github.com/wreckon/wreckon/history"
	"github.com/wreckon/wreckon/internal/rundir"
	"github.com/wreckon/wreckon/internal/runner"
	"github.com/wreckon/wreckon/scenarios"
	"github.com/wreckon/wreckon/targets"
	"github.com/wreckon/wreckon/workloads"
)

// Status is what came of trying an ability out.
type Status string

// The statuses of an ability.
const (
	Works    Status = "works"
	Broken   Status = "broken"   // it is declared, and does not do what was declared
	Unknown  Status = "unknown"  // it is declared, and nothing was seen of it
	Declined Status = "declined" // it is not declared: what needs it is not tested
)

// Ability is one thing that a target can be used for.
type Ability struct {
	Name   string
	Status Status
	Saw    string // what was seen, or why not
}

// Judged is a guarantee, and what it came to in the run that says most of it.
type Judged struct {
	checkers.Judgement
	Restarts bool // with components ended and started; false: without any fault
}

// Report is what trying a target out has shown.
type Report struct {
	Abilities  []Ability
	Guarantees []Judged
	Dirs       []string // of the runs
}

// Good tells that everything that is declared works, and that no guarantee was violated.
func (r Report) Good() bool {
	for _, a := range r.Abilities {
		if a.Status == Broken || a.Status == Unknown {
			return false
		}
	}
	for _, g := range r.Guarantees {
		if g.Status == checkers.Violated {
			return false
		}
	}
	return true
}

// Check tries a target out, in two runs. o.Target is the target; o.Plan is not used. The error is for what says nothing of the target: no
// run could be made.
func Check(ctx context.Context, o runner.Options) (Report, error) {
	var r Report
	quiet := &repeater{lingers: lingers}
	first := o
	first.Target = quiet.wrap(o.Target)
	first.Plan = plan(o.Target, "target-check", 2*time.Second, nil)
	seen, err := r.run(ctx, first)
	if err != nil {
		return r, err
	}
	t := tried{Target: o.Target, sighting: seen, repeats: quiet.counts()}
	r.Abilities = t.abilities()
	r.judge(seen, first.Plan, false)
	strikes := strikes(o.Target)
	if len(strikes) == 0 || !seen.started {
		return r, ctx.Err()
	}
	second := o
	last := strikes[len(strikes)-1]
	second.Plan = plan(o.Target, "target-check-restarts", last.At+last.For+spacing, strikes)
	if seen, err = r.run(ctx, second); err != nil {
		return r, err
	}
	r.Abilities = append(r.Abilities, restarts(seen, strikes)...)
	r.Abilities = append(r.Abilities, holes(seen, Declined, "in a run that ends what they come from, what rests on them is unknown")...)
	r.judge(seen, second.Plan, true)
	return r, ctx.Err()
}

const (
	spacing = 1500 * time.Millisecond // from one component's end to the next one's
	down    = 200 * time.Millisecond
	grace   = 5 * time.Second // for a component that claims nothing else
	rate    = 20
	lingers = time.Second // after a target was said to be idle, to see whether anything moves
)

// plan is a little load of everything there is, with these faults.
func plan(t targets.Target, name string, length time.Duration, strikes []faults.Spec) scenarios.Plan {
	w := workloads.Spec{Phases: []workloads.Phase{{Rate: rate, For: length}}, Reads: 0.5, Amends: 0.3, Late: 10 * time.Second, Timeout: 5 * time.Second, Mix: map[string]int{}}
	for _, class := range t.Mix {
		w.Mix[class] = 1
	}
	for _, op := range t.Lacks {
		switch op {
		case workloads.Read:
			w.Reads = 0
		case workloads.Amend:
			w.Amends = 0
		}
	}
	return scenarios.Plan{Format: scenarios.PlanFormat, Scenario: name, Target: t.Name, TargetFile: t.File, Seed: 1, Workload: w.Defaults(),
		Faults: strikes, Quiesce: 20 * time.Second}
}

// strikes end and start each component that allows it: by SIGTERM, by SIGKILL, and by holding it for a while.
func strikes(t targets.Target) []faults.Spec {
	var list []faults.Spec
	at := 300 * time.Millisecond
	for _, c := range t.Topology.Components {
		for _, kind := range []string{"terminate", "crash", "pause"} {
			if !c.Bears(kind) {
				continue
			}
			s := faults.Spec{ID: fmt.Sprintf("f%d", len(list)+1), Kind: kind, Component: c.Name, At: at, For: down}
			if kind == "terminate" {
				s.Grace = graceOf(t, c.Name)
			}
			list = append(list, s)
			at += spacing
		}
	}
	return list
}

// graceOf is how long a component claims to take, and a little more, so that one that takes longer is seen and not killed at once.
func graceOf(t targets.Target, component string) time.Duration {
	for _, d := range t.Claims.Drain {
		if d.Component == component || d.Component == "" {
			return time.Duration(d.Grace) + time.Second
		}
	}
	return grace
}

// sighting is what one run has shown.
type sighting struct {
	*history.History
	manifest rundir.Manifest
	started  bool // all components were ready
}

// run makes one run, and tears it down.
func (r *Report) run(ctx context.Context, o runner.Options) (s sighting, err error) {
	run, err := runner.Run(ctx, o)
	if err != nil {
		return s, fmt.Errorf("run %s: %w", o.Plan.Scenario, err)
	}
	r.Dirs = append(r.Dirs, run.Dir)
	defer func() { err = errors.Join(err, run.Close()) }()
	if s.manifest, err = rundir.ReadManifest(run.Dir); err != nil {
		return s, err
	}
	if s.History, err = history.Open(filepath.Join(run.Dir, rundir.HistoryFile)); err != nil {
		return s, err
	}
	s.started = s.phase("start") == history.OutcomeEnd
	return s, nil
}

// judge judges a run, and keeps of each guarantee what says most: a violation, then a judgement, then why there is none.
func (r *Report) judge(s sighting, p scenarios.Plan, restarts bool) {
	result := checkers.Judge(s.History, checkers.Spec{Late: p.Workload.Late, Failed: s.manifest.Error, Aborted: s.manifest.Aborted})
	for k, j := range result.Guarantees {
		if k >= len(r.Guarantees) {
			r.Guarantees = append(r.Guarantees, Judged{j, restarts})
		} else if weight(j.Status) > weight(r.Guarantees[k].Status) {
			r.Guarantees[k] = Judged{j, restarts}
		}
	}
}

func weight(s checkers.Status) int {
	switch s {
	case checkers.Violated:
		return 3
	case checkers.Holds:
		return 2
	case checkers.Unknown:
		return 1
	}
	return 0
}
