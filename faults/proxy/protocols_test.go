package proxy_test

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rabbitmq/amqp091-go"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/faults"
	"github.com/wreckon/wreckon/faults/wire"
	"github.com/wreckon/wreckon/history"
)

// The proxies before real servers, with real clients. HTTP has its tests in exchange_test.go.
func TestServers(t *testing.T) {
	works := map[string]func(*testing.T, *rig){"nats": natsWork, "postgres": pgWork, "resp": redisWork, "amqp": rabbitWork}
	for protocol, start := range services {
		t.Run(string(protocol), func(t *testing.T) {
			s := start(t)
			t.Run("probe", func(t *testing.T) { probeServer(t, s) })
			t.Run("nothing armed", func(t *testing.T) { nothingArmed(t, s, works[string(protocol)]) })
			t.Run("lost answer and lost request", func(t *testing.T) { lostAnswerAndLostRequest(t, s) })
			t.Run("refused", func(t *testing.T) { refused(t, s) })
		})
	}
}

func probeServer(t *testing.T, s service) {
	_, link, all := proxied(t, s.edge(), s.upstream)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	p := link.Probe(ctx)
	require.NoError(t, p.Err)
	require.Equal(t, faults.SawAnswer, p.Outcome)
	require.Positive(t, p.Sent)
	if s.protocol != "amqp" {
		padded(t, link, 100_000)
	}
	require.Zero(t, all.Stats()[0].Connections)
}

// silentAsks are those that nobody answers.
var silentAsks = regexp.MustCompile(`^(MSG orders\.plain|PUB orders\.plain|PUB \$JS\.ACK|PUB \$JS\.API\.CONSUMER\.MSG\.NEXT|MESSAGE|PUBLISH /unconfirmed)`)

// With nothing armed all is understood, and every exchange ends on its own.
func nothingArmed(t *testing.T, s service, work func(*testing.T, *rig)) {
	r := understoodAs(t, s.edge(), s.upstream)
	ask := s.connect(t, r.listen)
	for i := range 20 {
		what := fmt.Sprint("plain-", i)
		require.NoError(t, ask(t.Context(), what))
		require.Equal(t, 1, s.times(t, what))
	}
	work(t, r)
	eventually(t, func() bool {
		r.ledger.mu.Lock()
		defer r.ledger.mu.Unlock()
		return int64(len(r.ledger.events)) == r.session.Stats().Exchanges
	}, "every exchange is over while its connection is open")
	require.Zero(t, r.session.Stats().Opaque, r.session.Stats().Why)
	all := r.ledger.exchanges(t, r.edge)
	require.Greater(t, len(all), 40)
	for _, x := range all {
		require.Equal(t, 1, x.Deliveries, "%+v", x)
		require.Equal(t, string(s.protocol), x.Protocol)
		if !silentAsks.MatchString(x.Op) {
			require.True(t, x.Returned, "%+v", x)
		}
	}
}

var addresses = regexp.MustCompile(`127\.0\.0\.1:\d+`)

