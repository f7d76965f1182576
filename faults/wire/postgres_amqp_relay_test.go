package wire

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// fate is what the relay does with a message.
type fate struct {
	cut     bool   // it is not delivered, and its connection ends on both sides
	replace bool   // with instead is delivered in its place
	instead []byte // may be nothing
}

// decodingRelay carries bytes through the decoder of a protocol, and holds the decoder to its contract.
type decodingRelay struct {
	t        testing.TB
	protocol Protocol
	upstream string
	pieces   func() int // how many bytes are fed at once
	listener net.Listener
	wg       sync.WaitGroup

	mu    sync.Mutex
	fate  func(relayed) fate // of each message; called with mu held
	conns []*relayConn
}

// relayed is a message with the signature of its exchange.
type relayed struct {
	Message
	way Way
	of  string
}

// relayConn is one connection through the relay. The relay's lock guards it.
type relayConn struct {
	relay    *decodingRelay
	decoder  Conn
	sides    [2]net.Conn       // that the bytes of a way come from
	fed      [2]bytes.Buffer   // and not yet given out
	open     map[uint64]string // exchanges that wait for their answer, and their signatures
	messages []relayed         // without bytes
}

func newRelay(t testing.TB, p Protocol, upstream string, pieces func() int) *decodingRelay {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	r := &decodingRelay{t: t, protocol: p, upstream: upstream, pieces: pieces, listener: listener}
	r.wg.Go(r.serve)
	t.Cleanup(r.stop)
	return r
}

func (r *decodingRelay) addr() string { return r.listener.Addr().String() }

func (r *decodingRelay) port() int { return r.listener.Addr().(*net.TCPAddr).Port }

func (r *decodingRelay) serve() {
	for {
		client, err := r.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", r.upstream)
		if err != nil {
			client.Close()
			continue
		}
		c := &relayConn{relay: r, decoder: r.protocol.New(), sides: [2]net.Conn{client, server}, open: map[uint64]string{}}
		r.mu.Lock()
		r.conns = append(r.conns, c)
		r.mu.Unlock()
		r.wg.Go(func() { c.copy(Up) })
		r.wg.Go(func() { c.copy(Down) })
	}
}

// stop ends all connections, and waits for them.
func (r *decodingRelay) stop() {
	r.listener.Close()
	r.mu.Lock()
	for _, c := range r.conns {
		c.close()
	}
	r.mu.Unlock()
	r.wg.Wait()
}

// meet sets what becomes of messages from now on.
func (r *decodingRelay) meet(f func(relayed) fate) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fate = f
}

func (c *relayConn) close() {
	c.sides[Up].Close()
	c.sides[Down].Close()
}

func (c *relayConn) copy(w Way) {
	from, to := c.sides[w], c.sides[1-w]
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		var out []byte
		alive := true
		for rest := b[:n]; len(rest) > 0 && alive; {
			var more []byte
			piece := min(len(rest), c.relay.pieces())
			more, alive = c.feed(w, func() []Message { return c.decoder.Feed(w, rest[:piece]) }, rest[:piece])
			out = append(out, more...)
			rest = rest[piece:]
		}
		if _, failed := to.Write(out); failed != nil || !alive {
			c.close()
			return
		}
		if err != nil {
			out, _ := c.feed(w, func() []Message { return c.decoder.End(w) }, nil)
			_, _ = to.Write(out)
			_ = to.(*net.TCPConn).CloseWrite()
			if err != io.EOF {
				c.close()
			}
			return
		}
	}
}

func (c *relayConn) feed(w Way, decode func() []Message, b []byte) (out []byte, alive bool) {
	r := c.relay
	r.mu.Lock()
	defer r.mu.Unlock()
	c.fed[w].Write(b)
	for _, m := range decode() {
		if was := c.fed[w].Next(len(m.Bytes)); !bytes.Equal(was, m.Bytes) {
			assert.Fail(r.t, "what is given out is not what was fed", "%q instead of %q", m.Bytes, was)
			return nil, false
		}
		seen := c.take(w, m)
		var f fate
		if r.fate != nil {
			f = r.fate(seen)
		}
		switch {
		case f.cut:
			return out, false
		case f.replace:
			out = append(out, f.instead...)
		default:
			out = append(out, m.Bytes...)
		}
	}
	return out, true
}

// take checks that a message goes with those before it.
func (c *relayConn) take(w Way, m Message) relayed {
	t := c.relay.t
	seen := relayed{m, w, m.Signature}
	seen.Bytes = nil
	switch m.Role {
	case Ask:
		assert.NotContains(t, c.open, m.Exchange)
		assert.NotEmpty(t, m.Signature)
		if !m.Last {
			c.open[m.Exchange] = m.Signature
		}
	case Answer:
		assert.Contains(t, c.open, m.Exchange, "an answer has an ask")
		seen.of = c.open[m.Exchange]
		for _, x := range append(m.Also, m.Exchange) {
			assert.Contains(t, c.open, x)
			if m.Last {
				delete(c.open, x)
			}
		}
	}
	c.messages = append(c.messages, seen)
	seen.Bytes = m.Bytes
	return seen
}

// understood requires that every byte was, and that every exchange of the connections that were not cut got its answer.
func (r *decodingRelay) understood() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.conns {
		n, why := c.decoder.Opaque()
		require.Zero(r.t, n, why)
		require.Empty(r.t, why)
		require.Empty(r.t, c.open, "exchanges without an answer")
	}
}

