package proxy_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/faults/proxy"
	"github.com/wreckon/wreckon/faults/wire"
	"github.com/wreckon/wreckon/history"
	"github.com/wreckon/wreckon/targets"
)

var web = targets.Edge{From: "client", To: "api", Protocol: targets.HTTP}

// ledger collects exchange events.
type ledger struct {
	mu     sync.Mutex
	events []history.Event
}

func (l *ledger) Record(e history.Event) uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, e)
	return uint64(len(l.events))
}

// exchange is what an event says.
type exchange struct {
	Op         string
	Nth        uint64
	Unit       history.Unit
	Protocol   string `json:"protocol"`
	Asked      int64  `json:"asked_ns"`
	Delivered  int64  `json:"delivered_ns"`
	Answered   int64  `json:"answered_ns"`
	ReturnedAt int64  `json:"returned_ns"`
	Deliveries int    `json:"deliveries"`
	Returned   bool   `json:"returned"`
	Refused    bool   `json:"refused"`
	Fault      string `json:"fault"`
}

func (l *ledger) exchanges(t testing.TB, edge targets.Edge) (all []exchange) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.events {
		require.Equal(t, history.KindExchange, e.Kind)
		require.Equal(t, edge.Name(), e.Component)
		x := exchange{Op: e.Op, Nth: e.Token, Unit: e.Unit}
		require.NoError(t, json.Unmarshal([]byte(e.Value), &x))
		all = append(all, x)
	}
	slices.SortFunc(all, func(a, b exchange) int { return int(a.Nth) - int(b.Nth) })
	return all
}

// rig is a server behind a proxy that understands it.
type rig struct {
	edge    targets.Edge
	listen  string
	session *wire.Session
	ledger  ledger
	all     *proxy.Proxies
	client  *http.Client
}

func understood(t testing.TB, upstream string) *rig {
	t.Helper()
	r := understoodAs(t, web, upstream)
	transport := &http.Transport{MaxIdleConnsPerHost: 16}
	t.Cleanup(transport.CloseIdleConnections)
	r.client = &http.Client{Transport: transport, Timeout: 10 * time.Second}
	return r
}

// understoodAs is understood without a client.
func understoodAs(t testing.TB, edge targets.Edge, upstream string) *rig {
	t.Helper()
	r := &rig{edge: edge}
	r.all = proxy.NewWith(wire.Options{Record: &r.ledger, Unit: unitOf})
	t.Cleanup(func() { require.NoError(t, r.all.Close()) })
	listen, err := r.all.Add(edge, upstream)
	require.NoError(t, err)
	r.listen, r.session = listen, r.all.Session(edge)
	require.NotNil(t, r.session)
	return r
}

// unitOf finds o-17 in a message.
func unitOf(b []byte) history.Unit {
	i := strings.LastIndex(string(b), "o-")
	if i < 0 {
		return history.NoUnit
	}
	rest := string(b[i+2:])
	digits := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
	if digits < 0 {
		digits = len(rest)
	}
	u, err := history.ParseUnit("o-", "o-"+rest[:digits])
	if err != nil {
		return history.NoUnit
	}
	return u
}

func (r *rig) close(t testing.TB) []exchange {
	t.Helper()
	if r.client != nil {
		r.client.CloseIdleConnections()
	}
	eventually(t, func() bool { return r.all.Stats()[0].Open == 0 }, "the connections end, when their repeats are over")
	require.NoError(t, r.all.Close())
	return r.ledger.exchanges(t, r.edge)
}

// counting is a server that answers a request with its body, and counts bodies.
type counting struct {
	url  string
	mu   sync.Mutex
	seen map[string]int
}

func (c *counting) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b, _ := io.ReadAll(r.Body)
	c.mu.Lock()
	c.seen[string(b)]++
	c.mu.Unlock()
	_, _ = w.Write(b)
}

func (c *counting) times(body string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.seen[body]
}

func countingRig(t testing.TB) (*rig, *counting) {
	t.Helper()
	c := &counting{seen: map[string]int{}}
	s := httptest.NewServer(c)
	t.Cleanup(s.Close)
	c.url = s.URL
	return understood(t, s.Listener.Addr().String()), c
}

func (r *rig) post(body string) (string, error) {
	answer, err := r.client.Post("http://"+r.listen+"/orders", "text/plain", strings.NewReader(body))
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	return fmt.Sprint(answer.StatusCode, " ", string(b)), err
}

