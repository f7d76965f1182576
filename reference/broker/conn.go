package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/wreckon/wreckon/reference/message"
	"github.com/wreckon/wreckon/reference/policy"
	"github.com/wreckon/wreckon/reference/telemetry"
)

// How fast a dead connection is noticed and replaced. A path that swallows everything shows after pingEvery * (maxPings + 1).
const (
	pingEvery      = 400 * time.Millisecond
	maxPings       = 2
	dialTimeout    = time.Second
	publishTimeout = 700 * time.Millisecond
	apiTimeout     = 2 * time.Second
)

const traceHeader = "traceparent"

// Conn is a connection to the broker. There is one for as long as the process lives; it may be without a broker at any time.
type Conn struct {
	nats *nats.Conn
	js   jetstream.JetStream
	log  *slog.Logger
}

// Dial returns at once, connected or not, and keeps trying for ever. rng spreads the attempts.
func Dial(addr, name string, rng *rand.Rand, log *slog.Logger) (*Conn, error) {
	var mu sync.Mutex
	backoff := policy.NewBackoff(15*time.Millisecond, 80*time.Millisecond, rng)
	nc, err := nats.Connect("nats://"+addr,
		nats.Name(name),
		nats.RetryOnFailedConnect(true),
		nats.MaxReconnects(-1),
		nats.CustomReconnectDelay(func(attempts int) time.Duration {
			mu.Lock()
			defer mu.Unlock()
			return backoff.Delay(attempts)
		}),
		nats.Timeout(dialTimeout),
		nats.Dialer(&net.Dialer{Timeout: dialTimeout}),
		nats.PingInterval(pingEvery),
		nats.MaxPingsOutstanding(maxPings),
		nats.FlusherTimeout(time.Second),
		nats.ReconnectBufSize(-1), // without a broker, publishing fails at once: what must not be lost waits in the outbox
		nats.IgnoreDiscoveredServers(),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) { log.Warn("broker lost", "error", err) }),
		nats.ReconnectHandler(func(*nats.Conn) { log.Info("broker found again") }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { log.Warn("broker connection", "error", err) }),
	)
	if err != nil {
		return nil, fmt.Errorf("dial broker: %w", err)
	}
	js, err := jetstream.New(nc, jetstream.WithDefaultTimeout(apiTimeout))
	if err != nil {
		nc.Close()
		return nil, fmt.Errorf("dial broker: %w", err)
	}
	return &Conn{nats: nc, js: js, log: log}, nil
}

// Connected says whether there is a broker at the other end, as far as can be known.
func (c *Conn) Connected() bool { return c.nats.IsConnected() }

// Publish returns nil once the broker has stored m, or had stored it before. After an error nobody knows: publish it again.
func (c *Conn) Publish(ctx context.Context, m message.Message) error {
	ctx, op := telemetry.Begin(ctx, telemetry.Producer, "publish "+m.Subject, m.Trace)
	m.Trace = op.Trace()
	if err := c.publish(ctx, m); err != nil {
		op.End("unknown", err)
		return err
	}
	op.End("stored", nil)
	return nil
}

func (c *Conn) publish(ctx context.Context, m message.Message) error {
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	msg := nats.NewMsg(m.Subject)
	msg.Data = m.Data
	if m.Trace != "" {
		msg.Header.Set(traceHeader, m.Trace)
	}
	if _, err := c.js.PublishMsg(ctx, msg, jetstream.WithMsgID(m.ID)); err != nil {
		return fmt.Errorf("publish %s: %w", m.ID, err)
	}
	return nil
}

// Close sends what is buffered, acknowledgements above all, and ends the connection.
func (c *Conn) Close(ctx context.Context) error {
	var err error
	if c.nats.IsConnected() {
		flush, cancel := context.WithTimeout(ctx, publishTimeout)
		defer cancel()
		err = c.nats.FlushWithContext(flush)
	}
	c.nats.Close()
	if err != nil && !errors.Is(err, nats.ErrConnectionClosed) {
		return fmt.Errorf("close broker connection: %w", err)
	}
	return nil
}
