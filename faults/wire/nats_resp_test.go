package wire

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// natsRespRelay stands between a client and a server, and carries bytes through the decoder of a protocol.
type natsRespRelay struct {
	protocol Protocol
	upstream string
	listener net.Listener
	meet     func(Message) natsRespFate // nil: everything passes
	chunk    int                        // the most that is fed at once, at random; 0: what was read

	done  sync.WaitGroup
	mu    sync.Mutex
	conns []*natsRespConn
}

type natsRespFate int

const (
	natsRespPass   natsRespFate = iota
	natsRespLose                // the message is dropped and the connection closed
	natsRespTwice               // the ask is delivered twice
	natsRespRefuse              // the ask is delivered and the answer replaced
)

type natsRespFed struct {
	way   Way
	bytes []byte
}

type natsRespConn struct {
	relay    *natsRespRelay
	sockets  [2]net.Conn // by the way whose bytes come from it
	mu       sync.Mutex
	conn     Conn
	random   *rand.Rand
	fed      []natsRespFed
	messages [2][]Message
	out      [2][]byte
	owed     [2]int       // bytes fed and not given out
	twice    [2][]Message // asks that are to be delivered again
	failed   []error
	swallow  map[uint64]bool
	refusal  map[uint64][]byte
}

func newNATSRespRelay(t testing.TB, p Protocol, upstream string, chunk int, meet func(Message) natsRespFate) *natsRespRelay {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	r := &natsRespRelay{protocol: p, upstream: upstream, listener: l, meet: meet, chunk: chunk}
	r.done.Go(r.serve)
	t.Cleanup(func() {
		r.stop()
		for _, c := range r.all() {
			assert.Empty(t, c.failed)
		}
	})
	return r
}

func (r *natsRespRelay) addr() string { return r.listener.Addr().String() }

func (r *natsRespRelay) serve() {
	for n := uint64(0); ; n++ {
		down, err := r.listener.Accept()
		if err != nil {
			return
		}
		up, err := net.Dial("tcp", r.upstream)
		if err != nil {
			down.Close()
			continue
		}
		c := &natsRespConn{relay: r, sockets: [2]net.Conn{down, up}, conn: r.protocol.New(), random: rand.New(rand.NewPCG(n, 7)),
			swallow: map[uint64]bool{}, refusal: map[uint64][]byte{}}
		r.mu.Lock()
		r.conns = append(r.conns, c)
		r.mu.Unlock()
		r.done.Go(func() { c.copy(Up) })
		r.done.Go(func() { c.copy(Down) })
	}
}

func (r *natsRespRelay) stop() {
	r.listener.Close()
	for _, c := range r.all() {
		c.close()
	}
	r.done.Wait()
}

func (r *natsRespRelay) all() []*natsRespConn {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.conns)
}

func (c *natsRespConn) close() {
	for _, s := range c.sockets {
		s.Close()
	}
}

