package main

import (
	"slices"
	"sync"

	"github.com/wreckon/wreckon/history"
	"github.com/wreckon/wreckon/internal/runner"
	"github.com/wreckon/wreckon/reports"
)

// observer shows the runner's progress on the live display.
type observer struct {
	*reports.Live

	mu      sync.Mutex
	inForce []string
}

// Fault prints what became of a fault, and remembers which are in force.
func (o *observer) Fault(id, kind, target, what string) {
	name := id + " " + kind + " " + target
	o.mu.Lock()
	o.inForce = slices.DeleteFunc(o.inForce, func(n string) bool { return n == name })
	if what == history.OutcomeConfirmed.String() {
		o.inForce = append(o.inForce, name)
	}
	o.mu.Unlock()
	o.Live.Fault(id, kind, target, what)
}

// Counts shows how far the load has come.
func (o *observer) Counts(c runner.Counts) {
	o.mu.Lock()
	inForce := slices.Clone(o.inForce)
	o.mu.Unlock()
	o.Live.Counts(reports.LiveCounts{
		Operations: int(c.Operations), OK: int(c.OK), Fail: int(c.Fail), Info: int(c.Info), Effects: int(c.Effects), InForce: inForce,
	})
}
