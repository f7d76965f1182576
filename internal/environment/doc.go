// Package environment is the one place that knows how a component is run: as a plain process. It starts, signals, restarts and
// reaps, hands out addresses, keeps logs, and tells when a component died that nobody told to. It must never know what a component
// is for, what a fault is, or which phase a run is in.
//
// Nothing that it starts outlives the harness. Each component leads a process group of its own and is killed by the kernel
// when the harness dies (on Linux); what its children left is in the undo log. Close kills and reaps all of it.
package environment
