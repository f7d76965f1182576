package faults

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/wreckon/wreckon/internal/spelling"
	"github.com/wreckon/wreckon/targets"
)

// What a kind is aimed at.
const (
	OnEdge      = "edge"
	OnComponent = "component"
)

// What a kind is placed by.
const (
	ByTime   = "time"   // Spec.At
	ByEvent  = "event"  // Spec.When
	ByEither = "either" // Spec.At or Spec.When
)

// Kinds are all kinds of fault, in the order of docs/faults.md.
var Kinds = []Kind{
	kind(Kind{
		Name:   "partition",
		Placed: ByTime,
		Doc:    "Bytes between two components stop, both ways or one way; nothing is lost, and all of it arrives when the cut ends.",
		Story:  "A switch reboots, a route flaps, a security group is edited by hand. The kernels keep what was sent and deliver it later, to whoever still listens.",
		On:     OnEdge,
		Params: []string{"flap"},
		New:    newPartition,
	}, timed, aimed, asks, holds, flaps),
	kind(Kind{
		Name:   "latency",
		Placed: ByTime,
		Doc:    "Every byte takes longer, both ways or one way; order and bandwidth stay.",
		Story:  "Traffic fails over to another region, a device on the path buffers, a neighbour fills the link.",
		On:     OnEdge,
		Params: []string{"delay"},
		New:    newLatency,
	}, timed, aimed, asks, holds, delays),
	kind(Kind{
		Name:   "bandwidth",
		Placed: ByTime,
		Doc:    "The edge carries so many bytes per second each way, over all its connections.",
		Story:  "A burst balance runs out, a backup runs over the same link, a cloud instance is throttled.",
		On:     OnEdge,
		Params: []string{"rate"},
		New:    newBandwidth,
	}, timed, aimed, undirected, asks, holds, rates),
	kind(Kind{
		Name:   "blackhole",
		Placed: ByTime,
		Doc:    "What is sent vanishes, both ways, on connections that stay open; those that lost bytes are reset at the end.",
		Story:  "A stateful firewall forgets its table: packets go in, nothing comes out, and nobody is told until it is over.",
		On:     OnEdge,
		New:    newBlackhole,
	}, timed, aimed, undirected, asks, holds),
	kind(Kind{
		Name:   "reset",
		Placed: ByTime,
		Doc:    "Every connection, existing and new, is closed with a TCP reset, on both sides.",
		Story:  "A load balancer is replaced, a NAT table overflows, a sidecar is restarted under live connections.",
		On:     OnEdge,
		New:    newReset,
	}, timed, aimed, undirected),
	kind(Kind{
		Name:   "lost-response",
		Placed: ByTime,
		Doc:    "Requests arrive and are acted upon; the first byte of a response closes its connection, undelivered.",
		Story:  "The called side commits, and the connection dies before the answer is back. The caller cannot know, and retries.",
		On:     OnEdge,
		New:    newLostResponse,
	}, timed, aimed, asks, holds),
	kind(Kind{
		Name:   "crash",
		Placed: ByEither,
		Doc:    "The process is killed with SIGKILL and started again after a while.",
		Story:  "The kernel runs out of memory, a node loses power, somebody runs kill -9.",
		On:     OnComponent,
		New:    atPoint(newCrash),
	}, crashable, either),
	kind(Kind{
		Name:   "pause",
		Placed: ByEither,
		Doc:    "The process is stopped with SIGSTOP and continues after a while, believing that no time has passed.",
		Story:  "A long garbage collection, a live migration, a laptop lid: the worker comes back as a zombie whose lease has expired.",
		On:     OnComponent,
		New:    atPoint(newPause),
	}, crashable, holds, either),
	kind(Kind{
		Name:   "terminate",
		Placed: ByEither,
		Doc:    "The process is told to end with SIGTERM, given time to drain, and started again after a while.",
		Story:  "A deployment, a scale-down, a spot instance that is taken back.",
		On:     OnComponent,
		Params: []string{"grace"},
		New:    atPoint(newTerminate),
	}, crashable, either),
	kind(Kind{
		Name:   "rolling-restart",
		Placed: ByTime,
		Doc:    "Components are told to end and started again, one after the other, each once the one before is ready.",
		Story:  "Every release.",
		On:     OnComponent,
		Params: []string{"grace"},
		New:    newRollingRestart,
	}, timed, crashable),
	kind(Kind{
		Name:      "disconnect",
		Placed:    ByTime,
		Doc:       "The component's container is taken off its network and put back, under the same name and address.",
		Story:     "A virtual machine loses its interface, a pod its network plugin, a person pulls the wrong cable.",
		On:        OnComponent,
		Contained: true,
		New:       newDisconnect,
	}, timed, crashable, reconnectable, holds),
	kind(Kind{
		Name:      "cpu-limit",
		Placed:    ByTime,
		Doc:       "The component may use only so much of a processor: everything it does takes longer, and nothing fails.",
		Story:     "A noisy neighbour, a quota that somebody copied from a smaller service, a burst balance that has run out.",
		On:        OnComponent,
		Params:    []string{"cpus"},
		Contained: true,
		New:       newCPULimit,
	}, timed, crashable, shares, holds),
	kind(Kind{
		Name:      "out-of-memory",
		Placed:    ByTime,
		Doc:       "The component may have no more memory than it has, until the kernel kills it; it is started again after a while.",
		Story:     "A limit that was enough until the data grew, a leak, a query that returned everything.",
		On:        OnComponent,
		Contained: true,
		New:       newOutOfMemory,
	}, timed, crashable),
	kind(Kind{
		Name:   "end-sessions",
		Placed: ByTime,
		Doc:    "A PostgreSQL ends every session of its clients, by pg_terminate_backend, whatever they were doing; it goes on itself.",
		Story:  "A failover, a pooler that is restarted, an administrator who ends what holds a lock: transactions are rolled back, a COMMIT gets no answer.",
		On:     OnComponent,
		New:    newEndSessions,
	}, timed, crashable, sessions),
	kind(Kind{
		Name:   "drop-request",
		Placed: ByEvent,
		Doc:    "One request is not delivered, and its connection ends or falls silent.",
		Story:  "A connection dies while the request is on its way: the caller cannot tell this from a lost answer, but nothing was done.",
		On:     OnEdge,
		Params: []string{"end"},
		New:    newMessageFault,
	}, message),
	kind(Kind{
		Name:   "drop-response",
		Placed: ByEvent,
		Doc:    "One request takes effect, its answer is not delivered, and its connection ends or falls silent.",
		Story:  "The other side commits and dies, or a proxy gives up first: the caller retries what has been done.",
		On:     OnEdge,
		Params: []string{"end"},
		New:    newMessageFault,
	}, message),
	kind(Kind{
		Name:   "error-after",
		Placed: ByEvent,
		Doc:    "One request takes effect, and its caller is told that it failed.",
		Story:  "A gateway times out and answers 503 for a service that goes on; a broker loses its leader after it has stored the message.",
		On:     OnEdge,
		New:    newMessageFault,
	}, message),
	kind(Kind{
		Name:   "delay-past-timeout",
		Placed: ByEvent,
		Doc:    "One request is delivered late, even if its caller has given up by then.",
		Story:  "A request waits in a queue or a retransmission, its caller times out and tries again, and then both arrive: a zombie.",
		On:     OnEdge,
		Params: []string{"delay"},
		New:    newMessageFault,
	}, message),
	kind(Kind{
		Name:   "late-response",
		Placed: ByEvent,
		Doc:    "One request takes effect, and its answer is delivered late.",
		Story:  "The other side pauses after the commit: the answer comes when the caller has moved on.",
		On:     OnEdge,
		Params: []string{"delay"},
		New:    newMessageFault,
	}, message),
	kind(Kind{
		Name:   "duplicate",
		Placed: ByEvent,
		Doc:    "One request is delivered twice; its caller sees one answer.",
		Story:  "A transport retries behind the caller's back, a broker delivers at least once, a user clicks twice.",
		On:     OnEdge,
		Params: []string{"again"},
		New:    newMessageFault,
	}, message),
	kind(Kind{
		Name:   "swap",
		Placed: ByEvent,
		Doc:    "One request is delivered behind the next one of the edge.",
		Story:  "Two connections, two queues, two threads: what was sent first arrives second.",
		On:     OnEdge,
		New:    newMessageFault,
	}, message),
}

