package faults_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/faults"
	"github.com/wreckon/wreckon/faults/proxy"
	"github.com/wreckon/wreckon/faults/wire"
	"github.com/wreckon/wreckon/history"
	"github.com/wreckon/wreckon/targets"
)

// bench is a proxied web server that notes what arrives, and a guard.
type bench struct {
	log    *log
	guard  *faults.Guard
	all    *proxy.Proxies
	listen string
	client *http.Client

	topology targets.Topology // of the faults that are started

	mu      sync.Mutex
	arrived []string
}

// unitOf finds the last o-17 of a message.
func unitOf(b []byte) history.Unit {
	i := strings.LastIndex(string(b), "o-")
	if i < 0 {
		return history.NoUnit
	}
	end := i + len("o-")
	for end < len(b) && '0' <= b[end] && b[end] <= '9' {
		end++
	}
	u, err := history.ParseUnit("o-", string(b[i:end]))
	if err != nil {
		return history.NoUnit
	}
	return u
}

func newBench(t testing.TB) *bench {
	b := &bench{log: newLog(), topology: shop}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		b.mu.Lock()
		b.arrived = append(b.arrived, string(body))
		b.mu.Unlock()
		_, _ = w.Write(body)
	}))
	t.Cleanup(web.Close)
	b.proxied(t, httpEdge, web.Listener.Addr().String())
	return b
}

func (b *bench) proxied(t testing.TB, edge targets.Edge, upstream string) {
	b.guard = faults.NewGuard(b.log, b.log)
	b.all = proxy.NewWith(wire.Options{Record: b.log, Unit: unitOf, Prefix: "o-"})
	t.Cleanup(func() { require.NoError(t, b.all.Close()) })
	var err error
	b.listen, err = b.all.Add(edge, upstream)
	require.NoError(t, err)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	b.client = &http.Client{Transport: transport}
}

func (b *bench) post(ctx context.Context, body string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+b.listen+"/orders", strings.NewReader(body))
	if err != nil {
		return "", err
	}
	resp, err := b.client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	return fmt.Sprint(resp.StatusCode, " ", strings.TrimSpace(string(got))), err
}

func (b *bench) times(body string) (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.arrived {
		if s == body {
			n++
		}
	}
	return n
}

// start arms faults; the load is over when wait is called, and only then.
func (b *bench) start(t testing.TB, specs []faults.Spec, processes faults.Processes) (wait func() []error) {
	planned, err := faults.Plan(specs, b.topology, faults.Means{Links: b.all, Processes: processes})
	require.NoError(t, err)
	all := b.guard.Start(ctx(t), time.Now(), planned)
	var once sync.Once
	var errs []error
	wait = func() []error {
		once.Do(func() {
			b.guard.Disarm()
			errs = all()
		})
		return errs
	}
	t.Cleanup(func() { wait() })
	return wait
}

// evidence is what the event of a fault with an outcome holds.
func (l *log) evidence(t testing.TB, id string, o history.Outcome) (e faults.Evidence) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, event := range l.events {
		if event.Key == id && event.Outcome == o && event.Kind == history.KindFault {
			require.NoError(t, json.Unmarshal([]byte(event.Value), &e))
			return e
		}
	}
	require.Fail(t, "no such event", "%s %s", id, o)
	return e
}

// onPost is a fault of a kind at the n-th order.
func onPost(id, kind string, nth uint64) faults.Spec {
	return faults.Spec{ID: id, Kind: kind, From: "client", To: "api", When: &faults.When{From: "client", To: "api", Exchange: "POST /orders", Nth: nth}}
}

