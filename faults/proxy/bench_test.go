package proxy_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/faults"
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
	const conns = 16
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }))
	b.Cleanup(web.Close)
	upstream := web.Listener.Addr().String()
	listen, _, _ := proxied(b, targets.Edge{From: "client", To: "api", Protocol: targets.HTTP}, upstream)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: conns, MaxConnsPerHost: conns}}
	b.Cleanup(client.CloseIdleConnections)
	urls := [2]string{"http://" + upstream, "http://" + listen}
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
