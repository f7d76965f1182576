package wire

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// natsServer runs a broker with one stream, ORDERS of orders.>.
func natsServer(t testing.TB) (addr string, direct jetstream.JetStream) {
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true})
	require.NoError(t, err)
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	require.True(t, s.ReadyForConnections(10*time.Second))
	addr = s.Addr().String()
	_, direct = natsClient(t, addr)
	_, err = direct.CreateStream(t.Context(), jetstream.StreamConfig{Name: "ORDERS", Subjects: []string{"orders.>"}})
	require.NoError(t, err)
	return addr, direct
}

func natsClient(t testing.TB, addr string) (*nats.Conn, jetstream.JetStream) {
	nc, err := nats.Connect("nats://"+addr, nats.NoReconnect(), nats.Timeout(10*time.Second))
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	require.NoError(t, err)
	return nc, js
}

func natsStored(t testing.TB, js jetstream.JetStream) uint64 {
	s, err := js.Stream(context.Background(), "ORDERS")
	require.NoError(t, err)
	info, err := s.Info(context.Background())
	require.NoError(t, err)
	return info.State.Msgs
}

// natsConversation uses what a client can do, and checks that it gets what it would get without a relay.
func natsConversation(t *testing.T, addr string) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	nc, js := natsClient(t, addr)
	for i := range 5 {
		ack, err := js.Publish(ctx, "orders.created", fmt.Appendf(nil, "o-%d", i))
		require.NoError(t, err)
		require.Equal(t, uint64(i+1), ack.Sequence)
	}
	m := nats.NewMsg("orders.created")
	m.Header.Set("Trace", "t-1")
	m.Data = bytes.Repeat([]byte("PUB x 3\r\n"), 100)
	_, err := js.PublishMsg(ctx, m, jetstream.WithMsgID("once"))
	require.NoError(t, err)
	_, err = js.Publish(ctx, "orders.created", nil, jetstream.WithExpectLastSequence(99))
	require.Error(t, err)
	var futures []jetstream.PubAckFuture
	for range 40 {
		f, err := js.PublishAsync("orders.paid", []byte("p"))
		require.NoError(t, err)
		futures = append(futures, f)
	}
	for i, f := range futures {
		select {
		case ack := <-f.Ok():
			require.Equal(t, uint64(i+7), ack.Sequence)
		case err := <-f.Err():
			require.NoError(t, err)
		case <-ctx.Done():
			require.NoError(t, ctx.Err())
		}
	}

	worker, err := js.CreateOrUpdateConsumer(ctx, "ORDERS", jetstream.ConsumerConfig{Durable: "worker", AckPolicy: jetstream.AckExplicitPolicy, AckWait: time.Minute})
	require.NoError(t, err)
	batch, err := worker.Fetch(6)
	require.NoError(t, err)
	n := 0
	for m := range batch.Messages() {
		switch n++; n {
		case 1:
			require.NoError(t, m.Ack())
		case 2:
			require.NoError(t, m.Nak())
		case 3:
			require.NoError(t, m.InProgress())
			require.NoError(t, m.InProgress())
			require.NoError(t, m.DoubleAck(ctx))
		case 4:
			require.NoError(t, m.Term())
		case 5:
			require.NoError(t, m.TermWithReason("no such order"))
		case 6:
			require.Equal(t, "t-1", m.Headers().Get("Trace"))
			require.NoError(t, m.NakWithDelay(time.Hour))
		}
	}
	require.NoError(t, batch.Error())
	require.Equal(t, 6, n)
	again, err := worker.Next()
	require.NoError(t, err)
	require.Equal(t, "o-1", string(again.Data()), "the one that was refused")
	require.NoError(t, again.Ack())

	var consumed atomic.Int64
	running, err := worker.Consume(func(m jetstream.Msg) { assert.NoError(t, m.Ack()); consumed.Add(1) })
	require.NoError(t, err)
	natsRespEventually(t, "40 consumed", func() bool { return consumed.Load() == 40 })
	running.Stop()
	<-running.Closed()

	ordered, err := js.OrderedConsumer(ctx, "ORDERS", jetstream.OrderedConsumerConfig{})
	require.NoError(t, err)
	first, err := ordered.Next()
	require.NoError(t, err)
	require.Equal(t, "o-0", string(first.Data()))
	empty, err := worker.FetchNoWait(3)
	require.NoError(t, err)
	require.Empty(t, empty.Messages())

	service, err := nc.Subscribe("prices.*", func(m *nats.Msg) { assert.NoError(t, m.Respond(append([]byte("price of "), m.Data...))) })
	require.NoError(t, err)
	for i := range 5 {
		answer, err := nc.Request(fmt.Sprintf("prices.p%d", i), fmt.Append(nil, i), 5*time.Second)
		require.NoError(t, err)
		require.Equal(t, fmt.Sprint("price of ", i), string(answer.Data))
	}
	require.NoError(t, service.Unsubscribe())
	_, err = nc.Request("nobody.home", nil, 5*time.Second)
	require.ErrorIs(t, err, nats.ErrNoResponders)
	require.NoError(t, nc.Flush())
}

