package faults_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/rabbitmq/amqp091-go"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/faults"
	"github.com/wreckon/wreckon/history"
	"github.com/wreckon/wreckon/internal/servers"
	"github.com/wreckon/wreckon/targets"
)

// stores is a topology with one edge of each protocol that a real server speaks.
var stores = targets.Topology{
	Components: []targets.Component{{Name: "relay"}, {Name: "db"}, {Name: "cache"}, {Name: "queue"}},
	Edges: []targets.Edge{
		{From: "relay", To: "db", Protocol: targets.Postgres},
		{From: "relay", To: "cache", Protocol: targets.RESP},
		{From: "relay", To: "queue", Protocol: targets.AMQP},
	},
}

// store is a real server, and what a client does to it.
type store struct {
	edge     targets.Edge
	upstream string
	exchange string // the pattern of what does it
	is       string // and its signature
	carries  bool   // it carries the unit
	do       func(ctx context.Context, addr, what string) error
	times    func(t *testing.T, what string) int // that it was done
}

func postgresStore(t *testing.T) store {
	addr := servers.Postgres(t)
	direct, err := pgx.Connect(ctx(t), servers.PostgresURL(addr))
	require.NoError(t, err)
	t.Cleanup(func() { _ = direct.Close(context.Background()) })
	_, err = direct.Exec(ctx(t), "CREATE TABLE orders (what text)")
	require.NoError(t, err)
	return store{
		edge: stores.Edges[0], upstream: addr, exchange: "commit", is: "COMMIT",
		do: func(ctx context.Context, addr, what string) error {
			c, err := pgx.Connect(ctx, servers.PostgresURL(addr))
			if err != nil {
				return fmt.Errorf("connect: %w", err)
			}
			defer c.Close(context.Background())
			return pgx.BeginFunc(ctx, c, func(tx pgx.Tx) error {
				_, err := tx.Exec(ctx, "INSERT INTO orders (what) VALUES ($1)", what)
				return err
			})
		},
		times: func(t *testing.T, what string) (n int) {
			require.NoError(t, direct.QueryRow(ctx(t), "SELECT count(*) FROM orders WHERE what = $1", what).Scan(&n))
			return n
		},
	}
}

func redisStore(t *testing.T) store {
	addr := servers.Redis(t)
	connect := func(addr string) *redis.Client {
		return redis.NewClient(&redis.Options{Addr: addr, MaxRetries: -1, ContextTimeoutEnabled: true, ReadTimeout: 20 * time.Second, DisableIdentity: true})
	}
	direct := connect(addr)
	t.Cleanup(func() { direct.Close() })
	return store{
		edge: stores.Edges[1], upstream: addr, exchange: "RPUSH *", is: "RPUSH orders", carries: true,
		do: func(ctx context.Context, addr, what string) error {
			c := connect(addr)
			defer c.Close()
			return c.RPush(ctx, "orders", what).Err()
		},
		times: func(t *testing.T, what string) (n int) {
			all, err := direct.LRange(ctx(t), "orders", 0, -1).Result()
			require.NoError(t, err)
			return strings.Count(" "+strings.Join(all, "  ")+" ", " "+what+" ")
		},
	}
}

var errUnconfirmed = errors.New("not confirmed")