// Lookup finds a kind by name. The error of an unknown one says which was probably meant.
func Lookup(name string) (Kind, error) {
	names := make([]string, len(Kinds))
	for i, k := range Kinds {
		if k.Name == name {
			return k, nil
		}
		names[i] = k.Name
	}
	return Kind{}, fmt.Errorf("unknown fault %q%s; kinds are: %s", name, spelling.Hint(name, names), strings.Join(names, ", "))
}

// rule is one reason why a spec may not apply.
type rule func(Spec, targets.Topology) error

// kind makes one question of several rules, and adds the one for parameters that the kind does not take.
func kind(k Kind, rules ...rule) Kind {
	k.Applies = func(s Spec, t targets.Topology) error {
		errs := []error{params(k, s)}
		for _, r := range rules {
			errs = append(errs, r(s, t))
		}
		return errors.Join(errs...)
	}
	return k
}

func params(k Kind, s Spec) error {
	var errs []error
	for _, p := range []struct {
		name  string
		given bool
	}{{"delay", s.Delay != 0 && !slices.Contains(k.Params, "again")}, {"rate", s.Rate != 0}, {"flap", s.Flap != 0}, {"grace", s.Grace != 0}, {"cpus", s.CPUs != 0}} {
		if p.given && !slices.Contains(k.Params, p.name) {
			errs = append(errs, fmt.Errorf("%s takes no %s", k.Name, p.name))
		}
	}
	if s.At < 0 || s.For < 0 || s.Delay < 0 || s.Rate < 0 || s.Flap < 0 || s.Grace < 0 || s.CPUs < 0 {
		errs = append(errs, fmt.Errorf("%s: times and rates cannot be negative", k.Name))
	}
	return errors.Join(errs...)
}

