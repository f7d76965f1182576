package wire

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// httpDialogue feeds both ways in cuts of a size (0: whole), requests first, and checks that the bytes are all there.
func httpDialogue(t *testing.T, up, down string, cut int) (c Conn, asks, answers []Message) {
	t.Helper()
	c = HTTP.New()
	feed := func(w Way, s string) (all []Message) {
		var got bytes.Buffer
		take := func(messages []Message) {
			for _, m := range messages {
				m.Bytes = bytes.Clone(m.Bytes)
				got.Write(m.Bytes)
				all = append(all, m)
			}
		}
		for rest := s; len(rest) > 0; {
			n := len(rest)
			if cut > 0 {
				n = min(n, cut)
			}
			take(c.Feed(w, []byte(rest[:n])))
			rest = rest[n:]
		}
		take(c.End(w))
		require.Equal(t, s, got.String())
		return all
	}
	for _, m := range feed(Up, up) {
		if m.Role == Ask {
			asks = append(asks, m)
		}
	}
	for _, m := range feed(Down, down) {
		if m.Role == Answer {
			answers = append(answers, m)
		}
	}
	return c, asks, answers
}

const (
	get    = "GET /orders/17?full=1 HTTP/1.1\r\nHost: x\r\n\r\n"
	post   = "POST /orders HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
	pieces = "PUT /v1/orders/8a5f/lines HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n5;a=b\r\nhello\r\nA\r\n0123456789\r\n0\r\nX-Sum: 1\r\n\r\n"
	ok     = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	empty  = "HTTP/1.1 204 No Content\r\n\r\n"
)

