// Package faults is what is done to a target: the catalogue of fault kinds, the guard that refuses illegal orders, and the
// injectors. A fault is two verbs, each returning only once an outside probe shows that it worked. The package must never know
// checkers or reports, and decides nothing at random: the plan did.
package faults
