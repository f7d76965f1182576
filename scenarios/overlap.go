package scenarios

import (
	"fmt"
	"time"

	"github.com/wreckon/wreckon/faults"
	"github.com/wreckon/wreckon/internal/document"
)

// overlaps reports faults that may not hold together. Ranges are judged by all that a seed may draw from them: a scenario is right
// for every seed or for none.
func (p *parser) overlaps(planned []Fault, nodes map[string]*document.Node) {
	if p.v.Overlap == nil {
		return
	}
	for i, later := range planned {
		for _, earlier := range planned[:i] {
			if later.Spec.When != nil || earlier.Spec.When != nil { // only the run knows when
				continue
			}
			if err := p.v.clash(earlier, later); err != nil {
				p.Problem(nodes[later.Spec.ID], "%s", document.OneLine(err))
				break
			}
		}
	}
}

// clash says why two faults may not both be planned, nil if they may.
func (v Vocabulary) clash(a, b Fault) error {
	if errs := v.Overlap([]faults.Spec{a.widest(), b.widest()}); len(errs) > 0 {
		return errs[0]
	}
	// What overlaps in full may be allowed, one fault within another. Then no seed may move them so that they overlap in part.
	apart := a.At.Max+a.For.Max < b.At.Min || b.At.Max+b.For.Max < a.At.Min
	if a.fixed() && b.fixed() || apart || a.always(b) || b.always(a) || !v.rivals(a, b) {
		return nil
	}
	return fmt.Errorf("%s (%s on %s) and %s (%s on %s) overlap for some seeds: neither holds throughout the other",
		a.Spec.ID, a.Spec.Kind, a.Spec.Target(), b.Spec.ID, b.Spec.Kind, b.Spec.Target())
}

// rivals tells that two faults get into each other's way when they hold at the same time.
func (v Vocabulary) rivals(a, b Fault) bool {
	x, y := a.Spec, b.Spec
	x.For, y.For = time.Second, time.Second
	return len(v.Overlap([]faults.Spec{x, y})) > 0
}

// widest is the fault from its earliest beginning to its latest end.
func (f Fault) widest() faults.Spec {
	spec := f.Spec
	spec.At, spec.For = f.At.Min, f.At.Max+f.For.Max-f.At.Min
	return spec
}

func (f Fault) fixed() bool { return f.At.Min == f.At.Max && f.For.Min == f.For.Max }

// always tells that f holds throughout other, whatever the seed.
func (f Fault) always(other Fault) bool {
	return f.At.Max <= other.At.Min && other.At.Max+other.For.Max < f.At.Min+f.For.Min
}
