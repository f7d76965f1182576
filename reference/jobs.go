package reference

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/wreckon/wreckon/reference/gateway"
	"github.com/wreckon/wreckon/reference/idempotency"
	"github.com/wreckon/wreckon/reference/jobs"
	"github.com/wreckon/wreckon/reference/lease"
	"github.com/wreckon/wreckon/reference/policy"
)

// buildQueue builds the queue of jobs. It has no broker, and serves its audit trail itself.
func buildQueue(ctx context.Context, p *process) error {
	if err := p.alone(ctx, jobs.Schema, lease.Schema, idempotency.Schema); err != nil {
		return err
	}
	q := &jobs.Queue{DB: p.db, Trail: p.trail, Lease: p.cfg.lease, Fence: p.cfg.parts.JobFence, Clock: p.cfg.parts.JobClock}
	p.public = jobs.Handler(q, p.log) // not metered: a worker that has nothing to do asks for work all the time
	p.waitsFor(q.Open)                // whatever becomes of its worker, the lease of an open job expires and somebody takes it
	p.observe = append(p.observe, p.observeLeases, q.Observe)
	return nil
}

// buildWorker builds one of the workers. It has nothing of its own that would be lost with it.
func buildWorker(_ context.Context, p *process) error {
	g := p.gateway()
	q := jobs.NewClient(p.cfg.queue, p.cfg.gatewayTimeout, func() time.Time { return time.Now().Add(p.cfg.clockOffset) })
	p.closers = append(p.closers, func(context.Context) error { q.Close(); return nil })
	w := &jobs.Worker{
		Owner: fmt.Sprintf("%s-%d-%d", p.cfg.component, os.Getpid(), time.Now().UnixNano()),
		Queue: q, Resume: p.cfg.parts.JobResume, Advance: p.cfg.parts.JobAdvance, Stopped: p.cfg.parts.JobStopped,
		Slots: p.cfg.workers, Poll: p.cfg.poll, Backoff: p.backoff("jobs"), Meter: &p.meter, Log: p.log,
		Chunk: func(ctx context.Context, j jobs.Grant, n, try int) (gateway.Answer, error) {
			if err := policy.Sleep(ctx, p.cfg.chunk); err != nil { // the work itself
				return gateway.Answer{}, err
			}
			one, cancel := context.WithTimeout(ctx, p.cfg.gatewayTimeout)
			defer cancel()
			call := gateway.Call{OrderID: j.JobID, Key: p.cfg.parts.JobKey(j, n), Token: j.Token, Fenced: p.cfg.parts.JobFenced,
				Trace: j.Trace, Try: try}
			return g.Process(one, call, n, j.Account, j.Amount)
		},
	}
	w.Verify = func(ctx context.Context, j jobs.Grant) ([]int, error) {
		ctx, cancel := context.WithTimeout(ctx, p.cfg.gatewayTimeout)
		defer cancel()
		return g.Processed(ctx, j.JobID)
	}
	p.worker = w
	p.ready = append(p.ready, w.Ready)
	return nil
}
