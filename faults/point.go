package faults

import (
	"errors"
	"fmt"
	"strings"

	"github.com/wreckon/wreckon/faults/wire"
	"github.com/wreckon/wreckon/history"
	"github.com/wreckon/wreckon/internal/spelling"
	"github.com/wreckon/wreckon/targets"
)

// The points, as When.Point has them.
const (
	PointBefore = "before"
	PointAfter  = "after"
)

// Exchanges is what faults placed by events need of the proxies. A value that is a Links may be an Exchanges, too: see faults/proxy.
type Exchanges interface {
	// Arm puts a trap on the exchanges of an edge, for what is asked from now on. The error says why the edge's messages are not
	// understood.
	Arm(edge targets.Edge, t wire.Trap) (*wire.Armed, error)
	// UnitID is how a person writes a unit: "o-17".
	UnitID(history.Unit) string
}

// Touched is an exchange that a fault did something to.
type Touched struct {
	Edge      string        `json:"edge"`
	Signature string        `json:"signature"`
	Nth       uint64        `json:"nth"` // of its signature on the edge, since the run began: as in its exchange event
	Unit      *history.Unit `json:"unit,omitempty"`
	Point     string        `json:"point"`
}

// All are faults with those that follow them: each before its Then.
func All(specs []Spec) []Spec {
	var all []Spec
	for _, s := range specs {
		all = append(append(all, s), All(s.Then)...)
	}
	return all
}

// Check says why a fault, or one that follows it, cannot be used on a target.
func Check(s Spec, t targets.Topology) error {
	var errs []error
	for _, f := range All([]Spec{s}) {
		k, err := Lookup(f.Kind)
		if err == nil {
			err = k.Applies(f, t)
		}
		for _, next := range f.Then {
			if next.When == nil {
				err = errors.Join(err, fmt.Errorf("%s follows %s: it needs a when of its own", next.Kind, f.Kind))
			}
		}
		if f.ID != "" && f.ID != s.ID && err != nil {
			err = fmt.Errorf("%s: %w", f.ID, err)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// pointEdge is the edge that a fault waits on. What acts on a message may leave it to its aim.
func pointEdge(s Spec, t targets.Topology) (targets.Edge, error) {
	from, to := s.When.From, s.When.To
	if from == "" && to == "" {
		from, to = s.From, s.To
	}
	names := make([]string, len(t.Edges))
	for i, e := range t.Edges {
		names[i] = e.Name()
	}
	e, reversed, ok := t.Edge(from, to)
	switch given := from + " -> " + to; {
	case from == "" || to == "":
		return e, fmt.Errorf("%s waits on no edge: when needs one of: %s", s.Kind, strings.Join(names, ", "))
	case !ok:
		return e, fmt.Errorf("%s waits on %s, which is no edge of the target%s; edges are: %s", s.Kind, given, spelling.Hint(given, names), strings.Join(names, ", "))
	case reversed:
		return e, fmt.Errorf("%s does not dial %s: write %s", from, to, e.Name())
	case s.From != "" && (s.From != from || s.To != to):
		return e, fmt.Errorf("%s acts on a message of %s -> %s, and cannot wait on %s: leave the edge of when out", s.Kind, s.From, s.To, e.Name())
	}
	return e, nil
}

// unitOf reads a unit's id, whatever its prefix: it ends in its number.
func unitOf(id string) (history.Unit, error) {
	prefix := strings.TrimRight(id, "0123456789")
	return history.ParseUnit(prefix, id)
}

// timed refuses what only faults placed by events have.
func timed(s Spec, _ targets.Topology) error {
	if s.When != nil {
		return fmt.Errorf("%s is placed by time: write at in place of when", s.Kind)
	}
	return unplaced(s)
}

func unplaced(s Spec) error {
	for _, p := range []struct {
		name  string
		given bool
	}{{"frame", s.Frame != ""}, {"end", s.End != ""}, {"again", s.Again != ""}, {"then", len(s.Then) > 0}} {
		if p.given {
			return fmt.Errorf("%s takes no %s where it is placed by time", s.Kind, p.name)
		}
	}
	return nil
}

// either accepts both ways of being placed.
func either(s Spec, t targets.Topology) error {
	if s.When == nil {
		return unplaced(s)
	}
	switch {
	case s.When.Every > 0:
		return fmt.Errorf("%s happens once: write nth in place of every", s.Kind)
	case s.When.Point != PointBefore && s.When.Point != PointAfter:
		return fmt.Errorf("%s needs a point: before (the request is at the proxy, undelivered) or after (its answer is), not %q", s.Kind, s.When.Point)
	case s.Frame != "" && s.Frame != FramePass && s.Frame != FrameDrop:
		return fmt.Errorf("frame %q is none: pass or drop", s.Frame)
	}
	return placed(s, t)
}

// placed refuses a When that cannot be met.
func placed(s Spec, t targets.Topology) error {
	w := s.When
	e, err := pointEdge(s, t)
	if err != nil {
		return err
	}
	if _, ok := wire.Lookup(string(e.Protocol)); !ok {
		return fmt.Errorf("%s waits on %s, whose messages are not understood: its protocol is %q", s.Kind, e.Name(), e.Protocol)
	}
	switch {
	case w.Exchange == "":
		return fmt.Errorf(`%s needs an exchange, as in "POST /orders", or "*" for any`, s.Kind)
	case w.Nth > 0 && w.Every > 0:
		return fmt.Errorf("%s takes nth or every, not both", s.Kind)
	case s.At != 0:
		return fmt.Errorf("%s takes at or when, not both", s.Kind)
	}
	if w.Unit != "" {
		if _, err := unitOf(w.Unit); err != nil {
			return fmt.Errorf("unit %q is none: it is a prefix and a number from 1, as in o-17", w.Unit)
		}
	}
	return nil
}
