package reference

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/wreckon/wreckon/reference/audit"
	"github.com/wreckon/wreckon/reference/control"
	"github.com/wreckon/wreckon/reference/gateway"
	"github.com/wreckon/wreckon/reference/idempotency"
	"github.com/wreckon/wreckon/reference/jobs"
	"github.com/wreckon/wreckon/reference/lease"
	"github.com/wreckon/wreckon/reference/policy"
	"github.com/wreckon/wreckon/reference/store"
)

// buildQueue builds the queue of jobs. It has no broker, and serves its audit trail itself.
func buildQueue(ctx context.Context, p *process) (err error) {
	p.db, err = store.Open(ctx, p.file("queue.db"), p.cfg.sync, jobs.Schema, lease.Schema, idempotency.Schema, audit.Schema)
	if err != nil {
		return err
	}
	p.closers = append(p.closers, func(context.Context) error { return p.db.Close() })
	p.trail = p.cfg.parts.Trail(p.cfg.component, p.db, nil)
	q := &jobs.Queue{DB: p.db, Trail: p.trail, Lease: p.cfg.lease, Fence: p.cfg.parts.JobFence}
	p.public = jobs.Handler(q, p.log) // not metered: a worker that has nothing to do asks for work all the time
	p.ready = append(p.ready, p.reads)
	p.idle = append(p.idle, func(ctx context.Context, i *control.Idle) (err error) {
		i.Open, err = q.Open(ctx)
		if err != nil {
			return err
		}
		i.Pending = i.Open // whatever becomes of its worker, the lease of an open job expires and somebody takes it
		changes, _, err := audit.Head(ctx, p.db)
		i.Done = int64(changes)
		return err
	})
	p.observe = append(p.observe, p.observeChain, p.observeLeases, q.Observe)
	p.records = func(ctx context.Context, after int64, limit int, emit control.Emit) error {
		page, err := audit.After(ctx, p.db, p.cfg.component, after, limit)
		if err != nil {
			return err
		}
		for _, line := range page {
			if err := emit(line); err != nil {
				return err
			}
		}
		return nil
	}
	return nil
}

// buildWorker builds one of the workers. It has nothing of its own that would be lost with it.
func buildWorker(_ context.Context, p *process) error {
	g := p.gateway()
	q := jobs.NewClient(p.cfg.queue, p.cfg.gatewayTimeout)
	p.closers = append(p.closers, func(context.Context) error { q.Close(); return nil })
	p.worker = &jobs.Worker{
		Owner: fmt.Sprintf("%s-%d-%d", p.cfg.component, os.Getpid(), time.Now().UnixNano()),
		Queue: q, Advance: p.cfg.parts.JobAdvance, Stopped: p.cfg.parts.JobStopped,
		Slots: p.cfg.workers, Poll: p.cfg.poll, Backoff: p.backoff("jobs"), Meter: &p.meter, Log: p.log,
		Chunk: func(ctx context.Context, j jobs.Grant, n int) (gateway.Answer, error) {
			if err := policy.Sleep(ctx, p.cfg.chunk); err != nil { // the work itself
				return gateway.Answer{}, err
			}
			one, cancel := context.WithTimeout(ctx, p.cfg.gatewayTimeout)
			defer cancel()
			call := gateway.Call{OrderID: j.JobID, Key: p.cfg.parts.JobKey(j, n), Token: j.Token, Fenced: true, Trace: j.Trace}
			return g.Process(one, call, n, j.Account, j.Amount)
		},
	}
	p.ready = append(p.ready, p.worker.Ready)
	return nil
}