func TestNATSTransparent(t *testing.T) {
	for _, chunk := range []int{0, 1, 50} {
		t.Run(fmt.Sprint("chunk ", chunk), func(t *testing.T) {
			addr, _ := natsServer(t)
			r := newNATSRespRelay(t, NATS, addr, chunk, nil)
			natsConversation(t, r.addr())
			natsRespEventually(t, "at rest", func() bool {
				asks, answers := r.exchanges()
				return len(asks) > 0 && len(answers["PUB prices.*"]) == 5
			})
			r.stop()
			natsRespTransparent(t, r)
			asks, answers := r.exchanges()
			refused := func(signature string) (n int) {
				for _, a := range answers[signature] {
					if a.Refused {
						n++
					}
				}
				return n
			}
			count := map[string]int{}
			for _, a := range asks {
				count[a.Signature]++
			}
			assert.Equal(t, 7, count["PUB orders.created"])
			assert.Len(t, answers["PUB orders.created"], 7)
			assert.Equal(t, 1, refused("PUB orders.created"), "a wrong expectation")
			assert.Equal(t, 40, count["PUB orders.paid"])
			assert.Len(t, answers["PUB orders.paid"], 40)
			assert.Len(t, answers["MSG orders.paid"], 40)
			assert.GreaterOrEqual(t, count["MSG orders.created"], 7, "six, one again, those of the ordered consumer")
			assert.Len(t, answers["MSG orders.created"], 9, "seven verdicts, two signs of life")
			assert.Equal(t, 4, refused("MSG orders.created"))
			assert.Equal(t, 5, count["PUB prices.*"])
			assert.Equal(t, 5, count["MSG prices.*"])
			assert.Len(t, answers["MSG prices.*"], 5)
			assert.Len(t, answers["PUB prices.*"], 5)
			assert.Equal(t, 1, refused("PUB nobody.home"))
			assert.GreaterOrEqual(t, count["PUB $JS.API.CONSUMER.MSG.NEXT.ORDERS.worker"], 3)
			for _, a := range asks {
				assert.NotContains(t, a.Signature, "_INBOX", "what else comes on an inbox is no ask")
				assert.NotContains(t, a.Signature, "$JS.ACK", "every acknowledgement finds its delivery")
				if strings.HasPrefix(a.Signature, "PUB ") && !a.Last && !strings.Contains(a.Signature, ".CONSUMER.DELETE.") { // in the background
					assert.NotEmpty(t, answers[a.Signature], a.Signature)
				}
			}
			if chunk == 0 {
				natsRespSame(t, NATS, r)
			}
		})
	}
}

// natsOnce applies a fate to the first message that fits.
func natsOnce(fate natsRespFate, fits func(Message) bool) func(Message) natsRespFate {
	var done atomic.Bool
	return func(m Message) natsRespFate {
		if fits(m) && done.CompareAndSwap(false, true) {
			return fate
		}
		return natsRespPass
	}
}

func natsIs(signature string) func(Message) bool {
	return func(m Message) bool { return m.Role == Ask && m.Signature == signature }
}

