package defects

import (
	"errors"

	"github.com/wreckon/wreckon/reference/jobs"
	"github.com/wreckon/wreckon/reference/lease"
	"github.com/wreckon/wreckon/reference/parts"
	"github.com/wreckon/wreckon/reference/store"
)

// CheckpointUnfenced makes the queue believe whoever says how far a job is.
var CheckpointUnfenced = Defect{
	Name: "checkpoint-unfenced",
	Story: "A checkpoint is a number in a row, and the row is updated with the number that comes in. Only one worker is at work on a migration at " +
		"a time, that is what the lock is for, so who else should send one? The one before: its last message was held up in a network that " +
		"was as sick as the worker was, and arrives when the next one is far ahead. The number goes back. At the next restart, and there is " +
		"always a next restart, half of what was moved is moved again.",
	Reveals: []string{"jobs-partial-migration"},
	Falls:   "checkpoint-progress",
	Of:      "jobs",
	Apply:   func(p *parts.Parts) { p.JobFence = believing(p.JobFence) },
}

func believing(right jobs.Fence) jobs.Fence {
	return func(tx *store.Tx, l lease.Lease) error {
		err := right(tx, l)
		if errors.Is(err, lease.ErrLost) {
			return nil
		}
		return err
	}
}
