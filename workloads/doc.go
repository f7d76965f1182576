// Package workloads is what clients do: which operations, when, and with which retries. A workload is a pure function of its
// specification and seed: the same stream gives the same operations at the same intended instants, whatever the target answers.
// The package must never know faults, checkers or reports.
package workloads