func TestNATSUnknownOutcome(t *testing.T) {
	var failed []error
	for _, c := range []struct {
		name   string
		stored uint64
	}{{"request lost", 0}, {"answer lost", 1}} {
		addr, direct := natsServer(t)
		var exchange atomic.Uint64
		r := newNATSRespRelay(t, NATS, addr, 0, func(m Message) natsRespFate {
			if natsIs("PUB orders.created")(m) {
				exchange.Store(m.Exchange)
				if c.stored == 0 {
					return natsRespLose
				}
			}
			if m.Role == Answer && m.Exchange == exchange.Load() {
				return natsRespLose
			}
			return natsRespPass
		})
		_, js := natsClient(t, r.addr())
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		_, err := js.Publish(ctx, "orders.created", []byte("o-1"))
		cancel()
		require.Error(t, err, c.name)
		require.NotErrorIs(t, err, context.DeadlineExceeded)
		failed = append(failed, err)
		require.Equal(t, c.stored, natsStored(t, direct), c.name)
	}
	require.Equal(t, failed[0].Error(), failed[1].Error(), "the client cannot tell them apart")
}

// The second acknowledgement reaches the client, which must not take it for another's: this is why it need not be swallowed.
func TestNATSRepeatPublish(t *testing.T) {
	addr, direct := natsServer(t)
	r := newNATSRespRelay(t, NATS, addr, 0, func(m Message) natsRespFate {
		if natsIs("PUB orders.created")(m) {
			return natsRespTwice
		}
		return natsRespPass
	})
	_, js := natsClient(t, r.addr())
	const n = 100
	for i := range n {
		ack, err := js.Publish(t.Context(), "orders.created", fmt.Append(nil, i))
		require.NoError(t, err)
		require.Equal(t, uint64(2*i+1), ack.Sequence, "the answer to this one, to its first delivery")
	}
	var futures []jetstream.PubAckFuture
	for i := range n {
		f, err := js.PublishAsync("orders.created", fmt.Append(nil, i))
		require.NoError(t, err)
		futures = append(futures, f)
	}
	stream, err := direct.Stream(t.Context(), "ORDERS")
	require.NoError(t, err)
	for i, f := range futures {
		select {
		case ack := <-f.Ok():
			m, err := stream.GetMsg(t.Context(), ack.Sequence)
			require.NoError(t, err)
			require.Equal(t, fmt.Sprint(i), string(m.Data), "the answer to this one")
		case err := <-f.Err():
			require.NoError(t, err)
		}
	}
	natsRespEventually(t, "all stored", func() bool { return natsStored(t, direct) == 4*n })
	natsRespEventually(t, "all acknowledged", func() bool {
		_, answers := r.exchanges()
		return len(answers["PUB orders.created"]) == 4*n
	})
}

func TestNATSRepeatDelivery(t *testing.T) {
	addr, direct := natsServer(t)
	_, err := direct.Publish(t.Context(), "orders.created", []byte("o-1"))
	require.NoError(t, err)
	r := newNATSRespRelay(t, NATS, addr, 0, natsOnce(natsRespTwice, natsIs("MSG orders.created")))
	_, js := natsClient(t, r.addr())
	worker, err := js.CreateOrUpdateConsumer(t.Context(), "ORDERS", jetstream.ConsumerConfig{Durable: "worker", AckPolicy: jetstream.AckExplicitPolicy})
	require.NoError(t, err)
	got := make(chan string, 10)
	running, err := worker.Consume(func(m jetstream.Msg) { got <- string(m.Data()); assert.NoError(t, m.Ack()) })
	require.NoError(t, err)
	defer running.Stop()
	for range 2 {
		select {
		case m := <-got:
			require.Equal(t, "o-1", m)
		case <-time.After(10 * time.Second):
			require.Fail(t, "delivered once")
		}
	}
	_, err = js.Publish(t.Context(), "orders.created", []byte("o-2"))
	require.NoError(t, err)
	require.Equal(t, "o-2", <-got, "the connection goes on")
}

func TestNATSRefuse(t *testing.T) {
	addr, direct := natsServer(t)
	r := newNATSRespRelay(t, NATS, addr, 0, natsOnce(natsRespRefuse, natsIs("PUB orders.created")))
	_, js := natsClient(t, r.addr())
	_, err := js.Publish(t.Context(), "orders.created", []byte("o-1"))
	var api *jetstream.APIError
	require.True(t, errors.As(err, &api), "%v", err)
	require.Equal(t, 503, api.Code)
	require.Equal(t, uint64(1), natsStored(t, direct), "it took effect all the same")
	_, err = js.Publish(t.Context(), "orders.created", []byte("o-2"))
	require.NoError(t, err)
}

