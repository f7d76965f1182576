package proxy_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/faults"
	"github.com/wreckon/wreckon/targets"
)

// A transfer that is held in the middle arrives whole, in order, however often.
func TestHeldBytesArriveIntact(t *testing.T) {
	const size = 8 << 20
	data := bytes.Repeat([]byte("0123456789abcdef-"), size/17)
	listen, link, _ := proxied(t, edge, server(t, echo))
	c := dial(t, listen)
	stop, flapped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(flapped)
		for i := 0; ; i++ {
			link.Set(shapes[i%3])
			select {
			case <-stop:
				link.Set(faults.Shape{})
				return
			case <-time.After(2 * time.Millisecond):
			}
			link.Set(faults.Shape{})
			select {
			case <-stop:
			case <-time.After(time.Millisecond):
			}
		}
	}()
	go func() {
		_, err := c.Write(data)
		assert.NoError(t, err)
		assert.NoError(t, c.CloseWrite())
	}()
	got, err := io.ReadAll(c)
	close(stop)
	<-flapped
	require.NoError(t, err)
	require.True(t, bytes.Equal(data, got), "%d bytes came back of %d", len(got), len(data))
	require.Zero(t, link.Touched().Dropped)
}

// An end is held like bytes are, and so is a reset.
func TestHoldKeepsTheEndBack(t *testing.T) {
	for name, leave := range map[string]func(*net.TCPConn){
		"close": func(c *net.TCPConn) { c.Close() },
		"reset": func(c *net.TCPConn) { _ = c.SetLinger(0); c.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			ended := make(chan error, 1)
			listen, link, _ := proxied(t, edge, server(t, func(c *net.TCPConn) {
				_, _ = c.Write([]byte("hello"))
				_, err := io.ReadAll(c)
				ended <- err
			}))
			c := dial(t, listen)
			expect(t, c, "hello")
			link.Set(faults.Shape{HoldRequests: true})
			leave(c)
			select {
			case err := <-ended:
				require.Fail(t, "the other side knows", "%v", err)
			case <-time.After(50 * time.Millisecond):
			}
			link.Set(faults.Shape{})
			err := <-ended
			if name == "reset" {
				require.ErrorIs(t, err, syscall.ECONNRESET)
			} else {
				require.NoError(t, err)
			}
		})
	}
}

// A connection that an HTTP or NATS client opens in a cut, and gives up in it, never reaches the other side. One that it had before does.
func TestGivenUpInACut(t *testing.T) {
	for _, protocol := range []targets.Protocol{targets.HTTP, targets.NATS, targets.TCP} {
		t.Run(string(protocol), func(t *testing.T) {
			arrived := make(chan string, 2)
			edge := targets.Edge{From: "a", To: "b", Protocol: protocol}
			listen, link, all := proxied(t, edge, server(t, func(c *net.TCPConn) {
				b, _ := io.ReadAll(c)
				arrived <- string(b)
			}))
			old := dial(t, listen)
			send(t, old, "before,")
			eventually(t, func() bool { return all.Stats()[0].Requests > 0 }, "the connection is made")
			link.Set(faults.Shape{HoldRequests: true})
			send(t, old, "during")
			old.Close()
			young := dial(t, listen)
			send(t, young, "new")
			young.Close()
			if protocol == targets.TCP {
				link.Set(faults.Shape{})
				require.ElementsMatch(t, []string{"before,during", "new"}, []string{<-arrived, <-arrived})
				return
			}
			eventually(t, func() bool { s := all.Stats()[0]; return s.Connections == 2 && s.Open == 1 }, "the given up connection is forgotten")
			link.Set(faults.Shape{})
			require.Equal(t, "before,during", <-arrived)
			eventually(t, func() bool { return all.Stats()[0].Open == 0 }, "all is over")
			require.Empty(t, arrived)
		})
	}
}