func TestMessageFaults(t *testing.T) {
	const gone = "gone" // an error of the connection, or of a caller that does not wait
	for name, tc := range map[string]struct {
		with   faults.Spec // what of the spec is not the same for all
		kind   string
		within time.Duration // that the caller waits for the touched exchange
		want   string        // that it sees
		times  int           // that the request arrives
		point  string
		saw    string
	}{
		"drop-request":               {kind: "drop-request", want: gone, times: 0, point: "before", saw: "the request was lost"},
		"drop-request, reset":        {kind: "drop-request", with: faults.Spec{End: "reset"}, want: gone, times: 0, point: "before", saw: "the request was lost"},
		"drop-request, silent":       {kind: "drop-request", with: faults.Spec{End: "silent"}, within: 300 * time.Millisecond, want: gone, times: 0, point: "before", saw: "the request was lost"},
		"drop-response":              {kind: "drop-response", want: gone, times: 1, point: "after", saw: "the answer was lost"},
		"drop-response, silent":      {kind: "drop-response", with: faults.Spec{End: "silent"}, within: 300 * time.Millisecond, want: gone, times: 1, point: "after", saw: "the answer was lost"},
		"error-after":                {kind: "error-after", want: "503 service unavailable", times: 1, point: "after", saw: "replaced by an error"},
		"delay-past-timeout":         {kind: "delay-past-timeout", with: faults.Spec{Delay: 400 * time.Millisecond}, within: 100 * time.Millisecond, want: gone, times: 1, point: "before", saw: "delivered 400ms late"},
		"late-response":              {kind: "late-response", with: faults.Spec{Delay: 100 * time.Millisecond}, want: "200 o-5", times: 1, point: "after", saw: "kept for 100ms"},
		"late-response, nobody left": {kind: "late-response", with: faults.Spec{Delay: 400 * time.Millisecond}, within: 100 * time.Millisecond, want: gone, times: 1, point: "after", saw: "kept for 400ms"},
		"duplicate":                  {kind: "duplicate", want: "200 o-5", times: 2, point: "before", saw: "twice, the second time at once"},
		"duplicate, after-answer":    {kind: "duplicate", with: faults.Spec{Again: "after-answer"}, want: "200 o-5", times: 2, point: "before", saw: "after its answer"},
		"duplicate, later":           {kind: "duplicate", with: faults.Spec{Again: "later", Delay: 50 * time.Millisecond}, want: "200 o-5", times: 2, point: "before", saw: "50ms later"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			for i := range 3 { // the baseline: it does not count
				_, err := b.post(ctx(t), fmt.Sprintf("o-%d", i+1))
				require.NoError(t, err)
			}
			spec := onPost("f1", tc.kind, 2)
			spec.End, spec.Delay, spec.Again = tc.with.End, tc.with.Delay, tc.with.Again
			wait := b.start(t, []faults.Spec{spec}, nil)
			for i := range 3 {
				order, c := fmt.Sprintf("o-%d", i+4), ctx(t)
				if i == 1 && tc.within > 0 {
					var cancel context.CancelFunc
					c, cancel = context.WithTimeout(c, tc.within)
					defer cancel()
				}
				began := time.Now()
				got, err := b.post(c, order)
				switch {
				case i != 1:
					require.NoError(t, err, order)
					require.Equal(t, "200 "+order, got, "no answer goes to another's request")
				case tc.want == gone:
					require.Error(t, err)
				default:
					require.NoError(t, err)
					require.Equal(t, tc.want, got)
					require.GreaterOrEqual(t, time.Since(began), lateBy(tc.kind, tc.with.Delay))
				}
			}
			require.Equal(t, []error{nil}, wait())
			require.Equal(t, whole, b.log.story("f1"))
			require.Empty(t, b.log.open)
			assert.Equal(t, tc.times, b.times("o-5"))
			assert.Equal(t, 1, b.times("o-4"))
			assert.Equal(t, 1, b.times("o-6"))

			e := b.log.evidence(t, "f1", confirmed)
			assert.Contains(t, e.Probe, "POST /orders #5 of o-5 (client -> api): ")
			assert.Contains(t, e.Probe, tc.saw)
			unit := history.Unit(4)
			assert.Equal(t, &faults.Touched{Edge: "client -> api", Signature: "POST /orders", Nth: 5, Unit: &unit, Point: tc.point}, e.Exchange)
			assert.Equal(t, []int64{1, 1}, []int64{e.Hits, e.Connections})
			assert.Positive(t, e.Bytes)
			assert.Contains(t, b.log.evidence(t, "f1", wasHealed).Probe, "nothing is held, and client -> api answers")
			for _, event := range b.log.events {
				if event.Kind == history.KindFault {
					assert.Equal(t, "client -> api", event.Component)
				}
				if event.Kind == history.KindExchange {
					assert.Equal(t, event.Token == 5, strings.Contains(event.Value, `"fault":"f1"`), "the ledger names the fault: %s", event.Value)
				}
			}
		})
	}
}

// lateBy is by how much a caller that waits gets its answer late.
func lateBy(kind string, delay time.Duration) time.Duration {
	if kind == "late-response" {
		return delay
	}
	return 0
}