func TestNATSRefuseDelivery(t *testing.T) {
	addr, direct := natsServer(t)
	_, err := direct.Publish(t.Context(), "orders.created", []byte("o-1"))
	require.NoError(t, err)
	r := newNATSRespRelay(t, NATS, addr, 0, natsOnce(natsRespRefuse, natsIs("MSG orders.created")))
	_, js := natsClient(t, r.addr())
	worker, err := js.CreateOrUpdateConsumer(t.Context(), "ORDERS", jetstream.ConsumerConfig{Durable: "worker", AckPolicy: jetstream.AckExplicitPolicy})
	require.NoError(t, err)
	for want := range uint64(2) {
		m, err := worker.Next()
		require.NoError(t, err)
		about, err := m.Metadata()
		require.NoError(t, err)
		require.Equal(t, want+1, about.NumDelivered, "the broker was told that the first delivery failed")
		require.NoError(t, m.Ack())
	}
}

// natsLines are messages of one way: a short form for what is checked without a server.
func natsLines(c Conn, w Way, lines ...string) (out []string) {
	for _, m := range c.Feed(w, []byte(strings.Join(lines, ""))) {
		role := [...]string{"-", "ask", "answer"}[m.Role]
		s := strings.TrimSpace(fmt.Sprint(role, " ", m.Exchange, " ", m.Signature))
		for _, flag := range []struct {
			name string
			is   bool
		}{{" last", m.Last}, {" refused", m.Refused}, {" more", m.More}} {
			if flag.is {
				s += flag.name
			}
		}
		out = append(out, s)
	}
	return out
}

func TestNATSRoles(t *testing.T) {
	c := NATS.New()
	assert.Equal(t, []string{"- 0", "- 0"}, natsLines(c, Down, "INFO {}\r\n", "ping\r\n"))
	assert.Equal(t, []string{"- 0", "- 0", "ask 1 PUB orders.*.created last", "ask 2 PUB orders.created"},
		natsLines(c, Up, "CONNECT {}\r\n", "SUB _INBOX.a.* 1\r\n", "pub  orders.17.created\t2\r\nhi\r\n", "HPUB orders.created _INBOX.a.x 12 14\r\nNATS/1.0\r\n\r\nhi\r\n"))
	assert.Equal(t, []string{"answer 2 last", "- 0"}, natsLines(c, Down, "MSG _INBOX.a.x 1 2\r\nhi\r\n", "MSG _INBOX.a.x 1 2\r\nhi\r\n"), "a late one is nobody's")
	assert.Equal(t, []string{"ask 3 MSG orders.created last", "ask 4 MSG orders.created"},
		natsLines(c, Down, "MSG orders.created 2 0\r\n\r\n", "MSG orders.created 2 $JS.ACK.O.w.1.1.1.1.0 0\r\n\r\n"))
	assert.Equal(t, []string{"answer 4", "answer 4 last", "- 0"},
		natsLines(c, Up, "PUB $JS.ACK.O.w.1.1.1.1.0 4\r\n+WPI\r\n", "PUB $JS.ACK.O.w.1.1.1.1.0 _INBOX.a.y 4\r\n+ACK\r\n", "PUB $JS.ACK.O.w.1.1.1.1.0 4\r\n+ACK\r\n"))
	assert.Equal(t, []string{"- 0"}, natsLines(c, Down, "MSG _INBOX.a.y 1 0\r\n\r\n"), "the answer to a double acknowledgement")
	assert.Equal(t, []string{"- 0", "- 0"}, natsLines(c, Down, "HMSG _INBOX.b 3 31 31\r\nNATS/1.0 100 Idle Heartbeat\r\n\r\n\r\n", "HMSG _INBOX.b 3 $JS.FC.O.w.Q 16 16\r\nNATS/1.0 100\r\n\r\n\r\n"))
	assert.Equal(t, []string{"- 0"}, natsLines(c, Up, "PUB $JS.FC.O.w.Q 0\r\n\r\n"))
	// The same inbox asked twice, and answered twice: in order.
	assert.Equal(t, []string{"ask 5 PUB a", "ask 6 PUB a"}, natsLines(c, Up, "PUB a r 0\r\n\r\n", "PUB a r 0\r\n\r\n"))
	assert.Equal(t, []string{"answer 5 last", "answer 6 last", "- 0"}, natsLines(c, Down, "MSG r 1 0\r\n\r\n", "MSG r 1 0\r\n\r\n", "MSG r 1 0\r\n\r\n"))
	assert.Equal(t, []string{"ask 7 PUB a"}, natsLines(c, Up, "PUB a s 0\r\n\r\n"))
	assert.Equal(t, []string{"answer 7 last refused"}, natsLines(c, Down, "HMSG s 1 16 16\r\nNATS/1.0 503\r\n\r\n\r\n"))
}