func always(f wire.Fate) func(wire.Hit) wire.Fate { return func(wire.Hit) wire.Fate { return f } }

func TestExchangesAreRecorded(t *testing.T) {
	r, _ := countingRig(t)
	for i := range 3 {
		got, err := r.post(history.UnitID("o-", history.Unit(i)))
		require.NoError(t, err)
		require.Equal(t, "200 "+history.UnitID("o-", history.Unit(i)), got)
	}
	all := r.close(t)
	require.Len(t, all, 3)
	for i, x := range all {
		require.Equal(t, "POST /orders", x.Op)
		require.EqualValues(t, i+1, x.Nth)
		require.EqualValues(t, i, x.Unit)
		require.Equal(t, "http", x.Protocol)
		require.Equal(t, 1, x.Deliveries)
		require.True(t, x.Returned)
		require.False(t, x.Refused)
		require.True(t, slices.IsSorted([]int64{x.Asked, x.Delivered, x.Answered, x.ReturnedAt}), "%+v", x)
	}
	require.Equal(t, int64(3), r.session.Stats().Exchanges)
	require.Zero(t, r.session.Stats().Opaque)
}

// chopped writes in pieces of random size, down to single bytes.
type chopped struct {
	net.Conn
	rnd *rand.Rand
}

func (c chopped) Write(b []byte) (n int, err error) {
	for n < len(b) && err == nil {
		size := min(len(b)-n, 1+c.rnd.IntN(1+c.rnd.IntN(2000)))
		if len(b) < 300 {
			size = 1
		}
		var m int
		m, err = c.Conn.Write(b[n : n+size])
		n += m
	}
	return n, err
}

type choppedListener struct {
	net.Listener
	seed atomic.Uint64
}

func (l *choppedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return chopped{c, rand.New(rand.NewPCG(l.seed.Add(1), 7))}, nil
}

// With nothing armed, clients and servers of net/http see through the proxy what they see without it, however the bytes are cut.
func TestNothingArmedHTTPIsTheSame(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if !assert.NoError(t, err) {
			return
		}
		w.Header().Set("X-Method", r.Method+" "+r.URL.String())
		w.Header().Set("X-Trailer-Of-Request", r.Trailer.Get("X-Sum"))
		switch r.URL.Path {
		case "/empty":
			w.WriteHeader(http.StatusNoContent)
			return
		case "/early":
			w.Header().Set("Link", "</x>")
			w.WriteHeader(http.StatusEarlyHints)
		case "/chunks":
			w.Header().Set("Trailer", "X-Sum")
			_, _ = w.Write([]byte("first"))
			w.(http.Flusher).Flush()
			w.Header().Set("X-Sum", "2")
		case "/sorry":
			w.WriteHeader(http.StatusTeapot)
		case "/close":
			w.Header().Set("Connection", "close")
		}
		_, _ = w.Write(b)
	}))
	s.Listener = &choppedListener{Listener: s.Listener}
	s.Start()
	t.Cleanup(s.Close)
	r := understood(t, s.Listener.Addr().String())
	type seen struct {
		status  int
		header  http.Header
		trailer http.Header
		body    string
	}
	ask := func(client *http.Client, addr, method, path, body string, stream bool) seen {
		var from io.Reader = strings.NewReader(body)
		if stream {
			from = io.MultiReader(from) // of no known length: chunked
		}
		req, err := http.NewRequest(method, "http://"+addr+path, from)
		require.NoError(t, err)
		if stream {
			req.Trailer = http.Header{"X-Sum": {"1"}}
		}
		if path == "/expect" {
			req.Header.Set("Expect", "100-continue")
		}
		answer, err := client.Do(req)
		require.NoError(t, err, "%s %s %d %v", method, path, len(body), stream)
		defer answer.Body.Close()
		b, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		answer.Header.Del("Date")
		return seen{answer.StatusCode, answer.Header, answer.Trailer, string(b)}
	}
	var seed uint64
	transport := &http.Transport{ExpectContinueTimeout: 10 * time.Second, DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := (&net.Dialer{}).DialContext(ctx, network, addr)
		seed++
		return chopped{c, rand.New(rand.NewPCG(seed, 8))}, err
	}}
	client := &http.Client{Transport: transport, Timeout: 4 * time.Second}
	defer client.CloseIdleConnections()
	rnd := rand.New(rand.NewPCG(1, 9))
	paths := []string{"/a/17", "/empty", "/early", "/chunks", "/sorry", "/close", "/expect"}
	var n int64
	for _, method := range []string{"GET", "HEAD", "POST", "PUT"} {
		for _, path := range paths {
			for _, size := range []int{0, 20, 5000, 300_000} {
				if size > 0 && (method == "GET" || method == "HEAD") {
					continue
				}
				body := strings.Repeat(strconv.Itoa(rnd.IntN(10)), size)
				stream := size > 0 && rnd.IntN(2) == 0
				want := ask(client, s.Listener.Addr().String(), method, path, body, stream)
				require.Equal(t, want, ask(client, r.listen, method, path, body, stream), "%s %s %d", method, path, size)
				n++
			}
		}
	}
	client.CloseIdleConnections()
	all := r.close(t)
	require.Len(t, all, int(n))
	for _, x := range all {
		require.Equal(t, 1, x.Deliveries, "%+v", x)
		require.True(t, x.Returned, "%+v", x)
	}
	require.Zero(t, r.session.Stats().Opaque)
}

