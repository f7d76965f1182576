package broker_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/wreckon/wreckon/reference/broker"
	"github.com/wreckon/wreckon/reference/message"
	"github.com/wreckon/wreckon/reference/policy"
)

func TestMain(m *testing.M) {
	// The server starts a ticker of its own once in the life of a process.
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/nats-io/nats-server/v2/server/ats.init.0.func1"),
		goleak.IgnoreAnyFunction("github.com/nats-io/nats-server/v2/server/ats.Register.func1"))
}

var streams = []broker.Stream{{Name: "WORK", Subjects: "work.>", Consumers: []string{"a", "b"}}}

var quiet = slog.New(slog.DiscardHandler)

func rng() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }

func serve(t *testing.T, addr, dir string) *broker.Server {
	t.Helper()
	s, err := broker.Serve(t.Context(), addr, dir, streams, quiet)
	require.NoError(t, err)
	return s
}

func dial(t *testing.T, addr string) *broker.Conn {
	t.Helper()
	c, err := broker.Dial(addr, "test", rng(), quiet)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, c.Close(context.Background())) })
	return c
}

// log remembers what was handled.
type log struct {
	mu   sync.Mutex
	seen []message.Delivery
}

func (l *log) handle(_ context.Context, d message.Delivery) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen = append(l.seen, d)
	return nil
}

func (l *log) len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.seen)
}

func consume(t *testing.T, c *broker.Conn, name string, handle broker.Handler) (stop func()) {
	t.Helper()
	consumer := &broker.Consumer{
		Stream: "WORK", Durable: name, Filter: "work." + name, Handle: handle, Receive: broker.AfterWork, AckWait: time.Second, Workers: 2,
		Backoff: policy.NewBackoff(time.Millisecond, 5*time.Millisecond, rng()), Meter: &broker.Meter{}, Log: quiet,
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- consumer.Run(ctx, context.Background(), c) }()
	require.Eventually(t, consumer.Ready, 10*time.Second, time.Millisecond)
	return func() { cancel(); assert.NoError(t, <-done) }
}

func publish(t *testing.T, c *broker.Conn, subject, id string) {
	t.Helper()
	require.Eventually(t, func() bool {
		return c.Publish(t.Context(), message.Message{ID: id, Subject: subject, Trace: "trace", Data: []byte(id)}) == nil
	}, 10*time.Second, time.Millisecond)
}

func pending(t *testing.T, s *broker.Server, want int64) {
	t.Helper()
	require.Eventually(t, func() bool { n, err := s.Pending(); return err == nil && n == want }, 10*time.Second, time.Millisecond)
}

func TestAMessageIsDeliveredUntilItIsHandled(t *testing.T) {
	s := serve(t, "127.0.0.1:0", t.TempDir())
	defer s.Close()
	c := dial(t, s.Addr())
	publish(t, c, "work.a", "1")
	publish(t, c, "work.a", "1") // the same again
	var l log
	stop := consume(t, c, "a", func(ctx context.Context, d message.Delivery) error {
		_ = l.handle(ctx, d)
		if d.Number < 3 {
			return &broker.Later{After: time.Millisecond, Err: errors.New("not yet")}
		}
		return nil
	})
	defer stop()
	require.Eventually(t, func() bool { return l.len() == 3 }, 10*time.Second, time.Millisecond)
	pending(t, s, 0)
	for n, d := range l.seen {
		assert.Equal(t, message.Message{ID: "1", Subject: "work.a", Trace: "trace", Data: []byte("1")}, d.Message)
		assert.Equal(t, n+1, d.Number)
	}
}

func TestConsumersOutliveTheBroker(t *testing.T) {
	dir := t.TempDir()
	s := serve(t, "127.0.0.1:0", dir)
	addr := s.Addr()
	c := dial(t, addr)
	var l log
	stop := consume(t, c, "a", l.handle)
	for round := range 3 {
		publish(t, c, "work.a", fmt.Sprintf("%d-before", round))
		s.Close()
		require.Error(t, c.Publish(t.Context(), message.Message{ID: "x", Subject: "work.a"}), "without a broker")
		s = serve(t, addr, dir)
		publish(t, c, "work.a", fmt.Sprintf("%d-after", round))
	}
	require.Eventually(t, func() bool { return l.len() >= 6 }, 10*time.Second, time.Millisecond)
	pending(t, s, 0)
	stop()
	s.Close()
	ids := map[string]bool{}
	for _, d := range l.seen {
		ids[d.ID] = true
	}
	assert.Len(t, ids, 6)
}

func TestOnlyWhatEverybodyHasAcknowledgedIsSweptOut(t *testing.T) {
	s := serve(t, "127.0.0.1:0", t.TempDir())
	defer s.Close()
	c := dial(t, s.Addr())
	for n := range 10 {
		publish(t, c, "work."+string("ab"[n%2]), fmt.Sprint(n))
	}
	left := func() uint64 {
		require.NoError(t, s.Sweep(t.Context()))
		nc, err := nats.Connect("nats://" + s.Addr())
		require.NoError(t, err)
		defer nc.Close()
		js, err := jetstream.New(nc)
		require.NoError(t, err)
		stream, err := js.Stream(t.Context(), "WORK")
		require.NoError(t, err)
		return stream.CachedInfo().State.Msgs
	}
	var a, b log
	stopA := consume(t, c, "a", a.handle)
	defer stopA()
	require.Eventually(t, func() bool { return a.len() == 5 }, 10*time.Second, time.Millisecond)
	pending(t, s, 0)
	assert.EqualValues(t, 10, left(), "b was never there")
	stopB := consume(t, c, "b", func(ctx context.Context, d message.Delivery) error {
		if d.ID == "5" && d.Number < 4 {
			return errors.New("not yet")
		}
		return b.handle(ctx, d)
	})
	defer stopB()
	require.Eventually(t, func() bool { return b.len() == 5 }, 10*time.Second, time.Millisecond)
	pending(t, s, 0)
	assert.EqualValues(t, 2, left(), "the last one of each stays")
}

// TestSweepingUnderLoadTakesNothingThatNobodyHasSeen: the server counts a message as pending a while after it has stored it.
func TestSweepingUnderLoadTakesNothingThatNobodyHasSeen(t *testing.T) {
	s := serve(t, "127.0.0.1:0", t.TempDir())
	defer s.Close()
	c := dial(t, s.Addr())
	var a, b log
	defer consume(t, c, "a", a.handle)()
	defer consume(t, c, "b", b.handle)()
	const publishers, each = 8, 150
	var all sync.WaitGroup
	for p := range publishers {
		all.Go(func() {
			for n := range each {
				publish(t, c, "work."+string("ab"[p%2]), fmt.Sprintf("%d-%d", p, n))
			}
		})
	}
	published := make(chan struct{})
	go func() { all.Wait(); close(published) }()
	swept := 0
	for sweeping := true; sweeping; {
		if s.Sweep(t.Context()) == nil {
			swept++
		}
		select {
		case <-published:
			sweeping = false
		default:
		}
	}
	require.Eventually(t, func() bool { return a.len()+b.len() >= publishers*each }, 10*time.Second, time.Millisecond)
	require.Positive(t, swept)
	pending(t, s, 0)
}
