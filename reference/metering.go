package reference

import (
	"context"

	"github.com/wreckon/wreckon/reference/broker"
	"github.com/wreckon/wreckon/reference/control"
	"github.com/wreckon/wreckon/reference/gateway"
	"github.com/wreckon/wreckon/reference/idempotency"
	"github.com/wreckon/wreckon/reference/metering"
)

// buildIntake builds the front of the metering.
func buildIntake(ctx context.Context, p *process) error {
	if err := p.service(ctx, metering.IntakeSchema, idempotency.Schema); err != nil {
		return err
	}
	in := &metering.Intake{DB: p.db, Inbox: p.inbox, Box: p.box, Trail: p.trail}
	p.consume("READINGS", "intake", metering.SubjectSettled, broker.AfterWork, in.Settled)
	p.public = p.metered(metering.Handler(in, p.log))
	p.counts(in.Open)
	p.observe = append(p.observe, in.Observe)
	return nil
}

// buildIngester builds what collects readings and has them billed.
func buildIngester(ctx context.Context, p *process) error {
	if err := p.service(ctx, metering.IngesterSchema); err != nil {
		return err
	}
	g := p.gateway()
	in := &metering.Ingester{
		DB: p.db, Inbox: p.inbox, Box: p.box, Trail: p.trail,
		Claim: p.cfg.parts.MeterClaim(), Cut: p.cfg.parts.MeterCut, Settle: p.cfg.parts.MeterSettle,
		Send: func(ctx context.Context, b metering.Batch, lines []gateway.Line) ([]uint64, error) {
			ctx, cancel := context.WithTimeout(ctx, p.cfg.gatewayTimeout)
			defer cancel()
			answer, err := g.Bill(ctx, gateway.Call{Key: b.Key()}, lines)
			return answer.Lines, err
		},
		Window: p.cfg.window, Backoff: p.backoff("batches"), Meter: &p.meter, Log: p.log,
	}
	p.consume("READINGS", "ingester", metering.SubjectReceived, p.cfg.parts.MeterReceive, in.Arrived)
	p.worker = in
	p.idle = append(p.idle, func(ctx context.Context, i *control.Idle) error {
		n, err := in.Movable(ctx)
		i.Pending += n
		return err
	})
	p.observe = append(p.observe, in.Observe)
	return nil
}