func TestNATSParts(t *testing.T) {
	c := NATS.New()
	big := strings.Repeat("x", 2*whole)
	assert.Equal(t, []string{"ask 1 PUB a more"}, natsLines(c, Up, fmt.Sprintf("PUB a r %d\r\n", len(big))))
	assert.Equal(t, []string{"- 1 more"}, natsLines(c, Up, big))
	assert.Equal(t, []string{"- 1", "- 0"}, natsLines(c, Up, "\r\n", "PING\r\n"))
	assert.Equal(t, []string{"answer 1 more"}, natsLines(c, Down, fmt.Sprintf("MSG r 1 %d\r\n", len(big))))
	assert.Equal(t, []string{"answer 1 last", "- 0"}, natsLines(c, Down, big, "\r\n", "PONG\r\n"))
	_, _, err := NATS.Repeat(Message{Bytes: []byte("PUB a r 9\r\n"), More: true, Signature: "PUB a"})
	assert.ErrorContains(t, err, "too large")
}

func TestNATSOpaque(t *testing.T) {
	for up, why := range map[string]string{
		"\x16\x03\x01":                         "TLS",
		"GET / HTTP/1.1\r\n":                   "WebSocket",
		"CONNECTED x\r\n":                      `not NATS: "CONNECTE"`,
		"PUB a\r\n":                            "not NATS: arguments of PUB",
		"PUB a b c d e f\r\n":                  "not NATS: arguments of PUB",
		"PUB a -1\r\n":                         "not NATS: size of PUB",
		"HPUB a 9 3\r\n":                       "not NATS: size of HPUB",
		"PUB a 1\r\nxyz":                       "not NATS: a payload is not followed by the end of a line",
		"P" + strings.Repeat("x", 99999):       `not NATS: "Pxxxxxxx"`,
		"SUB " + strings.Repeat("x", natsLine): "not NATS: a line has no end",
	} {
		c := NATS.New()
		natsLines(c, Down, "INFO {}\r\nPI")
		natsLines(c, Up, up)
		n, got := c.Opaque()
		assert.Equal(t, why, got)
		assert.EqualValues(t, len(up), n)
		down := c.Feed(Down, []byte("NG\r\n"))
		require.Len(t, down, 1)
		assert.Equal(t, "PING\r\n", string(down[0].Bytes), "both ways are, and what waited comes out")
	}
}

func TestNATSRefuseNeedsAWay(t *testing.T) {
	c := NATS.New()
	ask := func(w Way, line string) Message { return c.Feed(w, []byte(line))[0] }
	_, err := NATS.Refuse(ask(Up, "PUB a 0\r\n\r\n"))
	assert.ErrorContains(t, err, "wants no answer")
	_, err = NATS.Refuse(ask(Up, "PUB a r 0\r\n\r\n"))
	assert.ErrorContains(t, err, "no subscription")
	_, err = NATS.Refuse(ask(Down, "MSG a 1 r2 0\r\n\r\n"))
	assert.ErrorContains(t, err, "core NATS")
	for _, sub := range []string{"x.y.z", "x.y.*", "x.>"} {
		ask(Up, "SUB "+sub+" 7\r\n")
		b, err := NATS.Refuse(ask(Up, "PUB a x.y.z 0\r\n\r\n"))
		require.NoError(t, err)
		assert.Regexp(t, `^MSG x.y.z 7 \d+\r\n{"error":{"code":503,`, string(b))
		b, err = NATS.Refuse(ask(Up, "PUB $JS.API.CONSUMER.MSG.NEXT.O.w x.y.z 0\r\n\r\n"))
		require.NoError(t, err)
		assert.Equal(t, "HMSG x.y.z 7 16 16\r\nNATS/1.0 503\r\n\r\n\r\n", string(b))
		ask(Up, "UNSUB 7\r\n")
	}
	ask(Up, "SUB r9 8\r\n")
	ask(Up, "UNSUB 8 1\r\n")
	_, err = NATS.Refuse(ask(Up, "PUB a r9 0\r\n\r\n"))
	assert.NoError(t, err)
	ask(Down, "MSG r9 8 0\r\n\r\n")
	_, err = NATS.Refuse(ask(Up, "PUB a r9 0\r\n\r\n"))
	assert.ErrorContains(t, err, "no subscription", "it ended with its first message")
}

