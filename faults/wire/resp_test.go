package wire

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/internal/servers"
)

func respClient(t testing.TB, addr string, version int) *redis.Client {
	c := redis.NewClient(&redis.Options{Addr: addr, Protocol: version, MaxRetries: -1, ContextTimeoutEnabled: true})
	t.Cleanup(func() { c.Close() })
	return c
}

// respConversation uses what a client can do, and checks that it gets what it would get without a relay.
func respConversation(t *testing.T, addr string, version, size int) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	c := respClient(t, addr, version)
	require.NoError(t, c.FlushAll(ctx).Err())
	require.NoError(t, c.Set(ctx, "order:17", "paid\r\n+OK\r\n", 0).Err())
	got, err := c.Get(ctx, "order:17").Result()
	require.NoError(t, err)
	require.Equal(t, "paid\r\n+OK\r\n", got)
	require.ErrorIs(t, c.Get(ctx, "nothing").Err(), redis.Nil)
	require.ErrorContains(t, c.LPush(ctx, "order:17", "x").Err(), "WRONGTYPE")

	answers, err := c.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i := range 200 {
			p.Set(ctx, fmt.Sprint("k", i), i, 0)
			p.Get(ctx, fmt.Sprint("k", i))
		}
		return nil
	})
	require.NoError(t, err)
	for i := range 200 {
		require.Equal(t, fmt.Sprint(i), answers[2*i+1].(*redis.StringCmd).Val())
	}
	_, err = c.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.Incr(ctx, "counter")
		p.HSet(ctx, "hash", "a", 1, "b", 2)
		p.HGetAll(ctx, "hash")
		p.ZAdd(ctx, "board", redis.Z{Score: 1.5, Member: "m"})
		p.ZRangeWithScores(ctx, "board", 0, -1)
		p.SMembersMap(ctx, "none")
		return nil
	})
	require.NoError(t, err)
	require.ErrorIs(t, c.Watch(ctx, func(tx *redis.Tx) error {
		require.NoError(t, c.Incr(ctx, "counter").Err(), "another connection")
		_, err := tx.TxPipelined(ctx, func(p redis.Pipeliner) error { return p.Incr(ctx, "counter").Err() })
		return err
	}, "counter"), redis.TxFailedErr)

	require.NoError(t, c.XGroupCreateMkStream(ctx, "jobs", "workers", "0").Err())
	for i := range 5 {
		require.NoError(t, c.XAdd(ctx, &redis.XAddArgs{Stream: "jobs", Values: []any{"n", i}}).Err())
	}
	read, err := c.XReadGroup(ctx, &redis.XReadGroupArgs{Group: "workers", Consumer: "w1", Streams: []string{"jobs", ">"}, Count: 5}).Result()
	require.NoError(t, err)
	require.Len(t, read[0].Messages, 5)
	for _, m := range read[0].Messages {
		require.NoError(t, c.XAck(ctx, "jobs", "workers", m.ID).Err())
	}
	require.NoError(t, c.Eval(ctx, "return {1, redis.call('GET', KEYS[1])}", []string{"k7"}).Err())
	require.NoError(t, c.SetEx(ctx, "large", strings.Repeat("x", size), time.Minute).Err())
	large, err := c.Get(ctx, "large").Result()
	require.NoError(t, err)
	require.Len(t, large, size)

	sub := c.Subscribe(ctx, "news", "news:17")
	defer sub.Close()
	for range 2 {
		m, err := sub.Receive(ctx)
		require.NoError(t, err)
		require.IsType(t, &redis.Subscription{}, m)
	}
	require.NoError(t, sub.PSubscribe(ctx, "n*"))
	_, err = sub.Receive(ctx)
	require.NoError(t, err)
	require.NoError(t, c.Publish(ctx, "news", "hello").Err())
	for range 2 {
		m, err := sub.Receive(ctx)
		require.NoError(t, err)
		require.Equal(t, "hello", m.(*redis.Message).Payload)
	}
	require.NoError(t, sub.Ping(ctx, "still there"))
	m, err := sub.Receive(ctx)
	require.NoError(t, err)
	require.Equal(t, "still there", m.(*redis.Pong).Payload)
	require.NoError(t, sub.Unsubscribe(ctx))
	for range 2 {
		m, err := sub.Receive(ctx)
		require.NoError(t, err)
		require.Equal(t, "unsubscribe", m.(*redis.Subscription).Kind)
	}
	require.NoError(t, sub.PUnsubscribe(ctx))
	_, err = sub.Receive(ctx)
	require.NoError(t, err)
}