// The pair that a caller cannot tell apart: the answer is lost and it was done; the request is lost and it was not.
func TestLostAnswerAndLostRequest(t *testing.T) {
	for _, end := range []wire.End{wire.Close, wire.Reset, wire.Silent} {
		var errs [2]error
		for point, did := range []int{wire.Before: 0, wire.After: 1} {
			r, server := countingRig(t)
			r.client.Transport.(*http.Transport).DisableKeepAlives = true // or it sees that the connection is fresh, and the error differs
			r.client.Timeout = time.Second
			trap := r.session.Arm(wire.Trap{
				Signature: "post /ord*", Nth: 2, Unit: history.NoUnit, Point: wire.Point(point), Fault: "f3",
				Do: always(wire.Fate{Action: wire.Drop, End: end}),
			})
			_, err := r.post("first")
			require.NoError(t, err)
			_, errs[point] = r.post("second")
			require.Error(t, errs[point])
			eventually(t, func() bool { return r.all.Stats()[0].Open == 0 }, "the connection is gone")
			_, err = r.post("third")
			require.NoError(t, err)
			require.Equal(t, did, server.times("second"))
			require.EqualValues(t, 1, trap.Hits())
			require.NoError(t, trap.Err())
			all := r.close(t)
			require.Len(t, all, 3)
			x := all[1]
			require.Equal(t, "f3", x.Fault)
			require.EqualValues(t, 2, x.Nth)
			require.Equal(t, did, x.Deliveries)
			require.False(t, x.Returned)
			require.Empty(t, all[2].Fault)
		}
		switch end {
		case wire.Close:
			require.ErrorIs(t, errs[wire.Before], io.EOF)
			require.ErrorIs(t, errs[wire.After], io.EOF)
		case wire.Reset:
			require.ErrorIs(t, errs[wire.Before], syscall.ECONNRESET)
			require.ErrorIs(t, errs[wire.After], syscall.ECONNRESET)
		case wire.Silent:
			require.ErrorIs(t, errs[wire.Before], context.DeadlineExceeded)
			require.ErrorIs(t, errs[wire.After], context.DeadlineExceeded)
		}
	}
}

// It took effect, and the caller is told that it did not, on a connection that stays in step.
func TestRefuse(t *testing.T) {
	for _, point := range []wire.Point{wire.Before, wire.After} {
		r, server := countingRig(t)
		r.session.Arm(wire.Trap{Signature: "POST *", Every: 2, Unit: history.NoUnit, Point: point, Do: always(wire.Fate{Action: wire.Refuse})})
		for i := range 10 {
			body := strings.Repeat(strconv.Itoa(i), 1+i*20_000) // the larger answers come in many parts
			got, err := r.post(body)
			require.NoError(t, err)
			if i%2 == 1 {
				require.Equal(t, "503 service unavailable\n", got)
			} else {
				require.Equal(t, "200 "+body, got)
			}
			require.Equal(t, 1, server.times(body))
		}
		require.EqualValues(t, 1, r.all.Stats()[0].Connections)
		for i, x := range r.close(t) {
			require.Equal(t, i%2 == 1, x.Refused)
			require.True(t, x.Returned)
		}
	}
}