func TestSwap(t *testing.T) {
	b := newBench(t)
	wait := b.start(t, []faults.Spec{onPost("f1", "swap", 1)}, nil)
	first := make(chan error, 1)
	go func() {
		_, err := b.post(ctx(t), "o-1")
		first <- err
	}()
	require.Eventually(t, func() bool { return len(b.log.story("f1")) > 0 }, 5*time.Second, time.Millisecond, "it is held")
	for n := 2; ; n++ { // others, until one has overtaken it
		select {
		case err := <-first:
			require.NoError(t, err)
			require.Equal(t, []error{nil}, wait())
			require.Equal(t, whole, b.log.story("f1"))
			delivered, overtook := b.log.delivered(t), 0
			for unit, at := range delivered {
				if unit != 0 && at < delivered[0] {
					overtook++
				}
			}
			require.Positive(t, overtook, "another was delivered first")
			return
		default:
		}
		got, err := b.post(ctx(t), fmt.Sprintf("o-%d", n))
		require.NoError(t, err)
		require.Equal(t, fmt.Sprintf("200 o-%d", n), got)
	}
}

// delivered is when the request of each unit was delivered, on the session's clock.
func (l *log) delivered(t testing.TB) map[history.Unit]time.Duration {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	at := map[history.Unit]time.Duration{}
	for _, e := range l.events {
		if e.Kind == history.KindExchange {
			var x struct {
				Delivered time.Duration `json:"delivered_ns"`
			}
			require.NoError(t, json.Unmarshal([]byte(e.Value), &x))
			at[e.Unit] = x.Delivered
		}
	}
	return at
}

func TestASwapThatNobodyOvertakesMisfires(t *testing.T) {
	b := newBench(t)
	wait := b.start(t, []faults.Spec{onPost("f1", "swap", 1)}, nil)
	got, err := b.post(ctx(t), "o-1")
	require.NoError(t, err)
	require.Equal(t, "200 o-1", got)
	require.ErrorContains(t, wait()[0], "no other request came to overtake it")
	require.Equal(t, []history.Outcome{begin, failed, end, wasHealed}, b.log.story("f1"))
}

func TestEachNth(t *testing.T) {
	b := newBench(t)
	spec := onPost("f1", "duplicate", 0)
	spec.When.Every = 3
	wait := b.start(t, []faults.Spec{spec}, nil)
	for i := range 10 {
		order := fmt.Sprintf("o-%d", i+1)
		got, err := b.post(ctx(t), order)
		require.NoError(t, err)
		require.Equal(t, "200 "+order, got)
	}
	require.Equal(t, []error{nil}, wait())
	require.Equal(t, whole, b.log.story("f1"), "one fault, one interval")
	require.EqualValues(t, 3, b.log.evidence(t, "f1", wasHealed).Hits)
	for i := range 10 {
		want := 1
		if (i+1)%3 == 0 {
			want = 2
		}
		require.Equal(t, want, b.times(fmt.Sprintf("o-%d", i+1)), "o-%d", i+1)
	}
}

// The same plan touches the same exchanges of one client, every time. Where two faults want one exchange, the first in the plan has it,
// and the other counts it all the same.
func TestTheSamePlanTouchesTheSame(t *testing.T) {
	for range 50 {
		b := newBench(t)
		lost, twice := onPost("f1", "drop-request", 3), onPost("f2", "duplicate", 0)
		twice.When.Every = 3
		lost.Then = []faults.Spec{onPost("f3", "error-after", 4)}
		wait := b.start(t, []faults.Spec{lost, twice}, nil)
		for i := range 10 {
			_, _ = b.post(ctx(t), fmt.Sprintf("o-%d", i+1))
		}
		require.Equal(t, []error{nil, nil}, wait())
		b.client.CloseIdleConnections()
		require.NoError(t, b.all.Close())
		var touched []string
		for _, e := range b.log.events {
			_, by, ok := strings.Cut(e.Value, `"fault":"`)
			if e.Kind == history.KindExchange && ok {
				touched = append(touched, fmt.Sprintf("#%d %s", e.Token, by[:2]))
			}
		}
		require.Equal(t, []string{"#3 f1", "#6 f2", "#7 f3", "#9 f2"}, touched)
	}
}

