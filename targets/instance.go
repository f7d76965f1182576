package targets

import (
	"context"

	"github.com/wreckon/wreckon/internal/container"
	"github.com/wreckon/wreckon/workloads"
)

// Wiring says where everything is in one run. The environment and the proxies decide; the target only reads it.
type Wiring struct {
	Data      string                   // directory for what the components store
	Contained bool                     // components run in containers: each is reached by the harness alone, and holds what its image does
	Listen    map[string]string        // component -> address it serves on
	Control   map[string]string        // component -> address of its control server, past every proxy
	Dial      map[string]string        // Edge.Name() -> address of the proxy that the dialling component must use
	Token     string                   // the run's secret: control servers and sinks refuse whoever does not hold it
	Defect    string                   // deliberate bug to switch on, or ""
	Spans     func() ([][]byte, error) // what has come of the components' spans so far, each as an object of JSON; of use where Target.Spans is set
	Recorder  workloads.Recorder
	Clock     Clock
}

// Launch is how one component is run.
type Launch struct {
	Component string
	Path      string                      // of the program, looked up in PATH if it has no slash; "": the target's own binary
	Container *Container                  // how it is run in a container; nil: in one that holds the program, which must then be the target's own
	Args      []string                    // of the program
	Env       []string                    // NAME=value, beside the environment of the harness
	Dir       string                      // that it runs in; "": the component's directory below Wiring.Data
	Ready     func(context.Context) error // one probe, past every proxy
}

// Container is how a component is run in a container of an image, in place of its program, arguments and environment.
type Container = container.Spec

// Backlog is how busy a target is, summed over its components.
type Backlog struct {
	Open       int // units in progress
	Queued     int // outbox rows not sent, broker messages not yet acknowledged
	InProgress int // handlers running now
	Done       int // things handled so far: it moves as long as anything happens
}

// Quiet tells that nothing is queued, pending or running: whatever is still open will stay open.
func (b Backlog) Quiet() bool { return b.Queued == 0 && b.InProgress == 0 }

// Instance is a target wired up for one run.
type Instance interface {
	// Launches says how each component is run. The order does not matter: components wait for one another.
	Launches() []Launch
	// Sinks are the external components that the harness hosts, each with its address. They listen from New until Close.
	Sinks() map[string]string
	// Client does operations through the proxied edge client -> entry component.
	Client() workloads.Client
	// Subscribe listens to what comes only once. It is called when all components are ready, before the first operation.
	Subscribe(ctx context.Context) error
	// Follow copies the audit trail into the history as it grows, until ctx ends. A component that is down is not an error.
	Follow(ctx context.Context)
	// Operate does what people do to a target at work: what was set aside is looked after, say. It returns soon after ctx ends.
	Operate(ctx context.Context)
	// Totals reads the sums that the target declares into the history. The target is at rest.
	Totals(ctx context.Context) error
	// Backlog asks every component. An unreachable component is an error.
	Backlog(ctx context.Context) (Backlog, error)
	// Observe reads the final states into the history, the sums, and the rest of the audit trail.
	Observe(ctx context.Context) error
	// Close stops the sinks and waits for everything it started.
	Close() error
}

// Clock is the run's clock, for times that come from elsewhere.
type Clock interface {
	// At places a wall-clock instant of this host on the run's clock, in nanoseconds since its start.
	At(unixNano int64) int64
}
