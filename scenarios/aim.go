package scenarios

import (
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/wreckon/wreckon/faults"
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
		if name, ok := r.text(r.aim, r.kind.Name); ok {
			r.component(r.aim, name)
			spec.Component = name
		}
	}
}

// arrows are how two components are joined, the longest first: <-> holds the others.
var arrows = []string{"<->", "->", "<-"}

// edge reads "a <-> b", "a -> b" or "a <- b". The arrow says whose bytes are meant; which of the two dials, the target knows.
func (r *reading) edge(spec *faults.Spec) {
	text, ok := r.text(r.aim, r.kind.Name)
	if !ok {
		return
	}
	a, b, arrow := "", "", ""
	for _, arrow = range arrows {
		if a, b, ok = strings.Cut(text, arrow); ok {
			break
		}
	}
	a, b = strings.TrimSpace(a), strings.TrimSpace(b)
	if !ok || a == "" || b == "" {
		r.hinted(r.aim, r.knownEdges(text), "%s is aimed at an edge: write two components and an arrow, as in relay <-> broker", r.kind.Name)
		return
	}
	if !r.component(r.aim, a) || !r.component(r.aim, b) || !r.known {
		return
	}
	if arrow == "<-" {
		a, b = b, a
	}
	edge, reversed, ok := r.target.Topology.Edge(a, b)
	if !ok {
		r.hinted(r.aim, r.knownEdges(a, b), "there is no edge between %s and %s", a, b)
		return
	}
	spec.From, spec.To = edge.From, edge.To
	switch {
	case arrow == "<->":
		spec.Direction = faults.Both
	case reversed:
		spec.Direction = faults.Responses
	default:
		spec.Direction = faults.Requests
	}
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
		return knownNames(near)
	}
	return knownNames(every)
}

// component reports a name that is none of the target's components.
func (r *reading) component(at *yaml.Node, name string) bool {
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
	r.hinted(at, knownNames(names), "target %s has no component %s%s", r.target.Name, quote(name), didYouMean(name, names))
	return false
}

// several reads a list of components, the name of one, or all.
func (r *reading) several() []string {
	if scalar(r.aim) {
		name, ok := r.text(r.aim, r.kind.Name)
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
	for _, item := range r.list(r.aim, r.kind.Name) {
		name, ok := r.text(item, "a component")
		if !ok || !r.component(resolve(item), name) {
			continue
		}
		if seen[name] {
			r.problem(resolve(item), "%s is named twice: each component is restarted once", name)
		}
		seen[name] = true
		names = append(names, name)
	}
	return names
}

// processes are the components that the target runs itself.
func processes(t targets.Topology) []string {
	var names []string
	for _, c := range t.Components {
		if !c.External {
			names = append(names, c.Name)
		}
	}
	return names
}