func TestOfOneUnit(t *testing.T) {
	b := newBench(t)
	spec := onPost("f1", "error-after", 2)
	spec.When.Unit, spec.When.Exchange = "o-7", "post *"
	wait := b.start(t, []faults.Spec{spec}, nil)
	var refused []string
	for _, order := range []string{"o-7", "o-8", "o-8", "o-7", "o-7"} {
		got, err := b.post(ctx(t), order)
		require.NoError(t, err)
		refused = append(refused, got[:3])
	}
	require.Equal(t, []error{nil}, wait())
	require.Equal(t, []string{"200", "200", "200", "503", "200"}, refused, "the second of o-7")
}

// A retry of what was lost comes at once: what follows is armed before the loss can be seen.
func TestAStory(t *testing.T) {
	for range 10 {
		b := newBench(t)
		env := newFake()
		last := faults.Spec{ID: "f3", Kind: "error-after", From: "client", To: "api", When: &faults.When{Exchange: "POST /orders"}}
		second := faults.Spec{ID: "f2", Kind: "pause", Component: "relay", For: 10 * time.Millisecond, Then: []faults.Spec{last},
			When: &faults.When{From: "client", To: "api", Exchange: "POST /orders", Nth: 1, Point: "before"}}
		first := onPost("f1", "drop-response", 3)
		first.Then = []faults.Spec{second}
		wait := b.start(t, []faults.Spec{first}, env)
		var saw []string
		for i := range 6 {
			got, err := b.post(ctx(t), fmt.Sprintf("o-%d", i+1))
			if err != nil {
				got = "lost"
			}
			saw = append(saw, got)
		}
		require.Equal(t, []error{nil}, wait())
		require.Equal(t, []string{"200 o-1", "200 o-2", "lost", "200 o-4", "503 service unavailable", "200 o-6"}, saw)
		for _, id := range []string{"f1", "f2", "f3"} {
			require.Equal(t, whole, b.log.story(id), id)
		}
		require.Equal(t, []string{"pause relay", "resume relay"}, env.calls)
		require.Contains(t, b.log.evidence(t, "f2", confirmed).Probe, "before POST /orders #4 of o-4 (client -> api): relay exists and answers nothing")
		require.Contains(t, b.log.evidence(t, "f2", wasHealed).Detail, "the held message was delivered")
	}
}

func TestWhatIsNotReachedDoesNotBegin(t *testing.T) {
	b := newBench(t)
	follower := onPost("f2", "drop-request", 1)
	first := onPost("f1", "drop-request", 9)
	first.Then = []faults.Spec{follower}
	wait := b.start(t, []faults.Spec{first}, nil)
	for i := range 3 {
		_, err := b.post(ctx(t), fmt.Sprintf("o-%d", i+1))
		require.NoError(t, err)
	}
	errs := wait()
	require.ErrorIs(t, errs[0], faults.ErrNotReached)
	require.EqualError(t, errs[0], "inject f1: before POST /orders #9 on client -> api: its point was not reached")
	require.Empty(t, b.log.story("f1"))
	require.Empty(t, b.log.story("f2"))
	for i := range 9 {
		_, err := b.post(ctx(t), fmt.Sprintf("o-%d", i+4))
		require.NoError(t, err, "it is disarmed")
	}
}

// What was decided and could not be done is told, and the message goes on.
func TestMisfired(t *testing.T) {
	b := newBench(t)
	wait := b.start(t, []faults.Spec{onPost("f1", "duplicate", 1)}, nil)
	req, err := http.NewRequestWithContext(ctx(t), http.MethodPost, "http://"+b.listen+"/orders", strings.NewReader("o-1"))
	require.NoError(t, err)
	req.Close = true // and so it cannot be repeated
	resp, err := b.client.Do(req)
	require.NoError(t, err)
	resp.Body.Close()
	require.ErrorContains(t, wait()[0], "the request ends its connection")
	require.Equal(t, []history.Outcome{begin, failed, end, failed}, b.log.story("f1"))
	require.NoError(t, b.guard.HealAll(ctx(t)))
	require.Empty(t, b.log.open)
	require.Equal(t, 1, b.times("o-1"))
}

