package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/wreckon/wreckon/internal/spelling"
	"github.com/wreckon/wreckon/reference"
	"github.com/wreckon/wreckon/targets"
)

// referenceDefects are those of all the reference systems.
func referenceDefects() (list []targets.Defect) {
	for _, d := range reference.Defects() {
		list = append(list, targets.Defect{Name: d.Name, Story: d.Story, Reveals: d.Reveals, Falls: d.Falls, Process: true, Container: true})
	}
	return list
}

// defectsOf are those that can be switched on in a target. All reference systems are one program, which knows all of theirs.
func defectsOf(t targets.Target) []targets.Defect {
	if t.File != "" {
		return t.Defects
	}
	return referenceDefects()
}

// canMistake says why a defect cannot be switched on in a target and an environment.
func canMistake(t targets.Target, defect, env string) error {
	known := defectsOf(t)
	i := slices.IndexFunc(known, func(d targets.Defect) bool { return d.Name == defect })
	switch {
	case defect == "":
		return nil
	case i < 0 && len(known) == 0:
		return fmt.Errorf("defect %s: target %s declares none (docs/targets.md#defects says how)", defect, t.Name)
	case i < 0:
		names := namesOfDefects(known)
		return fmt.Errorf("unknown defect %q%s\nknown: %s", defect, spelling.Hint(defect, names), strings.Join(names, ", "))
	case !isThere(known[i], env):
		return errors.New(absent(known[i], env))
	}
	return nil
}

// isThere tells whether a defect changes anything in an environment.
func isThere(d targets.Defect, env string) bool {
	if env == "process" {
		return d.Process
	}
	return d.Container
}

func absent(d targets.Defect, env string) string {
	what := "container"
	if env == "process" {
		what = "command or env"
	}
	return fmt.Sprintf("defect %s changes nothing with --env %s: its target file must say what is different there, under %s of each of its components", d.Name, env, what)
}

func namesOfDefects(list []targets.Defect) (names []string) {
	for _, d := range list {
		names = append(names, d.Name)
	}
	return names
}