// Requests arrive twice, and no answer goes to another request.
func TestRepeatsNeverMixAnswersUp(t *testing.T) {
	const clients, each = 16, 625
	for name, fate := range map[string]wire.Fate{
		"at once":           {Action: wire.Repeat},
		"behind the answer": {Action: wire.Repeat, AnswerFirst: true},
		"later":             {Action: wire.Repeat, After: time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			r, server := countingRig(t)
			trap := r.session.Arm(wire.Trap{Every: 3, Unit: history.NoUnit, Fault: "f1", Do: always(fate)})
			var wg sync.WaitGroup
			var wrong atomic.Int64
			for c := range clients {
				wg.Go(func() {
					for i := range each {
						body := fmt.Sprint(c, "/", i)
						got, err := r.post(body)
						if err != nil || got != "200 "+body {
							wrong.Add(1)
						}
					}
				})
			}
			wg.Wait()
			require.Zero(t, wrong.Load())
			all := r.close(t)
			require.Len(t, all, clients*each)
			deliveries := 0
			for _, x := range all {
				require.Equal(t, x.Nth%3 == 0, x.Fault == "f1")
				require.Equal(t, x.Nth%3 == 0, x.Deliveries == 2, "%+v", x)
				deliveries += x.Deliveries
			}
			require.NoError(t, trap.Err())
			arrived := 0
			for c := range clients {
				for i := range each {
					arrived += server.times(fmt.Sprint(c, "/", i))
				}
			}
			require.Equal(t, clients*each+clients*each/3, arrived)
			require.Equal(t, arrived, deliveries)
		})
	}
}

// Go's transport sends a request with an idempotency key again when a connection that it has used before fails.
func TestARetryOfTheTransportShows(t *testing.T) {
	r, server := countingRig(t)
	_, err := r.post("first")
	require.NoError(t, err)
	r.session.Arm(wire.Trap{Nth: 2, Unit: history.NoUnit, Point: wire.After, Fault: "f1", Do: always(wire.Fate{Action: wire.Drop})})
	req, err := http.NewRequest("POST", "http://"+r.listen+"/orders", strings.NewReader("o-5"))
	require.NoError(t, err)
	req.Header.Set("Idempotency-Key", "o-5")
	answer, err := r.client.Do(req)
	require.NoError(t, err, "one call, one answer")
	answer.Body.Close()
	require.Equal(t, 2, server.times("o-5"))
	all := r.close(t)
	require.Len(t, all, 3)
	for i, x := range all[1:] {
		require.EqualValues(t, 4, x.Unit)
		require.Equal(t, 1, x.Deliveries)
		require.Equal(t, i == 1, x.Returned)
		require.Equal(t, i == 0, x.Fault == "f1")
	}
}

// A held message is there when the world has changed, and then is let through or is not.
func TestHold(t *testing.T) {
	for _, point := range []wire.Point{wire.Before, wire.After} {
		for _, fate := range []wire.Fate{{}, {Action: wire.Drop, End: wire.Reset}, {Action: wire.Refuse}, {Action: wire.Repeat}} {
			if fate.Action == wire.Repeat && point == wire.After {
				continue
			}
			r, server := countingRig(t)
			hits := make(chan wire.Hit, 1)
			r.session.Arm(wire.Trap{Nth: 2, Unit: 1, Point: point, Do: func(h wire.Hit) wire.Fate {
				hits <- h
				return wire.Fate{Action: wire.Hold}
			}})
			_, err := r.post("o-1")
			require.NoError(t, err)
			done := make(chan string, 1)
			go func() {
				got, err := r.post("o-2")
				if err != nil {
					got = "error"
				}
				done <- got
			}()
			h := <-hits
			require.Equal(t, "POST /orders", h.Signature)
			require.EqualValues(t, 1, h.Unit)
			require.Positive(t, h.Bytes)
			select {
			case got := <-done:
				require.Fail(t, "it is not held", got)
			case <-time.After(20 * time.Millisecond):
			}
			require.Equal(t, int(point), server.times("o-2"))
			h.Release(fate)
			h.Release(wire.Fate{Action: wire.Drop}) // too late
			want := map[wire.Action]string{wire.Pass: "200 o-2", wire.Drop: "error", wire.Refuse: "503 service unavailable\n", wire.Repeat: "200 o-2"}
			require.Equal(t, want[fate.Action], <-done)
			if fate.Action == wire.Drop {
				continue
			}
			got, err := r.post("o-3")
			require.NoError(t, err)
			require.Equal(t, "200 o-3", got)
			all := r.close(t)
			if fate.Action == wire.Repeat {
				require.Equal(t, 2, server.times("o-2"))
				require.True(t, slices.ContainsFunc(all, func(x exchange) bool { return x.Deliveries == 2 }))
			}
		}
	}
}

