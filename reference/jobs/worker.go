package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wreckon/wreckon/reference/broker"
	"github.com/wreckon/wreckon/reference/gateway"
	"github.com/wreckon/wreckon/reference/policy"
	"github.com/wreckon/wreckon/reference/telemetry"
)

// Worker works on jobs, several at once.
type Worker struct {
	Owner   string // this process, and no other before or after it
	Queue   *Client
	Chunk   Chunk
	Verify  Verify
	Resume  Resume
	Advance Advance
	Stopped Stopped
	Slots   int           // jobs worked on at once
	Poll    time.Duration // how often an idle slot asks for a job
	Backoff *policy.Backoff
	Meter   *broker.Meter
	Log     *slog.Logger

	heard atomic.Bool
}

// Chunk does one chunk of a job, from 1, under the token of its grant, however often it is asked to; try says for which time, from 1.
type Chunk func(ctx context.Context, g Grant, n, try int) (gateway.Answer, error)

// Verify lists the chunks of a job that the party outside has, in any order.
type Verify func(ctx context.Context, g Grant) (there []int, err error)

// Resume says how many chunks of a job that was granted are done; see BehindCheckpoint.
type Resume func(g Grant) (place int)

// BehindCheckpoint goes on where the last checkpoint was saved, by whomever.
func BehindCheckpoint(g Grant) (place int) { return g.Place }

// Advance does the chunk n and makes it known, in the order on which the promise hangs; see WorkThenSave.
type Advance func(ctx context.Context, work func() error, save func() error) error

// WorkThenSave does the chunk first. A crash in between repeats it, which changes nothing; the other way round it would be skipped.
func WorkThenSave(_ context.Context, work func() error, save func() error) error {
	if err := work(); err != nil {
		return err
	}
	return save()
}

// Key names the effect of a chunk; see StableKey.
type Key func(g Grant, n int) string

// StableKey is the same whoever does the chunk, and however often.
func StableKey(g Grant, n int) string { return fmt.Sprintf("%s/chunk/%d", g.JobID, n) }

// Stopped tells whether a worker takes no more jobs, and leaves those it has between two chunks; see WhenTold. told ends when the process
// is told to stop.
type Stopped func(told context.Context) bool

// WhenTold leaves them as soon as the process is told to stop.
func WhenTold(told context.Context) bool { return told.Err() != nil }

// Ready tells whether the queue has ever answered.
func (w *Worker) Ready(context.Context) error {
	if !w.heard.Load() {
		return errors.New("the queue has not answered yet")
	}
	return nil
}

// Run works until told ends, and then leaves its jobs in order, for as long as work lasts.
func (w *Worker) Run(told, work context.Context) error {
	var slots sync.WaitGroup
	for range w.Slots {
		slots.Go(func() {
			for failures := 0; !w.Stopped(told); {
				grant, err := w.Queue.Claim(work, w.Owner) // an answer that nobody waits for would be a job that nobody works on
				switch {
				case err != nil:
					failures++
					_ = w.Backoff.Wait(told, failures) // the loop sees that told has ended
				case grant == nil:
					w.heard.Store(true)
					failures = 0
					_ = policy.Sleep(told, w.Poll)
				default:
					w.heard.Store(true)
					failures = 0
					w.one(told, work, *grant)
				}
			}
		})
	}
	slots.Wait()
	return nil
}

// one works on a job until it is finished, lost, handed back or set aside.
func (w *Worker) one(told, work context.Context, g Grant) {
	w.Meter.InHand.Add(1)
	defer func() {
		w.Meter.InHand.Add(-1)
		w.Meter.Done.Add(1)
	}()
	work, op := telemetry.Begin(work, telemetry.Consumer, "work on job", g.Trace)
	telemetry.About(work, telemetry.Job{ID: g.JobID, Attempt: g.Attempt})
	g.Trace = op.Trace()
	ctx, cancel := context.WithCancelCause(work)
	defer cancel(nil)
	alive := w.keepAlive(ctx, cancel, g)
	place, err := w.chunks(told, ctx, g)
	verified := false
	if err == nil && place == Chunks {
		verified, err = w.verify(told, ctx, g)
	}
	cancel(nil)
	<-alive

	r := Report{JobID: g.JobID, Owner: w.Owner, Token: g.Token, Place: place}
	var impossible refusal
	end := "left"
	switch {
	case errors.As(err, &impossible):
		r.Reason, end = impossible.reason, "set-aside"
	case err == nil && verified:
		end = "finish"
	case err == nil:
		end = "hand-back"
	}
	if end != "left" {
		err = w.insist(work, end, r)
	}
	if err != nil {
		end = "left"
		w.Log.InfoContext(work, "left a job", "token", g.Token, "place", place, "error", err)
	}
	op.End(end, err)
}

