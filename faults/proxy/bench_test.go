package proxy_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/faults"
	"github.com/wreckon/wreckon/faults/proxy"
	"github.com/wreckon/wreckon/faults/wire"
	"github.com/wreckon/wreckon/history"
	"github.com/wreckon/wreckon/targets"
)

// What a proxied edge costs. Each measure runs its sides in turns, so that all of them see the same machine, and reports what is left
// of the throughput of the first one: the proxied sides beside a relay that does nothing but read and write, which no proxy can beat.

const turns = 20 // rounds of all sides, after one that warms up

// side is one way to a server.
type side struct {
	name, addr string
	recorded   *nobody // what was told of it; nil: nothing is
}

// sidesOf are the ways to a server: direct, through a bare relay, through a proxy, and through one that understands it. What takes the
// exchanges only counts them: what it costs to keep them is no cost of the proxy.
func sidesOf(b *testing.B, p targets.Protocol, upstream string) []side {
	b.Helper()
	recorded := &nobody{}
	sides := []side{{name: "direct", addr: upstream}, {name: "relay", addr: relay(b, upstream)}, {name: "proxied"}, {name: "read", recorded: recorded}}
	for i, all := range []*proxy.Proxies{proxy.New(), proxy.NewWith(wire.Options{Record: recorded})} {
		b.Cleanup(func() { require.NoError(b, all.Close()) })
		var err error
		sides[2+i].addr, err = all.Add(targets.Edge{From: "a", To: "b", Protocol: p}, upstream)
		require.NoError(b, err)
	}
	return sides
}

// relay reads and writes, a goroutine for each way, and does nothing else.
func relay(b *testing.B, upstream string) string {
	pass := func(to, from *net.TCPConn) {
		buf := make([]byte, 32<<10)
		for {
			n, err := from.Read(buf)
			if _, failed := to.Write(buf[:n]); err != nil || failed != nil {
				_ = to.CloseWrite() // fails where the other way has ended
				return
			}
		}
	}
	return server(b, func(c *net.TCPConn) {
		up, err := net.Dial("tcp", upstream)
		if err != nil {
			return
		}
		defer up.Close()
		var back sync.WaitGroup
		back.Go(func() { pass(c, up.(*net.TCPConn)) })
		pass(up.(*net.TCPConn), c)
		back.Wait()
	})
}

// processor is the processor time that this process has used, which says what an operation costs also on a machine that others use.
func processor(b *testing.B) time.Duration {
	var used syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &used))
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func BenchmarkRoundTrip(b *testing.B) {
	sides := sidesOf(b, targets.TCP, server(b, echo))[:3] // bytes that nobody understands
	var conns []*net.TCPConn
	for _, s := range sides {
		c := dial(b, s.addr)
		require.NoError(b, c.SetDeadline(time.Time{}))
		conns = append(conns, c)
	}
	buf := make([]byte, 64)
	compare(b, sides, func(side, n int) {
		for range n {
			if _, err := conns[side].Write(buf); err != nil {
				b.Error(err)
			}
			if _, err := io.ReadFull(conns[side], buf); err != nil {
				b.Error(err)
			}
		}
	})
}

// BenchmarkHTTP16 asks from 16 connections.
func BenchmarkHTTP16(b *testing.B) {
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }))
	b.Cleanup(web.Close)
	sides := sidesOf(b, targets.HTTP, web.Listener.Addr().String())
	const conns = 16
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: conns, MaxConnsPerHost: conns}}
	b.Cleanup(client.CloseIdleConnections)
	compare(b, sides, func(side, n int) {
		work := make(chan struct{}, n)
		for range n {
			work <- struct{}{}
		}
		close(work)
		done := make(chan error, conns)
		for range conns {
			go func() {
				for range work {
					r, err := client.Get("http://" + sides[side].addr)
					if err != nil {
						done <- err
						return
					}
					_, err = io.Copy(io.Discard, r.Body)
					r.Body.Close()
					if err != nil {
						done <- err
						return
					}
				}
				done <- nil
			}()
		}
		for range conns {
			if err := <-done; err != nil {
				b.Error(err)
			}
		}
	})
}

// compare runs b.N operations on each side, in turns, and insists that every one of them was told where it must be.
func compare(b *testing.B, sides []side, run func(side, n int)) {
	b.Helper()
	n := max(1, b.N/turns)
	took, busy := make([]time.Duration, len(sides)), make([]time.Duration, len(sides))
	for side := range sides {
		run(side, n)
	}
	b.ResetTimer()
	for range turns {
		for side := range sides {
			start, spent := time.Now(), processor(b)
			run(side, n)
			took[side] += time.Since(start)
			busy[side] += processor(b) - spent
		}
	}
	b.StopTimer()
	ops := float64(turns * n)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(took[0].Nanoseconds())/1000/ops, "direct-µs/op")
	b.ReportMetric(float64(busy[0].Nanoseconds())/1000/ops, "direct-cpu-µs/op")
	for i, s := range sides[1:] {
		b.ReportMetric(float64(busy[1+i].Nanoseconds())/1000/ops, s.name+"-cpu-µs/op")
		b.ReportMetric(float64(took[0])/float64(took[1+i]), s.name+"/direct")
		if r := s.recorded; r != nil {
			require.Eventually(b, func() bool { return r.n.Load() >= int64((turns+1)*n) }, 10*time.Second, time.Millisecond, "every exchange is told")
		}
	}
}

// BenchmarkArm swaps the rule of a link that carries 16 connections, whose 32 pumps all wake.
func BenchmarkArm(b *testing.B) {
	listen, link, _ := proxied(b, edge, server(b, echo))
	for range 16 {
		c := dial(b, listen)
		send(b, c, "x")
		expect(b, c, "x")
	}
	b.ReportAllocs()
	for b.Loop() {
		link.Set(faults.Shape{HoldRequests: true})
		link.Set(faults.Shape{})
	}
}

// BenchmarkArmTrap arms and disarms a trap.
func BenchmarkArmTrap(b *testing.B) {
	r, _ := countingRig(b)
	trap := wire.Trap{Signature: "POST /orders", Nth: 1 << 60, Unit: history.NoUnit}
	b.ReportAllocs()
	for b.Loop() {
		r.session.Arm(trap).Disarm()
	}
}

// BenchmarkRelease measures from the release of a held request until the server has it.
func BenchmarkRelease(b *testing.B) {
	arrived := make(chan time.Time, 1)
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { arrived <- time.Now() }))
	b.Cleanup(s.Close)
	r := understood(b, s.Listener.Addr().String())
	hits := make(chan wire.Hit, 1)
	r.session.Arm(wire.Trap{Unit: history.NoUnit, Do: func(h wire.Hit) wire.Fate {
		hits <- h
		return wire.Fate{Action: wire.Hold}
	}})
	var took []time.Duration
	for b.Loop() {
		done := make(chan error, 1)
		go func() { _, err := r.post("x"); done <- err }()
		h := <-hits
		start := time.Now()
		h.Release(wire.Fate{})
		took = append(took, (<-arrived).Sub(start))
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "µs-to-server-median")
}
