package defects

import (
	"context"
	"time"

	"github.com/wreckon/wreckon/reference/audit"
	"github.com/wreckon/wreckon/reference/outbox"
	"github.com/wreckon/wreckon/reference/parts"
	"github.com/wreckon/wreckon/reference/store"
)

// DrainIgnoresSIGTERM makes services wait for a task that does not know that it should stop.
var DrainIgnoresSIGTERM = Defect{
	Name: "drain-ignores-sigterm",
	Story: "Shutting down waits for every background task, so that nothing is cut off. One of them, which tidies the audit table every quarter " +
		"of a minute, sleeps between its rounds with a plain sleep, and looks whether it should stop when it wakes. On a developer's machine " +
		"that is a process that takes a while to end. In a deployment it is one that never ends in time: the grace period passes, the " +
		"orchestrator kills it, and every deployment is a crash of everything, in order.",
	Reveals: []string{"told-to-stop"},
	Falls:   "graceful-drain",
	Apply: func(p *parts.Parts) {
		right := p.Trail
		p.Trail = func(source string, db *store.DB, box *outbox.Box, pub outbox.Publisher) audit.Trail {
			return tidied{right(source, db, box, pub)}
		}
	},
}

type tidied struct{ audit.Trail }

func (tidied) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		time.Sleep(15 * time.Second)
	}
	return nil
}
