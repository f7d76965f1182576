package proxy_test

import (
	"context"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/faults"
)

// flood writes until nobody reads any more.
func flood(c *net.TCPConn) {
	go func() { _, _ = io.Copy(io.Discard, c) }()
	b := make([]byte, 1<<16)
	for {
		if _, err := c.Write(b); err != nil {
			return
		}
	}
}

var shapes = []faults.Shape{
	{HoldRequests: true},
	{HoldResponses: true},
	{HoldRequests: true, HoldResponses: true},
	{Swallow: true},
	{LoseResponses: true},
	{Reset: true},
	{Delay: 3 * time.Millisecond, DelayRequests: true, DelayResponses: true},
	{Rate: 1 << 20},
	{Rate: 1 << 18, Delay: time.Millisecond, DelayResponses: true},
}

// What deadlocks Toxiproxy within milliseconds when toxics are added and removed: clients that vanish in mid-transfer, meanwhile.
// Two handles arm and disarm all shapes; TestMain sees to it that no goroutine is left.
func TestArmingUnderAbortedTraffic(t *testing.T) {
	const clients = 4
	listen, _, all := proxied(t, edge, server(t, flood))
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	var wg sync.WaitGroup
	var aborted, armed atomic.Int64
	for seed := range uint64(clients) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		wg.Go(func() {
			for ctx.Err() == nil {
				c, err := net.Dial("tcp", listen)
				if err != nil {
					continue // a reset can be that early
				}
				_ = c.SetDeadline(time.Now().Add(50 * time.Millisecond))
				_, _ = c.Write(make([]byte, rnd.IntN(1<<16)))
				_, _ = io.CopyN(io.Discard, c, rnd.Int64N(1<<20))
				if rnd.IntN(2) == 0 {
					_ = c.(*net.TCPConn).SetLinger(0)
				}
				c.Close()
				aborted.Add(1)
			}
		})
	}
	for seed := range uint64(2) {
		link, err := all.Link(edge)
		require.NoError(t, err)
		rnd := rand.New(rand.NewPCG(seed, 3))
		wg.Go(func() {
			for ctx.Err() == nil {
				link.Set(shapes[rnd.IntN(len(shapes))])
				armed.Add(1)
				select {
				case <-ctx.Done():
				case <-time.After(time.Duration(rnd.IntN(4000)) * time.Microsecond):
				}
				link.Set(faults.Shape{})
			}
		})
	}
	wg.Wait()
	link, err := all.Link(edge)
	require.NoError(t, err)
	assert.Equal(t, faults.SawAnswer, link.Probe(context.Background()).Outcome, "the edge serves on")
	assert.Greater(t, aborted.Load(), int64(100))
	assert.Greater(t, armed.Load(), int64(100))
	eventually(t, func() bool { return all.Stats()[0].Open == 0 }, "no connection outlives its client")
	t.Logf("%d connections aborted under %d shapes", aborted.Load(), armed.Load())
}

// Toxiproxy without our pump leaves more than one goroutine behind for each of these.
func TestAbortedConnectionsLeaveNothingBehind(t *testing.T) {
	more := make([]byte, 256<<10) // than the client takes
	listen, _, all := proxied(t, edge, server(t, func(c *net.TCPConn) { _, _ = c.Write(more) }))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 250 {
				c, err := net.Dial("tcp", listen)
				if !assert.NoError(t, err) {
					return
				}
				_, err = io.CopyN(io.Discard, c, 1)
				assert.NoError(t, err)
				assert.NoError(t, c.(*net.TCPConn).SetLinger(0))
				c.Close()
			}
		})
	}
	wg.Wait()
	eventually(t, func() bool { return all.Stats()[0].Open == 0 }, "all connections are gone before the proxy is closed")
	require.Equal(t, int64(1000), all.Stats()[0].Connections)
}

// Held and delayed connections must not keep Close waiting.
func TestCloseWhileArmed(t *testing.T) {
	for _, shape := range shapes {
		listen, link, all := proxied(t, edge, server(t, flood))
		c := dial(t, listen)
		_, err := io.CopyN(io.Discard, c, 1)
		require.NoError(t, err)
		link.Set(shape)
		_, _ = c.Write(make([]byte, 1<<16)) // with Reset, too late
		done := make(chan error, 1)
		go func() { done <- all.Close() }()
		select {
		case err := <-done:
			require.NoError(t, err)
		case <-time.After(10 * time.Second):
			require.Fail(t, "close hangs", "%+v", shape)
		}
	}
}
