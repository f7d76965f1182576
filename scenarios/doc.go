// Package scenarios is the scenario language: what it is, how a file is loaded and checked, and how a scenario and a seed become
// a plan. It names guarantees, metrics, targets and kinds of fault through a Vocabulary, and must never know how any of them works.
package scenarios
