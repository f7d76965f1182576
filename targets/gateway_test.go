package targets

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/history"
)

const secret = "secret"

// notebook records in memory.
type notebook struct {
	mu     sync.Mutex
	events []history.Event
}

func (n *notebook) Record(e history.Event) uint64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.events = append(n.events, e)
	return uint64(len(n.events) - 1)
}

func (n *notebook) all() []history.Event {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]history.Event(nil), n.events...)
}

func sink(t *testing.T) (*gateway, *notebook) {
	t.Helper()
	var n notebook
	g, err := listenGateway(refPrefix, secret, &n, referenceRoutes())
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, g.close()) })
	return g, &n
}

// post asks the sink for an effect, and gives the status and the body.
func post(t *testing.T, g *gateway, path, key, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, "http://"+g.addr+path, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+secret)
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(b)
}

func TestAnEffectIsAppliedOnceForEachKey(t *testing.T) {
	g, n := sink(t)
	const charge = `{"order_id":"o-17","amount":4990,"card":"valid"}`
	status, first := post(t, g, "/charges", "k1", charge)
	assert.Equal(t, http.StatusOK, status)
	status, again := post(t, g, "/charges", "k1", charge)
	assert.Equal(t, http.StatusOK, status)
	assert.Equal(t, first, again, "the same key gets the same answer")
	_, other := post(t, g, "/charges", "k2", charge)
	assert.NotEqual(t, first, other)
	status, _ = post(t, g, "/charges", "k1", `{"order_id":"o-17","amount":1}`)
	assert.Equal(t, http.StatusConflict, status, "another payload under a used key")
	_, _ = post(t, g, "/refunds", "k1", charge) // a key is one for each kind of effect

	var got []string
	for _, e := range n.all() {
		assert.Equal(t, history.KindEffect, e.Kind)
		assert.Equal(t, history.Unit(16), e.Unit)
		got = append(got, e.Op+" "+e.Step+" "+e.Key+" "+e.Outcome.String())
	}
	assert.Equal(t, []string{
		"do charge k1 applied", "do charge k1 deduplicated", "do charge k2 applied", "do charge k1 refused", "undo charge k1 applied",
	}, got)
	assert.Equal(t, "4990", n.all()[0].Value)
}

func TestALateTokenIsRefusedIfTheCallerAsksForThat(t *testing.T) {
	g, n := sink(t)
	ask := func(path, key, order, token, fencing string) int {
		req, err := http.NewRequest(http.MethodPost, "http://"+g.addr+path, strings.NewReader(`{"order_id":"`+order+`","amount":1}`))
		require.NoError(t, err)
		req.Header = http.Header{"Authorization": {"Bearer " + secret}, "Idempotency-Key": {key}, "Fencing-Token": {token}, "Fencing": {fencing},
			"Traceparent": {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}}
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		return resp.StatusCode
	}
	for _, c := range []struct {
		path, key, order, token, fencing string
		status                           int
		outcome                          history.Outcome
	}{
		{"/charges", "k1", "o-1", "2", "strict", 200, history.OutcomeApplied},
		{"/charges", "k1", "o-1", "1", "strict", 412, history.OutcomeRefused}, // the same call, late
		{"/charges", "k1", "o-1", "2", "strict", 200, history.OutcomeDeduplicated},
		{"/charges", "k1", "o-1", "3", "strict", 200, history.OutcomeDeduplicated},
		{"/refunds", "k1", "o-1", "2", "strict", 412, history.OutcomeRefused}, // another way into the same step
		{"/refunds", "k1", "o-1", "4", "strict", 200, history.OutcomeApplied},
		{"/shipments", "k1", "o-1", "1", "strict", 200, history.OutcomeApplied}, // another step
		{"/charges", "k2", "o-2", "1", "strict", 200, history.OutcomeApplied},   // another unit
		{"/charges", "k3", "o-1", "1", "", 200, history.OutcomeApplied},         // nobody asked
	} {
		assert.Equal(t, c.status, ask(c.path, c.key, c.order, c.token, c.fencing), c)
		events := n.all()
		e := events[len(events)-1]
		assert.Equal(t, c.outcome, e.Outcome, c)
		assert.Equal(t, c.token, strconv.FormatUint(e.Token, 10))
		assert.Equal(t, "0af7651916cd43dd8448eb211c80319c", e.Trace)
	}
	assert.Equal(t, http.StatusBadRequest, ask("/charges", "k4", "o-1", "newest", "strict"))
}

