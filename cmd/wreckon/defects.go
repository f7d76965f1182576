package main

import (
	"cmp"
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

// systemOf is the reference system that a defect is a bug of.
func systemOf(defect string) string {
	for _, d := range reference.Defects() {
		if d.Name == defect {
			return cmp.Or(d.Of, targets.Reference().Name)
		}
	}
	return ""
}

// concerns tells whether a defect of one reference system is one of a target, too: those of the order service are in all its forms. Switched
// on in any other, it changes nothing, and a pass would look as if nobody had seen it.
func concerns(system string, t targets.Target) bool {
	forms := []string{targets.ReferencePostgres().Name, targets.Choreography().Name}
	return system == t.Name || system == targets.Reference().Name && slices.Contains(forms, t.Name)
}

// defectsOf are those that a target's program knows. All reference systems are one program.
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
	case t.File == "" && !concerns(systemOf(defect), t):
		return fmt.Errorf("defect %s is one of target %s, and not of %s: it is found in %s", defect, systemOf(defect), t.Name, strings.Join(known[i].Reveals, ", "))
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
