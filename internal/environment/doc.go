// Package environment is the one place that knows how a component is run: it starts, signals, restarts and reaps, hands out
// addresses, keeps logs, and tells when a component died that nobody told to. Components is all that processes and containers have in
// common; a Host is what differs. The host that is here runs plain processes; package containers has the other one. It must never know
// what a component is for, what a fault is, or which phase a run is in.
//
// Nothing that it starts outlives the harness. On Linux a process is killed by the kernel when the harness dies; what its children
// left, and what a container engine keeps, is in the undo log. Close ends and removes all of it.
package environment
