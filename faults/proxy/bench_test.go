package proxy_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/faults"
	"github.com/wreckon/wreckon/faults/wire"
	"github.com/wreckon/wreckon/history"
	"github.com/wreckon/wreckon/targets"
)

// The two measures of what a proxied edge costs: each runs direct and proxied in turns, so that both see the same machine, and
// reports the ratio.

const turns = 20 // pairs of runs; the first of each side warms up

func BenchmarkProxyRoundTrip(b *testing.B) {
	upstream := server(b, echo)
	listen, _, _ := proxied(b, edge, upstream)
	sides := [2]*net.TCPConn{dial(b, upstream), dial(b, listen)}
	for _, c := range sides {
		require.NoError(b, c.SetDeadline(time.Time{}))
	}
	buf := make([]byte, 64)
	compare(b, func(side, n int) {
		for range n {
			if _, err := sides[side].Write(buf); err != nil {
				b.Error(err)
			}
			if _, err := io.ReadFull(sides[side], buf); err != nil {
				b.Error(err)
			}
		}
	})
}

func BenchmarkProxyHTTP16(b *testing.B) {
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }))
	b.Cleanup(web.Close)
	upstream := web.Listener.Addr().String()
	listen, _, _ := proxied(b, targets.Edge{From: "client", To: "api", Protocol: targets.HTTP}, upstream)
	bench16(b, [2]string{"http://" + upstream, "http://" + listen})
}

// bench16 asks two servers from 16 connections.
func bench16(b *testing.B, urls [2]string) {
	const conns = 16
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: conns, MaxConnsPerHost: conns}}
	b.Cleanup(client.CloseIdleConnections)
	compare(b, func(side, n int) {
		work := make(chan struct{}, n)
		for range n {
			work <- struct{}{}
		}
		close(work)
		done := make(chan error, conns)
		for range conns {
			go func() {
				for range work {
					r, err := client.Get(urls[side])
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

// compare runs b.N operations on each side, in turns.
func compare(b *testing.B, run func(side, n int)) {
	b.Helper()
	n := max(1, b.N/turns)
	run(0, n)
	run(1, n)
	b.ResetTimer()
	var took [2]time.Duration
	for range turns {
		for side := range took {
			start := time.Now()
			run(side, n)
			took[side] += time.Since(start)
		}
	}
	ops := float64(turns * n)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(took[0].Microseconds())/ops, "direct-µs/op")
	b.ReportMetric(float64(took[1].Microseconds())/ops, "proxied-µs/op")
	b.ReportMetric(ops/took[0].Seconds(), "direct/s")
	b.ReportMetric(ops/took[1].Seconds(), "proxied/s")
	b.ReportMetric(float64(took[1])/float64(took[0]), "ratio")
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

// BenchmarkExchangesHTTP16 is BenchmarkProxyHTTP16 with every message understood and every exchange recorded.
func BenchmarkExchangesHTTP16(b *testing.B) {
	r, server := countingRig(b)
	bench16(b, [2]string{server.url, "http://" + r.listen})
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