// The pair that a caller cannot tell apart: the answer is lost and it was done; the request is lost and it was not.
func lostAnswerAndLostRequest(t *testing.T, s service) {
	for _, end := range []wire.End{wire.Close, wire.Reset, wire.Silent} {
		var saw [2]string
		for point, did := range []int{wire.Before: 0, wire.After: 1} {
			r := understoodAs(t, s.edge(), s.upstream)
			what := fmt.Sprint("lost-", end, "-", point)
			trap := r.session.Arm(wire.Trap{
				Signature: s.changes, Nth: 2, Unit: history.NoUnit, Point: wire.Point(point), Since: true, Fault: "f1",
				Do: always(wire.Fate{Action: wire.Drop, End: end}),
			})
			ask := s.connect(t, r.listen)
			require.NoError(t, ask(t.Context(), what+"-first"))
			require.Equal(t, 1, s.times(t, what+"-first"))
			patience := 20 * time.Second
			if end == wire.Silent {
				patience = 2 * time.Second // how long the caller waits
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			err := ask(ctx, what)
			cancel()
			require.Error(t, err)
			saw[point] = addresses.ReplaceAllString(err.Error(), "an address")
			require.Equal(t, did, s.times(t, what), "%s", what)
			require.EqualValues(t, 1, trap.Hits())
			require.NoError(t, trap.Err())
			trap.Disarm()
			require.NoError(t, s.connect(t, r.listen)(t.Context(), what+"-again"))
			require.Equal(t, 1, s.times(t, what+"-again"))
			require.NoError(t, r.all.Close())
			touched := 0
			for _, x := range r.ledger.exchanges(t, r.edge) {
				if x.Fault == "f1" {
					touched++
					require.Equal(t, did, x.Deliveries)
					require.False(t, x.Returned)
				}
			}
			require.Equal(t, 1, touched)
		}
		require.Equal(t, saw[wire.Before], saw[wire.After], "the caller cannot tell")
	}
}

// It took effect, the caller is told that it did not, and the connection stays in step.
func refused(t *testing.T, s service) {
	r := understoodAs(t, s.edge(), s.upstream)
	ask := s.connect(t, r.listen)
	trap := r.session.Arm(wire.Trap{Signature: s.changes, Every: 2, Unit: history.NoUnit, Since: true, Point: wire.After, Do: always(wire.Fate{Action: wire.Refuse})})
	for i := range 10 {
		what := fmt.Sprint("refused-", i)
		err := ask(t.Context(), what)
		require.Equal(t, i%2 == 1, err != nil, "%v", err)
		require.Equal(t, 1, s.times(t, what))
	}
	require.NoError(t, trap.Err())
	require.EqualValues(t, 5, trap.Hits())
	require.EqualValues(t, 1, r.all.Stats()[0].Connections)
}

// natsWork publishes, asks, answers and consumes.
func natsWork(t *testing.T, r *rig) {
	c := natsClient(t, r.listen)
	js, err := jetstream.New(c)
	require.NoError(t, err)
	sub, err := c.Subscribe("echo", func(m *nats.Msg) { assert.NoError(t, m.Respond(m.Data)) })
	require.NoError(t, err)
	for i := range 20 {
		m, err := c.Request("echo", fmt.Append(nil, i), 20*time.Second)
		require.NoError(t, err)
		require.Equal(t, fmt.Sprint(i), string(m.Data))
	}
	require.NoError(t, sub.Unsubscribe())
	big := strings.Repeat("x", 300_000)
	_, err = js.Publish(t.Context(), "orders.big", []byte(big))
	require.NoError(t, err)
	worker, err := js.CreateOrUpdateConsumer(t.Context(), "ORDERS", jetstream.ConsumerConfig{FilterSubject: "orders.big", AckPolicy: jetstream.AckExplicitPolicy})
	require.NoError(t, err)
	batch, err := worker.Fetch(1)
	require.NoError(t, err)
	for m := range batch.Messages() {
		require.Equal(t, big, string(m.Data()))
		require.NoError(t, m.DoubleAck(t.Context()))
	}
	require.NoError(t, batch.Error())
	require.NoError(t, c.Publish("orders.plain", []byte("nobody answers")))
	require.NoError(t, c.Flush())
}

// pgWork uses both ways to query, COPY, and errors.
func pgWork(t *testing.T, r *rig) {
	c := pgClient(t, r.listen)
	_, err := c.Exec(t.Context(), "CREATE TEMPORARY TABLE work (id int PRIMARY KEY, name text)")
	require.NoError(t, err)
	for i := range 20 {
		_, err := c.Exec(t.Context(), "INSERT INTO work (id, name) VALUES ($1, $2)", i, "x")
		require.NoError(t, err)
	}
	_, err = c.Exec(t.Context(), "INSERT INTO work (id) VALUES ($1)", 1)
	require.ErrorContains(t, err, "23505")
	_, err = c.CopyFrom(t.Context(), pgx.Identifier{"work"}, []string{"id", "name"}, pgx.CopyFromSlice(2000, func(i int) ([]any, error) {
		return []any{1000 + i, strings.Repeat("c", i%200)}, nil
	}))
	require.NoError(t, err)
	rows, err := c.Query(t.Context(), "SELECT id FROM work ORDER BY id")
	require.NoError(t, err)
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int])
	require.NoError(t, err)
	require.Len(t, ids, 2020)
	results, err := c.PgConn().Exec(t.Context(), "BEGIN; SELECT 1; COMMIT").ReadAll()
	require.NoError(t, err)
	require.Len(t, results, 3)
}