func TestNATSMemory(t *testing.T) {
	c := newNATSConn()
	for i := range 3 * natsRemembered {
		natsLines(c, Up, fmt.Sprintf("SUB i%d %d\r\nPUB a%d i%d 0\r\n\r\n", i, i, i, i))
		natsLines(c, Down, fmt.Sprintf("MSG a%d 1 $JS.ACK.%d 0\r\n\r\n", i, i))
	}
	assert.Len(t, c.asked[Up].known, natsRemembered)
	assert.Len(t, c.asked[Down].known, natsRemembered)
	assert.Len(t, c.subs.bySID, natsRemembered)
	last := 3*natsRemembered - 1
	assert.Len(t, natsLines(c, Down, fmt.Sprintf("MSG i%d 1 0\r\n\r\n", last)), 1)
	for range 1000 {
		natsLines(c, Up, "PUB a same 0\r\n\r\n")
	}
	assert.Less(t, len(c.asked[Up].known["same"].more), 100)
}

func TestNATSSubjects(t *testing.T) {
	for subject, want := range map[string]string{
		"orders.created":                            "orders.created",
		"orders.o-17.created":                       "orders.*.created",
		"orders.v2.created":                         "orders.v2.created",
		"_INBOX.FfgHjKlOiUyTrEwQaSdFgH.abc":         "_INBOX.*",
		"a.FfgHjKlOiUyTrEwQaSdFgH":                  "a.*",
		"a.CustomerAddressChanged":                  "a.CustomerAddressChanged",
		"$JS.API.CONSUMER.MSG.NEXT.ORDERS.worker":   "$JS.API.CONSUMER.MSG.NEXT.ORDERS.worker",
		"$JS.API.CONSUMER.MSG.NEXT.ORDERS.aBcDeFgH": "$JS.API.CONSUMER.MSG.NEXT.ORDERS.*",
		"$JS.API.CONSUMER.MSG.NEXT.ORDERS.Shipping": "$JS.API.CONSUMER.MSG.NEXT.ORDERS.Shipping",
		"6ba7b810-9dad-11d1-80b4-00c04fd430c8.x":    "*.x",
	} {
		assert.Equal(t, want, natsSubject(subject))
	}
}

func FuzzNATS(f *testing.F) {
	f.Add(uint64(1), []byte("CONNECT {}\r\nSUB _INBOX.a.* 1\r\nPUB o.c _INBOX.a.1 2\r\nhi\r\nHPUB x 12 14\r\nNATS/1.0\r\n\r\nhi\r\nPUB $JS.ACK.a 4\r\n+WPI\r\nPING\r\n"),
		[]byte("INFO {}\r\nMSG _INBOX.a.1 1 2\r\nhi\r\nHMSG s 1 r 16 16\r\nNATS/1.0 503\r\n\r\n\r\nMSG a 1 $JS.ACK.a 0\r\n\r\n-ERR 'x'\r\n+OK\r\n"))
	f.Add(uint64(2), []byte("UNSUB 1 3\r\nPUB a 999999999\r\n"), []byte("PONG\r\nMSG a b c 99999\r\n"))
	f.Fuzz(func(t *testing.T, seed uint64, up, down []byte) { natsRespFuzz(t, NATS, seed, up, down) })
}

func BenchmarkNATS(b *testing.B) {
	payload := strings.Repeat("x", 256)
	ack := `{"stream":"ORDERS","seq":17}`
	natsRespBench(b, NATS, 10_000, func(i int) (string, string) {
		return fmt.Sprintf("PUB orders.created _INBOX.abcdefghijklmnop.%d %d\r\n%s\r\n", i, len(payload), payload),
			fmt.Sprintf("MSG _INBOX.abcdefghijklmnop.%d 1 %d\r\n%s\r\n", i, len(ack), ack)
	})
}