func TestRESPTransparent(t *testing.T) {
	addr := servers.Redis(t)
	for _, version := range []int{2, 3} {
		for _, chunk := range []int{0, 1, 300} {
			t.Run(fmt.Sprintf("version %d, chunk %d", version, chunk), func(t *testing.T) {
				size := 10_000
				if chunk == 300 {
					size = whole + 10_000 // given out in parts
				}
				r := newNATSRespRelay(t, RESP, addr, chunk, nil)
				respConversation(t, r.addr(), version, size)
				r.stop()
				natsRespTransparent(t, r)
				asks, answers := r.exchanges()
				count := map[string]int{}
				for _, a := range asks {
					count[a.Signature]++
				}
				for signature, n := range map[string]int{"SET order:{id}": 1, "GET {id}": 200, "MULTI": 2, "EXEC": 2, "XADD jobs": 5, "XREADGROUP jobs": 1,
					"XACK jobs": 5, "XGROUP CREATE jobs": 1, "EVAL {id}": 1, "GET large": 1, "PUBLISH news": 1} {
					assert.Equal(t, n, count[signature], signature)
					last := 0
					for _, a := range answers[signature] {
						if a.Last {
							last++
						}
					}
					assert.Equal(t, n, last, "%s is answered", signature)
				}
				assert.Len(t, answers["SUBSCRIBE news"], 2)
				assert.Len(t, answers["UNSUBSCRIBE"], 2)
				assert.Len(t, answers["PUNSUBSCRIBE"], 1)
				assert.Equal(t, 2, count["MESSAGE news"])
				assert.Len(t, answers["PING"], 1)
				require.Len(t, answers["LPUSH order:{id}"], 1)
				assert.True(t, answers["LPUSH order:{id}"][0].Refused)
				for _, c := range r.all() {
					assert.Zero(t, c.conn.(*respConn).asked.len(), "every command has its answer")
				}
				if chunk == 0 {
					natsRespSame(t, RESP, r)
				}
			})
		}
	}
}

// No answer goes to another's request, whatever is pipelined and whatever is delivered twice.
func TestRESPRepeat(t *testing.T) {
	addr := servers.Redis(t)
	for _, version := range []int{2, 3} {
		r := newNATSRespRelay(t, RESP, addr, 0, func(m Message) natsRespFate {
			if m.Role == Ask && (m.Signature == "INCR counter" || m.Signature == "ECHO" && m.Exchange%3 == 0) {
				return natsRespTwice
			}
			return natsRespPass
		})
		c := respClient(t, r.addr(), version)
		require.NoError(t, c.FlushAll(t.Context()).Err())
		var wg sync.WaitGroup
		for worker := range 8 {
			wg.Go(func() {
				for i := range 300 {
					want := fmt.Sprint(worker, "/", i)
					got, err := c.Echo(t.Context(), want).Result()
					if !assert.NoError(t, err) || !assert.Equal(t, want, got) {
						return
					}
				}
			})
		}
		wg.Wait()
		for i := range 50 {
			n, err := c.Incr(t.Context(), "counter").Result()
			require.NoError(t, err)
			require.EqualValues(t, 2*i+1, n, "the answer to the first delivery")
		}
		n, err := respClient(t, addr, version).Get(t.Context(), "counter").Int()
		require.NoError(t, err)
		require.Equal(t, 100, n)
		answers, err := c.Pipelined(t.Context(), func(p redis.Pipeliner) error {
			for i := range 2000 { // more than one read takes
				p.Echo(t.Context(), fmt.Sprint(i))
			}
			return nil
		})
		require.NoError(t, err)
		for i, a := range answers {
			require.Equal(t, fmt.Sprint(i), a.(*redis.StringCmd).Val())
		}
	}
}

