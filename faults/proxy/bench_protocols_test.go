package proxy_test

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/internal/servers"
	"github.com/wreckon/wreckon/targets"
)

// What it costs that messages are understood and exchanges told, in the protocols other than HTTP.

// BenchmarkJetStream publishes to a stream in memory, with at most 64 acknowledgements outstanding.
func BenchmarkJetStream(b *testing.B) {
	sides := sidesOf(b, targets.NATS, broker(b))
	var publish []jetstream.JetStream
	for _, s := range sides {
		js, err := jetstream.New(natsClient(b, s.addr), jetstream.WithPublishAsyncMaxPending(64))
		require.NoError(b, err)
		publish = append(publish, js)
	}
	payload := make([]byte, 256)
	compare(b, sides, func(side, n int) {
		for range n {
			if _, err := publish[side].PublishAsync("orders.created", payload); err != nil {
				b.Error(err)
			}
		}
		<-publish[side].PublishAsyncComplete()
	})
}

// BenchmarkNATS publishes without a reply subject.
func BenchmarkNATS(b *testing.B) {
	var clients []*nats.Conn
	sides := sidesOf(b, targets.NATS, broker(b))
	for _, s := range sides {
		clients = append(clients, natsClient(b, s.addr))
	}
	payload := make([]byte, 256)
	compare(b, sides, func(side, n int) {
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

// BenchmarkPostgres reads one row by its key, with a prepared statement, on 12 connections.
func BenchmarkPostgres(b *testing.B) {
	const conns = 12
	upstream := servers.Postgres(b)
	direct := pgClient(b, upstream)
	_, err := direct.Exec(b.Context(), "CREATE TABLE accounts AS SELECT id, id * 7 AS balance FROM generate_series(1, 10000) id; ALTER TABLE accounts ADD PRIMARY KEY (id)")
	require.NoError(b, err)
	sides := sidesOf(b, targets.Postgres, upstream)
	clients := make([][conns]*pgx.Conn, len(sides))
	for side, s := range sides {
		for i := range conns {
			clients[side][i] = pgClient(b, s.addr)
		}
	}
	compare(b, sides, func(side, n int) {
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
