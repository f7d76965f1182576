package proxy_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/wreckon/wreckon/faults"
	"github.com/wreckon/wreckon/faults/proxy"
	"github.com/wreckon/wreckon/targets"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var edge = targets.Edge{From: "payments", To: "gateway", Protocol: targets.TCP}

// server accepts connections and hands each to serve; it ends with the test.
func server(t testing.TB, serve func(*net.TCPConn)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		open []net.Conn
	)
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, c)
			mu.Unlock()
			wg.Go(func() { defer c.Close(); serve(c.(*net.TCPConn)) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		mu.Lock()
		for _, c := range open {
			c.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	return ln.Addr().String()
}

func echo(c *net.TCPConn) {
	_, _ = io.Copy(c, c)
	_ = c.CloseWrite()
}

// proxied puts a proxy before upstream.
func proxied(t testing.TB, edge targets.Edge, upstream string) (listen string, link faults.Link, all *proxy.Proxies) {
	t.Helper()
	all = proxy.New()
	t.Cleanup(func() { require.NoError(t, all.Close()) })
	listen, err := all.Add(edge, upstream)
	require.NoError(t, err)
	link, err = all.Link(edge)
	require.NoError(t, err)
	return listen, link, all
}

func dial(t testing.TB, addr string) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	require.NoError(t, c.SetDeadline(time.Now().Add(20*time.Second)))
	return c.(*net.TCPConn)
}

func send(t testing.TB, c net.Conn, s string) {
	t.Helper()
	_, err := io.WriteString(c, s)
	require.NoError(t, err)
}

func expect(t testing.TB, c net.Conn, want string) {
	t.Helper()
	got := make([]byte, len(want))
	_, err := io.ReadFull(c, got)
	require.NoError(t, err)
	require.Equal(t, want, string(got))
}

// silent asserts that nothing comes for a while.
func silent(t testing.TB, c net.Conn) {
	t.Helper()
	require.NoError(t, c.SetReadDeadline(time.Now().Add(60*time.Millisecond)))
	_, err := c.Read(make([]byte, 1))
	var timeout net.Error
	require.ErrorAs(t, err, &timeout)
	require.True(t, timeout.Timeout(), "%v", err)
	require.NoError(t, c.SetReadDeadline(time.Now().Add(20*time.Second)))
}

func eventually(t testing.TB, cond func() bool, msg string) {
	t.Helper()
	require.Eventually(t, cond, 10*time.Second, time.Millisecond, msg)
}

func TestNothingArmedBytesAreIdentical(t *testing.T) {
	listen, _, all := proxied(t, edge, server(t, echo))
	var wg sync.WaitGroup
	const conns, size = 8, 1 << 20
	for seed := range uint64(conns) {
		c := dial(t, listen)
		rnd := rand.New(rand.NewPCG(seed, 1))
		data := make([]byte, size)
		for i := range data {
			data[i] = byte(rnd.Uint32())
		}
		wg.Go(func() {
			for rest := data; len(rest) > 0; {
				n := min(len(rest), 1+rnd.IntN(100_000))
				if _, err := c.Write(rest[:n]); !assert.NoError(t, err) {
					return
				}
				rest = rest[n:]
			}
			assert.NoError(t, c.CloseWrite()) // the echo ends its half only after it has read this
		})
		wg.Go(func() {
			got, err := io.ReadAll(c)
			assert.NoError(t, err)
			assert.True(t, bytes.Equal(data, got), "seed %d: %d bytes came back of %d", seed, len(got), len(data))
		})
	}
	wg.Wait()
	eventually(t, func() bool { return all.Stats()[0].Open == 0 }, "connections that ended on both sides are gone")
	assert.Equal(t, proxy.Stats{Edge: "payments -> gateway", Connections: conns, Requests: conns * size, Responses: conns * size}, all.Stats()[0])
}

func TestHoldLosesNothing(t *testing.T) {
	for name, shape := range map[string]faults.Shape{
		"requests":  {HoldRequests: true},
		"responses": {HoldResponses: true},
		"both":      {HoldRequests: true, HoldResponses: true},
	} {
		t.Run(name, func(t *testing.T) {
			listen, link, _ := proxied(t, edge, server(t, echo))
			old := dial(t, listen)
			send(t, old, "before")
			expect(t, old, "before")

			link.Set(shape)
			send(t, old, "during")
			young := dial(t, listen)
			send(t, young, "new")
			silent(t, old)
			silent(t, young)

			link.Set(faults.Shape{})
			start := time.Now()
			expect(t, old, "during")
			expect(t, young, "new")
			assert.Less(t, time.Since(start), 200*time.Millisecond, "held bytes flow at once")
			touched := link.Touched()
			assert.Equal(t, int64(2), touched.Connections)
			assert.Equal(t, int64(len("during")+len("new")), touched.Bytes)
			assert.Zero(t, touched.Dropped)
		})
	}
}

func TestResetReachesIdleConnections(t *testing.T) {
	sawReset := make(chan error, 2)
	listen, link, _ := proxied(t, edge, server(t, func(c *net.TCPConn) {
		_, err := io.Copy(c, c)
		sawReset <- err
	}))
	idle := dial(t, listen)
	send(t, idle, "x")
	expect(t, idle, "x")

	link.Set(faults.Shape{Reset: true})
	_, err := idle.Read(make([]byte, 1))
	require.ErrorIs(t, err, syscall.ECONNRESET)
	require.ErrorIs(t, <-sawReset, syscall.ECONNRESET, "the listening side sees a reset, too")

	if young, err := net.Dial("tcp", listen); err != nil {
		require.ErrorIs(t, err, syscall.ECONNRESET)
	} else {
		_, err = young.Read(make([]byte, 1))
		require.ErrorIs(t, err, syscall.ECONNRESET)
		young.Close()
	}

	link.Set(faults.Shape{})
	c := dial(t, listen)
	send(t, c, "y")
	expect(t, c, "y")
	require.NoError(t, c.CloseWrite())
	_, err = c.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF, "ordinary closes stay orderly")
}

// A listener of another network is served like the proxy's own, under the same faults; only probes come to the proxy's own alone.
func TestALentListenerIsTheSameEdge(t *testing.T) {
	listen, link, all := proxied(t, edge, server(t, echo))
	lent, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, all.Lend(edge, lent))
	own, other := dial(t, listen), dial(t, lent.Addr().String())
	for _, c := range []net.Conn{own, other} {
		send(t, c, "hello")
		expect(t, c, "hello")
	}
	link.Set(faults.Shape{LoseResponses: true})
	for _, c := range []net.Conn{own, other} {
		send(t, c, "lost")
		_, err := c.Read(make([]byte, 1))
		require.ErrorIs(t, err, io.EOF)
	}
	require.EqualValues(t, 2, link.Touched().Connections)
	require.NoError(t, all.Close())
	_, err = net.Dial("tcp", lent.Addr().String())
	require.Error(t, err)
	late, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.ErrorContains(t, all.Lend(edge, late), "no proxy on this edge")
}
