package reference

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"time"

	"github.com/wreckon/wreckon/reference/audit"
	"github.com/wreckon/wreckon/reference/control"
	"github.com/wreckon/wreckon/reference/gateway"
	"github.com/wreckon/wreckon/reference/idempotency"
	"github.com/wreckon/wreckon/reference/lease"
	"github.com/wreckon/wreckon/reference/region"
)

// buildCoordinator builds what says which region is active.
func buildCoordinator(ctx context.Context, p *process) error {
	if err := p.store(ctx, p.cfg.component, region.SeatSchema, lease.Schema); err != nil {
		return err
	}
	p.public = region.SeatHandler(&region.Coordinator{DB: p.db, Lease: p.cfg.lease}, p.log)
	p.ready = append(p.ready, p.reads)
	p.observe = append(p.observe, p.observeLeases)
	return nil
}

// buildRegion builds one of the two regions.
func buildRegion(ctx context.Context, p *process) error {
	if err := p.store(ctx, p.cfg.component, region.Schema, audit.Schema, idempotency.Schema); err != nil {
		return err
	}
	p.trail = p.cfg.parts.Trail(region.Source, p.db, nil, nil)
	client := func(url string) *region.Client {
		c := region.NewClient(url, p.cfg.gatewayTimeout)
		p.closers = append(p.closers, func(context.Context) error { c.Close(); return nil })
		return c
	}
	g := p.gateway()
	r := &region.Region{
		Name: p.cfg.component, Owner: fmt.Sprintf("%s-%d-%d", p.cfg.component, os.Getpid(), time.Now().UnixNano()),
		DB: p.db, Trail: p.trail, Peer: client(cmp.Or(p.cfg.east, p.cfg.west)), Seat: client(p.cfg.coordinator),
		Lease: p.cfg.lease, Poll: p.cfg.poll, Slots: p.cfg.workers, Backoff: p.backoff("transfers"), Meter: &p.meter, Log: p.log,
		Ask: func(ctx context.Context, epoch uint64, e region.Entry) (gateway.Answer, error) {
			ctx, cancel := context.WithTimeout(ctx, p.cfg.gatewayTimeout)
			defer cancel()
			return g.Post(ctx, p.cfg.parts.RegionCall(p.cfg.component, epoch, e), e.Amount, e.Account)
		},
	}
	r.Send = p.cfg.parts.RegionCopy(r.Hand)
	p.public = region.Handler(r, p.log)
	p.worker = r
	p.ready = append(p.ready, p.reads, r.Heard)
	p.idle = append(p.idle, func(ctx context.Context, i *control.Idle) (err error) {
		if r.Active() {
			i.Open, err = r.Open(ctx)
		}
		if i.Pending = i.Open; !r.Settled() { // there will be somebody active, and another with a copy
			i.Pending++
		}
		if err == nil {
			var entries uint64
			entries, _, err = audit.Head(ctx, p.db)
			i.Done = int64(entries)
		}
		return err
	})
	p.observe = append(p.observe, r.Observe)
	p.records = func(ctx context.Context, after int64, limit int, emit control.Emit) error {
		if !r.Active() { // what is here may yet be thrown away
			return nil
		}
		page, err := audit.After(ctx, p.db, region.Source, after, limit)
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
