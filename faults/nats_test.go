package faults_test

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/faults"
)

// stream is a JetStream behind a proxy, and a way past it.
func stream(t *testing.T) (b *bench, proxied, direct jetstream.Stream, publish func(string) error) {
	broker, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoLog: true, NoSigs: true})
	require.NoError(t, err)
	broker.Start()
	t.Cleanup(func() { broker.Shutdown(); broker.WaitForShutdown() })
	require.True(t, broker.ReadyForConnections(5*time.Second))
	b = &bench{log: newLog(), topology: shop}
	b.proxied(t, natsEdge, broker.Addr().String())
	connect := func(addr string) jetstream.JetStream {
		c, err := nats.Connect("nats://"+addr, nats.MaxReconnects(-1), nats.ReconnectWait(time.Millisecond), nats.ReconnectJitter(0, 0))
		require.NoError(t, err)
		t.Cleanup(c.Close)
		js, err := jetstream.New(c)
		require.NoError(t, err)
		return js
	}
	past := connect(broker.Addr().String())
	direct, err = past.CreateStream(ctx(t), jetstream.StreamConfig{Name: "ORDERS", Subjects: []string{"orders.>"}, Storage: jetstream.MemoryStorage})
	require.NoError(t, err)
	through := connect(b.listen)
	proxied, err = through.Stream(ctx(t), "ORDERS")
	require.NoError(t, err)
	return b, proxied, direct, func(order string) error {
		c, cancel := context.WithTimeout(ctx(t), 500*time.Millisecond)
		defer cancel()
		_, err := through.Publish(c, "orders.created", []byte(order), jetstream.WithRetryAttempts(0))
		return err
	}
}

func onMessage(kind, exchange string, nth uint64) faults.Spec {
	return faults.Spec{ID: "f1", Kind: kind, From: "relay", To: "broker", When: &faults.When{Exchange: exchange, Nth: nth}}
}

// The pair that a publisher cannot tell apart: a lost request was never stored, a lost ack was.
func TestALostPublishAndALostAck(t *testing.T) {
	for kind, stored := range map[string]uint64{"drop-request": 2, "drop-response": 3} {
		t.Run(kind, func(t *testing.T) {
			b, _, direct, publish := stream(t)
			wait := b.start(t, []faults.Spec{onMessage(kind, "PUB orders.*", 2)}, nil)
			require.NoError(t, publish("o-1"))
			require.Error(t, publish("o-2"))
			require.Eventually(t, func() bool { return publish("o-3") == nil }, 5*time.Second, time.Millisecond, "it connects again")
			require.Equal(t, []error{nil}, wait())
			require.Equal(t, whole, b.log.story("f1"))
			require.Contains(t, b.log.evidence(t, "f1", confirmed).Probe, "PUB orders.created #2 of o-2 (relay -> broker): ")
			info, err := direct.Info(ctx(t))
			require.NoError(t, err)
			require.Equal(t, stored, info.State.Msgs)
		})
	}
}

func TestADeliveryThatComesTwice(t *testing.T) {
	b, proxied, _, publish := stream(t)
	consumer, err := proxied.CreateConsumer(ctx(t), jetstream.ConsumerConfig{Durable: "worker", AckPolicy: jetstream.AckExplicitPolicy})
	require.NoError(t, err)
	got := make(chan string, 10)
	running, err := consumer.Consume(func(m jetstream.Msg) {
		got <- string(m.Data())
		_ = m.Ack() // of a delivery that came twice it may be refused
	})
	require.NoError(t, err)
	t.Cleanup(func() { running.Stop(); <-running.Closed() })
	wait := b.start(t, []faults.Spec{onMessage("duplicate", "MSG orders.created", 2)}, nil)
	var all []string
	next := func() {
		select {
		case m := <-got:
			all = append(all, m)
		case <-time.After(5 * time.Second):
			require.Fail(t, "nothing was delivered", "after %v", all)
		}
	}
	for _, order := range []string{"o-1", "o-2", "o-3"} {
		require.NoError(t, publish(order))
		next()
	}
	next()
	require.Equal(t, []error{nil}, wait())
	require.ElementsMatch(t, []string{"o-1", "o-2", "o-2", "o-3"}, all)
	require.Equal(t, whole, b.log.story("f1"))
	require.Contains(t, b.log.evidence(t, "f1", confirmed).Probe, "MSG orders.created #2 of o-2")
}
