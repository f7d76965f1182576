package proxy_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	natsd "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rabbitmq/amqp091-go"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/internal/servers"
	"github.com/wreckon/wreckon/targets"
)

// service is a real server, with what a client of it does and what then is there.
type service struct {
	protocol targets.Protocol
	upstream string
	changes  string // the signature of the exchange after which what was asked is there
	// connect makes a client of the server, or of a proxy before it, that asks for something and tells how the server or the connection failed it.
	connect func(t testing.TB, addr string) func(ctx context.Context, what string) error
	times   func(t testing.TB, what string) int // how often what was asked for is there, looked up past the proxy
}

func (s service) edge() targets.Edge { return targets.Edge{From: "a", To: "b", Protocol: s.protocol} }

// services starts one when it is asked for.
var services = map[targets.Protocol]func(testing.TB) service{
	targets.NATS:     natsService,
	targets.Postgres: postgresService,
	targets.RESP:     redisService,
	targets.AMQP:     rabbitService,
}

func broker(t testing.TB) (addr string) {
	b, err := natsd.NewServer(&natsd.Options{Host: "127.0.0.1", Port: natsd.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoLog: true, NoSigs: true})
	require.NoError(t, err)
	b.Start()
	t.Cleanup(func() { b.Shutdown(); b.WaitForShutdown() })
	require.True(t, b.ReadyForConnections(20*time.Second))
	addr = b.Addr().String()
	_, err = stream(t, addr).CreateStream(t.Context(), jetstream.StreamConfig{Name: "ORDERS", Subjects: []string{"orders.>"}, Storage: jetstream.MemoryStorage})
	require.NoError(t, err)
	return addr
}

func natsClient(t testing.TB, addr string) *nats.Conn {
	c, err := nats.Connect("nats://"+addr, nats.NoReconnect(), nats.Timeout(20*time.Second))
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func stream(t testing.TB, addr string) jetstream.JetStream {
	js, err := jetstream.New(natsClient(t, addr))
	require.NoError(t, err)
	return js
}

func natsService(t testing.TB) service {
	addr := broker(t)
	orders, err := stream(t, addr).Stream(t.Context(), "ORDERS")
	require.NoError(t, err)
	return service{
		protocol: targets.NATS, upstream: addr, changes: "PUB orders.created",
		connect: func(t testing.TB, addr string) func(context.Context, string) error {
			js := stream(t, addr)
			return func(ctx context.Context, what string) error {
				_, err := js.Publish(ctx, "orders.created", []byte(what))
				return err
			}
		},
		times: func(t testing.TB, what string) (n int) {
			info, err := orders.Info(t.Context())
			require.NoError(t, err)
			for seq := info.State.FirstSeq; seq <= info.State.LastSeq; seq++ {
				m, err := orders.GetMsg(t.Context(), seq)
				require.NoError(t, err)
				if string(m.Data) == what {
					n++
				}
			}
			return n
		},
	}
}

func pgClient(t testing.TB, addr string) *pgx.Conn {
	c, err := pgx.Connect(t.Context(), servers.PostgresURL(addr))
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close(context.Background()) })
	return c
}

func postgresService(t testing.TB) service {
	addr := servers.Postgres(t)
	direct := pgClient(t, addr)
	_, err := direct.Exec(t.Context(), "CREATE TABLE orders (what text)")
	require.NoError(t, err)
	return service{
		protocol: targets.Postgres, upstream: addr, changes: "COMMIT",
		connect: func(t testing.TB, addr string) func(context.Context, string) error {
			c := pgClient(t, addr)
			return func(ctx context.Context, what string) error {
				tx, err := c.Begin(ctx)
				require.NoError(t, err)
				_, err = tx.Exec(ctx, "INSERT INTO orders (what) VALUES ($1)", what)
				require.NoError(t, err)
				return tx.Commit(ctx)
			}
		},
		times: func(t testing.TB, what string) (n int) {
			require.NoError(t, direct.QueryRow(t.Context(), "SELECT count(*) FROM orders WHERE what = $1", what).Scan(&n))
			return n
		},
	}
}

func redisClient(t testing.TB, addr string) *redis.Client {
	c := redis.NewClient(&redis.Options{Addr: addr, MaxRetries: -1, ContextTimeoutEnabled: true, ReadTimeout: 20 * time.Second, WriteTimeout: 20 * time.Second})
	t.Cleanup(func() { c.Close() })
	return c
}

func redisService(t testing.TB) service {
	addr := servers.Redis(t)
	direct := redisClient(t, addr)
	return service{
		protocol: targets.RESP, upstream: addr, changes: "SET *",
		connect: func(t testing.TB, addr string) func(context.Context, string) error {
			c := redisClient(t, addr)
			return func(ctx context.Context, what string) error { return c.Set(ctx, what, "1", 0).Err() }
		},
		times: func(t testing.TB, what string) int {
			n, err := direct.Exists(t.Context(), what).Result()
			require.NoError(t, err)
			return int(n)
		},
	}
}

func rabbitClient(t testing.TB, addr string) *amqp091.Connection {
	var socket net.Conn
	c, err := amqp091.DialConfig(servers.AMQPURL(addr), amqp091.Config{Dial: func(network, addr string) (c net.Conn, err error) {
		socket, err = net.Dial(network, addr)
		return socket, err
	}})
	require.NoError(t, err)
	t.Cleanup(func() { socket.Close(); _ = c.Close() }) // in this order: one that fell silent would be waited for
	return c
}

func channel(t testing.TB, c *amqp091.Connection) *amqp091.Channel {
	ch, err := c.Channel()
	require.NoError(t, err)
	return ch
}

var errUnconfirmed = errors.New("not confirmed")

// Every order has a queue of its own, which is gone when it has been counted.
func rabbitService(t testing.TB) service {
	addr := servers.RabbitMQ(t)
	direct := channel(t, rabbitClient(t, addr))
	return service{
		protocol: targets.AMQP, upstream: addr, changes: "PUBLISH *",
		connect: func(t testing.TB, addr string) func(context.Context, string) error {
			c := rabbitClient(t, addr)
			closed := c.NotifyClose(make(chan *amqp091.Error, 1))
			ch := channel(t, c)
			require.NoError(t, ch.Confirm(false))
			return func(ctx context.Context, what string) error {
				_, err := direct.QueueDeclare(what, false, false, false, false, nil)
				require.NoError(t, err)
				confirm, err := ch.PublishWithDeferredConfirmWithContext(ctx, "", what, false, false, amqp091.Publishing{Body: []byte(what)})
				if err != nil {
					return err
				}
				switch ok, err := confirm.WaitContext(ctx); {
				case err != nil:
					return err
				case ok:
					return nil
				}
				select {
				case reason := <-closed:
					return fmt.Errorf("closed with %d: %w", reason.Code, errUnconfirmed)
				default:
					return errUnconfirmed
				}
			}
		},
		times: func(t testing.TB, what string) int {
			n, err := direct.QueueDelete(what, false, false, false)
			require.NoError(t, err)
			return n
		},
	}
}
