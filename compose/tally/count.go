package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// tally keeps jobs and counts them.
type tally struct {
	db               *sql.DB
	insert           *sql.Stmt // of a job
	enter, add, mark *sql.Stmt // of those that are open

	// A mistake that real systems make; "": none. With memory a job is answered before it is in the file, which it comes to now and then. With
	// two-steps what was counted is marked in a transaction of its own, when the counter next wakes.
	mistake string
	wakes   int // of the counter

	news atomic.Bool // something may be open: without it nobody looks

	mu      sync.Mutex
	unsaved []job    // with memory
	counted []string // with two-steps: not marked yet
}

// save brings a job into the file, or with a mistake only near it.
func (t *tally) save(ctx context.Context, j job) error {
	if t.mistake == "memory" {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.unsaved = append(t.unsaved, j)
		return nil
	}
	return t.write(ctx, j)
}

func (t *tally) write(ctx context.Context, j job) error {
	_, err := t.insert.ExecContext(ctx, j.ID, j.Amount)
	t.news.Store(true)
	return err
}

// countEvery is how long a job waits at most.
const countEvery = 20 * time.Millisecond

// count counts until ctx ends, and then once more. What cannot be counted stays open, and is there when it next wakes.
func (t *tally) count(ctx context.Context) {
	tick := time.NewTicker(countEvery)
	defer tick.Stop()
	for last := false; !last; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			last = true
		}
		if err := t.countOpen(context.WithoutCancel(ctx)); err != nil {
			fmt.Fprintln(os.Stderr, "not counted:", err)
		}
	}
}

// countOpen counts what is open, and marks it, in one transaction.
func (t *tally) countOpen(ctx context.Context) error {
	if err := t.slip(ctx); err != nil {
		return err
	}
	if !t.news.Swap(false) {
		return nil
	}
	count := t.countAll
	if t.mistake == "two-steps" {
		count = t.enterOnly
	}
	if err := count(ctx); err != nil {
		t.news.Store(true)
		return err
	}
	return nil
}

func (t *tally) countAll(ctx context.Context) error { return t.do(ctx, t.enter, t.add, t.mark) }

// do does all of it or nothing.
func (t *tally) do(ctx context.Context, statements ...*sql.Stmt) error {
	tx, err := t.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after a commit there is nothing left of it
	for _, s := range statements {
		if _, err := tx.StmtContext(ctx, s).ExecContext(ctx); err != nil {
			return err
		}
	}
	return tx.Commit()
}