// redisWork pipelines, uses transactions and a subscription.
func redisWork(t *testing.T, r *rig) {
	c := redisClient(t, r.listen)
	answers, err := c.Pipelined(t.Context(), func(p redis.Pipeliner) error {
		for i := range 100 {
			p.Echo(t.Context(), i)
		}
		return nil
	})
	require.NoError(t, err)
	for i, a := range answers {
		require.Equal(t, fmt.Sprint(i), a.(*redis.StringCmd).Val())
	}
	_, err = c.TxPipelined(t.Context(), func(p redis.Pipeliner) error {
		p.Incr(t.Context(), "counter")
		p.HSet(t.Context(), "hash", "a", 1)
		return nil
	})
	require.NoError(t, err)
	require.ErrorContains(t, c.LPush(t.Context(), "counter", "x").Err(), "WRONGTYPE")
	big := strings.Repeat("x", 300_000)
	require.NoError(t, c.Set(t.Context(), "big", big, 0).Err())
	require.Equal(t, big, c.Get(t.Context(), "big").Val())
	sub := c.Subscribe(t.Context(), "news")
	_, err = sub.Receive(t.Context())
	require.NoError(t, err)
	require.NoError(t, c.Publish(t.Context(), "news", "hello").Err())
	m, err := sub.ReceiveMessage(t.Context())
	require.NoError(t, err)
	require.Equal(t, "hello", m.Payload)
	require.NoError(t, sub.Close())
}

// rabbitWork publishes, with confirms and without, and consumes.
func rabbitWork(t *testing.T, r *rig) {
	c := rabbitClient(t, r.listen)
	ch := channel(t, c)
	unconfirmed := channel(t, c)
	q, err := ch.QueueDeclare("unconfirmed", false, true, true, false, nil)
	require.NoError(t, err)
	require.NoError(t, ch.Confirm(false))
	for i := range 20 {
		confirm, err := ch.PublishWithDeferredConfirmWithContext(t.Context(), "amq.direct", "nowhere", false, false, amqp091.Publishing{Body: make([]byte, i*10_000)})
		require.NoError(t, err)
		require.True(t, confirm.Wait())
	}
	for range 20 {
		require.NoError(t, unconfirmed.PublishWithContext(t.Context(), "", q.Name, false, false, amqp091.Publishing{Body: []byte("x")}))
	}
	deliveries, err := ch.ConsumeWithContext(t.Context(), q.Name, "me", false, false, false, false, nil)
	require.NoError(t, err)
	for i := range 20 {
		d := <-deliveries
		if i%2 == 1 {
			require.NoError(t, d.Ack(true))
		}
	}
	require.NoError(t, ch.Cancel("me", false))
}

