package targets

import (
	"slices"
	"time"

	"github.com/wreckon/wreckon/history"
)

// Protocol names what an edge speaks, as far as a probe must know.
type Protocol string

// The protocols that an edge can speak.
const (
	HTTP     Protocol = "http"
	NATS     Protocol = "nats"
	Postgres Protocol = "postgres"
	RESP     Protocol = "resp" // Redis and its kin
	AMQP     Protocol = "amqp" // 0-9-1
	TCP      Protocol = "tcp"  // whatever else
)

// Component is one separately crashable part of a target.
type Component struct {
	Name     string
	About    string // one line, for people
	External bool   // hosted by the harness (a gateway, the client), or running already: no process that the harness starts, cannot be crashed
	Foreign  bool   // External, and not the harness's own: somebody else's, reached through proxies only, and only if a person said so

	Port     int      // that its program serves on, in its container; 0: it serves where it is told
	Names    []string // by which those with an edge to it find it, in their containers, at Port; empty: they are told where
	Hostname string   // that its container has; "": any

	Grace time.Duration // that it is given to end when it is told to and a fault says nothing else; 0: the fault's own

	Faults   []string // kinds of fault that may be done to it, as the schema of target files lists them; nil: all
	Sessions bool     // it is a PostgreSQL, and the target's instance can tell it to end its clients' sessions
}

// Edge is a connection from one component to another. Every edge runs through a proxy of its own.
type Edge struct {
	From, To string
	Protocol Protocol
}

// Name is how scenarios and reports write an edge: "relay -> broker".
func (e Edge) Name() string { return e.From + " -> " + e.To }

// Topology is what a fault may be aimed at.
type Topology struct {
	Components []Component
	Edges      []Edge
}

// Bears tells whether a process fault may be done to a component. A rolling restart is told to end, like any other.
func (c Component) Bears(kind string) bool {
	if kind == "rolling-restart" {
		kind = "terminate"
	}
	return !c.External && (c.Faults == nil || slices.Contains(c.Faults, kind))
}

// Component finds a component by name.
func (t Topology) Component(name string) (Component, bool) {
	for _, c := range t.Components {
		if c.Name == name {
			return c, true
		}
	}
	return Component{}, false
}

// Edge finds the edge between two components: the one that a dials, or else the one that b does. reversed tells that b dials a.
func (t Topology) Edge(a, b string) (e Edge, reversed, ok bool) {
	for _, e := range t.Edges {
		if e.From == a && e.To == b {
			return e, false, true
		}
	}
	for _, e := range t.Edges {
		if e.From == b && e.To == a {
			return e, true, true
		}
	}
	return Edge{}, false, false
}

// Defect is one deliberate mistake of a target. Somebody who knows the target says what must see it, and where.
type Defect struct {
	Name      string
	Story     string   // how it happens
	Reveals   []string // the scenarios that show it, by name or by path; the first is the one to begin with
	Falls     string   // the guarantee that must fall
	Process   bool     // it is there where components are processes
	Container bool     // it is there where they are containers
}

// Target is the description of one system under test.
type Target struct {
	Name      string
	About     string
	Topology  Topology
	Claims    history.Claims
	Defects   []Defect // that can be switched on, to test the tester
	Varies    bool     // what is submitted differs with the operation's nonce, so that a key can come again with another payload
	Mix       []string // kinds of unit its workload can mix: happy, declined, ...
	Lacks     []string // operations that its clients cannot do: read, amend
	Contained bool     // its components run in containers only
	Spans     bool     // what its components' spans tell is read
	File      string   // target file that it was read from; "": it comes with the program
	New       func(Wiring) (Instance, error)
}