func rabbitStore(t *testing.T) store {
	addr := servers.RabbitMQ(t)
	connection, err := amqp091.Dial(servers.AMQPURL(addr))
	require.NoError(t, err)
	t.Cleanup(func() { _ = connection.Close() })
	direct, err := connection.Channel()
	require.NoError(t, err)
	_, err = direct.QueueDeclare("orders", false, false, false, false, nil)
	require.NoError(t, err)
	got := map[string]int{}
	return store{
		edge: stores.Edges[2], upstream: addr, exchange: "PUBLISH *", is: "PUBLISH /orders", carries: true,
		do: func(ctx context.Context, addr, what string) error {
			c, err := amqp091.Dial(servers.AMQPURL(addr))
			if err != nil {
				return fmt.Errorf("connect: %w", err)
			}
			defer c.Close()
			ch, err := c.Channel()
			if err != nil {
				return fmt.Errorf("channel: %w", err)
			}
			if err := ch.Confirm(false); err != nil {
				return fmt.Errorf("confirm: %w", err)
			}
			confirm, err := ch.PublishWithDeferredConfirmWithContext(ctx, "", "orders", false, false, amqp091.Publishing{Body: []byte(what)})
			if err != nil {
				return err
			}
			ok, err := confirm.WaitContext(ctx)
			if err == nil && !ok {
				err = errUnconfirmed
			}
			return err
		},
		times: func(t *testing.T, what string) int {
			for {
				m, ok, err := direct.Get("orders", true)
				require.NoError(t, err)
				if !ok {
					return got[what]
				}
				got[string(m.Body)]++
			}
		},
	}
}

// Each kind that is placed by an event is confirmed before real servers, and says which exchange it touched.
func TestPlacedBeforeRealServers(t *testing.T) {
	t.Run("postgres", func(t *testing.T) { placedBefore(t, postgresStore(t), false) })
	t.Run("resp", func(t *testing.T) { placedBefore(t, redisStore(t), true) })
	t.Run("amqp", func(t *testing.T) { placedBefore(t, rabbitStore(t), false) })
}

// placedBefore places each kind at the second of three exchanges. twice says whether one can be delivered twice.
func placedBefore(t *testing.T, s store, twice bool) {
	cases := []struct {
		with  faults.Spec
		fails bool // the caller sees an error
		times int  // that it was done
		saw   string
	}{
		{faults.Spec{Kind: "drop-request"}, true, 0, "the request was lost"},
		{faults.Spec{Kind: "drop-request", End: "reset"}, true, 0, "the request was lost"},
		{faults.Spec{Kind: "drop-response"}, true, 1, "the answer was lost"},
		{faults.Spec{Kind: "drop-response", End: "reset"}, true, 1, "the answer was lost"},
		{faults.Spec{Kind: "error-after"}, true, 1, "the answer was replaced by an error"},
		{faults.Spec{Kind: "delay-past-timeout", Delay: 100 * time.Millisecond}, false, 1, "the request was delivered 100ms late"},
		{faults.Spec{Kind: "late-response", Delay: 100 * time.Millisecond}, false, 1, "the answer was kept for 100ms"},
	}
	if twice {
		for _, again := range []faults.Spec{{Again: "at-once"}, {Again: "after-answer"}, {Again: "later", Delay: 50 * time.Millisecond}} {
			again.Kind = "duplicate"
			cases = append(cases, cases[0])
			cases[len(cases)-1].with, cases[len(cases)-1].fails, cases[len(cases)-1].times, cases[len(cases)-1].saw = again, false, 2, "the request was delivered twice"
		}
	}
	unit := 0
	for _, tc := range cases {
		t.Run(strings.TrimSpace(fmt.Sprint(tc.with.Kind, " ", tc.with.End, tc.with.Again)), func(t *testing.T) {
			b, base := before(t, s), unit
			unit += 4
			what := func(i int) string { return fmt.Sprintf("o-%d", base+i) }
			require.NoError(t, s.do(ctx(t), b.listen, what(1)), "the baseline: it does not count")
			wait := b.start(t, []faults.Spec{at(s, tc.with, 2)}, nil)
			require.NoError(t, s.do(ctx(t), b.listen, what(2)))
			err := s.do(ctx(t), b.listen, what(3))
			require.Equal(t, tc.fails, err != nil, "the caller sees %v", err)
			require.NoError(t, s.do(ctx(t), b.listen, what(4)), "the edge serves on")
			require.Equal(t, []error{nil}, wait())
			require.Equal(t, whole, b.log.story("f1"))
			for i, times := range []int{1, 1, tc.times, 1} {
				require.Equal(t, times, s.times(t, what(1+i)), what(1+i))
			}
			touched(t, b, s, tc.saw, history.Unit(base+2))
		})
	}
	t.Run("swap", func(t *testing.T) {
		b := before(t, s)
		wait := b.start(t, []faults.Spec{at(s, faults.Spec{Kind: "swap"}, 1)}, nil)
		first := make(chan error, 1)
		go func() { first <- s.do(ctx(t), b.listen, "o-901") }()
		require.Eventually(t, func() bool { return len(b.log.story("f1")) > 0 }, 10*time.Second, time.Millisecond, "it is held")
		require.NoError(t, s.do(ctx(t), b.listen, "o-902"))
		require.NoError(t, <-first)
		require.Equal(t, []error{nil}, wait())
		require.Equal(t, whole, b.log.story("f1"))
		require.Equal(t, 1, s.times(t, "o-901"))
		require.Equal(t, 1, s.times(t, "o-902"))
		e := b.log.evidence(t, "f1", confirmed)
		require.Contains(t, e.Probe, "the request was delivered behind the next one")
		require.Equal(t, s.is, e.Exchange.Signature)
	})
	t.Run("crash, and its message dropped", func(t *testing.T) {
		b, env := before(t, s), newFake()
		crash := faults.Spec{ID: "f1", Kind: "crash", Component: "relay", Frame: "drop",
			When: &faults.When{From: s.edge.From, To: s.edge.To, Exchange: s.exchange, Nth: 1, Point: "after"}}
		wait := b.start(t, []faults.Spec{crash}, env)
		require.Error(t, s.do(ctx(t), b.listen, "o-911"))
		require.Equal(t, []error{nil}, wait())
		require.Equal(t, whole, b.log.story("f1"))
		require.Equal(t, []string{"kill relay", "start relay"}, env.calls)
		require.Equal(t, 1, s.times(t, "o-911"), "it happened, and the caller was gone")
		e := b.log.evidence(t, "f1", confirmed)
		require.Contains(t, e.Probe, "after "+s.is+" #1")
		require.Equal(t, "after", e.Exchange.Point)
	})
	if !twice {
		t.Run("duplicate", func(t *testing.T) {
			_, err := faults.Plan([]faults.Spec{at(s, faults.Spec{Kind: "duplicate"}, 1)}, stores, faults.Means{Links: before(t, s).all})
			require.ErrorContains(t, err, "nothing in "+string(s.edge.Protocol)+" can be delivered twice on one connection", "refused before the run")
		})
	}
}

