package booking

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wreckon/wreckon/reference/broker"
	"github.com/wreckon/wreckon/reference/gateway"
	"github.com/wreckon/wreckon/reference/policy"
	"github.com/wreckon/wreckon/reference/telemetry"
)

// Ask asks the party outside to confirm a booking, by until and never later. However often it is asked, it does so once.
type Ask func(ctx context.Context, g Grant, until time.Time) (gateway.Answer, error)

// Until says by when a confirmation must have landed, where it lands; zero: whenever it does. See EndOfHold.
type Until func(g Grant) time.Time

// EndOfHold is when the customer has been told that the hold ends.
func EndOfHold(g Grant) time.Time { return g.ValidUntil }

// heard remembers whether the office has ever answered.
type heard struct{ atomic.Bool }

// Ready tells whether the office has ever answered.
func (h *heard) Ready(context.Context) error {
	if !h.Load() {
		return errors.New("the office has not answered yet")
	}
	return nil
}

// Confirmer confirms bookings, several at once. It has nothing of its own that would be lost with it.
type Confirmer struct {
	Owner   string // this process, and no other before or after it
	Office  *Client
	Ask     Ask
	Until   Until
	Slots   int           // bookings confirmed at once
	Poll    time.Duration // how often an idle slot asks for a booking
	Backoff *policy.Backoff
	Meter   *broker.Meter
	Log     *slog.Logger

	heard
}

// Run works until told ends, and then finishes what it has begun, for as long as work lasts.
func (c *Confirmer) Run(told, work context.Context) error {
	var slots sync.WaitGroup
	for range c.Slots {
		slots.Go(func() {
			for failures := 0; told.Err() == nil; {
				grant, err := c.Office.Claim(work, c.Owner)
				if err != nil {
					failures++
					_ = c.Backoff.Wait(told, failures) // the loop sees that told has ended
					continue
				}
				c.heard.Store(true)
				failures = 0
				if grant == nil {
					_ = policy.Sleep(told, c.Poll)
					continue
				}
				c.one(work, *grant)
			}
		})
	}
	slots.Wait()
	return nil
}

// one asks for a confirmation, once, and tells the office what was answered. Without an answer the booking comes back when its lease is
// over, to whoever asks for it then.
func (c *Confirmer) one(ctx context.Context, g Grant) {
	c.Meter.InHand.Add(1)
	defer func() {
		c.Meter.InHand.Add(-1)
		c.Meter.Done.Add(1)
	}()
	ctx, op := telemetry.Begin(ctx, telemetry.Consumer, "confirm booking", g.Trace)
	telemetry.About(ctx, telemetry.Job{ID: g.BookingID, Attempt: g.Attempt})
	g.Trace = op.Trace()
	answer, err := c.Ask(ctx, g, c.Until(g))
	r := Report{BookingID: g.BookingID, Owner: c.Owner, Token: g.Token, Detail: answer.Reason}
	end := "confirmed"
	if answer.Refused {
		end = "refused"
	}
	if err == nil {
		err = c.insist(ctx, end, r)
	}
	if err != nil {
		end = "left"
		c.Log.InfoContext(ctx, "left a booking", "token", g.Token, "error", err)
	}
	op.End(end, err)
}

// insist reports until the office has answered.
func (c *Confirmer) insist(ctx context.Context, verb string, r Report) error {
	for tries := 1; ; tries++ {
		err := c.Office.Report(ctx, verb, r)
		if err == nil || errors.Is(err, ErrLost) {
			return err
		}
		if c.Backoff.Wait(ctx, tries) != nil {
			return err
		}
	}
}

// Reclaimer has bookings expire whose time is up. What that means, the office decides.
type Reclaimer struct {
	Office  *Client
	Poll    time.Duration // how often it looks
	Backoff *policy.Backoff
	Log     *slog.Logger

	heard
}

// Run looks until told ends.
func (c *Reclaimer) Run(told, work context.Context) error {
	for failures := 0; told.Err() == nil; {
		if err := c.sweep(told, work); err != nil {
			failures++
			c.Log.Info("could not look after what is due", "error", err)
			_ = c.Backoff.Wait(told, failures)
			continue
		}
		c.heard.Store(true)
		failures = 0
		_ = policy.Sleep(told, c.Poll)
	}
	return nil
}

func (c *Reclaimer) sweep(told, work context.Context) error {
	ids, err := c.Office.Due(work)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if told.Err() != nil { // the next one to look finds them
			return nil
		}
		if err := c.Office.Expire(work, id); err != nil {
			return err
		}
	}
	return nil
}