func (c *natsRespConn) copy(w Way) {
	defer c.close()
	buf := make([]byte, 32<<10)
	for {
		n, err := c.sockets[w].Read(buf)
		for b := buf[:n]; len(b) > 0; {
			k := len(b)
			if c.relay.chunk > 0 {
				c.mu.Lock()
				k = min(k, 1+c.random.IntN(c.relay.chunk))
				c.mu.Unlock()
			}
			out, alive := c.feed(w, b[:k])
			b = b[k:]
			for to, what := range out {
				if len(what) > 0 {
					if _, err := c.sockets[1-to].Write(what); err != nil {
						return
					}
				}
			}
			if !alive {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// feed gives what is to be written on each way.
func (c *natsRespConn) feed(w Way, b []byte) (out [2][]byte, alive bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fed = append(c.fed, natsRespFed{w, bytes.Clone(b)})
	c.owed[w] += len(b)
	for _, m := range c.conn.Feed(w, b) {
		c.owed[w] -= len(m.Bytes)
		m.Bytes = bytes.Clone(m.Bytes)
		c.messages[w] = append(c.messages[w], m)
		if c.swallow[m.Exchange] && m.Role == Answer {
			continue
		}
		if r := c.refusal[m.Exchange]; r != nil && m.Role == Answer {
			out[w] = append(out[w], r...)
			continue
		}
		fate := natsRespPass
		if c.relay.meet != nil {
			fate = c.relay.meet(m)
		}
		if fate == natsRespLose {
			return out, false
		}
		out[w] = append(out[w], m.Bytes...)
		switch fate {
		case natsRespTwice:
			c.twice[w] = append(c.twice[w], m)
		case natsRespRefuse:
			r, err := c.relay.protocol.Refuse(m)
			if err != nil {
				c.failed = append(c.failed, err)
				return out, false
			}
			c.refusal[m.Exchange] = r
		}
	}
	// The decoder must see what the other side sees: a second delivery comes between messages, behind those that are decoded.
	for c.owed[w] == 0 && len(c.twice[w]) > 0 {
		again, swallow, err := c.relay.protocol.Repeat(c.twice[w][0])
		if err != nil {
			c.failed = append(c.failed, err)
			return out, false
		}
		c.twice[w] = c.twice[w][1:]
		for _, m := range c.conn.Feed(w, again) {
			c.messages[w] = append(c.messages[w], m)
			c.swallow[m.Exchange] = swallow
			out[w] = append(out[w], m.Bytes...)
		}
	}
	for to := range out {
		c.out[to] = append(c.out[to], out[to]...)
	}
	return out, true
}

// natsRespTransparent holds when a relay at which nothing was armed has changed nothing and understood everything.
func natsRespTransparent(t testing.TB, r *natsRespRelay) {
	t.Helper()
	require.NotEmpty(t, r.all())
	for _, c := range r.all() {
		c.mu.Lock()
		var in [2][]byte
		for _, f := range c.fed {
			in[f.way] = append(in[f.way], f.bytes...)
		}
		for _, w := range []Way{Up, Down} {
			waiting := len(in[w]) - len(c.out[w])
			require.Zero(t, waiting, "at rest nothing is kept back on way %d", w)
			require.True(t, bytes.Equal(in[w], c.out[w]), "way %d", w)
		}
		n, why := c.conn.Opaque()
		require.Zero(t, n, why)
		c.mu.Unlock()
	}
}

// exchanges gives the asks that were seen, and how many answers each had.
func (r *natsRespRelay) exchanges() (asks []Message, answers map[string][]Message) {
	answers = map[string][]Message{}
	for _, c := range r.all() {
		c.mu.Lock()
		for w := range c.messages {
			for _, m := range c.messages[w] {
				if m.Role == Ask {
					asks = append(asks, m)
					for _, a := range c.messages[1-w] {
						if a.Role == Answer && a.Exchange == m.Exchange {
							answers[m.Signature] = append(answers[m.Signature], a)
						}
					}
				}
			}
		}
		c.mu.Unlock()
	}
	return asks, answers
}

func natsRespEventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	deadline := time.Now().Add(15 * time.Second)
	for !is() {
		require.True(t, time.Now().Before(deadline), "not in time: %s", what)
		time.Sleep(time.Millisecond)
	}
}

// natsRespFeed feeds a conversation, cut by cut, and checks what a decoder promises of any bytes.
func natsRespFeed(t testing.TB, p Protocol, fed []natsRespFed, cut func(int) int) [2][]Message {
	c := p.New()
	var in, out [2][]byte
	var all [2][]Message
	take := func(w Way, messages []Message) {
		for _, m := range messages {
			if len(m.Bytes) == 0 || m.Role != Plain && m.Exchange == 0 || m.Role != Ask && m.Signature != "" {
				t.Fatalf("malformed message %+v", m)
			}
			out[w] = append(out[w], m.Bytes...)
			m.Bytes = bytes.Clone(m.Bytes)
			if n := len(all[w]); n > 0 && all[w][n-1].More {
				first := &all[w][n-1] // its parts are put together
				if m.Exchange != first.Exchange {
					t.Fatalf("a part of %d in %d", m.Exchange, first.Exchange)
				}
				first.Bytes, first.More = append(first.Bytes, m.Bytes...), m.More
				first.Last, first.Also = first.Last || m.Last, append(first.Also, m.Also...)
				continue
			}
			all[w] = append(all[w], m)
		}
		if waits := len(in[w]) - len(out[w]); waits < 0 || waits > whole+64<<10+32<<10 {
			t.Fatalf("%d bytes are kept", waits)
		}
	}
	for _, f := range fed {
		for b := f.bytes; len(b) > 0; {
			n := min(len(b), max(1, cut(len(b))))
			piece := bytes.Clone(b[:n])
			in[f.way] = append(in[f.way], piece...)
			take(f.way, c.Feed(f.way, piece))
			for i := range piece {
				piece[i] = 'x' // it is not kept
			}
			b = b[n:]
		}
	}
	for _, w := range []Way{Up, Down} {
		take(w, c.End(w))
		if !bytes.Equal(in[w], out[w]) {
			t.Fatalf("way %d: in %q, out %q", w, in[w], out[w])
		}
	}
	return all
}

// natsRespSame cuts a captured conversation at random and one byte at a time: always the same messages.
func natsRespSame(t *testing.T, p Protocol, r *natsRespRelay) {
	for _, c := range r.all() {
		want := natsRespFeed(t, p, c.fed, func(n int) int { return n })
		require.Equal(t, want, natsRespFeed(t, p, c.fed, func(int) int { return 1 }))
		rapid.Check(t, func(rt *rapid.T) {
			most := rapid.SampledFrom([]int{2, 7, 100, 5000}).Draw(rt, "most")
			random := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 1))
			require.Equal(rt, want, natsRespFeed(t, p, c.fed, func(int) int { return 1 + random.IntN(most) }))
		})
	}
}

// natsRespFuzz feeds anything. The first bytes say how it is cut and which way each piece goes.
func natsRespFuzz(t *testing.T, p Protocol, seed uint64, up, down []byte) {
	random := rand.New(rand.NewPCG(seed, 2))
	var fed []natsRespFed
	for len(up)+len(down) > 0 {
		w, from := Up, &up
		if len(up) == 0 || len(down) > 0 && random.IntN(2) == 0 {
			w, from = Down, &down
		}
		n := 1 + random.IntN(len(*from))
		fed = append(fed, natsRespFed{w, (*from)[:n]})
		*from = (*from)[n:]
	}
	whole := natsRespFeed(t, p, fed, func(n int) int { return n })
	cut := natsRespFeed(t, p, fed, func(n int) int { return 1 + random.IntN(n) })
	for w := range whole {
		describe := func(ms []Message) (s []string) {
			for _, m := range ms {
				if m.Role != Plain {
					s = append(s, fmt.Sprint(m.Role, m.Exchange, m.Signature, m.Last, m.Refused, m.Also))
				}
			}
			return s
		}
		require.Equal(t, describe(whole[w]), describe(cut[w]))
	}
}

// natsRespBench compares a decoder with a plain copy of the same bytes, in windows of 32 KiB of exchanges a way.
func natsRespBench(b *testing.B, p Protocol, exchanges int, exchange func(i int) (up, down string)) {
	var fed []natsRespFed
	total := 0
	window := [2][]byte{}
	for i := range exchanges {
		up, down := exchange(i)
		window[Up], window[Down] = append(window[Up], up...), append(window[Down], down...)
		total += len(up) + len(down)
		if len(window[Up]) > 32<<10 || i == exchanges-1 {
			fed = append(fed, natsRespFed{Up, window[Up]}, natsRespFed{Down, window[Down]})
			window = [2][]byte{}
		}
	}
	buf := make([]byte, 64<<10)
	for _, side := range []string{"copy", "decode"} {
		b.Run(side, func(b *testing.B) {
			b.SetBytes(int64(total))
			b.ReportAllocs()
			for b.Loop() {
				c, n := p.New(), 0
				for _, f := range fed {
					k := copy(buf, f.bytes)
					if side == "copy" {
						continue
					}
					for _, m := range c.Feed(f.way, buf[:k]) {
						if m.Role != Plain {
							n++
						}
					}
				}
				if side == "decode" && n != 2*exchanges {
					b.Fatalf("%d messages", n)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(2*exchanges), "ns/message")
		})
	}
}