// edgeOf finds the edge that a spec is aimed at.
func edgeOf(s Spec, t targets.Topology) (targets.Edge, error) {
	names := make([]string, len(t.Edges))
	for i, e := range t.Edges {
		names[i] = e.Name()
	}
	e, reversed, ok := t.Edge(s.From, s.To)
	switch given := s.From + " -> " + s.To; {
	case s.From == "" || s.To == "":
		return e, fmt.Errorf("%s needs an edge, written as: %s", s.Kind, strings.Join(names, ", "))
	case !ok:
		return e, fmt.Errorf("%s is no edge of the target%s; edges are: %s", given, spelling.Hint(given, names), strings.Join(names, ", "))
	case reversed && s.Direction != Both && s.Direction != "":
		return e, fmt.Errorf("%s does not dial %s: the edge is %s, and its direction is requests or responses", s.From, s.To, e.Name())
	}
	return e, nil
}

func aimed(s Spec, t targets.Topology) error {
	if _, err := edgeOf(s, t); err != nil {
		return err
	}
	switch s.Direction {
	case "", Both, Requests, Responses:
		return nil
	}
	return fmt.Errorf("direction %q is none: both, requests or responses", s.Direction)
}

// undirected refuses a way for what works on whole connections. The arrow that names the edge is accepted.
func undirected(s Spec, _ targets.Topology) error {
	if s.Direction == Responses {
		return fmt.Errorf("%s works on whole connections: write %s <-> %s", s.Kind, s.From, s.To)
	}
	return nil
}

// asks refuses edges where a probe knows nothing to ask, so that the fault could never be shown to be in force.
func asks(s Spec, t targets.Topology) error {
	if e, _, ok := t.Edge(s.From, s.To); ok && e.Protocol == targets.TCP {
		return fmt.Errorf("%s cannot be confirmed on %s: a probe knows nothing to ask in protocol %q; only reset applies", s.Kind, e.Name(), e.Protocol)
	}
	return nil
}

func holds(s Spec, _ targets.Topology) error {
	if s.For == 0 {
		return fmt.Errorf("%s needs a time to hold, as in: for: 1s", s.Kind)
	}
	return nil
}

func flaps(s Spec, _ targets.Topology) error {
	if s.Flap > 0 && (s.Flap < minFlap || s.Flap >= s.For) {
		return fmt.Errorf("flap %v is half a period of opening and closing: at least %v, and less than the %v it holds", s.Flap, minFlap, s.For)
	}
	return nil
}

func delays(s Spec, _ targets.Topology) error {
	if s.Delay < minDelay || s.Delay > maxDelay {
		return fmt.Errorf("latency needs a delay from %v to %v, not %v", minDelay, maxDelay, s.Delay)
	}
	return nil
}

func rates(s Spec, _ targets.Topology) error {
	if s.Rate < minRate || s.Rate > maxRate {
		return fmt.Errorf("bandwidth needs a rate from %d to %d bytes per second, not %d: a probe shows nothing else in a second", minRate, maxRate, s.Rate)
	}
	return nil
}

// components are the components that a process fault is aimed at.
func components(s Spec) []string {
	if s.Kind == "rolling-restart" && len(s.Components) > 0 {
		return s.Components
	}
	if s.Component == "" {
		return nil
	}
	return []string{s.Component}
}

// crashable accepts components that are processes of the target.
func crashable(s Spec, t targets.Topology) error {
	var names []string
	for _, c := range t.Components {
		if !c.External {
			names = append(names, c.Name)
		}
	}
	list := strings.Join(names, ", ")
	aims := components(s)
	if len(aims) == 0 {
		return fmt.Errorf("%s needs a component: %s", s.Kind, list)
	}
	var errs []error
	for i, name := range aims {
		c, ok := t.Component(name)
		switch {
		case !ok:
			errs = append(errs, fmt.Errorf("%s is no component of the target%s; components are: %s", name, spelling.Hint(name, names), list))
		case c.Foreign:
			errs = append(errs, fmt.Errorf("%s was not started by the harness: nothing is done to it, only to what goes through the proxies", name))
		case c.External:
			errs = append(errs, fmt.Errorf("%s belongs to the harness and is no process of the target: %s applies to %s", name, s.Kind, list))
		case !c.Bears(s.Kind):
			errs = append(errs, fmt.Errorf("the target does not allow %s of %s: its faults are %s", s.Kind, name, cmp.Or(strings.Join(c.Faults, ", "), "none")))
		case slices.Contains(aims[:i], name):
			errs = append(errs, fmt.Errorf("%s names %s twice", s.Kind, name))
		}
	}
	return errors.Join(errs...)
}

const (
	minFlap  = 10 * time.Millisecond
	minDelay = 2 * time.Millisecond // less is lost in the noise of a probe
	maxDelay = 10 * time.Second
	minRate  = 1000
	maxRate  = 16 << 20
)
