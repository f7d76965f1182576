package defects

import (
	"context"
	"sync"
	"time"

	"github.com/wreckon/wreckon/reference/api"
	"github.com/wreckon/wreckon/reference/parts"
	"github.com/wreckon/wreckon/reference/store"
)

// StaleStatusRead makes the api answer from a copy that is at most a moment old.
var StaleStatusRead = Defect{
	Name: "stale-status-read",
	Story: "Customers reload the page of their order, and nine reads in ten are for an order that has not changed; a cache of a moment took the load " +
		"off the table. A client that changes a note and reads the order gets the old note and the old version, and changes it back under " +
		"that version, or is told that somebody else was there. One that has read that its order is complete reads from the next process that it is " +
		"still being prepared. Each answer was true once; together they tell of a system that goes backwards.",
	Reveals: []string{"page-reload"},
	Falls:   "linearizable-state",
	Apply:   func(p *parts.Parts) { p.Read = cached() },
}

// fresh is how old an answer may be.
const fresh = time.Second

func cached() api.Read {
	type entry struct {
		status api.Status
		at     time.Time
	}
	var mu sync.Mutex
	entries := map[string]entry{}
	return func(ctx context.Context, db *store.DB, id string) (api.Status, error) {
		mu.Lock()
		defer mu.Unlock()
		if e, ok := entries[id]; ok && time.Since(e.at) < fresh {
			return e.status, nil
		}
		status, err := api.FromTable(ctx, db, id)
		if err == nil {
			entries[id] = entry{status, time.Now()}
		}
		return status, err
	}
}
