package file

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	natsd "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rabbitmq/amqp091-go"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/history"
	"github.com/wreckon/wreckon/internal/servers"
	"github.com/wreckon/wreckon/targets"
)

const published = `
target: shop
components:
  shop: {command: [./shop]}
  bus: {command: [bus], broker: "URL"}
edges:
  - {from: client, to: shop, protocol: http}
  - {from: shop, to: bus}
submit: {to: shop, request: POST /orders}
effects:
  - {from: {broker: bus, PAID}, step: charge, unit: body.order, key: KEY, value: body.amount, token: body.n, trace: body.trace}
  - {from: {broker: bus, PAID}, when: {body.type: parcel}, step: ship, unit: body.order}
audit:
  - {from: {broker: bus, TRAIL}, unit: body.order, transition: body.what, sequence: body.n}
idle: {silence: 1s}
claims: {unit: order, steps: [{name: charge}, {name: ship}]}
`

// relay is a way to a server that can be cut.
type relay struct {
	t        *testing.T
	upstream string
	at       string

	mu    sync.Mutex
	l     net.Listener
	conns []net.Conn
}

func newRelay(t *testing.T, upstream string) *relay {
	r := &relay{t: t, upstream: upstream, at: "127.0.0.1:0"}
	r.mend()
	t.Cleanup(r.cut)
	return r
}

func (r *relay) mend() {
	l, err := net.Listen("tcp", r.at)
	require.NoError(r.t, err)
	r.l, r.at = l, l.Addr().String()
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", r.upstream)
			if err != nil {
				_ = in.Close()
				continue
			}
			r.mu.Lock()
			r.conns = append(r.conns, in, out)
			r.mu.Unlock()
			for _, way := range [][2]net.Conn{{in, out}, {out, in}} {
				go func() {
					_, _ = io.Copy(way[0], way[1])
					_, _ = in.Close(), out.Close()
				}()
			}
		}
	}()
}

func (r *relay) cut() {
	_ = r.l.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.conns {
		_ = c.Close()
	}
	r.conns = nil
}

// bus is a real broker, and how a target publishes there.
type bus struct {
	scheme, addr, user string
	paid, trail, key   string // in the file
	publish            func(place, body string)
	keeps              bool // what came while nobody listened
}

var buses = map[string]func(*testing.T) bus{
	"subject": func(t *testing.T) bus {
		addr := natsServer(t, -1, t.TempDir()).Addr().String()
		conn := natsConn(t, addr)
		return bus{scheme: "nats", addr: addr, paid: "subject: paid.*", trail: "subject: trail", key: "header.Key", publish: func(place, body string) {
			if place == "paid" {
				place = "paid.eu"
			}
			require.NoError(t, conn.PublishMsg(&nats.Msg{Subject: place, Data: []byte(body), Header: nats.Header{"Key": {"k"}}}))
			require.NoError(t, conn.Flush())
		}}
	},
	"jetstream": func(t *testing.T) bus {
		addr := natsServer(t, -1, t.TempDir()).Addr().String()
		js := natsStream(t, addr, jetstream.FileStorage)
		return bus{scheme: "nats", addr: addr, paid: "stream: ORDERS, subject: orders.paid", trail: "stream: ORDERS, subject: orders.trail.>", key: "header.Key",
			keeps: true, publish: func(place, body string) {
				if place == "trail" {
					place = "trail.a.b"
				}
				_, err := js.PublishMsg(t.Context(), &nats.Msg{Subject: "orders." + place, Data: []byte(body), Header: nats.Header{"Key": {"k"}}})
				require.NoError(t, err)
			}}
	},
	"stream": func(t *testing.T) bus {
		addr := servers.Redis(t)
		c := redisClient(t, addr)
		return bus{scheme: "redis", addr: addr, paid: "stream: paid", trail: "stream: trail", key: "body.key", keeps: true, publish: func(place, body string) {
			values := map[string]any{"key": "k"}
			for name, v := range decode([]byte(body)).(map[string]any) {
				values[name] = fmt.Sprint(v)
			}
			require.NoError(t, c.XAdd(t.Context(), &redis.XAddArgs{Stream: place, Values: values}).Err())
		}}
	},
	"channel": func(t *testing.T) bus {
		addr := servers.Redis(t)
		c := redisClient(t, addr)
		return bus{scheme: "redis", addr: addr, paid: "channel: pa*", trail: "channel: trail", key: "body.key", publish: func(place, body string) {
			require.NoError(t, c.Publish(t.Context(), place, strings.Replace(body, "{", `{"key":"k",`, 1)).Err())
		}}
	},
	"exchange": func(t *testing.T) bus {
		addr := servers.RabbitMQ(t)
		conn, err := amqp091.Dial(servers.AMQPURL(addr))
		require.NoError(t, err)
		t.Cleanup(func() { assert.NoError(t, conn.Close()) })
		ch, err := conn.Channel()
		require.NoError(t, err)
		require.NoError(t, ch.ExchangeDeclare("orders", "topic", true, false, false, false, nil))
		require.NoError(t, ch.Confirm(false))
		return bus{scheme: "amqp", addr: addr, user: "guest:guest@", paid: "exchange: orders, routing: 'paid.#', durable: true", key: "header.message-id",
			trail: "exchange: orders, routing: trail, durable: true", keeps: true, publish: func(place, body string) {
				c, err := ch.PublishWithDeferredConfirmWithContext(t.Context(), "orders", place, false, false,
					amqp091.Publishing{DeliveryMode: amqp091.Persistent, Body: []byte(body), MessageId: "k"})
				require.NoError(t, err)
				_, err = c.WaitContext(t.Context())
				require.NoError(t, err)
			}}
	},
}

