package targets

import (
	"slices"

	"github.com/wreckon/wreckon/history"
	"github.com/wreckon/wreckon/workloads"
)

// Choreography describes the reference's order service without its saga: the same orders, the same services, and the same promises but one.
// What orders that were set aside come to in charges nobody knows, since nobody sees all steps: of money nothing is claimed.
func Choreography() Target {
	t := Reference()
	t.Name = "choreography"
	t.About = "The order service without an orchestrator: services do what follows from what they hear of each other; seven processes."
	t.Topology.Components = slices.DeleteFunc(t.Topology.Components, func(c Component) bool { return c.Name == "saga" })
	t.Topology.Edges = slices.DeleteFunc(t.Topology.Edges, func(e Edge) bool { return e.From == "saga" })
	t.Claims.Target = t.Name
	t.Claims.Totals = slices.DeleteFunc(t.Claims.Totals, func(t history.Total) bool { return t.Name == "money" })
	t.New = newChoreography
	return t
}

func newChoreography(w Wiring) (Instance, error) {
	r, err := newInstance(Choreography(), w, referenceRoutes())
	if err != nil {
		return nil, err
	}
	r.totals = []string{"inventory"}
	r.trails, r.args = []string{"audit"}, func(c string) []string {
		return append([]string{"--choreography"}, orderArgs(w, c)...)
	}
	r.client = func() workloads.Client {
		return &orderClient{base: "http://" + w.Dial[Edge{From: "client", To: "api"}.Name()], http: r.public}
	}
	return r, nil
}
