package proxy_test

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/faults/proxy"
	"github.com/wreckon/wreckon/faults/wire"
	"github.com/wreckon/wreckon/internal/servers"
	"github.com/wreckon/wreckon/targets"
)

// What it costs that messages are understood and exchanges told, in the protocols other than HTTP.

// BenchmarkExchangesJetStream publishes to a stream in memory, with at most 64 acknowledgements outstanding.
func BenchmarkExchangesJetStream(b *testing.B) {
	sides := sidesOf(b, targets.NATS, broker(b))
	var publish [2]jetstream.JetStream
	for side, addr := range sides {
		js, err := jetstream.New(natsClient(b, addr), jetstream.WithPublishAsyncMaxPending(64))
		require.NoError(b, err)
		publish[side] = js
	}
	payload := make([]byte, 256)
	compare(b, func(side, n int) {
		for range n {
			if _, err := publish[side].PublishAsync("orders.created", payload); err != nil {
				b.Error(err)
			}
		}
		<-publish[side].PublishAsyncComplete()
	})
}

// BenchmarkExchangesNATS publishes without a reply subject.
func BenchmarkExchangesNATS(b *testing.B) {
	var clients [2]*nats.Conn
	for side, addr := range sidesOf(b, targets.NATS, broker(b)) {
		clients[side] = natsClient(b, addr)
	}
	payload := make([]byte, 256)
	compare(b, func(side, n int) {
		for range n {
			if err := clients[side].Publish("plain", payload); err != nil {
				b.Error(err)
			}
		}
		if err := clients[side].Flush(); err != nil {
			b.Error(err)
		}
	})
}

// BenchmarkExchangesPostgres reads one row by its key, with a prepared statement, on 12 connections.
func BenchmarkExchangesPostgres(b *testing.B) {
	const conns = 12
	upstream := servers.Postgres(b)
	direct := pgClient(b, upstream)
	_, err := direct.Exec(b.Context(), "CREATE TABLE accounts AS SELECT id, id * 7 AS balance FROM generate_series(1, 10000) id; ALTER TABLE accounts ADD PRIMARY KEY (id)")
	require.NoError(b, err)
	var clients [2][conns]*pgx.Conn
	for side, addr := range sidesOf(b, targets.Postgres, upstream) {
		for i := range conns {
			clients[side][i] = pgClient(b, addr)
		}
	}
	compare(b, func(side, n int) {
		done := make(chan error, conns)
		for i, c := range clients[side] {
			go func() {
				var err error
				for k := i; k < n && err == nil; k += conns {
					var balance int
					err = c.QueryRow(b.Context(), "SELECT balance FROM accounts WHERE id = $1", 1+k%10_000).Scan(&balance)
				}
				done <- err
			}()
		}
		for range conns {
			if err := <-done; err != nil {
				b.Error(err)
			}
		}
	})
}

// sidesOf are the addresses to compare: the server's, and a proxy's that understands it. What takes the exchanges only counts them: what
// it costs to keep them is no cost of the proxy.
func sidesOf(b *testing.B, p targets.Protocol, upstream string) [2]string {
	b.Helper()
	all := proxy.NewWith(wire.Options{Record: &nobody{}})
	b.Cleanup(func() { require.NoError(b, all.Close()) })
	listen, err := all.Add(targets.Edge{From: "a", To: "b", Protocol: p}, upstream)
	require.NoError(b, err)
	return [2]string{upstream, listen}
}