func TestSwallowThrowsAwayAndKillsAtTheEnd(t *testing.T) {
	var received atomic.Int64
	listen, link, _ := proxied(t, edge, server(t, func(c *net.TCPConn) {
		b := make([]byte, 1024)
		for {
			n, err := c.Read(b)
			received.Add(int64(n))
			if err != nil {
				return
			}
			_, _ = c.Write(b[:n])
		}
	}))
	idle, busy := dial(t, listen), dial(t, listen)
	for _, c := range []net.Conn{idle, busy} {
		send(t, c, "before")
		expect(t, c, "before")
	}
	link.Set(faults.Shape{Swallow: true})
	for range 10 { // the sender feels no resistance
		send(t, busy, "gone")
		silent(t, busy)
	}
	young := dial(t, listen)
	send(t, young, "gone")
	eventually(t, func() bool { return link.Touched().Dropped == 44 }, "all bytes are counted")
	link.Set(faults.Shape{})
	for _, c := range []net.Conn{busy, young} {
		_, err := c.Read(make([]byte, 1))
		require.ErrorIs(t, err, syscall.ECONNRESET, "it lost bytes and cannot go on")
	}
	send(t, idle, "after")
	expect(t, idle, "after")
	require.Equal(t, int64(len("beforebeforeafter")), received.Load())
	require.Equal(t, faults.Counters{Connections: 2, Bytes: 44, Dropped: 44}, link.Touched())
}

func TestLoseResponses(t *testing.T) {
	received := make(chan string, 2)
	listen, link, _ := proxied(t, edge, server(t, func(c *net.TCPConn) {
		b := make([]byte, 1024)
		for {
			n, err := c.Read(b)
			if err != nil {
				return
			}
			received <- string(b[:n])
			_, _ = c.Write(b[:n])
		}
	}))
	c, idle := dial(t, listen), dial(t, listen)
	send(t, c, "first")
	expect(t, c, <-received)
	send(t, idle, "first")
	expect(t, idle, <-received)
	link.Set(faults.Shape{LoseResponses: true})
	send(t, c, "second")
	require.Equal(t, "second", <-received, "the request arrives")
	n, err := c.Read(make([]byte, 1))
	require.Zero(t, n)
	require.ErrorIs(t, err, io.EOF)
	require.Equal(t, faults.Counters{Connections: 1, Bytes: 6, Dropped: 6}, link.Touched())
	link.Set(faults.Shape{})
	send(t, idle, "third")
	expect(t, idle, <-received)
}

// Chunks that are under way together are all delayed once: a delay is no pause.
func TestDelayIsAccurateAndInOrder(t *testing.T) {
	const delay, chunks = 60 * time.Millisecond, 20
	for name, shape := range map[string]faults.Shape{
		"requests":  {Delay: delay, DelayRequests: true},
		"responses": {Delay: delay, DelayResponses: true},
	} {
		t.Run(name, func(t *testing.T) {
			listen, link, _ := proxied(t, edge, server(t, echo))
			c := dial(t, listen)
			send(t, c, "x")
			expect(t, c, "x")
			link.Set(shape)
			var sent [chunks]time.Time
			var mu sync.Mutex
			go func() {
				for i := range byte(chunks) {
					mu.Lock()
					sent[i] = time.Now()
					mu.Unlock()
					_, err := c.Write([]byte{i})
					assert.NoError(t, err)
					time.Sleep(3 * time.Millisecond) // the sender's pace: a chunk each
				}
			}()
			var late []time.Duration
			for i := range byte(chunks) {
				var b [1]byte
				_, err := c.Read(b[:])
				require.NoError(t, err)
				require.Equal(t, i, b[0])
				mu.Lock()
				late = append(late, time.Since(sent[i])-delay)
				mu.Unlock()
			}
			slices.Sort(late)
			require.GreaterOrEqual(t, late[0], time.Duration(0), "nothing comes early")
			require.Less(t, late[chunks/2], delay/2, "the median chunk is not delayed twice, however busy the machine is")
			t.Logf("late by %v (median), %v (worst)", late[chunks/2], late[chunks-1])
		})
	}
}

