package defects

import (
	"context"

	"github.com/wreckon/wreckon/reference/parts"
)

// CheckpointBeforeWork makes workers save their place before they do the chunk that it covers.
var CheckpointBeforeWork = Defect{
	Name: "checkpoint-before-work",
	Story: "A nightly export sent a partner the same page twice whenever its worker was evicted, and the partner complained. Somebody moved the " +
		"line that saves the cursor above the call that sends the page. Since then no page comes twice. A worker that is evicted in the " +
		"fifty milliseconds in between leaves a cursor behind a page that was never sent, its successor begins after it, and the job is " +
		"reported as complete. It took an audit in spring to find the eleven pages.",
	Reveals: []string{"jobs-worker-crash"},
	Falls:   "checkpoint-progress",
	Of:      "jobs",
	Apply:   func(p *parts.Parts) { p.JobAdvance = saveThenWork },
}

func saveThenWork(_ context.Context, work, save func() error) error {
	if err := save(); err != nil {
		return err
	}
	return work()
}
