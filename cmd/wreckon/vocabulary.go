package main

import (
	"cmp"
	"errors"
	"slices"

	"github.com/wreckon/wreckon/checkers"
	"github.com/wreckon/wreckon/faults"
	"github.com/wreckon/wreckon/scenarios"
	"github.com/wreckon/wreckon/targets"
	"github.com/wreckon/wreckon/targets/file"
)

// knownTargets are the targets that a scenario can name.
func knownTargets() []targets.Target {
	known := []targets.Target{targets.Reference(), targets.ReferencePostgres(), targets.Choreography(), targets.Jobs(), targets.Bookings(), targets.Metering(), targets.Regions()}
	for _, d := range referenceDefects() {
		of := slices.IndexFunc(known, func(t targets.Target) bool { return t.Name == systemOf(d.Name) })
		known[of].Defects = append(known[of].Defects, d)
	}
	return known
}

// vocabulary is every name that a scenario may use.
func vocabulary() scenarios.Vocabulary {
	v := scenarios.Vocabulary{
		Targets:      knownTargets(),
		TargetFile:   file.Load,
		Environments: environmentNames(),
		Kinds:        faults.Kinds,
		Condition:    condition,
		Abort:        abort,
		Overlap:      faults.CheckOverlap,
	}
	for _, g := range checkers.Guarantees {
		v.Guarantees = append(v.Guarantees, g.Name)
	}
	return v
}

// condition checks a requirement or a threshold, and says in which column it is wrong.
func condition(text string) error {
	_, err := checkers.ParseCondition(text)
	return inColumn(err)
}

// abort says why a threshold cannot end a run early.
func abort(text string) error {
	cond, err := checkers.ParseCondition(text)
	if err == nil {
		err = cond.Abort()
	}
	return inColumn(err)
}

func inColumn(err error) error {
	var wrong *checkers.CondError
	if errors.As(err, &wrong) {
		return scenarios.Placed(wrong.Column, wrong.Msg)
	}
	return err
}

// specOf says what to judge a run's history against: what its plan promised, and how the run ended.
func specOf(p scenarios.Plan, failed, aborted string) checkers.Spec {
	s := checkers.Spec{
		Guarantees: p.Guarantees, Require: p.Require, Thresholds: p.Thresholds, Late: p.Workload.Late, Failed: failed, Aborted: aborted,
	}
	s.Planned = planned(nil, p.Faults, "")
	return s
}

// planned lists faults, each before those that follow it.
func planned(list []checkers.PlannedFault, specs []faults.Spec, after string) []checkers.PlannedFault {
	for _, f := range specs {
		p := checkers.PlannedFault{ID: f.ID, Kind: f.Kind, Target: f.Target(), After: after}
		if w := f.When; w != nil {
			p.When = &checkers.Waits{Exchange: w.Exchange, Nth: w.Nth, Every: w.Every, Unit: w.Unit, Point: w.Point}
			if from, to := cmp.Or(w.From, f.From), cmp.Or(w.To, f.To); from != "" {
				p.When.Edge = from + " -> " + to
			}
		}
		list = planned(append(list, p), f.Then, f.ID)
	}
	return list
}
