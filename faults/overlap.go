package faults

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Overlap is a pair of faults of a plan that cannot both be shown to be in force, or to be gone.
type Overlap struct {
	First, Second Spec
	Why           string
}

func (o *Overlap) Error() string {
	return fmt.Sprintf("%s (%s on %s) and %s (%s on %s) overlap: %s",
		o.First.ID, o.First.Kind, o.First.Target(), o.Second.ID, o.Second.Kind, o.Second.Target(), o.Why)
}

// CheckOverlap finds the pairs of faults that the guard would refuse, before anything starts. Each error is an *Overlap. Faults on
// different edges and components may overlap as they like; so may an edge and the component behind it.
//
// A fault placed by an event has no time, and overlaps with none by time. At run time the guard refuses it, and lets its message go, where
// its component is struck by another fault, or its edge lets no answer through. What acts on messages stands in nobody's way.
func CheckOverlap(specs []Spec) []error {
	order := slices.Clone(specs)
	slices.SortStableFunc(order, func(a, b Spec) int { return cmp.Compare(a.At, b.At) })
	var errs []error
	for i, a := range order {
		for _, b := range order[i+1:] {
			if a.When != nil || b.When != nil || !sameAim(a, b) || b.At > ends(a) {
				continue
			}
			why := clash(a, b)
			if why == "" && ends(b) >= ends(a) && silences(b) {
				why = fmt.Sprintf("%s must end before %s does, or nothing could show that %s is over", b.ID, a.ID, a.ID)
			}
			if why != "" {
				errs = append(errs, &Overlap{First: a, Second: b, Why: why})
			}
		}
	}
	return errs
}

// restarts is what a restart is taken to need in a plan; the guard knows what it really took.
const restarts = time.Second

// ends is when a fault begins to be healed.
func ends(s Spec) time.Duration {
	return s.At + s.For + time.Duration(len(s.Components))*restarts
}

// sameAim tells that two faults are on one edge, or on one component.
func sameAim(a, b Spec) bool {
	if a.From != "" || b.From != "" {
		return a.From == b.From && a.To == b.To || a.From == b.To && a.To == b.From
	}
	for _, c := range components(a) {
		if slices.Contains(components(b), c) {
			return true
		}
	}
	return false
}

// silences tells that a probe gets no answer while the fault is in force, so that no other fault of the edge can be seen.
func silences(s Spec) bool {
	switch s.Kind {
	case "partition", "blackhole", "reset", "lost-response":
		return true
	}
	return false
}

// onMessage tells that a fault acts on single messages. It holds nobody up, and anything else of the edge can be seen beside it.
func onMessage(s Spec) bool { return s.When != nil && s.From != "" }

// clash says why b cannot be injected where a is in force on the same aim; "" if it can.
func clash(a, b Spec) string {
	switch {
	case onMessage(a):
		return ""
	case a.From == "":
		return fmt.Sprintf("both act on the process of one component, and %s would undo or hide what %s did", b.ID, a.ID)
	case silences(a):
		return fmt.Sprintf("%s lets no answer through, so nothing could show %s in force", a.ID, b.ID)
	case a.Kind == b.Kind:
		return fmt.Sprintf("two faults of kind %s on one edge cannot be told apart", a.Kind)
	}
	return ""
}