// refusal is a chunk that can never be done.
type refusal struct{ reason string }

func (r refusal) Error() string { return r.reason }

// chunks does what is left of a job, and says how far it got. It stops between two chunks when the process is told to.
func (w *Worker) chunks(told, ctx context.Context, g Grant) (place int, err error) {
	for place = w.Resume(g); place < Chunks && !w.Stopped(told); place++ {
		n := place + 1
		work := func() error { return w.chunk(ctx, g, n) }
		save := func() error {
			if n%Every != 0 || n == Chunks { // the last one is saved by finishing
				return nil
			}
			return w.insist(ctx, "checkpoint", Report{JobID: g.JobID, Owner: w.Owner, Token: g.Token, Place: n})
		}
		if err := w.Advance(ctx, work, save); err != nil {
			return place, err
		}
	}
	return place, nil
}

// verify asks the other side what it has of a job whose chunks are all done, and does what is missing, until nothing is: a place that was
// saved says what was believed. It is false without an error if the process was told to stop before.
func (w *Worker) verify(told, ctx context.Context, g Grant) (bool, error) {
	for tries := 1; !w.Stopped(told); tries++ {
		there, err := w.Verify(ctx, g)
		complete := err == nil
		for n := 1; n <= Chunks && err == nil; n++ {
			if slices.Contains(there, n) {
				continue
			}
			w.Log.WarnContext(ctx, "a chunk is missing", "chunk", n)
			complete, err = false, w.chunk(ctx, g, n)
		}
		var impossible refusal
		if complete || errors.As(err, &impossible) || errors.Is(err, ErrLost) {
			return complete, err
		}
		if waited := w.Backoff.Wait(ctx, tries); waited != nil {
			return false, errors.Join(context.Cause(ctx), err)
		}
	}
	return false, nil
}

// chunk does one chunk, again and again until somebody says how it ended.
func (w *Worker) chunk(ctx context.Context, g Grant, n int) error {
	for tries := 1; ; tries++ {
		answer, err := w.Chunk(ctx, g, n, tries)
		switch {
		case errors.Is(err, gateway.ErrSuperseded):
			return fmt.Errorf("do chunk %d: %w", n, ErrLost)
		case err == nil && answer.Refused:
			return refusal{fmt.Sprintf("chunk %d: %s", n, answer.Reason)}
		case err == nil:
			return nil
		}
		if err := w.Backoff.Wait(ctx, tries); err != nil {
			return errors.Join(context.Cause(ctx), err)
		}
	}
}

// insist reports until the queue has answered.
func (w *Worker) insist(ctx context.Context, verb string, r Report) error {
	for tries := 1; ; tries++ {
		err := w.Queue.Report(ctx, verb, r)
		if err == nil || errors.Is(err, ErrLost) {
			return err
		}
		if waited := w.Backoff.Wait(ctx, tries); waited != nil {
			return errors.Join(context.Cause(ctx), err)
		}
	}
}

// keepAlive extends the lease until ctx ends, and ends the work when it is lost.
func (w *Worker) keepAlive(ctx context.Context, stop context.CancelCauseFunc, g Grant) (done <-chan struct{}) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for policy.Sleep(ctx, g.Lease/3) == nil {
			err := w.Queue.Report(ctx, "extend", Report{JobID: g.JobID, Owner: w.Owner, Token: g.Token})
			if errors.Is(err, ErrLost) {
				stop(err)
			}
		}
	}()
	return ended
}
