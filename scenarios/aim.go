package scenarios

import (
	"strings"

	"github.com/wreckon/wreckon/faults"
	"github.com/wreckon/wreckon/internal/document"
	"github.com/wreckon/wreckon/internal/spelling"
	"github.com/wreckon/wreckon/targets"
)

// aimAt reads what a fault is aimed at: an edge, a component, or several.
func (r *reading) aimAt(spec *faults.Spec) {
	switch {
	case r.kind.On == faults.OnEdge:
		r.edge(spec)
	case r.kind.Name == rolling:
		spec.Components = r.several()
	default:
		if name, ok := r.Text(r.aim, r.kind.Name); ok {
			r.component(r.aim, name)
			spec.Component = name
		}
	}
}

// edge reads the edge of a fault. The arrow says whose bytes are meant; for a kind that acts on a message, its side of the exchange does.
func (r *reading) edge(spec *faults.Spec) {
	text, ok := r.Text(r.aim, r.kind.Name)
	if !ok {
		return
	}
	usual := "<->"
	if r.acts() {
		usual = "->"
	}
	edge, direction, ok := r.pair(r.aim, text, r.kind.Name+" is aimed at an edge: write two components and an arrow, as in relay "+usual+" broker")
	if !ok {
		return
	}
	spec.From, spec.To, spec.Direction = edge.From, edge.To, direction
	if r.acts() {
		spec.Direction = faults.Requests
	}
}

// arrows are how two components are joined, the longest first: <-> holds the others.
var arrows = []string{"<->", "->", "<-"}

// pair reads "a <-> b", "a -> b" or "a <- b", in whichever order: the edge between two components, and whose bytes are meant.
// form says how that is written.
func (r *reading) pair(at *document.Node, text, form string) (targets.Edge, faults.Direction, bool) {
	a, b, arrow, ok := "", "", "", false
	for _, arrow = range arrows {
		if a, b, ok = strings.Cut(text, arrow); ok {
			break
		}
	}
	a, b = strings.TrimSpace(a), strings.TrimSpace(b)
	if !ok || a == "" || b == "" {
		r.Hinted(at, r.knownEdges(text), "%s", form)
		return targets.Edge{}, "", false
	}
	if !r.component(at, a) || !r.component(at, b) || !r.known {
		return targets.Edge{}, "", false
	}
	if arrow == "<-" {
		a, b = b, a
	}
	edge, reversed, ok := r.target.Topology.Edge(a, b)
	switch {
	case !ok:
		r.Hinted(at, r.knownEdges(a, b), "there is no edge between %s and %s", a, b)
		return edge, "", false
	case arrow == "<->":
		return edge, faults.Both, true
	case reversed:
		return edge, faults.Responses, true
	}
	return edge, faults.Requests, true
}

// knownEdges lists the edges of the given components, or all of them when there are none.
func (r *reading) knownEdges(components ...string) string {
	var near, every []string
	for _, e := range r.target.Topology.Edges {
		every = append(every, e.Name())
		for _, c := range components {
			if e.From == c || e.To == c {
				near = append(near, e.Name())
				break
			}
		}
	}
	if len(near) > 0 {
		return document.KnownNames(near)
	}
	return document.KnownNames(every)
}

// component reports a name that is none of the target's components.
func (r *reading) component(at *document.Node, name string) bool {
	if !r.known {
		return true
	}
	if _, ok := r.target.Topology.Component(name); ok {
		return true
	}
	var names []string
	for _, c := range r.target.Topology.Components {
		names = append(names, c.Name)
	}
	r.Hinted(at, document.KnownNames(names), "target %s has no component %s%s", r.target.Name, document.Quote(name), spelling.Hint(name, names))
	return false
}

// several reads a list of components, the name of one, or all.
func (r *reading) several() []string {
	if document.Scalar(r.aim) {
		name, ok := r.Text(r.aim, r.kind.Name)
		switch {
		case !ok:
			return nil
		case name == all:
			return processes(r.target.Topology)
		}
		r.component(r.aim, name)
		return []string{name}
	}
	var names []string
	seen := map[string]bool{}
	for _, item := range r.List(r.aim, r.kind.Name) {
		name, ok := r.Text(item, "a component")
		if !ok || !r.component(document.Resolve(item), name) {
			continue
		}
		if seen[name] {
			r.Problem(document.Resolve(item), "%s is named twice: each component is restarted once", name)
		}
		seen[name] = true
		names = append(names, name)
	}
	return names
}

// processes are the components that the harness starts and may restart.
func processes(t targets.Topology) []string {
	var names []string
	for _, c := range t.Components {
		if c.Bears(rolling) {
			names = append(names, c.Name)
		}
	}
	return names
}