func TestHTTPMessages(t *testing.T) {
	for name, tc := range map[string]struct {
		up, down   string
		signatures string
		last       int // answers that end their exchange
		refused    int
		why        string
	}{
		"keep-alive":         {up: get + post, down: ok + empty, signatures: "GET /orders/{id}, POST /orders", last: 2},
		"chunks":             {up: pieces, down: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", signatures: "PUT /v1/orders/{id}/lines", last: 1},
		"HEAD":               {up: "HEAD / HTTP/1.1\r\n\r\n" + get, down: "HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n" + ok, signatures: "HEAD /, GET /orders/{id}", last: 2},
		"not modified":       {up: get + get, down: "HTTP/1.1 304 Not Modified\r\nContent-Length: 999\r\n\r\n" + ok, signatures: "GET /orders/{id}, GET /orders/{id}", last: 2},
		"refused":            {up: get, down: "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", signatures: "GET /orders/{id}", last: 1, refused: 1},
		"interim":            {up: post, down: "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + ok, signatures: "POST /orders", last: 1},
		"until the end":      {up: get, down: "HTTP/1.1 200 OK\r\n\r\nall of it", signatures: "GET /orders/{id}", last: 1},
		"empty line between": {up: post + "\r\n" + post, down: ok + ok, signatures: "POST /orders, POST /orders", last: 2},
		"through a proxy":    {up: "GET http://x:80/a/b HTTP/1.1\r\n\r\n", down: ok, signatures: "GET /a/b", last: 1},
		"long segment":       {up: "GET /a/" + strings.Repeat("z", 32) + " HTTP/1.1\r\n\r\n", down: ok, signatures: "GET /a/{id}", last: 1},
		"upgrade":            {up: "GET /ws HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", down: "HTTP/1.1 101 Switching\r\n\r\n\x81\x05hello", signatures: "GET /ws", last: 1, why: "upgrade"},
		"tunnel":             {up: "CONNECT x:443 HTTP/1.1\r\n\r\n", down: "HTTP/1.1 200 OK\r\n\r\n\x16\x03\x01", signatures: "CONNECT x:443", last: 1, why: "CONNECT"},
		"TLS":                {up: "\x16\x03\x01\x02\x00", down: "\x16\x03\x03", why: "TLS"},
		"HTTP/2":             {up: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", down: "\x00\x00", why: "HTTP/2"},
		"another protocol":   {up: "EHLO me\r\n", down: "250 ok\r\n", why: "not HTTP: a line that is no request"},
		"nobody asked":       {down: "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"},
		"two lengths":        {up: "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", why: `not HTTP: a length of "2"`},
		"bare lines":         {up: "GET / HTTP/1.1\r\nHost: x\n\r\nGET", why: "not HTTP: lines without a carriage return"},
		"no chunk":           {up: "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", why: "not HTTP: a chunk without a size"},
		"cut off":            {up: "POST /orders HTTP/1.1\r\nContent-Le", down: "HTTP/1.1 2"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, cut := range []int{0, 1, 7} {
				c, asks, answers := httpDialogue(t, tc.up, tc.down, cut)
				var signatures []string
				for i, m := range asks {
					signatures = append(signatures, m.Signature)
					require.EqualValues(t, i+1, m.Exchange)
				}
				last, refused := 0, 0
				for _, m := range answers {
					require.EqualValues(t, last+1, m.Exchange, "answers come in the order of their asks")
					if m.Last {
						last++
					}
					if m.Refused {
						refused++
					}
				}
				_, why := c.Opaque()
				assert.Equal(t, tc.signatures, strings.Join(signatures, ", "), "cut %d", cut)
				assert.Equal(t, tc.last, last, "cut %d", cut)
				assert.Equal(t, tc.refused, refused, "cut %d", cut)
				assert.Equal(t, tc.why, why, "cut %d", cut)
			}
		})
	}
}

// An ask is whole up to a bound, and comes in parts beyond it; one that expects 100-continue is never kept waiting for its body.
func TestHTTPParts(t *testing.T) {
	body := strings.Repeat("x", maxAsk+1)
	c := HTTP.New()
	require.Empty(t, c.Feed(Up, []byte(post[:len(post)-1])))
	m := c.Feed(Up, []byte("o"))
	require.Len(t, m, 1)
	require.Equal(t, post, string(m[0].Bytes))
	require.False(t, m[0].More)

	large := "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n50000\r\n" + body
	given := 0
	for rest := []byte(large); len(rest) > 0; rest = rest[min(len(rest), 32<<10):] {
		for _, m := range c.Feed(Up, rest[:min(len(rest), 32<<10)]) {
			given += len(m.Bytes)
			require.True(t, m.More)
		}
		require.LessOrEqual(t, len(c.(*httpConn).ways[Up].kept), maxAsk)
	}
	require.Equal(t, len(large), given)

	c = HTTP.New()
	head := "POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
	m = c.Feed(Up, []byte(head))
	require.Len(t, m, 1)
	require.Equal(t, head, string(m[0].Bytes))
	require.True(t, m[0].More)
	m = c.Feed(Up, []byte("hello"+get))
	require.Len(t, m, 2)
	require.Equal(t, Plain, m[0].Role)
	require.False(t, m[0].More)
	require.Equal(t, Ask, m[1].Role)
	require.EqualValues(t, 2, m[1].Exchange)
}

func TestHTTPRepeatAndRefuse(t *testing.T) {
	again, swallow, err := HTTP.Repeat(Message{Bytes: []byte(post), Signature: "POST /orders"})
	require.NoError(t, err)
	require.True(t, swallow)
	require.Equal(t, post, string(again))
	for _, head := range []string{
		"GET / HTTP/1.1\r\nConnection: close\r\n\r\n", "GET / HTTP/1.0\r\n\r\n", "CONNECT x HTTP/1.1\r\n\r\n",
		"GET / HTTP/1.1\r\nUpgrade: h2c\r\n\r\n", "POST / HTTP/1.1\r\nExpect: 100-continue\r\n\r\n", "",
	} {
		_, _, err := HTTP.Repeat(Message{Bytes: []byte(head)})
		require.Error(t, err, head)
	}
	for signature, cut := range map[string]int{"GET /": 0, "HEAD /": 20} {
		b, err := HTTP.Refuse(Message{Signature: signature})
		require.NoError(t, err)
		require.Contains(t, string(b), "503 Service Unavailable")
		require.Len(t, b, len(refusal)+20-cut)
	}
	_, err = HTTP.Refuse(Message{Signature: "CONNECT x"})
	require.Error(t, err)
}

// Whatever comes, in whatever pieces: nothing panics, nothing is lost, nothing is added, and little is kept.
func FuzzHTTP(f *testing.F) {
	for _, s := range []string{get, post, pieces, get + post + pieces, ok, empty, "\x16\x03\x01", "PRI * HTTP/2.0\r\n\r\n"} {
		f.Add([]byte(s), []byte(ok+empty+ok), uint64(1))
		f.Add([]byte(s), []byte(s), uint64(2))
	}
	f.Fuzz(func(t *testing.T, up, down []byte, seed uint64) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		c := HTTP.New()
		in, out := [2][]byte{up, down}, [2][]byte{}
		take := func(w Way, messages []Message) {
			for _, m := range messages {
				out[w] = append(out[w], m.Bytes...)
			}
		}
		for rest := in; len(rest[Up])+len(rest[Down]) > 0; {
			w := Way(rnd.IntN(2))
			n := min(len(rest[w]), rnd.IntN(20))
			take(w, c.Feed(w, bytes.Clone(rest[w][:n])))
			rest[w] = rest[w][n:]
			if len(c.(*httpConn).ways[w].kept) > maxAsk+20 {
				t.Fatalf("%d bytes are kept", len(c.(*httpConn).ways[w].kept))
			}
		}
		for w := range in {
			take(Way(w), c.End(Way(w)))
			if !bytes.Equal(in[w], out[w]) {
				t.Fatalf("way %d: %q became %q", w, in[w], out[w])
			}
		}
	})
}
