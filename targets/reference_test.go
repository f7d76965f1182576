package targets

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/history"
	"github.com/wreckon/wreckon/workloads"
)

// answers is a server that answers every request alike.
func answers(t *testing.T, status int, body string) (addr string, seen *[]*http.Request) {
	t.Helper()
	seen = &[]*http.Request{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*seen = append(*seen, r)
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://"), seen
}

func TestHowAnswersAreTaken(t *testing.T) {
	const ok = `{"order_id":"o-1","state":"pending","version":3,"note":"hello"}`
	for _, c := range []struct {
		op     string
		status int
		body   string
		want   workloads.Answer
	}{
		{workloads.Submit, 201, ok, workloads.Answer{Kind: history.KindOK, Value: "pending", Token: 3}},
		{workloads.Submit, 422, `{"error":"no"}`, workloads.Answer{Kind: history.KindFail, Value: "422 no"}},
		{workloads.Submit, 503, `{"error":"later"}`, workloads.Answer{Kind: history.KindInfo, Value: "503 Service Unavailable later"}},
		{workloads.Read, 200, ok, workloads.Answer{Kind: history.KindOK, Value: "pending|hello", Token: 3}},
		{workloads.Read, 404, `{}`, workloads.Answer{Kind: history.KindOK, Value: "absent"}},
		{workloads.Read, 500, `{}`, workloads.Answer{Kind: history.KindFail, Value: "500 Internal Server Error "}},
		{workloads.Amend, 200, ok, workloads.Answer{Kind: history.KindOK, Value: "pending", Token: 3}},
		{workloads.Amend, 412, ok, workloads.Answer{Kind: history.KindFail, Value: "412 ", Token: 3}},
		{workloads.Amend, 500, `{}`, workloads.Answer{Kind: history.KindInfo, Value: "500 Internal Server Error "}},
	} {
		t.Run(fmt.Sprintf("%s %d", c.op, c.status), func(t *testing.T) {
			addr, _ := answers(t, c.status, c.body)
			assert.Equal(t, c.want, do(t, addr, workloads.Operation{Op: c.op}))
		})
	}
}

func do(t *testing.T, addr string, op workloads.Operation) workloads.Answer {
	t.Helper()
	client := &orderClient{base: "http://" + addr, http: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	return client.Do(ctx, op)
}

func TestWhatNoAnswerMeans(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	defer s.Close()
	addr := strings.TrimPrefix(s.URL, "http://")
	assert.Equal(t, history.KindInfo, do(t, addr, workloads.Operation{Op: workloads.Submit}).Kind, "it may have taken effect")
	assert.Equal(t, history.KindInfo, do(t, addr, workloads.Operation{Op: workloads.Amend}).Kind)
	assert.Equal(t, history.KindFail, do(t, addr, workloads.Operation{Op: workloads.Read}).Kind, "a read changes nothing")
}

func TestAnAnswerOfTenMegabytesIsCut(t *testing.T) {
	addr, _ := answers(t, 400, `{"error":"`+strings.Repeat("x", 10<<20)+`"}`)
	a := do(t, addr, workloads.Operation{Op: workloads.Submit})
	assert.Equal(t, history.KindFail, a.Kind)
	assert.Less(t, len(a.Value), 300)
}

func TestWhatARequestCarries(t *testing.T) {
	addr, seen := answers(t, 200, `{}`)
	op := workloads.Operation{Op: workloads.Amend, Unit: 16, Key: "key-17", Version: 4, Note: "n", Trace: strings.Repeat("a", 32), Attempt: 2}
	do(t, addr, op)
	op.Op = workloads.Submit
	do(t, addr, op)
	amend, submit := (*seen)[0], (*seen)[1]
	assert.Equal(t, "PATCH /orders/o-17", amend.Method+" "+amend.URL.Path)
	assert.Equal(t, `"4"`, amend.Header.Get("If-Match"))
	assert.Equal(t, "key-17", submit.Header.Get("Idempotency-Key"))
	assert.Regexp(t, `^00-a{32}-[0-9a-f]{16}-01$`, submit.Header.Get("traceparent"))
}

func TestTheAuditTrailIsReadOnceAndInOrder(t *testing.T) {
	var n notebook
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "Bearer "+secret, r.Header.Get("Authorization"))
		if r.URL.Path != "/audit" || r.URL.Query().Get("after") != "0" {
			return
		}
		fmt.Fprintln(w, `{"cursor":1,"source":"api","seq":1,"hash":"h1","body":"{\"order_id\":\"o-17\",\"transition\":\"accepted\",\"at\":\"2026-01-02T03:04:05Z\"}"}`)
		fmt.Fprintln(w, `{"cursor":2,"source":"api","seq":2,"hash":"h2","body":"no JSON"}`)
	}))
	defer s.Close()
	r := &reference{prefix: refPrefix, trails: []string{"audit"}, direct: s.Client(), w: Wiring{Token: secret, Recorder: &n, Clock: midnight{},
		Control: map[string]string{"audit": strings.TrimPrefix(s.URL, "http://")}}}
	for _, want := range []int{2, 0} {
		got, err := r.readAudit(t.Context())
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	events := n.all()
	require.Len(t, events, 2)
	assert.Equal(t, history.Unit(16), events[0].Unit)
	assert.Equal(t, "accepted", events[0].Op)
	assert.Equal(t, 3*time.Hour+4*time.Minute+5*time.Second, events[0].At)
	assert.Equal(t, history.NoUnit, events[1].Unit, "a body that is no JSON is recorded as it is")
	assert.Equal(t, "no JSON", events[1].Value)
}

// midnight is the clock of a run that began on 2 January 2026.
type midnight struct{}

func (midnight) At(unixNano int64) int64 {
	return unixNano - time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC).UnixNano()
}

func TestAFeedThatIsBrokenIsAnError(t *testing.T) {
	for body, want := range map[string]string{"{oops": "line 1", "": ""} {
		addr, _ := answers(t, 200, body)
		r := &reference{direct: http.DefaultClient, w: Wiring{Recorder: &notebook{}, Control: map[string]string{"api": addr}}}
		err := r.observe(t.Context(), "api", nil)
		if want == "" {
			assert.NoError(t, err)
		} else {
			assert.ErrorContains(t, err, want)
		}
	}
	addr, _ := answers(t, 401, "")
	r := &reference{direct: http.DefaultClient, w: Wiring{Recorder: &notebook{}, Control: map[string]string{"api": addr}}}
	assert.ErrorContains(t, r.observe(t.Context(), "api", nil), "it answered 401")
}

func TestTheTopologyIsWhole(t *testing.T) {
	topology := Reference().Topology
	for _, e := range topology.Edges {
		_, from := topology.Component(e.From)
		_, to := topology.Component(e.To)
		assert.True(t, from && to, e.Name())
	}
	e, reversed, ok := topology.Edge("broker", "relay")
	assert.True(t, ok && reversed)
	assert.Equal(t, "relay -> broker", e.Name())
	_, _, ok = topology.Edge("relay", "payments")
	assert.False(t, ok)
}
