package reference

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/wreckon/wreckon/reference/audit"
	"github.com/wreckon/wreckon/reference/booking"
	"github.com/wreckon/wreckon/reference/gateway"
	"github.com/wreckon/wreckon/reference/idempotency"
	"github.com/wreckon/wreckon/reference/lease"
	"github.com/wreckon/wreckon/reference/store"
)

// buildBookings builds the office that keeps bookings and seats.
func buildBookings(ctx context.Context, p *process) error {
	if err := p.alone(ctx, booking.Schema, lease.Schema, idempotency.Schema); err != nil {
		return err
	}
	o := &booking.Office{
		DB: p.db, Trail: p.trail, Hold: p.cfg.hold, Call: p.cfg.gatewayTimeout, Lease: p.cfg.lease,
		Settle: p.cfg.parts.BookingSettle, Over: p.cfg.parts.BookingOver,
	}
	p.public = booking.Handler(o, p.log) // not metered: its workers ask all the time
	p.waitsFor(o.Open)                   // whatever becomes of its workers, the time of an open booking comes
	p.observe = append(p.observe, p.observeLeases, o.Observe)
	return nil
}

func buildConfirmer(_ context.Context, p *process) error {
	g := p.gateway()
	c := &booking.Confirmer{
		Owner:  fmt.Sprintf("%s-%d-%d", p.cfg.component, os.Getpid(), time.Now().UnixNano()),
		Office: p.office(), Until: p.cfg.parts.BookingUntil,
		Slots: p.cfg.workers, Poll: p.cfg.poll, Backoff: p.backoff("bookings"), Meter: &p.meter, Log: p.log,
		Ask: func(ctx context.Context, b booking.Grant, until time.Time) (gateway.Answer, error) {
			ctx, cancel := context.WithTimeout(ctx, p.cfg.gatewayTimeout)
			defer cancel()
			call := gateway.Call{OrderID: b.BookingID, Key: b.BookingID + "/confirm", Token: b.Token, Fenced: true, Until: until,
				Trace: b.Trace, Try: b.Attempt}
			return g.Confirm(ctx, call, b.Class)
		},
	}
	p.worker = c
	p.ready = append(p.ready, c.Ready)
	return nil
}

func buildReclaimer(_ context.Context, p *process) error {
	c := &booking.Reclaimer{Office: p.office(), Poll: p.cfg.poll, Backoff: p.backoff("bookings"), Log: p.log}
	p.worker = c
	p.ready = append(p.ready, c.Ready)
	return nil
}

func (p *process) office() *booking.Client {
	c := booking.NewClient(p.cfg.bookings, p.cfg.gatewayTimeout)
	p.closers = append(p.closers, func(context.Context) error { c.Close(); return nil })
	return c
}

// alone opens the store of a component that has no broker, and serves its audit trail itself.
func (p *process) alone(ctx context.Context, schemas ...store.Schema) error {
	if err := p.store(ctx, p.cfg.component, append(schemas, audit.Schema)...); err != nil {
		return err
	}
	p.trail = p.cfg.parts.Trail(p.cfg.component, p.db, nil, nil)
	p.ready = append(p.ready, p.reads)
	p.observe = append(p.observe, p.observeChain)
	p.records = p.chainRecords
	return nil
}
