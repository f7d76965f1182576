package proxy_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	natsd "github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/faults"
	"github.com/wreckon/wreckon/faults/proxy"
	"github.com/wreckon/wreckon/targets"
)

func probed(p targets.Protocol) targets.Edge { return targets.Edge{From: "a", To: "b", Protocol: p} }

func padded(t *testing.T, l faults.Link, n int) faults.Probe {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	p := l.(faults.Padded).ProbePadded(ctx, n)
	require.NoError(t, p.Err)
	require.Equal(t, faults.SawAnswer, p.Outcome)
	require.GreaterOrEqual(t, p.Sent, int64(n))
	return p
}

func TestProbeHTTP(t *testing.T) {
	requests := make(chan *http.Request, 3)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests <- r
		http.NotFound(w, r)
	}))
	t.Cleanup(web.Close)
	listen, link, all := proxied(t, probed(targets.HTTP), web.Listener.Addr().String())
	padded(t, link, 0)
	r := <-requests
	require.Equal(t, "/.well-known/probe", r.URL.Path)
	require.Empty(t, r.Header.Get("X-Pad-0"))
	padded(t, link, 200_000)
	r = <-requests
	require.Equal(t, "/.well-known/probe", r.URL.Path)
	require.NotEmpty(t, r.Header.Get("X-Pad-0"))

	stats := all.Stats()[0]
	require.Equal(t, proxy.Stats{Edge: "a -> b"}, stats, "probes are not counted")
	answer, err := http.Get("http://" + listen + "/orders")
	require.NoError(t, err)
	answer.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	require.Equal(t, int64(1), all.Stats()[0].Connections, "others are")
}

func TestProbeNATS(t *testing.T) {
	for name, options := range map[string]*natsd.Options{"open": {}, "with a password": {Username: "u", Password: "p"}} {
		t.Run(name, func(t *testing.T) {
			options.Host, options.Port, options.NoLog, options.NoSigs = "127.0.0.1", natsd.RANDOM_PORT, true, true
			broker, err := natsd.NewServer(options)
			require.NoError(t, err)
			broker.Start()
			t.Cleanup(func() { broker.Shutdown(); broker.WaitForShutdown() })
			require.True(t, broker.ReadyForConnections(5*time.Second))
			_, link, all := proxied(t, probed(targets.NATS), broker.Addr().String())
			padded(t, link, 0)
			if name == "open" {
				padded(t, link, 200_000)
			}
			require.Zero(t, all.Stats()[0].Connections)
		})
	}
}

func TestProbeOutcomes(t *testing.T) {
	for name, tc := range map[string]struct {
		serve func(*net.TCPConn)
		want  string
	}{
		"silent": {func(c *net.TCPConn) { _, _ = io.Copy(io.Discard, c) }, faults.SawTimeout},
		"closes": {func(c *net.TCPConn) { _, _ = c.Read(make([]byte, 4096)) }, faults.SawClose},
		"resets": {func(c *net.TCPConn) { _, _ = c.Read(make([]byte, 1)); _ = c.SetLinger(0) }, faults.SawReset},
		"speaks": {func(c *net.TCPConn) { _, _ = c.Write([]byte("220 ready\r\n")); _, _ = io.Copy(io.Discard, c) }, faults.SawAnswer},
	} {
		t.Run(name, func(t *testing.T) {
			_, link, _ := proxied(t, probed(targets.HTTP), server(t, tc.serve))
			patience := 20 * time.Second
			if tc.want == faults.SawTimeout {
				patience = 200 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			p := link.Probe(ctx)
			assert.Equal(t, tc.want, p.Outcome, "%v", p.Err)
			assert.Equal(t, tc.want == faults.SawAnswer, p.Err == nil)
		})
	}
	_, link, _ := proxied(t, probed(targets.TCP), server(t, echo))
	require.Equal(t, faults.SawAnswer, link.Probe(context.Background()).Outcome, "a bare connection that stays open")
	_, link, _ = proxied(t, probed(targets.TCP), server(t, func(*net.TCPConn) {}))
	require.Equal(t, faults.SawClose, link.Probe(context.Background()).Outcome)
}

// A probe that met silence leaves no trace on the other side, however late the cut ends.
func TestProbeInACutLeavesNoTrace(t *testing.T) {
	arrived := make(chan string, 3)
	listen, link, _ := proxied(t, probed(targets.HTTP), server(t, func(c *net.TCPConn) {
		b := make([]byte, 4096)
		n, _ := c.Read(b)
		arrived <- strings.TrimSpace(string(b[:n]))
	}))
	link.Set(faults.Shape{HoldRequests: true})
	ctx, cancel := context.WithTimeout(context.Background(), 150*time.Millisecond)
	defer cancel()
	require.Equal(t, faults.SawTimeout, link.Probe(ctx).Outcome)
	eventually(t, func() bool { return proxy.Open(link) == 0 }, "the proxy knows that the probe has left")
	link.Set(faults.Shape{})
	send(t, dial(t, listen), "after")
	require.Equal(t, "after", <-arrived)
	require.Empty(t, arrived)
}
