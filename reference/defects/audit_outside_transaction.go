package defects

import (
	"context"
	"sync"
	"time"

	"github.com/wreckon/wreckon/reference/audit"
	"github.com/wreckon/wreckon/reference/outbox"
	"github.com/wreckon/wreckon/reference/parts"
	"github.com/wreckon/wreckon/reference/store"
)

// AuditOutsideTransaction makes every service write its audit entries later, in batches.
var AuditOutsideTransaction = Defect{
	Name: "audit-outside-transaction",
	Story: "Audit entries were a third of all writes, and nobody reads them on a good day, so they were moved out of the way: into a buffer that " +
		"is written every now and then by a background task. It is flushed on shutdown, and there is a test for that. A process that is killed " +
		"does not shut down. What it did in its last moments was done, was paid for, and is in no record; and those are the moments the " +
		"auditors ask about.",
	Reveals: []string{"lost-audit"},
	Falls:   "complete-audit",
	Apply:   func(p *parts.Parts) { p.Trail = buffered },
}

// flushEvery is how long an entry waits to be written.
const flushEvery = 150 * time.Millisecond

func buffered(source string, db *store.DB, box *outbox.Box, _ outbox.Publisher) audit.Trail {
	return &buffer{db: db, chain: audit.NewChain(source, box)}
}

type buffer struct {
	db    *store.DB
	chain audit.Chain

	mu      sync.Mutex
	entries []audit.Entry
}

func (b *buffer) Append(tx *store.Tx, e audit.Entry) error {
	tx.After(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.entries = append(b.entries, e)
	})
	return nil
}

func (b *buffer) Run(ctx context.Context) error {
	t := time.NewTicker(flushEvery)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			// What could not be written stays in the buffer.
			_ = b.flush(ctx)
		case <-ctx.Done():
			return b.flush(context.WithoutCancel(ctx))
		}
	}
}

func (b *buffer) flush(ctx context.Context) error {
	b.mu.Lock()
	entries := b.entries
	b.entries = nil
	b.mu.Unlock()
	if len(entries) == 0 {
		return nil
	}
	err := b.db.Write(ctx, func(tx *store.Tx) error {
		for _, e := range entries {
			if err := b.chain.Link(tx, e); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.entries = append(entries, b.entries...)
	}
	return err
}