func TestRESPUnknownOutcome(t *testing.T) {
	addr := servers.Redis(t)
	for _, version := range []int{2, 3} {
		var failed []error
		for _, c := range []struct {
			name   string
			stored int64
		}{{"request lost", 0}, {"answer lost", 1}} {
			var exchange atomic.Uint64
			r := newNATSRespRelay(t, RESP, addr, 0, func(m Message) natsRespFate {
				if natsIs("SET order")(m) {
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
			direct := respClient(t, addr, version)
			require.NoError(t, direct.FlushAll(t.Context()).Err())
			err := respClient(t, r.addr(), version).Set(t.Context(), "order", "paid", 0).Err()
			require.Error(t, err, c.name)
			failed = append(failed, err)
			n, err := direct.Exists(t.Context(), "order").Result()
			require.NoError(t, err)
			require.Equal(t, c.stored, n, c.name)
		}
		require.Equal(t, failed[0].Error(), failed[1].Error(), "the client cannot tell them apart")
	}
}

func TestRESPRefuse(t *testing.T) {
	addr := servers.Redis(t)
	r := newNATSRespRelay(t, RESP, addr, 0, natsOnce(natsRespRefuse, natsIs("INCR counter")))
	c := respClient(t, r.addr(), 3)
	var refused redis.Error
	require.True(t, errors.As(c.Incr(t.Context(), "counter").Err(), &refused))
	require.Contains(t, refused.Error(), "ERR ")
	n, err := c.Incr(t.Context(), "counter").Result()
	require.NoError(t, err)
	require.EqualValues(t, 2, n, "the first took effect all the same")
}

// What no client library does, against the real server: raw lines in, and the roles that come of them.
func TestRESPRaw(t *testing.T) {
	addr := servers.Redis(t)
	for name, c := range map[string]struct {
		up   []string
		last []string // the roles of what the server says
	}{
		"inline":             {up: []string{"SET a 1\r\n", "\r\n", "get a\n"}, last: []string{"answer 1 last", "answer 2 last"}},
		"empty array":        {up: []string{"*0\r\n", "*-1\r\n", "GET x\r\n"}, last: []string{"answer 1 last"}},
		"reply off":          {up: []string{"CLIENT REPLY OFF\r\n", "SET a 2\r\n", "NONSENSE\r\n", "CLIENT REPLY ON\r\n", "GET a\r\n"}, last: []string{"answer 4 last", "answer 5 last"}},
		"reply skip":         {up: []string{"CLIENT REPLY SKIP\r\n", "SET a 3\r\n", "GET a\r\n"}, last: []string{"answer 3 last"}},
		"reply skip, on":     {up: []string{"CLIENT REPLY SKIP\r\n", "CLIENT REPLY ON\r\n", "GET a\r\n"}, last: []string{"answer 2 last", "answer 3 last"}},
		"reset when mute":    {up: []string{"CLIENT REPLY OFF\r\n", "RESET\r\n", "GET a\r\n"}, last: []string{"answer 2 last", "answer 3 last"}},
		"subscribe mute":     {up: []string{"HELLO 3\r\n", "CLIENT REPLY OFF\r\n", "SUBSCRIBE a b\r\n", "CLIENT REPLY ON\r\n"}, last: []string{"answer 1 last", "answer 3", "answer 3 last", "answer 4 last"}},
		"unsubscribe none":   {up: []string{"UNSUBSCRIBE\r\n", "UNSUBSCRIBE\r\n", "PUNSUBSCRIBE\r\n"}, last: []string{"answer 1 last", "answer 2 last", "answer 3 last"}},
		"unsubscribe some":   {up: []string{"SUBSCRIBE a b\r\n", "PSUBSCRIBE c*\r\n", "UNSUBSCRIBE\r\n", "UNSUBSCRIBE\r\n", "PUNSUBSCRIBE\r\n"}, last: []string{"answer 1", "answer 1 last", "answer 2 last", "answer 3", "answer 3", "answer 4 last +3", "answer 5 last"}},
		"unsubscribe, ping":  {up: []string{"SUBSCRIBE a b\r\n", "PSUBSCRIBE c*\r\n", "UNSUBSCRIBE\r\n", "PING\r\n", "SUBSCRIBE d\r\n"}, last: []string{"answer 1", "answer 1 last", "answer 2 last", "answer 3", "answer 3", "answer 4 last +3", "answer 5 last"}},
		"unsubscribe, again": {up: []string{"SUBSCRIBE a\r\n", "PSUBSCRIBE c*\r\n", "UNSUBSCRIBE\r\n", "SUBSCRIBE d\r\n"}, last: []string{"answer 1 last", "answer 2 last", "answer 3", "answer 4 last +3"}},
		"subscribe refused":  {up: []string{"SUBSCRIBE\r\n", "GET a\r\n"}, last: []string{"answer 1 last refused", "answer 2 last"}},
		"hello refused":      {up: []string{"HELLO 9\r\n", "HELLO 3\r\n", "HELLO 2\r\n", "GET a\r\n"}, last: []string{"answer 1 last refused", "answer 2 last", "answer 3 last", "answer 4 last"}},
		"a word":             {up: []string{"DEL l\r\n", "RPUSH l message a b\r\n", "LRANGE l 0 -1\r\n", "RPUSH l c\r\n"}, last: []string{"answer 1 last", "answer 2 last", "answer 3 last", "answer 4 last"}},
		"multi refused":      {up: []string{"MULTI\r\n", "NONSENSE\r\n", "EXEC\r\n", "MULTI\r\n", "DISCARD\r\n"}, last: []string{"answer 1 last", "answer 2 last refused", "answer 3 last refused", "answer 4 last", "answer 5 last"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newNATSRespRelay(t, RESP, addr, 0, nil)
			s, err := net.Dial("tcp", r.addr())
			require.NoError(t, err)
			defer s.Close()
			_, err = s.Write([]byte(strings.Join(c.up, "")))
			require.NoError(t, err)
			got := func() (got []string) {
				for _, conn := range r.all() {
					conn.mu.Lock()
					for _, m := range conn.messages[Down] {
						got = append(got, respDescribe(m))
					}
					conn.mu.Unlock()
				}
				return got
			}
			natsRespEventually(t, name, func() bool { return len(got()) >= len(c.last) })
			_, err = s.Write([]byte("QUIT\r\n"))
			require.NoError(t, err)
			natsRespEventually(t, name, func() bool { return len(got()) > len(c.last) })
			require.Equal(t, c.last, got()[:len(c.last)])
			r.stop()
			natsRespTransparent(t, r)
		})
	}
}

func respDescribe(m Message) string {
	s := strings.TrimSpace(fmt.Sprint([...]string{"-", "ask", "answer"}[m.Role], " ", m.Exchange, " ", m.Signature))
	if m.Last {
		s += " last"
	}
	if m.Refused {
		s += " refused"
	}
	if m.More {
		s += " more"
	}
	for _, x := range m.Also {
		s += fmt.Sprint(" +", x)
	}
	return s
}

func respLines(c Conn, w Way, s string) (out []string) {
	for _, m := range c.Feed(w, []byte(s)) {
		out = append(out, respDescribe(m))
	}
	return out
}

// Values of version 3 that Redis sends rarely or never.
func TestRESPValues(t *testing.T) {
	for _, value := range []string{
		"+OK\r\n", ":1\r\n", "$-1\r\n", "*-1\r\n", "_\r\n", "#t\r\n", ",1.5\r\n", "(3492890328409238509324850943850943825024385\r\n", "=7\r\ntxt:abc\r\n", "$0\r\n\r\n",
		"*0\r\n", "%0\r\n", "~0\r\n", "*2\r\n*1\r\n:1\r\n$1\r\na\r\n", "%2\r\n+a\r\n:1\r\n+b\r\n%1\r\n+c\r\n_\r\n", "~2\r\n+a\r\n+b\r\n",
		"|1\r\n+ttl\r\n:3600\r\n$1\r\na\r\n", "|0\r\n:1\r\n", "*2\r\n|1\r\n+a\r\n+b\r\n:1\r\n:2\r\n", "|1\r\n+a\r\n*2\r\n:1\r\n:2\r\n+value\r\n",
		"$?\r\n;4\r\nHell\r\n;1\r\no\r\n;0\r\n", "*?\r\n:1\r\n*1\r\n:2\r\n.\r\n", "%?\r\n+a\r\n:1\r\n.\r\n", "*1\r\n$?\r\n;0\r\n", "*?\r\n.\r\n",
	} {
		c := RESP.New()
		respLines(c, Up, "PING\r\nPING\r\n")
		assert.Equal(t, []string{"- 0", "answer 1 last", "- 0", "answer 2 last refused"}, respLines(c, Down, ">2\r\n+invalidate\r\n*1\r\n$1\r\na\r\n"+value+">1\r\n+x\r\n!5\r\nERR x\r\n"), "%q", value)
	}
}

func TestRESPOpaque(t *testing.T) {
	for _, c := range []struct{ up, down, why string }{
		{up: "\x16\x03\x01", why: "TLS"},
		{up: "\x00\x00\x00\x08", why: `not RESP: "\x00"`},
		{up: "AMQP\x00\x00\x09\x01", why: "not RESP: a line with a zero byte"},
		{up: "*1\r\n:1\r\n", why: `not RESP: ":"`},
		{up: "*x\r\n", why: `not RESP: "*x\r"`},
		{up: "*1\r\n$1\r\nabc", why: "not RESP: a string is not followed by the end of a line"},
		{up: "*1\r\n$99999999999\r\n", why: `not RESP: "$99999999999\r"`},
		{up: strings.Repeat("x", respLine), why: "not RESP: a line has no end"},
		{up: "MONITOR\r\n", why: "MONITOR"},
		{up: "*1\r\n$5\r\npsync\r\n", why: "replication"},
		{up: "MULTI\r\nSUBSCRIBE a\r\n", why: "SUBSCRIBE inside MULTI"},
		{up: "MULTI\r\nCLIENT REPLY OFF\r\n", why: "CLIENT REPLY inside MULTI"},
		{up: "MULTI\r\nHELLO 3\r\n", why: "HELLO inside MULTI"},
		{up: "SUBSCRIBE \"a b\"\r\n", why: "SUBSCRIBE inline, with quotes"},
		{up: "PING\r\n", down: "HTTP/1.1 200\r\n", why: `not RESP: "H"`},
		{up: "PING\r\n", down: strings.Repeat("*1\r\n", respDepth+1), why: `not RESP: "*1\r"`},
		{down: "+OK\r\n", why: "an answer to nothing"},
		{up: "PING\r\n", down: "|?\r\n", why: `not RESP: "|?\r"`},
		{up: "PING\r\n", down: ";1\r\n", why: `not RESP: ";1\r"`},
		{up: "PING\r\n", down: ".\r\n", why: `not RESP: ".\r"`},
	} {
		conn := RESP.New()
		respLines(conn, Up, c.up)
		respLines(conn, Down, c.down)
		n, why := conn.Opaque()
		assert.Equal(t, c.why, why)
		assert.Positive(t, n)
		assert.Equal(t, []string{"- 0"}, respLines(conn, Up, "PING\r\nPING"), "and stays so")
	}
	conn := RESP.New()
	assert.Equal(t, []string{"- 0"}, respLines(conn, Down, "-ERR max number of clients reached\r\n"), "nobody asked")
	_, why := conn.Opaque()
	assert.Empty(t, why)
	conn.Feed(Up, []byte(strings.Repeat("PING\r\n", respPending)))
	_, why = conn.Opaque()
	assert.Empty(t, why)
	respLines(conn, Up, "PING\r\n")
	_, why = conn.Opaque()
	assert.Contains(t, why, "commands without an answer")
}

func TestRESPParts(t *testing.T) {
	c := RESP.New()
	big := strings.Repeat("x", 2*whole)
	assert.Equal(t, []string{"ask 1 SET a more"}, respLines(c, Up, fmt.Sprintf("*3\r\n$3\r\nset\r\n$1\r\na\r\n$%d\r\n%s", len(big), big[:whole+9])))
	assert.Equal(t, []string{"- 1 more"}, respLines(c, Up, big[whole+9:]))
	assert.Equal(t, []string{"- 1", "ask 2 GET a"}, respLines(c, Up, "\r\nGET a\r\n"))
	assert.Equal(t, []string{"answer 1 last"}, respLines(c, Down, "+OK\r\n"))
	assert.Equal(t, []string{"answer 2 more"}, respLines(c, Down, fmt.Sprintf("$%d\r\n%s", len(big), big[:whole])))
	assert.Equal(t, []string{"answer 2 last"}, respLines(c, Down, big[whole:]+"\r\n"))
	_, _, err := RESP.Repeat(Message{Bytes: []byte("*3\r\n"), More: true, Signature: "SET a"})
	assert.ErrorContains(t, err, "too large")
	_, err = RESP.Refuse(Message{Last: true, Signature: "MESSAGE a"})
	assert.ErrorContains(t, err, "wants no answer")
	// Many small values are let go as they come, too.
	respLines(c, Up, "KEYS *\r\n")
	many := strings.Repeat("$1\r\na\r\n", whole)
	got := respLines(c, Down, fmt.Sprintf("*%d\r\n%s", whole, many[:len(many)-1]))
	assert.Equal(t, []string{"answer 3 more"}, got)
	assert.Equal(t, []string{"answer 3 last"}, respLines(c, Down, "\n"))
}

func TestRESPSignatures(t *testing.T) {
	for command, want := range map[string]string{
		"SET 17 x": "SET {id}", "xadd jobs * a 1": "XADD jobs", "GET order:17:state": "GET order:{id}:state", "AUTH secret": "AUTH",
		"HELLO 3 AUTH me secret": "HELLO", "CONFIG SET requirepass secret": "CONFIG SET", "ACL SETUSER me >secret": "ACL SETUSER",
		"XREADGROUP GROUP g c COUNT 5 STREAMS jobs >": "XREADGROUP jobs", "EVAL s 0 a": "EVAL", "EVALSHA s 2 a b": "EVALSHA a",
		"BLMPOP 1 2 a b LEFT": "BLMPOP a", "BITOP AND d a b": "BITOP d", "XINFO STREAM jobs": "XINFO STREAM jobs", "PING": "PING",
		"LPUSH asynq:{default}:pending x": "LPUSH asynq:{default}:pending", "HSET asynq:{default}:t:6ba7b810-9dad-11d1-80b4-00c04fd430c8 a b": "HSET asynq:{default}:t:{id}",
		"GET " + strings.Repeat("x", 300): "GET {id}", "\"x\xff y": "?",
	} {
		m := RESP.New().Feed(Up, []byte(command+"\r\n"))
		require.Len(t, m, 1)
		assert.Equal(t, want, m[0].Signature)
	}
}

func FuzzRESP(f *testing.F) {
	f.Add(uint64(1), []byte("*2\r\n$3\r\nGET\r\n$1\r\na\r\nPING\r\nSUBSCRIBE a b\r\nUNSUBSCRIBE\r\nHELLO 3\r\nCLIENT REPLY SKIP\r\nSET a 1\r\nMULTI\r\nEXEC\r\n"),
		[]byte("$1\r\na\r\n+PONG\r\n*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$2\r\nhi\r\n-ERR x\r\n%1\r\n+a\r\n_\r\n"))
	f.Add(uint64(2), []byte("RESET\r\n*-1\r\n*0\r\n"), []byte("|1\r\n+a\r\n:1\r\n$?\r\n;4\r\nHell\r\n;0\r\n*?\r\n.\r\n>2\r\n+message\r\n,1.5\r\n=7\r\ntxt:abc\r\n"))
	f.Fuzz(func(t *testing.T, seed uint64, up, down []byte) { natsRespFuzz(t, RESP, seed, up, down) })
}

func BenchmarkRESP(b *testing.B) {
	payload := strings.Repeat("x", 256)
	natsRespBench(b, RESP, 10_000, func(i int) (string, string) {
		key := fmt.Sprintf("order:%06d", i)
		return fmt.Sprintf("*3\r\n$3\r\nset\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n", len(key), key, len(payload), payload), "+OK\r\n"
	})
}