// before is a bench with a proxy before a store.
func before(t *testing.T, s store) *bench {
	b := &bench{log: newLog(), topology: stores}
	b.proxied(t, s.edge, s.upstream)
	return b
}

// at places a fault at the n-th exchange of a store.
func at(s store, f faults.Spec, nth uint64) faults.Spec {
	f.ID, f.From, f.To = "f1", s.edge.From, s.edge.To
	f.When = &faults.When{Exchange: s.exchange, Nth: nth}
	return f
}

// touched holds the evidence to the third exchange, and so does the ledger: it names the fault there, and nowhere else.
func touched(t *testing.T, b *bench, s store, saw string, unit history.Unit) {
	t.Helper()
	e := b.log.evidence(t, "f1", confirmed)
	require.Contains(t, e.Probe, s.is+" #3")
	require.Contains(t, e.Probe, saw)
	require.Equal(t, s.is, e.Exchange.Signature)
	require.Equal(t, s.edge.Name(), e.Exchange.Edge)
	require.EqualValues(t, 3, e.Exchange.Nth)
	if s.carries {
		require.NotNil(t, e.Exchange.Unit)
		require.Equal(t, unit, *e.Exchange.Unit)
	}
	require.EqualValues(t, 1, e.Hits)
	require.NoError(t, b.all.Close())
	for _, event := range b.log.events {
		if event.Kind == history.KindExchange {
			is := event.Op == s.is && event.Token == 3
			require.Equal(t, is, strings.Contains(event.Value, `"fault":"f1"`), "%s #%d: %s", event.Op, event.Token, event.Value)
		}
	}
}