// A zombie: the caller gave up, and its request arrives all the same, and is done.
func TestDelayedRequestOutlivesItsCaller(t *testing.T) {
	arrived, done := make(chan struct{}), make(chan error, 1)
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		select {
		case <-r.Context().Done(): // the server has seen the caller leave
			done <- r.Context().Err()
		case <-time.After(100 * time.Millisecond):
			done <- nil
		}
	}))
	t.Cleanup(s.Close)
	r := understood(t, s.Listener.Addr().String())
	r.session.Arm(wire.Trap{Unit: history.NoUnit, Fault: "f1", Do: always(wire.Fate{Action: wire.Delay, After: 300 * time.Millisecond})})
	r.client.Timeout = 50 * time.Millisecond
	_, err := r.post("o-1")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	select {
	case <-arrived:
		require.Fail(t, "it arrived before its time")
	default:
	}
	require.NoError(t, <-done)
	eventually(t, func() bool { return r.all.Stats()[0].Open == 0 }, "the connection ends when the zombie is answered")
	all := r.close(t)
	require.Len(t, all, 1)
	require.Equal(t, 1, all[0].Deliveries)
	require.GreaterOrEqual(t, all[0].Delivered-all[0].Asked, int64(300*time.Millisecond))
	require.NotZero(t, all[0].Answered)
}

// A late answer: it took effect in time, and the caller learns it later.
func TestDelayedAnswer(t *testing.T) {
	r, server := countingRig(t)
	r.session.Arm(wire.Trap{Unit: history.NoUnit, Point: wire.After, Do: always(wire.Fate{Action: wire.Delay, After: 60 * time.Millisecond})})
	start := time.Now()
	got, err := r.post("x")
	require.NoError(t, err)
	require.Equal(t, "200 x", got)
	require.Equal(t, 1, server.times("x"))
	require.GreaterOrEqual(t, time.Since(start), 60*time.Millisecond)
}

// Swapped requests of two connections arrive in the other order; one that nobody overtakes is delivered in the end.
func TestSwap(t *testing.T) {
	order := make(chan string, 3)
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		order <- string(b)
	}))
	t.Cleanup(s.Close)
	r := understood(t, s.Listener.Addr().String())
	held := make(chan struct{}, 2)
	trap := r.session.Arm(wire.Trap{Unit: history.NoUnit, Nth: 1, Do: func(wire.Hit) wire.Fate {
		held <- struct{}{}
		return wire.Fate{Action: wire.Swap, After: 10 * time.Second}
	}})
	first := make(chan error, 1)
	go func() {
		_, err := r.post("first")
		first <- err
	}()
	<-held
	_, err := r.post("second")
	require.NoError(t, err)
	require.NoError(t, <-first)
	require.ElementsMatch(t, []string{"first", "second"}, []string{<-order, <-order})
	trap.Disarm()
	r.session.Arm(wire.Trap{Unit: history.NoUnit, Do: always(wire.Fate{Action: wire.Swap, After: 20 * time.Millisecond})})
	_, err = r.post("alone")
	require.NoError(t, err)
	require.Equal(t, "alone", <-order)
	all := r.close(t)
	require.Greater(t, all[0].Delivered, all[1].Delivered, "the second was delivered first")
}

func TestTrapsThatCannot(t *testing.T) {
	r, _ := countingRig(t)
	panics := r.session.Arm(wire.Trap{Unit: history.NoUnit, Do: func(wire.Hit) wire.Fate { panic("no") }})
	late := r.session.Arm(wire.Trap{Unit: history.NoUnit, Point: wire.After, Do: always(wire.Fate{Action: wire.Repeat})})
	other := r.session.Arm(wire.Trap{Signature: "GET *", Unit: history.NoUnit, Do: always(wire.Fate{Action: wire.Drop})})
	got, err := r.post("x")
	require.NoError(t, err)
	require.Equal(t, "200 x", got)
	require.ErrorContains(t, panics.Err(), "decide at POST /orders #1: panic: no")
	require.ErrorContains(t, late.Err(), "POST /orders #1: repeat: ")
	require.Zero(t, other.Hits())
	require.NoError(t, other.Err())
}

