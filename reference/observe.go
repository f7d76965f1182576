package reference

import (
	"context"
	"strconv"
	"time"

	"github.com/wreckon/wreckon/reference/audit"
	"github.com/wreckon/wreckon/reference/control"
	"github.com/wreckon/wreckon/reference/inbox"
	"github.com/wreckon/wreckon/reference/lease"
	"github.com/wreckon/wreckon/reference/outbox"
)

// reads is nil if the database answers.
func (p *process) reads(ctx context.Context) error {
	_, err := p.db.Count(ctx, `SELECT 1`)
	return err
}

func (p *process) unsent(ctx context.Context, i *control.Idle) (err error) {
	i.Backlog, err = outbox.Unsent(ctx, p.db)
	return err
}

func (p *process) counts(open func(context.Context) (int64, error)) {
	p.idle = append(p.idle, func(ctx context.Context, i *control.Idle) (err error) {
		i.Open, err = open(ctx)
		return err
	})
}

// waitsFor counts units that are open, and that will not stay so, whatever becomes of those who work on them.
func (p *process) waitsFor(open func(context.Context) (int64, error)) {
	p.idle = append(p.idle, func(ctx context.Context, i *control.Idle) (err error) {
		if i.Open, err = open(ctx); err != nil {
			return err
		}
		i.Pending = i.Open
		changes, _, err := audit.Head(ctx, p.db)
		i.Done = int64(changes)
		return err
	})
}

// chainRecords serves the component's own audit trail.
func (p *process) chainRecords(ctx context.Context, after int64, limit int, emit control.Emit) error {
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

func (p *process) observeOutbox(ctx context.Context, emit control.Emit) error {
	n, err := outbox.Unsent(ctx, p.db)
	if err != nil {
		return err
	}
	return emit(map[string]any{"op": "outbox", "value": strconv.FormatInt(n, 10)})
}

func (p *process) observeInbox(ctx context.Context, emit control.Emit) error {
	n, err := inbox.Redeliveries(ctx, p.db)
	if err != nil {
		return err
	}
	if err := emit(map[string]any{"op": "redeliveries", "count": n}); err != nil {
		return err
	}
	letters, err := inbox.Letters(ctx, p.db)
	if err != nil {
		return err
	}
	for _, l := range letters {
		err := emit(map[string]any{
			"op": "dead-letter", "order_id": l.OrderID, "record": map[string]any{
				"message": l.ID, "subject": l.Subject, "payload": string(l.Data), "trace": l.Trace, "reason": l.Reason, "attempts": l.Attempts,
				"first_at": l.First.UTC().Format(time.RFC3339Nano), "dead_at": l.Dead.UTC().Format(time.RFC3339Nano),
			},
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *process) observeChain(ctx context.Context, emit control.Emit) error {
	seq, hash, err := audit.Head(ctx, p.db)
	if err != nil {
		return err
	}
	return emit(map[string]any{"op": "audit-head", "source": p.cfg.component, "seq": seq, "hash": hash})
}

func (p *process) observeLeases(ctx context.Context, emit control.Emit) error {
	held, err := lease.Held(ctx, p.db)
	if err != nil {
		return err
	}
	for _, l := range held {
		err := emit(map[string]any{"op": "lease", "resource": l.Resource, "owner": l.Owner, "token": l.Token, "expires": l.Expires})
		if err != nil {
			return err
		}
	}
	return nil
}

// gauges has what is in the component's database told as numbers.
func (p *process) gauges() {
	p.tel.Gauge("reference_in_hand", "Messages and requests that are being worked on.", func(context.Context) (float64, error) {
		return float64(p.meter.InHand.Load()), nil
	})
	if p.relay != nil || p.box != nil {
		p.tel.Gauge("reference_outbox_depth", "Messages that were not sent.", func(ctx context.Context) (float64, error) {
			n, err := outbox.Unsent(ctx, p.db)
			return float64(n), err
		})
		p.tel.Gauge("reference_outbox_lag_seconds", "For how long the oldest message has not been sent.", func(ctx context.Context) (float64, error) {
			lag, err := outbox.Lag(ctx, p.db)
			return lag.Seconds(), err
		})
	}
	if p.inbox != nil {
		p.tel.Gauge("reference_dead_letters", "Messages that are set aside and that nobody has settled.", func(ctx context.Context) (float64, error) {
			letters, err := inbox.Letters(ctx, p.db)
			return float64(len(letters)), err
		})
	}
}