// What was done in time stays done, whoever asks again; what was not is never done.
func TestWhatComesTooLateIsRefused(t *testing.T) {
	g, n := sink(t)
	ask := func(key, until string) int {
		req, err := http.NewRequest(http.MethodPost, "http://"+g.addr+"/charges", strings.NewReader(`{"order_id":"o-1","amount":1}`))
		require.NoError(t, err)
		req.Header = http.Header{"Authorization": {"Bearer " + secret}, "Idempotency-Key": {key}, "Valid-Until": {until}}
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		return resp.StatusCode
	}
	past, future := time.Now().Add(-time.Millisecond).Format(time.RFC3339Nano), time.Now().Add(time.Hour).Format(time.RFC3339Nano)
	for _, c := range []struct {
		key, until string
		status     int
		outcome    history.Outcome
	}{
		{"in-time", future, 200, history.OutcomeApplied},
		{"in-time", past, 200, history.OutcomeDeduplicated},
		{"late", past, 410, history.OutcomeRefused},
		{"late", future, 410, history.OutcomeRefused},
		{"whenever", "", 200, history.OutcomeApplied},
	} {
		assert.Equal(t, c.status, ask(c.key, c.until), c)
		events := n.all()
		assert.Equal(t, c.outcome, events[len(events)-1].Outcome, c)
	}
	assert.Equal(t, http.StatusBadRequest, ask("k", "soon"))
	assert.Len(t, n.all(), 5)
}

func TestARefusalIsFinalForItsKey(t *testing.T) {
	g, n := sink(t)
	for range 2 {
		status, _ := post(t, g, "/charges", "k", `{"order_id":"o-1","amount":1,"card":"declined"}`)
		assert.Equal(t, http.StatusPaymentRequired, status)
		status, _ = post(t, g, "/shipments", "k", `{"order_id":"o-1","address":"undeliverable"}`)
		assert.Equal(t, http.StatusUnprocessableEntity, status)
	}
	for _, e := range n.all() {
		assert.Equal(t, history.OutcomeRefused, e.Outcome)
	}
	assert.Len(t, n.all(), 4)
}

func TestAForeignIDIsAPhantomAndHarmless(t *testing.T) {
	g, n := sink(t)
	id := `<script>alert(1)</script>` + strings.Repeat("x", 1000)
	_, _ = post(t, g, "/charges", "k", `{"order_id":"`+id+`","amount":1}`)
	require.Len(t, n.all(), 1)
	e := n.all()[0]
	assert.Equal(t, history.NoUnit, e.Unit)
	assert.Contains(t, e.Value, "foreign id: <script>")
	assert.Less(t, len(e.Value), 300)
}

func TestWhatTheSinkDoesNotTake(t *testing.T) {
	g, n := sink(t)
	for name, c := range map[string]struct {
		path, key, body string
		want            int
	}{
		"no key":   {"/charges", "", `{"order_id":"o-1"}`, http.StatusBadRequest},
		"no JSON":  {"/charges", "k", `charge him`, http.StatusBadRequest},
		"no path":  {"/elsewhere", "k", `{"order_id":"o-1"}`, http.StatusNotFound},
		"too much": {"/charges", "k", `{"order_id":"o-1","card":"` + strings.Repeat("x", maxBody) + `"}`, http.StatusRequestEntityTooLarge},
	} {
		status, _ := post(t, g, c.path, c.key, c.body)
		assert.Equal(t, c.want, status, name)
	}
	assert.Empty(t, n.all(), "what is not taken is no effect")
}

func TestWhoTheSinkDoesNotKnow(t *testing.T) {
	g, n := sink(t)
	for name, c := range map[string]struct{ remote, authorization string }{
		"no token":    {"127.0.0.1:999", ""},
		"wrong token": {"127.0.0.1:999", "Bearer wrong"},
		"bare token":  {"127.0.0.1:999", secret},
		"elsewhere":   {"192.0.2.7:999", "Bearer " + secret},
		"nowhere":     {"", "Bearer " + secret},
	} {
		r := httptest.NewRequest(http.MethodPost, "/charges", strings.NewReader(`{"order_id":"o-1","amount":1}`))
		r.RemoteAddr = c.remote
		r.Header.Set("Authorization", c.authorization)
		r.Header.Set("Idempotency-Key", "k")
		w := httptest.NewRecorder()
		g.ServeHTTP(w, r)
		assert.Equal(t, http.StatusUnauthorized, w.Code, name)
	}
	assert.Empty(t, n.all())
	assert.True(t, strings.HasPrefix(g.addr, "127.0.0.1:"), "it listens on loopback alone")
}

func TestWhatWasDoneCanBeAskedForAndIsNotDoneByIt(t *testing.T) {
	g, n := sink(t)
	has := func(path string) string {
		req, err := http.NewRequest(http.MethodGet, "http://"+g.addr+path, nil)
		require.NoError(t, err)
		req.Header.Set("Authorization", "Bearer "+secret)
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return string(body)
	}
	assert.JSONEq(t, `{"done":false}`, has("/shipments?order_id=o-1"))
	post(t, g, "/shipments", "k", `{"order_id":"o-1","address":"1 Main Street"}`)
	post(t, g, "/shipments", "l", `{"order_id":"o-2","address":"undeliverable"}`)
	before := len(n.all())
	assert.JSONEq(t, `{"done":true}`, has("/shipments?order_id=o-1"))
	assert.JSONEq(t, `{"done":false}`, has("/charges?order_id=o-1"))
	assert.JSONEq(t, `{"done":false}`, has("/shipments?order_id=o-2"), "it was refused")
	assert.Len(t, n.all(), before, "to ask is no effect")
}
