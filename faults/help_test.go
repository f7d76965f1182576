package faults_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/wreckon/wreckon/faults"
	"github.com/wreckon/wreckon/faults/proxy"
	"github.com/wreckon/wreckon/history"
	"github.com/wreckon/wreckon/targets"
)

func TestMain(m *testing.M) {
	if addr := os.Getenv(childEnv); addr != "" {
		if file := os.Getenv(ledgerEnv); file != "" {
			ledger(addr, file)
		}
		child(addr)
		return
	}
	goleak.VerifyTestMain(m)
}

// shop is a topology with one edge of each protocol.
var shop = targets.Topology{
	Components: []targets.Component{
		{Name: "client", External: true}, {Name: "api"}, {Name: "relay"}, {Name: "broker"}, {Name: "payments"}, {Name: "gateway", External: true},
	},
	Edges: []targets.Edge{
		{From: "client", To: "api", Protocol: targets.HTTP},
		{From: "relay", To: "broker", Protocol: targets.NATS},
		{From: "payments", To: "gateway", Protocol: targets.TCP},
	},
}

var (
	httpEdge = shop.Edges[0]
	natsEdge = shop.Edges[1]
	tcpEdge  = shop.Edges[2]
)

// proxies puts a proxy on each edge of the shop, before a real HTTP server, a real NATS server and a TCP echo.
func proxies(t testing.TB) (all *proxy.Proxies, listens map[targets.Edge]string) {
	t.Helper()
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/orders" {
			http.NotFound(w, r)
			return
		}
		_, _ = io.Copy(w, r.Body)
	}))
	t.Cleanup(web.Close)
	broker, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoLog: true, NoSigs: true})
	require.NoError(t, err)
	broker.Start()
	t.Cleanup(func() { broker.Shutdown(); broker.WaitForShutdown() })
	require.True(t, broker.ReadyForConnections(5*time.Second))

	all, listens = proxy.New(), map[targets.Edge]string{}
	t.Cleanup(func() { require.NoError(t, all.Close()) })
	for edge, upstream := range map[targets.Edge]string{httpEdge: web.Listener.Addr().String(), natsEdge: broker.Addr().String(), tcpEdge: echo(t)} {
		listens[edge], err = all.Add(edge, upstream)
		require.NoError(t, err)
	}
	return all, listens
}

func echo(t testing.TB) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { defer c.Close(); _, _ = io.Copy(c, c) })
		}
	})
	t.Cleanup(func() { ln.Close(); wg.Wait() })
	return ln.Addr().String()
}

func ctx(t testing.TB) context.Context {
	c, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return c
}

// fakeProcesses is an environment whose processes are two booleans each.
type fakeProcesses struct {
	mu      sync.Mutex
	down    map[string]bool
	stopped map[string]bool
	calls   []string
	slow    bool // Terminate needs SIGKILL
	undead  bool // Kill and Terminate do nothing
	deaf    bool // Start does not help
}

func newFake() *fakeProcesses {
	return &fakeProcesses{down: map[string]bool{}, stopped: map[string]bool{}}
}

func (f *fakeProcesses) call(verb, c string, change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, verb+" "+c)
	change()
}

func (f *fakeProcesses) Kill(_ context.Context, c string) error {
	f.call("kill", c, func() { f.down[c] = !f.undead })
	return nil
}

func (f *fakeProcesses) Terminate(_ context.Context, c string, grace time.Duration) error {
	f.call("terminate", c, func() { f.down[c] = !f.undead })
	if f.slow {
		return fmt.Errorf("%s outlived its grace of %v", c, grace)
	}
	return nil
}

func (f *fakeProcesses) Pause(_ context.Context, c string) error {
	f.call("pause", c, func() { f.stopped[c] = !f.undead })
	return nil
}

func (f *fakeProcesses) Resume(_ context.Context, c string) error {
	f.call("resume", c, func() { f.stopped[c] = false })
	return nil
}

func (f *fakeProcesses) Start(_ context.Context, c string) error {
	f.call("start", c, func() { f.down[c] = f.deaf })
	return nil
}

func (f *fakeProcesses) Alive(c string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return !f.down[c]
}

func (f *fakeProcesses) Probe(ctx context.Context, c string) error {
	f.mu.Lock()
	down, stopped := f.down[c], f.stopped[c]
	f.mu.Unlock()
	if down {
		return errors.New("connection refused")
	}
	if stopped {
		<-ctx.Done()
		return ctx.Err()
	}
	return nil
}

// log records events, and is an undo log in memory that counts what is open.
type log struct {
	mu     sync.Mutex
	events []history.Event
	open   map[string]string
	refuse bool
}

func newLog() *log { return &log{open: map[string]string{}} }

func (l *log) Record(e history.Event) uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, e)
	return uint64(len(l.events) - 1)
}

func (l *log) Begin(id, what string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.refuse {
		return errors.New("no space left on device")
	}
	if _, ok := l.open[id]; ok {
		return fmt.Errorf("%s is open", id)
	}
	l.open[id] = what
	return nil
}

func (l *log) Done(id string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.open[id]; !ok {
		return fmt.Errorf("%s is not open", id)
	}
	delete(l.open, id)
	return nil
}

// story is the outcomes of one fault, in order.
func (l *log) story(id string) []history.Outcome {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []history.Outcome
	for _, e := range l.events {
		if e.Key == id {
			all = append(all, e.Outcome)
		}
	}
	return all
}

// build makes one fault and insists that it applies.
func build(t testing.TB, s faults.Spec, links faults.Links, processes faults.Processes) faults.Fault {
	t.Helper()
	if s.ID == "" {
		s.ID = "f1"
	}
	planned, err := faults.Plan([]faults.Spec{s}, shop, faults.Means{Links: links, Processes: processes})
	require.NoError(t, err)
	return planned[0].Fault
}