// A publish that is delivered twice is there twice; each publisher gets the answer to its own.
func TestNATSPublishTwice(t *testing.T) {
	s := natsService(t)
	r := understoodAs(t, s.edge(), s.upstream)
	trap := r.session.Arm(wire.Trap{Signature: "PUB orders.created", Every: 3, Unit: history.NoUnit, Do: always(wire.Fate{Action: wire.Repeat})})
	js := stream(t, r.listen)
	direct, err := stream(t, s.upstream).Stream(t.Context(), "ORDERS")
	require.NoError(t, err)
	var wg sync.WaitGroup
	const clients, each = 6, 50
	for c := range clients {
		wg.Go(func() {
			for i := range each {
				what := fmt.Sprint(c, "/", i)
				ack, err := js.Publish(t.Context(), "orders.created", []byte(what))
				if !assert.NoError(t, err) {
					return
				}
				m, err := direct.GetMsg(t.Context(), ack.Sequence)
				if assert.NoError(t, err) {
					assert.Equal(t, what, string(m.Data), "the answer to this one")
				}
			}
		})
	}
	wg.Wait()
	require.NoError(t, trap.Err())
	eventually(t, func() bool {
		info, err := direct.Info(t.Context())
		return err == nil && info.State.Msgs == clients*each*4/3
	}, "one in three is there twice")
	eventually(t, func() bool {
		twice := 0
		for _, x := range r.ledger.exchanges(t, r.edge) {
			if x.Deliveries == 2 {
				twice++
			}
		}
		return twice == clients*each/3
	}, "and recorded as delivered twice")
}

// A delivery to a consumer that is made twice arrives twice, and the connection goes on.
func TestNATSDeliverTwice(t *testing.T) {
	s := natsService(t)
	require.NoError(t, s.connect(t, s.upstream)(t.Context(), "o-1"))
	r := understoodAs(t, s.edge(), s.upstream)
	trap := r.session.Arm(wire.Trap{Signature: "MSG orders.created", Nth: 1, Unit: history.NoUnit, Do: always(wire.Fate{Action: wire.Repeat})})
	js := stream(t, r.listen)
	worker, err := js.CreateOrUpdateConsumer(t.Context(), "ORDERS", jetstream.ConsumerConfig{Durable: "worker", AckPolicy: jetstream.AckExplicitPolicy})
	require.NoError(t, err)
	got := make(chan string, 10)
	running, err := worker.Consume(func(m jetstream.Msg) { got <- string(m.Data()); assert.NoError(t, m.Ack()) })
	require.NoError(t, err)
	defer running.Stop()
	require.Equal(t, "o-1", <-got)
	require.Equal(t, "o-1", <-got)
	require.NoError(t, s.connect(t, r.listen)(t.Context(), "o-2"))
	require.Equal(t, "o-2", <-got)
	require.NoError(t, trap.Err())
}

// A command that is delivered twice is done twice, and every caller gets the answer to its own.
func TestRedisCommandsTwice(t *testing.T) {
	s := redisService(t)
	r := understoodAs(t, s.edge(), s.upstream)
	push := r.session.Arm(wire.Trap{Signature: "RPUSH *", Every: 3, Unit: history.NoUnit, Do: always(wire.Fate{Action: wire.Repeat})})
	echo := r.session.Arm(wire.Trap{Signature: "ECHO", Every: 2, Unit: history.NoUnit, Do: always(wire.Fate{Action: wire.Repeat, AnswerFirst: true})})
	c := redisClient(t, r.listen)
	var wg sync.WaitGroup
	const clients, each = 8, 150
	for n := range clients {
		wg.Go(func() {
			for i := range each {
				what := fmt.Sprint(n, "/", i)
				var said *redis.StringCmd
				_, err := c.Pipelined(t.Context(), func(p redis.Pipeliner) error {
					p.RPush(t.Context(), "list", what)
					said = p.Echo(t.Context(), what)
					return nil
				})
				if !assert.NoError(t, err) || !assert.Equal(t, what, said.Val(), "the answer to this one") {
					return
				}
			}
		})
	}
	wg.Wait()
	require.NoError(t, push.Err())
	require.NoError(t, echo.Err())
	require.EqualValues(t, clients*each/2, echo.Hits())
	direct := redisClient(t, s.upstream)
	eventually(t, func() bool { return direct.LLen(t.Context(), "list").Val() == clients*each*4/3 }, "one in three is there twice")
}