func natsServer(t *testing.T, port int, dir string) *natsd.Server {
	s, err := natsd.NewServer(&natsd.Options{Host: "127.0.0.1", Port: port, JetStream: true, StoreDir: dir, NoLog: true, NoSigs: true})
	require.NoError(t, err)
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	require.True(t, s.ReadyForConnections(20*time.Second))
	return s
}

func natsConn(t *testing.T, addr string) *nats.Conn {
	c, err := nats.Connect("nats://" + addr)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func natsStream(t *testing.T, addr string, storage jetstream.StorageType) jetstream.JetStream {
	js, err := jetstream.New(natsConn(t, addr))
	require.NoError(t, err)
	_, err = js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "ORDERS", Subjects: []string{"orders.>"}, Storage: storage})
	require.NoError(t, err)
	return js
}

func redisClient(t *testing.T, addr string) *redis.Client {
	c := redis.NewClient(&redis.Options{Addr: addr, DisableIdentity: true})
	t.Cleanup(func() { assert.NoError(t, c.Close()) })
	return c
}

// subscribed is a target of a file whose broker is there, with its messages being read.
func subscribed(t *testing.T, b bus, addr string) (i *instance, rec *recorder, observe func()) {
	src := published
	for old, text := range map[string]string{"URL": b.scheme + "://" + b.user + "${listen}", "PAID": b.paid, "TRAIL": b.trail, "KEY": b.key} {
		src = strings.ReplaceAll(src, old, text)
	}
	d, problems := define("/shop/target.yaml", []byte(src))
	require.Empty(t, problems, "%v", problems)
	rec = &recorder{}
	made, err := d.start(targets.Wiring{Listen: map[string]string{"bus": addr}, Recorder: rec, Clock: rec, Token: "t"})
	require.NoError(t, err)
	i = made.(*instance)
	t.Cleanup(func() { require.NoError(t, i.Close()) })
	require.NoError(t, i.Subscribe(t.Context()))
	ctx, cancel := context.WithCancel(t.Context())
	var following sync.WaitGroup
	following.Go(func() { i.Follow(ctx) })
	stop := sync.OnceFunc(func() { cancel(); following.Wait() })
	t.Cleanup(stop)
	return i, rec, func() {
		stop()
		require.NoError(t, i.Observe(t.Context()))
	}
}

// missed lists the holes that were noted.
func (r *recorder) missed() (feeds, why []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events {
		if e.Kind == history.KindObserve && e.Op == "missed" {
			feeds, why = append(feeds, e.Key), append(why, e.Value)
		}
	}
	return feeds, why
}

func soon(t *testing.T, what string, there func() bool) {
	t.Helper()
	require.Eventually(t, there, 30*time.Second, 5*time.Millisecond, what)
}

