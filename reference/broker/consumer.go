package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/wreckon/wreckon/reference/message"
	"github.com/wreckon/wreckon/reference/policy"
	"github.com/wreckon/wreckon/reference/telemetry"
)

// A pull request is answered, or its expiry is, within pullExpiry; in between the server must be heard every heartbeat. An iterator
// that says nothing for silence is replaced, whatever it thinks of itself.
const (
	pullExpiry = 3 * time.Second
	heartbeat  = time.Second
	silence    = 8 * time.Second
)

// Handler works on a delivery. nil acknowledges the message; after an error it comes again, later, sooner if the error is a *Later.
type Handler func(ctx context.Context, d message.Delivery) error

// Later is an error that says when it is worth trying again.
type Later struct {
	After time.Duration
	Err   error
}

func (l *Later) Error() string { return l.Err.Error() }

func (l *Later) Unwrap() error { return l.Err }

// Consumer is one durable consumer of one stream, and what works on its messages.
type Consumer struct {
	Stream  string
	Durable string
	Filter  string
	Handle  Handler
	Receive Receive       // when a message is acknowledged; see AfterWork
	AckWait time.Duration // after this long without a word from us the broker delivers again
	Workers int
	Backoff *policy.Backoff
	Meter   *Meter
	Log     *slog.Logger

	ready atomic.Bool
	hand  sync.WaitGroup
}

// Meter counts what the consumers of a process do.
type Meter struct{ InHand, Done atomic.Int64 }

// Ready says whether the consumer has been set up at the broker since this process started.
func (c *Consumer) Ready() bool { return c.ready.Load() }

// Run consumes until intake ends, and returns when what was taken in is done, or told to stop by work. It needs no broker to begin
// with: it waits for one.
func (c *Consumer) Run(intake, work context.Context, conn *Conn) error {
	defer c.hand.Wait()
	source, err := c.setUp(intake, conn)
	if err != nil {
		return nil // only the end of intake keeps it from trying
	}
	c.ready.Store(true)
	var workers sync.WaitGroup
	for range c.Workers {
		workers.Go(func() { c.worker(intake, work, source) })
	}
	workers.Wait()
	return nil
}

func (c *Consumer) setUp(ctx context.Context, conn *Conn) (jetstream.Consumer, error) {
	for attempt := 1; ; attempt++ {
		source, err := c.create(ctx, conn)
		if err == nil {
			return source, nil
		}
		if conn.Connected() {
			c.Log.Warn("consumer not set up", "consumer", c.Durable, "attempt", attempt, "error", err)
		}
		if err := policy.Sleep(ctx, 5*time.Millisecond*time.Duration(min(attempt, 10))); err != nil {
			return nil, err
		}
	}
}

func (c *Consumer) create(ctx context.Context, conn *Conn) (jetstream.Consumer, error) {
	if !conn.Connected() {
		return nil, errors.New("no broker")
	}
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	return conn.js.CreateOrUpdateConsumer(ctx, c.Stream, jetstream.ConsumerConfig{
		Durable:       c.Durable,
		FilterSubject: c.Filter,
		AckPolicy:     jetstream.AckExplicitPolicy,
		AckWait:       c.AckWait,
		MaxDeliver:    -1, // giving up is a decision of the service, made in its inbox
	})
}

// worker takes one message at a time. It asks for the next when it is free to work on it, so that no message grows old in a queue
// of this process while the broker's AckWait runs.
func (c *Consumer) worker(intake, work context.Context, source jetstream.Consumer) {
	for attempt := 1; intake.Err() == nil; attempt++ {
		err := c.pull(intake, work, source, &attempt)
		if intake.Err() != nil {
			return
		}
		c.Log.Debug("pull ended", "consumer", c.Durable, "error", err)
		if policy.Sleep(intake, 5*time.Millisecond*time.Duration(min(attempt, 20))) != nil {
			return
		}
	}
}

