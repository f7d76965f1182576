// Package history is the one ordered record of a run: its event model, the recorder that writes it while the run goes on, the
// columns it is read into, and the text form that people grep. It is a leaf: it imports nothing of ours and must never know
// what a scenario, a fault injector, a checker or a report is.
//
// One clock and one sequence order everything: every proxy, sink and client reports to the process that records. Seq decides
// order; T is for people and plots.
package history
