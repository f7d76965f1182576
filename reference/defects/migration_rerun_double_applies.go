package defects

import (
	"fmt"

	"github.com/wreckon/wreckon/reference/jobs"
	"github.com/wreckon/wreckon/reference/parts"
)

// MigrationRerunDoubleApplies makes a worker that takes up a job run it from its beginning, as a run of its own.
var MigrationRerunDoubleApplies = Defect{
	Name: "migration-rerun-double-applies",
	Story: "The script that moves the accounts was tried out on a copy, where it ran through. It can be run again: it begins at the beginning, and writes " +
		"everything under the number of its run, so that runs can be told apart. In production it stops half-way, and somebody runs it again. " +
		"That was what the checkpoints were for; but a script that is run again is easier to understand than one that goes on, and there " +
		"was no time. What the first run had moved is there, and what the second has moved is there, too: it adds, it does not set.",
	Reveals: []string{"jobs-partial-migration"},
	Falls:   "no-duplicate-effects",
	Of:      "jobs",
	Apply: func(p *parts.Parts) {
		p.JobResume = func(jobs.Grant) (place int) { return 0 }
		p.JobKey = func(g jobs.Grant, n int) string { return fmt.Sprintf("run-%d/%s", g.Attempt, jobs.StableKey(g, n)) }
	},
}