// Messages are recorded as they come, each once, though the connection ends in between. What a broker does not keep for who does not listen
// leaves a hole.
func TestMessagesAreRead(t *testing.T) {
	for name, start := range buses {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := start(t)
			way := newRelay(t, b.addr)
			_, rec, observe := subscribed(t, b, way.at)
			b.publish("paid", `{"order":"o-1","amount":12,"n":7,"trace":"t"}`)
			b.publish("paid", `{"order":"o-2","amount":5,"type":"parcel"}`) // a target that does not look whether it has published
			b.publish("paid", `{"order":"o-2","amount":5,"type":"parcel"}`)
			b.publish("trail", `{"order":"o-1","what":"paid","n":1}`)
			b.publish("elsewhere", `{"order":"o-1","amount":1}`)
			want := []string{"do charge o-1 bus applied k 12 7 t"}
			for range 2 {
				want = append(want, "do charge o-2 bus applied k 5 0", "do ship o-2 bus applied 0")
			}
			soon(t, "they came", func() bool {
				return len(rec.of(history.KindEffect)) == len(want) && len(rec.of(history.KindAudit)) == 1
			})
			assert.Equal(t, want, rec.of(history.KindEffect))
			feeds, _ := rec.missed()
			assert.Empty(t, feeds)

			way.cut()
			b.publish("paid", `{"order":"o-3","amount":1}`)
			way.mend()
			if b.keeps {
				want = append(want, "do charge o-3 bus applied k 1 0")
			} else {
				soon(t, "it says what it may have missed", func() bool { feeds, _ := rec.missed(); return len(feeds) > 0 })
			}
			b.publish("paid", `{"order":"o-4","amount":1}`)
			observe()
			assert.Equal(t, append(want, "do charge o-4 bus applied k 1 0"), rec.of(history.KindEffect))
			assert.Contains(t, rec.of(history.KindObserve), "audit-head - bus 1")
			feeds, why := rec.missed()
			if b.keeps {
				assert.Empty(t, feeds, "%v", why)
			} else {
				assert.Equal(t, []string{history.FeedEffects, history.FeedAudit}, feeds)
				assert.Contains(t, why[0], "keeps nothing for who does not listen")
			}
		})
	}
}

// A broker that does not come back leaves a hole, and so does a stream that nobody has made.
func TestWhatCannotBeReadToItsEndIsAHole(t *testing.T) {
	b := buses["stream"](t)
	way := newRelay(t, b.addr)
	_, rec, observe := subscribed(t, b, way.at)
	b.publish("paid", `{"order":"o-1"}`)
	soon(t, "it came", func() bool { return len(rec.of(history.KindEffect)) == 1 })
	way.cut()
	observe()
	_, why := rec.missed()
	require.Len(t, why, 2)
	assert.Contains(t, why[0], "its messages could not be read to their end: ")

	_, rec, observe = subscribed(t, b, b.addr)
	observe()
	feeds, why := rec.missed()
	assert.Equal(t, []string{history.FeedAudit}, feeds)
	assert.Equal(t, "there never was a stream trail", why[0])
}

// Redis knows how many entries a stream ever had: what was cut off unread is missed, whoever cut it.
func TestEntriesThatAreGoneAreMissed(t *testing.T) {
	b := buses["stream"](t)
	way := newRelay(t, b.addr)
	_, rec, observe := subscribed(t, b, way.at)
	b.publish("trail", `{"order":"o-1","what":"new","n":1}`)
	b.publish("paid", `{"order":"o-1"}`)
	soon(t, "they came", func() bool { return len(rec.of(history.KindEffect)) == 1 && len(rec.of(history.KindAudit)) == 1 })
	way.cut()
	b.publish("paid", `{"order":"o-2"}`)
	require.NoError(t, redisClient(t, b.addr).XTrimMaxLen(t.Context(), "paid", 0).Err())
	way.mend()
	observe()
	feeds, why := rec.missed()
	assert.Equal(t, []string{history.FeedEffects}, feeds)
	assert.Equal(t, "1 entries of stream paid were read, and Redis knows of 2", why[0])
}

// A crash of NATS takes nothing from a stream on disk. One that was in memory begins anew, and so does its reader, who says so.
func TestAStreamOutlivesItsServerIfItCan(t *testing.T) {
	for _, storage := range []jetstream.StorageType{jetstream.FileStorage, jetstream.MemoryStorage} {
		dir := t.TempDir()
		s := natsServer(t, -1, dir)
		addr := s.Addr().(*net.TCPAddr)
		js := natsStream(t, addr.String(), storage)
		publish := func(js jetstream.JetStream, order string) {
			_, err := js.Publish(t.Context(), "orders.paid", fmt.Appendf(nil, `{"order":%q}`, order))
			require.NoError(t, err)
		}
		publish(js, "o-1")
		b := bus{scheme: "nats", paid: "stream: ORDERS, subject: orders.paid", trail: "stream: ORDERS, subject: orders.trail", key: "header.Key"}
		_, rec, observe := subscribed(t, b, addr.String())
		soon(t, "it came", func() bool { return len(rec.of(history.KindEffect)) == 1 })
		s.Shutdown()
		s.WaitForShutdown()
		natsServer(t, addr.Port, dir)
		conn, err := jetstream.New(natsConn(t, addr.String()))
		require.NoError(t, err)
		want, holes := []string{}, 0
		if storage == jetstream.MemoryStorage {
			conn, holes = natsStream(t, addr.String(), storage), 2
		}
		for _, order := range []string{"o-1", "o-2"} {
			want = append(want, "do charge "+order+" bus applied 0")
		}
		publish(conn, "o-2")
		observe()
		assert.Equal(t, want, rec.of(history.KindEffect), "%v", storage)
		_, why := rec.missed()
		assert.Len(t, why, holes, "%v", storage)
		for _, w := range why {
			assert.Equal(t, "stream ORDERS began anew", w)
		}
	}
}

