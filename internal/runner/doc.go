// Package runner is the one place that knows the phases of a run: plan, start, baseline, chaos, heal, quiesce, observe, seal. It
// wires an environment, the proxies, a target and a workload together, and records. It must never know what a guarantee is: a
// run is saved before it is judged, and can be judged again by any later version.
package runner