// Probes pass as they are, and so does what is not HTTP.
func TestWhatIsNotUnderstoodPasses(t *testing.T) {
	r := understood(t, server(t, echo))
	c := dial(t, r.listen)
	send(t, c, "hello\x00")
	expect(t, c, "hello\x00")
	send(t, c, "again")
	expect(t, c, "again")
	require.NoError(t, c.CloseWrite())
	_, err := c.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
	link, err := r.all.Link(web)
	require.NoError(t, err)
	link.Probe(context.Background())
	require.Same(t, r.session, link.(interface{ Session() *wire.Session }).Session())
	require.Empty(t, r.close(t))
	stats := r.session.Stats()
	require.Equal(t, "not HTTP: a request without a method", stats.Why)
	require.EqualValues(t, 22, stats.Opaque)
	require.Zero(t, stats.Exchanges)
	require.Nil(t, r.all.Session(edge))
}

// The same requests and the same traps: the same exchanges are touched, and the same is recorded.
func TestTheSameExchangesAreTouched(t *testing.T) {
	var first []string
	for round := range 50 {
		r, _ := countingRig(t)
		fates := []wire.Fate{{Action: wire.Repeat}, {Action: wire.Drop, End: wire.Reset}, {Action: wire.Refuse}, {Action: wire.Repeat, AnswerFirst: true}}
		for i, f := range fates {
			r.session.Arm(wire.Trap{Nth: uint64(3*i + 2), Unit: history.NoUnit, Fault: fmt.Sprint("f", i), Do: always(f)})
		}
		for i := range 15 {
			_, _ = r.post(history.UnitID("o-", history.Unit(i)))
		}
		var got []string
		for _, x := range r.close(t) {
			got = append(got, fmt.Sprint(x.Op, x.Nth, x.Unit, x.Deliveries, x.Returned, x.Refused, x.Fault))
		}
		slices.Sort(got)
		require.Len(t, got, 15)
		if round == 0 {
			first = got
		}
		require.Equal(t, first, got, "round %d", round)
	}
}

// Clients that vanish in mid-exchange while traps come and go: nothing hangs, nothing is left (TestMain looks for goroutines).
func TestTrapsUnderAbortedTraffic(t *testing.T) {
	r, _ := countingRig(t)
	stop := make(chan struct{})
	var arming sync.WaitGroup
	arming.Go(func() {
		rnd := rand.New(rand.NewPCG(1, 4))
		for {
			f := wire.Fate{Action: wire.Action(rnd.IntN(int(wire.Swap) + 1)), End: wire.End(rnd.IntN(4)), After: time.Millisecond}
			a := r.session.Arm(wire.Trap{Every: 2, Unit: history.NoUnit, Point: wire.Point(rnd.IntN(2)), Do: func(h wire.Hit) wire.Fate {
				if f.Action == wire.Hold {
					go h.Release(wire.Fate{})
				}
				return f
			}})
			select {
			case <-stop:
				return
			case <-time.After(time.Duration(rnd.IntN(2000)) * time.Microsecond):
			}
			a.Disarm()
		}
	})
	var clients sync.WaitGroup
	for seed := range uint64(4) {
		rnd := rand.New(rand.NewPCG(seed, 5))
		clients.Go(func() {
			for range 250 {
				c, err := net.Dial("tcp", r.listen)
				if err != nil {
					continue
				}
				assert.NoError(t, c.SetDeadline(time.Now().Add(20*time.Millisecond)))
				const request = "POST /orders HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\no-1"
				all := strings.Repeat(request, 3)
				_, _ = io.WriteString(c, all[:1+rnd.IntN(len(all))])
				_, _ = io.CopyN(io.Discard, c, rnd.Int64N(200))
				if rnd.IntN(2) == 0 {
					_ = c.(*net.TCPConn).SetLinger(0)
				}
				c.Close()
			}
		})
	}
	clients.Wait()
	close(stop)
	arming.Wait()
	require.EqualValues(t, 1000, r.all.Stats()[0].Connections)
	r.close(t)
}