// pull works on messages until its iterator fails: after a lost connection, missed heartbeats, or too long a silence.
func (c *Consumer) pull(intake, work context.Context, source jetstream.Consumer, attempt *int) error {
	messages, err := source.Messages(jetstream.PullMaxMessages(1), jetstream.PullExpiry(pullExpiry), jetstream.PullHeartbeat(heartbeat))
	if err != nil {
		return fmt.Errorf("start to pull: %w", err)
	}
	defer messages.Stop()
	for {
		next, cancel := context.WithTimeout(intake, silence)
		msg, err := messages.Next(jetstream.NextContext(next))
		cancel()
		if err != nil {
			return fmt.Errorf("pull: %w", err)
		}
		*attempt = 0
		c.Receive(work, &Incoming{msg: msg, consumer: c}, c.watched)
	}
}

// watched is Handle as an operation: what it does and sends continues the trace of the message.
func (c *Consumer) watched(ctx context.Context, d message.Delivery) error {
	if d.Number > 1 {
		telemetry.Count(ctx, telemetry.Redeliveries, c.Durable)
	}
	ctx, op := telemetry.Begin(ctx, telemetry.Consumer, "receive "+c.Durable, d.Trace)
	telemetry.About(ctx, telemetry.Job{Attempt: d.Number})
	d.Trace = op.Trace()
	err := c.Handle(ctx, d)
	if err != nil {
		op.End("again", err)
		return err
	}
	op.End("done", nil)
	return nil
}

// Receive takes a message in: it has it worked on and acknowledges it. It must not return before it is ready for another.
type Receive func(ctx context.Context, in *Incoming, handle Handler)

// AfterWork acknowledges a message once its handler has committed. If this process dies before, the message comes again.
func AfterWork(ctx context.Context, in *Incoming, handle Handler) {
	defer in.Hold()()
	if err := handle(ctx, in.Delivery()); err != nil {
		in.Again(err)
		return
	}
	in.Ack()
}

// Incoming is a message that has been delivered and not yet been acknowledged.
type Incoming struct {
	msg      jetstream.Msg
	consumer *Consumer
}

// Delivery is the message.
func (in *Incoming) Delivery() message.Delivery {
	d := message.Delivery{
		Message: message.Message{
			ID:      in.msg.Headers().Get(jetstream.MsgIDHeader),
			Subject: in.msg.Subject(),
			Trace:   in.msg.Headers().Get(traceHeader),
			Data:    in.msg.Data(),
		},
		Number: 1,
		Extend: func() { in.try("extend", in.msg.InProgress()) },
	}
	if meta, err := in.msg.Metadata(); err == nil {
		d.Number = int(meta.NumDelivered)
		if d.ID == "" { // not from an outbox; its place in the stream is its name
			d.ID = fmt.Sprintf("%s-%d", meta.Stream, meta.Sequence.Stream)
		}
	}
	return d
}

// Hold counts the message as work in hand, which a drain waits for, until release is called.
func (in *Incoming) Hold() (release func()) {
	c := in.consumer
	c.hand.Add(1)
	c.Meter.InHand.Add(1)
	return func() {
		c.Meter.InHand.Add(-1)
		c.Meter.Done.Add(1)
		c.hand.Done()
	}
}

// Backoff is how the consumer waits between tries.
func (in *Incoming) Backoff() *policy.Backoff { return in.consumer.Backoff }

// Ack tells the broker that the message is done with. If that gets lost, the message comes again, and the inbox knows it.
func (in *Incoming) Ack() { in.try("acknowledge", in.msg.Ack()) }

// Again tells the broker to deliver the message again after a while. If that gets lost, AckWait does the same.
func (in *Incoming) Again(cause error) {
	c, d := in.consumer, in.Delivery()
	delay := c.Backoff.Delay(d.Number)
	var later *Later
	if errors.As(cause, &later) {
		delay = later.After
	}
	c.Log.Info("message comes again", "message", d.ID, "subject", d.Subject, "delivery", d.Number, "after", delay, "traceparent", d.Trace, "error", cause)
	in.try("return", in.msg.NakWithDelay(delay))
}

func (in *Incoming) try(verb string, err error) {
	if err != nil {
		in.consumer.Log.Info("broker not told", "verb", verb, "message", in.msg.Headers().Get(jetstream.MsgIDHeader), "error", err)
	}
}
