package faults_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/faults"
	"github.com/wreckon/wreckon/targets"
)

// Each kind, on HTTP and NATS: confirmed by what a client would see, felt by traffic of the target, counted, and gone after healing.
func TestConnectionFaults(t *testing.T) {
	const long = time.Second
	all, listens := proxies(t)
	for _, edge := range []targets.Edge{httpEdge, natsEdge} {
		for _, tc := range []struct {
			spec  faults.Spec
			saw   string // in the evidence
			hurts bool   // an exchange of the target's fails meanwhile
			drops bool   // and bytes are always lost; a cut or a reset loses those of connections that are given up
		}{
			{faults.Spec{Kind: "partition", For: long}, "both ways are held", true, false},
			{faults.Spec{Kind: "partition", Direction: faults.Requests, For: long}, "requests are held", true, false},
			{faults.Spec{Kind: "partition", Direction: faults.Responses, For: long}, "the request arrived, responses are held", true, false},
			{faults.Spec{Kind: "latency", Delay: 40 * time.Millisecond, For: long}, "an answer through", false, false},
			{faults.Spec{Kind: "latency", Direction: faults.Responses, Delay: 40 * time.Millisecond, For: long}, "an answer through", false, false},
			{faults.Spec{Kind: "bandwidth", Rate: 20_000, For: long}, "4000 bytes: ", false, false},
			{faults.Spec{Kind: "blackhole", For: long}, "bytes vanished", true, true},
			{faults.Spec{Kind: "reset", For: long}, "ECONNRESET", true, false},
			{faults.Spec{Kind: "lost-response", For: long}, "none arrived", true, true},
		} {
			t.Run(strings.Join([]string{string(edge.Protocol), tc.spec.Kind, string(tc.spec.Direction)}, " "), func(t *testing.T) {
				spec := tc.spec
				spec.From, spec.To = edge.From, edge.To
				use := user(t, edge, listens[edge])
				require.NoError(t, use(), "before the fault")
				f := build(t, spec, all, nil)

				e, err := f.Inject(ctx(t))
				require.NoError(t, err)
				assert.Contains(t, e.Probe, tc.saw)
				assert.Contains(t, e.Probe, edge.To)
				err = use()
				assert.Equal(t, tc.hurts, err != nil, "during the fault: %v", err)

				e, err = f.Heal(ctx(t))
				require.NoError(t, err)
				assert.Contains(t, e.Probe, "answers again")
				assert.Positive(t, e.Connections, "connections touched")
				if spec.Kind != "reset" {
					assert.Positive(t, e.Bytes, "bytes touched")
				}
				if tc.drops {
					assert.Positive(t, e.Dropped, "bytes dropped")
				}
				require.Eventually(t, func() bool { return use() == nil }, 5*time.Second, time.Millisecond, "after the fault")

				_, err = f.Heal(ctx(t))
				require.NoError(t, err, "healing is idempotent")
			})
		}
	}
}

// An edge that is as slow already could not show a latency. One late answer is no such edge.
func TestLatencyOnAnEdgeThatIsSlowAlready(t *testing.T) {
	all, _ := proxies(t)
	link, err := all.Link(httpEdge)
	require.NoError(t, err)
	latency := func() faults.Fault {
		return build(t, faults.Spec{Kind: "latency", From: "client", To: "api", Delay: 40 * time.Millisecond, For: time.Second}, all, nil)
	}
	slow := faults.Shape{Delay: 100 * time.Millisecond, DelayResponses: true}

	link.Set(slow)
	_, err = latency().Inject(ctx(t))
	require.ErrorContains(t, err, "before the fault: client -> api already takes")
	require.ErrorContains(t, err, "72ms would not show")

	done := make(chan struct{})
	defer func() { <-done }()
	go func() {
		defer close(done)
		link.Probe(ctx(t)) // is answered late, and so is the probe before the fault
		link.Set(faults.Shape{})
	}()
	f := latency()
	_, err = f.Inject(ctx(t))
	require.NoError(t, err)
	_, err = f.Heal(ctx(t))
	require.NoError(t, err)
}

// user makes exchanges as a component of the target would, each bounded by 800 ms: a busy machine under the race detector is slow.
func user(t *testing.T, edge targets.Edge, addr string) func() error {
	const limit = 800 * time.Millisecond
	if edge.Protocol == targets.HTTP {
		c := &http.Client{Timeout: limit, Transport: &http.Transport{}}
		t.Cleanup(c.CloseIdleConnections)
		return func() error {
			r, err := c.Post("http://"+addr+"/orders", "text/plain", strings.NewReader("o-17"))
			if err != nil {
				return err
			}
			return r.Body.Close()
		}
	}
	c, err := nats.Connect("nats://"+addr, nats.MaxReconnects(-1), nats.ReconnectWait(time.Millisecond), nats.ReconnectJitter(0, 0), nats.Timeout(limit))
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return func() error { return c.FlushTimeout(limit) }
}

func TestPartitionFlaps(t *testing.T) {
	all, listens := proxies(t)
	f := build(t, faults.Spec{Kind: "partition", From: "client", To: "api", For: time.Second, Flap: 40 * time.Millisecond}, all, nil)
	_, err := f.Inject(ctx(t))
	require.NoError(t, err)
	link, err := all.Link(httpEdge)
	require.NoError(t, err)
	use := user(t, httpEdge, listens[httpEdge])
	require.Eventually(t, func() bool { return use() == nil }, 5*time.Second, time.Millisecond, "it opens")
	before := link.Touched().Bytes
	require.Eventually(t, func() bool { return use() == nil && link.Touched().Bytes > before }, 5*time.Second, time.Millisecond, "it closes again")
	_, err = f.Heal(ctx(t))
	require.NoError(t, err)
	for end := time.Now().Add(100 * time.Millisecond); time.Now().Before(end); { // longer than a period: nobody flaps any more
		require.NoError(t, use())
	}
}