// asked gives the signatures of all asks over all connections, in order.
func (r *decodingRelay) asked() (all []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.conns {
		for _, m := range c.messages {
			if m.Role == Ask {
				all = append(all, m.Signature)
			}
		}
	}
	return all
}

// The ways to cut a stream that decoders are tried with.
func chunkings() map[string]func() int {
	random := rand.New(rand.NewPCG(1, 2))
	var mu sync.Mutex
	return map[string]func() int{
		"as it comes":    func() int { return 1 << 20 },
		"byte by byte":   func() int { return 1 },
		"random lengths": func() int { mu.Lock(); defer mu.Unlock(); return 1 + int(random.ExpFloat64()*40) },
	}
}

// fed is a run of bytes of one way.
type fed struct {
	way   Way
	bytes []byte
}

// decodedWhole feeds a conversation in pieces and gives the messages of each way; it requires that they are its bytes, and that no more is kept than
// the bound.
func decodedWhole(t require.TestingT, p Protocol, script []fed, piece func(int) int) (messages [2][]Message, why string) {
	c := p.New()
	var in, out [2][]byte
	give := func(w Way, ms []Message) {
		for _, m := range ms {
			m.Bytes = bytes.Clone(m.Bytes)
			out[w] = append(out[w], m.Bytes...)
			messages[w] = append(messages[w], m)
		}
	}
	for _, f := range script {
		for rest := f.bytes; len(rest) > 0; {
			n := piece(len(rest))
			fed := bytes.Clone(rest[:n])
			in[f.way] = append(in[f.way], fed...)
			give(f.way, c.Feed(f.way, fed))
			rest = rest[n:]
			kept := 0
			for _, w := range []Way{Up, Down} {
				kept += len(in[w]) - len(out[w])
			}
			if kept > 2*whole+n { // asked a million times
				require.Fail(t, "what is kept is not bounded", "%d bytes", kept)
			}
		}
	}
	for _, w := range []Way{Up, Down} {
		give(w, c.End(w))
		require.True(t, bytes.Equal(in[w], out[w]), "the messages of a way are its bytes")
	}
	_, why = c.Opaque()
	return messages, why
}

// summary is what must not depend on how a stream was cut: the roles, exchanges and ends, with the messages of an exchange in a row as one.
func summary(messages []Message) (lines []string) {
	for _, m := range messages {
		line := ""
		switch m.Role {
		case Ask:
			line = fmt.Sprintf("%d asks %q", m.Exchange, m.Signature)
			if m.Last {
				line += " of nobody"
			}
			if m.Tag != 0 {
				line += fmt.Sprintf(" as %d", m.Tag)
			}
		case Answer:
			line = fmt.Sprintf("%d is answered", m.Exchange)
			if m.Refused {
				lines = append(lines, fmt.Sprintf("%d is refused", m.Exchange))
			}
			if !m.Last {
				continue
			}
			if len(m.Also) > 0 {
				line += fmt.Sprintf(", and %v", m.Also)
			}
		default:
			continue
		}
		lines = append(lines, line)
	}
	return lines
}

// sameHoweverCut requires that a conversation means the same in pieces of any length.
func sameHoweverCut(t *testing.T, p Protocol, script []fed) (lines [2][]string) {
	all, why := decodedWhole(t, p, script, func(n int) int { return n })
	require.Empty(t, why)
	lines = [2][]string{summary(all[Up]), summary(all[Down])}
	same := func(t require.TestingT, piece func(int) int) {
		got, why := decodedWhole(t, p, script, piece)
		require.Empty(t, why)
		require.Equal(t, lines, [2][]string{summary(got[Up]), summary(got[Down])})
	}
	same(t, func(int) int { return 1 })
	rapid.Check(t, func(t *rapid.T) {
		longest := rapid.IntRange(1, 3000).Draw(t, "longest")
		same(t, func(n int) int { return rapid.IntRange(1, min(n, longest)).Draw(t, "piece") })
	})
	return lines
}

// fuzzed feeds bytes that need not make sense, in pieces.
func fuzzed(t *testing.T, p Protocol, seed uint64, up, down []byte) {
	random := rand.New(rand.NewPCG(seed, 0))
	var script []fed
	for len(up)+len(down) > 0 {
		f := fed{way: Up}
		from := &up
		if len(up) == 0 || len(down) > 0 && random.IntN(2) == 0 {
			f.way, from = Down, &down
		}
		n := 1 + random.IntN(len(*from))
		f.bytes, *from = (*from)[:n], (*from)[n:]
		script = append(script, f)
	}
	all, _ := decodedWhole(t, p, script, func(n int) int { return 1 + random.IntN(n) })
	open := map[uint64]bool{}
	for _, m := range all[Up] {
		if m.Role == Ask {
			open[m.Exchange] = true
		}
	}
	for _, m := range all[Down] {
		if m.Role == Ask {
			open[m.Exchange] = true
		}
	}
	for _, way := range all {
		for _, m := range way {
			if m.Exchange != 0 && !open[m.Exchange] {
				require.Fail(t, "a message of an exchange that nobody opened", "%+v", m)
			}
		}
	}
}

func portOf(t testing.TB, addr string) int {
	_, port, err := net.SplitHostPort(addr)
	require.NoError(t, err)
	n, err := strconv.Atoi(port)
	require.NoError(t, err)
	return n
}

// within waits for a condition.
func within(t testing.TB, d time.Duration, what string, is func() bool) {
	require.Eventually(t, is, d, 10*time.Millisecond, what)
}