// A delay leaves the bandwidth: a megabyte takes one delay, not one for each chunk.
func TestDelayKeepsTheBandwidth(t *testing.T) {
	const delay, size = 50 * time.Millisecond, 2 << 20
	listen, link, _ := proxied(t, edge, server(t, func(c *net.TCPConn) { _, _ = c.Write(make([]byte, size)) }))
	link.Set(faults.Shape{Delay: delay, DelayResponses: true})
	start := time.Now()
	n, err := io.Copy(io.Discard, dial(t, listen))
	took := time.Since(start)
	require.NoError(t, err)
	require.EqualValues(t, size, n)
	require.GreaterOrEqual(t, took, delay)
	require.Less(t, took, 10*delay, "%d chunks of 32 KiB, one after the other, would take %v", size>>15, delay*(size>>15))
}

// The rate is the link's: connections share it. Both ways have one each.
func TestRateIsShared(t *testing.T) {
	const rate, size, conns = 400_000, 40_000, 2
	listen, link, _ := proxied(t, edge, server(t, func(c *net.TCPConn) { _, _ = c.Write(make([]byte, size)) }))
	link.Set(faults.Shape{Rate: rate})
	start := time.Now()
	var wg sync.WaitGroup
	for range conns {
		c := dial(t, listen)
		wg.Go(func() {
			n, err := io.Copy(io.Discard, c)
			assert.NoError(t, err)
			assert.EqualValues(t, size, n)
		})
	}
	wg.Wait()
	must := time.Duration(conns*size) * time.Second / rate
	took := time.Since(start)
	require.GreaterOrEqual(t, took, must*95/100)
	require.Less(t, took, must*2)
	t.Logf("%d bytes at %d/s took %v, ideally %v", conns*size, rate, took, must)
}

// Handles of one edge are merged: neither undoes the other.
func TestHandlesAreMerged(t *testing.T) {
	const delay = 30 * time.Millisecond
	listen, slow, all := proxied(t, edge, server(t, echo))
	cut, err := all.Link(edge)
	require.NoError(t, err)
	slow.Set(faults.Shape{Delay: delay, DelayRequests: true})
	cut.Set(faults.Shape{HoldResponses: true})
	c := dial(t, listen)
	send(t, c, "x")
	silent(t, c)
	cut.Set(faults.Shape{})
	expect(t, c, "x")
	start := time.Now()
	send(t, c, "y")
	expect(t, c, "y")
	require.GreaterOrEqual(t, time.Since(start), delay, "the delay outlives the cut")
	cut.Set(faults.Shape{Delay: delay, DelayRequests: true})
	start = time.Now()
	send(t, c, "z")
	expect(t, c, "z")
	require.GreaterOrEqual(t, time.Since(start), 2*delay, "delays add up")
}

func TestTheOtherSideGone(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	dead := ln.Addr().String()
	ln.Close()
	listen, link, _ := proxied(t, edge, dead)
	c := dial(t, listen)
	_, err = c.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF, "connected, and closed")
	p := link.Probe(context.Background())
	require.Equal(t, faults.SawRefusal, p.Outcome)
	require.ErrorContains(t, p.Err, "dial gateway: ")

	listen, _, _ = proxied(t, edge, server(t, func(c *net.TCPConn) {
		_, _ = c.Read(make([]byte, 1))
		_ = c.SetLinger(0)
	}))
	c = dial(t, listen)
	send(t, c, "x")
	_, err = c.Read(make([]byte, 1))
	require.ErrorIs(t, err, syscall.ECONNRESET, "a reset is passed on as one")
}

func TestAddAndLinkErrors(t *testing.T) {
	_, _, all := proxied(t, edge, "127.0.0.1:1")
	_, err := all.Add(edge, "127.0.0.1:1")
	require.ErrorContains(t, err, "add proxy payments -> gateway: the edge has one")
	_, err = all.Link(targets.Edge{From: "x", To: "y"})
	require.ErrorContains(t, err, "link x -> y: no proxy on this edge")
	require.NoError(t, all.Close())
	_, err = all.Add(targets.Edge{From: "x", To: "y"}, "127.0.0.1:1")
	require.ErrorContains(t, err, "proxies are closed")
}