// A queue that the broker has lost leaves a hole, also where it was made again by a try to connect that came no further.
func TestAQueueThatIsGoneLeavesAHole(t *testing.T) {
	t.Parallel()
	b := buses["exchange"](t)
	way := newRelay(t, b.addr)
	_, rec, observe := subscribed(t, b, way.at)
	conn, err := amqp091.Dial(servers.AMQPURL(b.addr))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, conn.Close()) })
	ch, err := conn.Channel()
	require.NoError(t, err)
	way.cut()
	require.NoError(t, ch.ExchangeDelete("orders", false, false))
	_, err = ch.QueueDelete("wreckon-t", false, false, false)
	require.NoError(t, err)
	way.mend()
	soon(t, "the queue is made again", func() bool {
		look, err := conn.Channel()
		require.NoError(t, err)
		_, err = look.QueueDeclarePassive("wreckon-t", true, false, false, false, nil)
		return err == nil && look.Close() == nil
	})
	require.NoError(t, ch.ExchangeDeclare("orders", "topic", true, false, false, false, nil))
	observe()
	feeds, why := rec.missed()
	require.Equal(t, []string{history.FeedEffects, history.FeedAudit}, feeds)
	assert.Equal(t, "the connection was gone for a while, and the queue of the harness with it", why[0])
}

// holesOnly keeps why something may have been missed.
type holesOnly []string

func (*holesOnly) each(delivery)       {}
func (h *holesOnly) missed(why string) { *h = append(*h, why) }
func (h *holesOnly) doubt(why string)  { *h = append(*h, why) }

// Only a stream that was made again is read again from its beginning: of one that lost its end, all that it has left was read.
func TestWhatAStreamHasLeftIsReadOnce(t *testing.T) {
	made := time.Unix(1e9, 0)
	for _, test := range []struct {
		created    time.Time
		last, want uint64
		says       string
	}{
		{made, 9, 5, ""},
		{made, 4, 4, "stream ORDERS went back from message 5 to 4"},
		{made.Add(time.Second), 9, 0, "stream ORDERS began anew"},
		{made.Add(time.Second), 2, 0, "stream ORDERS began anew"},
	} {
		j, holes := &jetStream{stream: "ORDERS", last: 5, created: made}, holesOnly{}
		j.know(&jetstream.StreamInfo{Created: test.created, State: jetstream.StreamState{LastSeq: test.last}}, &holes)
		assert.Equal(t, test.want, j.last)
		assert.Equal(t, test.says, strings.Join(holes, "; "))
	}
}

// Dead letters are what is in a list at the end, or what came to a stream.
func TestDeadLettersAreMessages(t *testing.T) {
	addr := servers.Redis(t)
	c := redisClient(t, addr)
	for _, from := range []string{"list: dead", "stream: graves"} {
		src := strings.ReplaceAll(published, "URL", "redis://${listen}/0")
		head, rest, _ := strings.Cut(src, "effects:\n")
		_, rest, _ = strings.Cut(rest, "idle:")
		src = head + "dead_letters: {from: {broker: bus, " + from + "}, when: {body.kind: order}, unit: body.order}\nidle:" + rest
		d, problems := define("/shop/target.yaml", []byte(src))
		require.Empty(t, problems, "%v", problems)
		rec := &recorder{}
		i, err := d.start(targets.Wiring{Listen: map[string]string{"bus": addr}, Recorder: rec, Clock: rec})
		require.NoError(t, err)
		require.NoError(t, i.Subscribe(t.Context()))
		require.NoError(t, c.FlushAll(t.Context()).Err())
		require.NoError(t, c.RPush(t.Context(), "dead", `{"kind":"order","order":"o-1"}`, `{"kind":"mail","order":"o-1"}`).Err())
		require.NoError(t, c.XAdd(t.Context(), &redis.XAddArgs{Stream: "graves", Values: map[string]any{"kind": "order", "order": "o-1"}}).Err())
		require.NoError(t, i.Observe(t.Context()))
		assert.Equal(t, []string{`dead-letter o-1 bus {"kind":"order","order":"o-1"} 0`}, rec.of(history.KindObserve))
		require.NoError(t, i.Close())
	}
}
