// Package targets describes systems under test: their components, the edges between them, how a unit of work is submitted, where
// its effects and audit events are seen, and what they promise. It must never know scenarios, faults, checkers or reports.
package targets