// Cancelled while an exchange is held: it is let go, and the fault healed.
func TestCancelWhileHeld(t *testing.T) {
	for _, spec := range []faults.Spec{
		{Kind: "late-response", From: "client", To: "api", Delay: 10 * time.Second, When: &faults.When{Exchange: "POST *"}},
		{Kind: "delay-past-timeout", From: "client", To: "api", Delay: 10 * time.Second, When: &faults.When{Exchange: "POST *"}},
		{Kind: "terminate", Component: "relay", When: &faults.When{From: "client", To: "api", Exchange: "POST *", Point: "before"}},
	} {
		t.Run(spec.Kind, func(t *testing.T) {
			b := newBench(t)
			spec.ID = "f1"
			env := &stubborn{fakeProcesses: newFake()}
			planned, err := faults.Plan([]faults.Spec{spec}, shop, faults.Means{Links: b.all, Processes: env})
			require.NoError(t, err)
			cancelled, cancel := context.WithCancel(ctx(t))
			defer cancel()
			wait := b.guard.Start(cancelled, time.Now(), planned)
			answered := make(chan error, 1)
			began := time.Now()
			go func() {
				_, err := b.post(ctx(t), "o-1")
				answered <- err
			}()
			require.Eventually(t, func() bool { return len(b.log.story("f1")) > 0 }, 5*time.Second, time.Millisecond)
			cancel()
			require.ErrorIs(t, wait()[0], context.Canceled)
			require.NoError(t, <-answered)
			require.Less(t, time.Since(began), 5*time.Second)
			require.Equal(t, []history.Outcome{begin, failed, end, wasHealed}, b.log.story("f1"))
			require.Empty(t, b.log.open)
		})
	}
}

// stubborn processes do not end when they are told to.
type stubborn struct{ *fakeProcesses }

func (s *stubborn) Terminate(ctx context.Context, _ string, _ time.Duration) error {
	<-ctx.Done()
	return ctx.Err()
}

// A fault at a point of a component that another has struck is refused, and its message goes on.
func TestRefusedAtItsPoint(t *testing.T) {
	b := newBench(t)
	env := newFake()
	at := func(id string, nth uint64) faults.Spec {
		return faults.Spec{ID: id, Kind: "crash", Component: "relay", For: 300 * time.Millisecond,
			When: &faults.When{From: "client", To: "api", Exchange: "POST /orders", Nth: nth, Point: "before"}}
	}
	wait := b.start(t, []faults.Spec{at("f1", 1), at("f2", 2)}, env)
	for i := range 2 {
		_, err := b.post(ctx(t), fmt.Sprintf("o-%d", i+1))
		require.NoError(t, err)
	}
	errs := wait()
	require.NoError(t, errs[0])
	require.ErrorIs(t, errs[1], faults.ErrOrder)
	require.Equal(t, whole, b.log.story("f1"))
	require.Equal(t, []history.Outcome{failed}, b.log.story("f2"))
	require.Equal(t, []string{"kill relay", "start relay"}, env.calls)
}

// A second delivery that is still to come ends with the fault, and the fault says so: it is not waited for when the run is cancelled, nor,
// of each n-th, when the load is over.
func TestWhatIsStillToComeIsCalledOff(t *testing.T) {
	later := func(every uint64) faults.Spec {
		s := onPost("f1", "duplicate", 0)
		s.When.Every, s.Again, s.Delay = every, "later", 10*time.Second
		return s
	}
	b := newBench(t)
	planned, err := faults.Plan([]faults.Spec{later(1)}, shop, faults.Means{Links: b.all})
	require.NoError(t, err)
	cancelled, cancel := context.WithCancel(ctx(t))
	defer cancel()
	wait := b.guard.Start(cancelled, time.Now(), planned)
	for i := range 3 {
		got, err := b.post(ctx(t), fmt.Sprintf("o-%d", i+1))
		require.NoError(t, err)
		require.Equal(t, fmt.Sprintf("200 o-%d", i+1), got)
	}
	began := time.Now()
	cancel()
	require.ErrorIs(t, wait()[0], context.Canceled)
	require.Equal(t, []history.Outcome{begin, failed, end, wasHealed}, b.log.story("f1"))
	require.Contains(t, b.log.evidence(t, "f1", wasHealed).Detail, "called off before they came: 3 second deliveries")
	b.client.CloseIdleConnections()
	require.Eventually(t, func() bool { return b.all.Stats()[0].Open == 0 }, 5*time.Second, time.Millisecond, "no connection waits for it")
	require.Less(t, time.Since(began), 10*time.Second)
	told := 0
	for _, e := range b.log.events {
		if e.Kind == history.KindExchange {
			require.Contains(t, e.Value, `"deliveries":1,"returned":true`)
			require.Contains(t, e.Value, `"fault":"f1"`)
			told++
		}
	}
	require.Equal(t, 3, told)
}
