package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wreckon/wreckon/scenarios"
	"github.com/wreckon/wreckon/targets"
	"github.com/wreckon/wreckon/targets/file"
)

// vocabularyFor is every name that a scenario may use, with another target in place of what scenarios name; "": what they name.
func vocabularyFor(target string) scenarios.Vocabulary {
	v := vocabulary()
	v.Target = target
	return v
}

// targetOf finds the target of a plan: by its file, where it has one, or by its name.
func targetOf(plan scenarios.Plan) (targets.Target, error) {
	if plan.TargetFile != "" {
		return loadTarget(plan.TargetFile)
	}
	return findTarget(plan.Target)
}

func loadTarget(path string) (targets.Target, error) {
	t, problems := file.Load(path)
	if len(problems) > 0 {
		return t, problems
	}
	return t, nil
}

func findTarget(name string) (targets.Target, error) {
	var names []string
	for _, t := range knownTargets() {
		if t.Name == name {
			return t, nil
		}
		names = append(names, t.Name)
	}
	return targets.Target{}, unknown("target", name, names, "known: "+strings.Join(names, ", "))
}

// confirmed refuses a target that reaches what the harness did not start, unless a person has named each such component.
func confirmed(t targets.Target, named []string) error {
	for _, c := range t.Topology.Components {
		if c.Foreign && !slices.Contains(named, c.Name) {
			return fmt.Errorf("%s of target %s runs already and belongs to somebody: faults would reach it through the proxies in front of it\n"+
				"if that is meant, say --external %s", c.Name, t.Name, c.Name)
		}
	}
	for _, name := range named {
		if c, ok := t.Topology.Component(name); !ok || !c.Foreign {
			return fmt.Errorf("--external %s: target %s has no component of this name that runs already (%s)", name, t.Name, strings.Join(foreign(t), ", "))
		}
	}
	return nil
}

// addExternal gives a command the flag that names such components.
func addExternal(cmd *cobra.Command, named *[]string) {
	cmd.Flags().StringSliceVar(named, "external", nil, "component of a target file that runs already, and that may be reached through proxies")
}

func foreign(t targets.Target) []string {
	names := []string{}
	for _, c := range t.Topology.Components {
		if c.Foreign {
			names = append(names, c.Name)
		}
	}
	return names
}

// draft stands in place of a scenario's name for the one that is drafted for a target.
const draft = ""

func draftFor(target string) (scenarios.Info, error) {
	t, err := namedTarget(target)
	if err != nil {
		return scenarios.Info{}, err
	}
	return scenarios.Info{Name: "everything-" + t.Name, Source: []byte(scenarios.Draft(t, "."))}, nil
}
