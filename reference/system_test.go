package reference_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/internal/servers"
	"github.com/wreckon/wreckon/reference"
	"github.com/wreckon/wreckon/reference/audit"
	"github.com/wreckon/wreckon/reference/control"
	"github.com/wreckon/wreckon/reference/orders"
)

const (
	asComponent  = "REFERENCE_TEST_COMPONENT"
	controlToken = "control-secret"
	deadline     = 40 * time.Second
)

// The test binary is also the binary of the components.
func TestMain(m *testing.M) {
	if os.Getenv(asComponent) != "" {
		os.Exit(reference.Main(context.Background(), os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// system is the order service, each component a process.
type system struct {
	t       testing.TB
	dir     string
	gateway *gateway
	extra   []string // flags for every component
	ports   map[string]string
	edges   map[string]*proxy // "relay -> broker"
	procs   map[string]*exec.Cmd
	logs    map[string]*syncBuffer
	http    *http.Client
}

type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// start brings up all components and waits until they are ready.
func start(t testing.TB, extra ...string) *system {
	s := prepare(t, extra...)
	s.launchAll()
	return s
}

// startOnPostgres does so with a PostgreSQL for a store, at the other end of edges like "api -> postgres".
func startOnPostgres(t testing.TB, extra ...string) *system {
	s := prepare(t, extra...)
	addr := servers.Postgres(t)
	for _, c := range reference.Components[1:] {
		s.edges[c+" -> postgres"] = newProxy(t, addr)
	}
	s.launchAll()
	return s
}

// prepare makes a system that nothing runs of yet.
func prepare(t testing.TB, extra ...string) *system {
	s := &system{
		t: t, dir: t.TempDir(), gateway: newGateway(t), extra: extra,
		ports: map[string]string{}, edges: map[string]*proxy{}, procs: map[string]*exec.Cmd{}, logs: map[string]*syncBuffer{},
		http: &http.Client{Timeout: 3 * time.Second},
	}
	t.Cleanup(s.stop)
	for _, c := range reference.Components {
		s.ports[c], s.ports[c+"/control"] = freePort(t), freePort(t)
		s.logs[c] = &syncBuffer{}
	}
	for _, c := range reference.Components[1:] {
		s.edges[c+" -> broker"] = newProxy(t, s.ports["broker"])
	}
	for _, c := range []string{"payments", "shipping"} {
		s.edges[c+" -> gateway"] = newProxy(t, s.gateway.Listener.Addr().String())
	}
	return s
}

func (s *system) launchAll() {
	for _, c := range reference.Components {
		s.launch(c)
	}
	for _, c := range reference.Components {
		s.waitReady(c)
	}
}

// nextPort is where the search for the next free port begins. Ports below the range that outgoing connections take are not taken by
// them while a component is down.
var nextPort atomic.Int32

func freePort(t testing.TB) string {
	nextPort.CompareAndSwap(0, int32(10_000+os.Getpid()%20*1_000))
	for range 1000 {
		addr := fmt.Sprintf("127.0.0.1:%d", nextPort.Add(1))
		if l, err := net.Listen("tcp", addr); err == nil {
			require.NoError(t, l.Close())
			return addr
		}
	}
	t.Fatal("no free port")
	return ""
}

func (s *system) launch(component string) {
	dir := component
	if component == "relay" {
		dir = "api"
	}
	args := append([]string{
		component, "--data", filepath.Join(s.dir, dir), "--control", s.ports[component+"/control"],
		"--listen", s.ports[component], "--sync", "off",
	}, s.extra...)
	if e := s.edges[component+" -> broker"]; e != nil {
		args = append(args, "--broker", e.Addr().String())
	}
	if e := s.edges[component+" -> gateway"]; e != nil {
		args = append(args, "--gateway", "http://"+e.Addr().String())
	}
	if e := s.edges[component+" -> postgres"]; e != nil {
		args = append(args, "--store", servers.PostgresURL(e.Addr().String()))
	}
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), asComponent+"=1", "CONTROL_TOKEN="+controlToken, "GATEWAY_TOKEN="+gatewayToken,
		`OPERATORS=[{"name":"ann","token":"ann-secret","rights":["resolve"]}]`)
	cmd.Stderr = s.logs[component]
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	require.NoError(s.t, cmd.Start())
	s.procs[component] = cmd
}

func (s *system) stop() {
	for _, cmd := range s.procs {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	if s.t.Failed() {
		for c, log := range s.logs {
			text := log.String()
			s.t.Logf("log of %s:\n%s", c, text[max(0, len(text)-4000):])
		}
	}
}

// kill kills a component with SIGKILL and reaps it.
func (s *system) kill(component string) {
	require.NoError(s.t, s.procs[component].Process.Kill())
	_ = s.procs[component].Wait()
}

// restart kills a component, starts it again and returns how long it took to be ready.
func (s *system) restart(component string) time.Duration {
	s.kill(component)
	begin := time.Now()
	s.launch(component)
	s.waitReady(component)
	return time.Since(begin)
}

// terminate tells a component to stop and returns its exit code.
func (s *system) terminate(component string) int {
	cmd := s.procs[component]
	require.NoError(s.t, cmd.Process.Signal(syscall.SIGTERM))
	_ = cmd.Wait()
	return cmd.ProcessState.ExitCode()
}

// ask asks a component's control server.
func (s *system) ask(component, path string) (int, []byte, error) {
	req, err := http.NewRequest(http.MethodGet, "http://"+s.ports[component+"/control"]+path, nil)
	require.NoError(s.t, err)
	req.Header.Set("Authorization", "Bearer "+controlToken)
	resp, err := s.http.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, body, err
}

// until waits for a condition.
func until(t testing.TB, what string, holds func() bool) {
	t.Helper()
	require.Eventually(t, holds, deadline, 2*time.Millisecond, what)
}

func (s *system) waitReady(component string) {
	s.t.Helper()
	until(s.t, component+" is ready", func() bool {
		status, _, err := s.ask(component, "/ready")
		return err == nil && status == http.StatusOK
	})
}

func (s *system) idle(component string) (control.Idle, bool) {
	var i control.Idle
	status, body, err := s.ask(component, "/idle")
	return i, err == nil && status == http.StatusOK && json.Unmarshal(body, &i) == nil
}

// settled says whether nothing is left to do anywhere.
func (s *system) settled() bool {
	for _, c := range reference.Components {
		i, ok := s.idle(c)
		if !ok || i.Backlog+i.Pending+i.InProgress+i.Open != 0 {
			return false
		}
	}
	return true
}

func (s *system) waitSettled() {
	s.t.Helper()
	if assert.Eventually(s.t, s.settled, deadline, 10*time.Millisecond) {
		return
	}
	for _, c := range reference.Components {
		i, ok := s.idle(c)
		s.t.Logf("%s: %+v (%v)", c, i, ok)
	}
	s.t.FailNow()
}

// observe reads what a component has come to.
func (s *system) observe(component string) []map[string]any {
	status, body, err := s.ask(component, "/observe")
	require.NoError(s.t, err)
	require.Equal(s.t, http.StatusOK, status)
	return records(s.t, body)
}

func records(t testing.TB, body []byte) []map[string]any {
	var all []map[string]any
	lines := bufio.NewScanner(bytes.NewReader(body))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r map[string]any
		require.NoError(t, json.Unmarshal(lines.Bytes(), &r))
		all = append(all, r)
	}
	return all
}

// trail reads the whole audit trail.
func (s *system) trail() []audit.Line {
	var all []audit.Line
	for {
		status, body, err := s.ask("audit", fmt.Sprintf("/audit?after=%d&limit=500", len(all)))
		require.NoError(s.t, err)
		require.Equal(s.t, http.StatusOK, status)
		if len(body) == 0 {
			return all
		}
		for text := range strings.Lines(string(body)) {
			var line audit.Line
			require.NoError(s.t, json.Unmarshal([]byte(text), &line))
			require.Equal(s.t, int64(len(all)+1), line.Cursor, "cursors are dense")
			all = append(all, line)
		}
	}
}

// entries is how many entries of the trail are about orders, and not about the trail itself.
func (s *system) entries() (n int) {
	for _, line := range s.trail() {
		var body audit.Body
		require.NoError(s.t, json.Unmarshal([]byte(line.Body), &body))
		if body.Checkpoint == nil {
			n++
		}
	}
	return n
}

// The kinds of order, and how each must end.
var kinds = []string{"happy", "declined", "out-of-stock", "undeliverable", "poison"}

var ends = map[string]string{
	"happy": orders.Completed, "declined": orders.Compensated, "out-of-stock": orders.Compensated,
	"undeliverable": orders.Compensated, "poison": orders.Quarantined,
}

func order(id, kind string) orders.Order {
	o := orders.Order{OrderID: id, Customer: "c-1", SKU: "book", Quantity: 2, Amount: 4990, Card: "good", Address: "1 Main Street"}
	switch kind {
	case "declined":
		o.Card = "declined"
	case "out-of-stock":
		o.SKU = "none-left"
	case "undeliverable":
		o.Address = "undeliverable"
	case "poison":
		o.SKU = "poison"
	}
	return o
}

func trace(id string) string { return fmt.Sprintf("00-%032x-00f067aa0ba902b7-01", id) }

// submit sends an order once.
func (s *system) submit(o orders.Order) (int, string, error) {
	body, err := json.Marshal(o)
	require.NoError(s.t, err)
	req, err := http.NewRequest(http.MethodPost, "http://"+s.ports["api"]+"/orders", bytes.NewReader(body))
	require.NoError(s.t, err)
	req.Header.Set("Idempotency-Key", "key-"+o.OrderID)
	req.Header.Set("traceparent", trace(o.OrderID))
	resp, err := s.http.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(answer), err
}

// load submits orders of all kinds, one after the other, each until it is accepted, and returns kind by id once stop is called.
func (s *system) load(prefix string, gap time.Duration) (stop func() map[string]string) {
	ctx, cancel := context.WithCancel(context.Background())
	accepted := map[string]string{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for n := 0; ctx.Err() == nil; n++ {
			id, kind := fmt.Sprintf("%s-%d", prefix, n), kinds[0]
			if n%4 == 3 {
				kind = kinds[1+n/4%4]
			}
			for ctx.Err() == nil {
				if status, _, err := s.submit(order(id, kind)); err == nil && status == http.StatusCreated {
					accepted[id] = kind
					break
				}
			}
			time.Sleep(gap)
		}
	}()
	s.t.Cleanup(cancel)
	return func() map[string]string { cancel(); <-done; return accepted }
}

// verify checks everything that is promised, for a system that has settled. accepted is kind by order.
func (s *system) verify(accepted map[string]string) {
	s.t.Helper()
	states, applied := map[string]string{}, s.gateway.applied()
	for _, r := range s.observe("api") {
		if r["op"] == "state" {
			states[r["order_id"].(string)] = r["value"].(string)
		}
	}
	reserved := map[string]string{}
	for _, r := range s.observe("inventory") {
		switch r["op"] {
		case "step":
			reserved[r["order_id"].(string)] = r["value"].(string)
		case "stock":
			assert.Equal(s.t, r["delivered"], r["on_hand"].(float64)+r["reserved"].(float64), "stock of %s is conserved", r["sku"])
		}
	}
	for id, kind := range accepted {
		assert.Equal(s.t, ends[kind], states[id], "%s order %s", kind, id)
		want := map[string]map[string]int{
			"happy":         {"charges": 1, "shipments": 1},
			"undeliverable": {"charges": 1, "refunds": 1},
		}[kind]
		for _, step := range []string{"charges", "refunds", "shipments"} {
			assert.Equal(s.t, want[step], applied[id][step], "%s of %s order %s", step, kind, id)
		}
		assert.Equal(s.t, kind == "happy", reserved[id] == "in-force", "reservation of %s order %s", kind, id)
	}
	s.verifyTrail(accepted)
}

var transitions = map[string][]string{
	"happy":        {"api accepted", "saga started", "inventory reserved", "payments charged", "shipping shipped", "saga ended", "api completed"},
	"declined":     {"api accepted", "saga started", "inventory reserved", "payments declined", "saga compensating", "inventory released", "saga ended", "api compensated"},
	"out-of-stock": {"api accepted", "saga started", "inventory out-of-stock", "saga ended", "api compensated"},
	"undeliverable": {"api accepted", "saga started", "inventory reserved", "payments charged", "shipping undeliverable", "saga compensating",
		"payments refunded", "inventory released", "saga ended", "api compensated"},
	"poison": {"api accepted", "saga started", "inventory set-aside", "saga ended", "api quarantined"},
}

// verifyTrail checks the chains link by link against the heads, that the last checkpoint covers them, and that each order has its entries, each once.
func (s *system) verifyTrail(accepted map[string]string) {
	s.t.Helper()
	bySource := map[string]map[uint64]audit.Line{}
	got := map[string][]string{}
	var last audit.Checkpoint
	for _, line := range s.trail() {
		if bySource[line.Source] == nil {
			bySource[line.Source] = map[uint64]audit.Line{}
		}
		bySource[line.Source][line.Seq] = line
		var body audit.Body
		require.NoError(s.t, json.Unmarshal([]byte(line.Body), &body))
		if body.Checkpoint != nil {
			last = *body.Checkpoint
			continue
		}
		got[body.OrderID] = append(got[body.OrderID], body.Source+" "+body.Transition)
		assert.Equal(s.t, trace(body.OrderID), body.Trace)
	}
	for _, c := range []string{"api", "saga", "inventory", "payments", "shipping", "audit"} {
		if c != "audit" {
			assert.EqualValues(s.t, len(bySource[c]), last.Heads[c], "entries of %s by the last checkpoint", c)
		}
		prev := ""
		for seq := uint64(1); seq <= uint64(len(bySource[c])); seq++ {
			line := bySource[c][seq]
			require.Equal(s.t, audit.Hash(prev, line.Body), line.Hash, "%s %d", c, seq)
			prev = line.Hash
		}
		for _, r := range s.observe(c) {
			if r["op"] == "audit-head" {
				assert.Equal(s.t, prev, r["hash"], "head of %s", c)
			}
		}
	}
	for id, kind := range accepted {
		assert.ElementsMatch(s.t, transitions[kind], got[id], "trail of %s order %s", kind, id)
	}
}
