package telemetry_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/wreckon/wreckon/internal/otlp"
	"github.com/wreckon/wreckon/reference/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	traceID = "0af7651916cd43dd8448eb211c80319c"
	cause   = "00-" + traceID + "-b7ad6b7169203331-01"
)

func environment(endpoint string) func(string) string {
	return func(key string) string {
		if key == "OTEL_EXPORTER_OTLP_ENDPOINT" {
			return endpoint
		}
		return ""
	}
}

func start(t testing.TB, endpoint string) (context.Context, *telemetry.Telemetry, *bytes.Buffer) {
	t.Helper()
	var out bytes.Buffer
	log := slog.New(telemetry.Logs(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})))
	tel, err := telemetry.New(t.Context(), "payments", environment(endpoint), log)
	require.NoError(t, err)
	return telemetry.With(t.Context(), tel), tel, &out
}

// collected has a collector take what act makes, and returns it.
func collected(t *testing.T, act func(ctx context.Context)) []otlp.Span {
	t.Helper()
	path := filepath.Join(t.TempDir(), "spans.jsonl")
	collector, err := otlp.NewReceiver(path)
	require.NoError(t, err)
	endpoint, err := collector.Listen("127.0.0.1:0")
	require.NoError(t, err)
	ctx, tel, _ := start(t, endpoint)
	act(ctx)
	require.NoError(t, tel.Close(t.Context()))
	require.NoError(t, collector.Close(t.Context()))
	spans, err := otlp.ReadFile(path)
	require.NoError(t, err)
	return spans
}

func metrics(t *testing.T, tel *telemetry.Telemetry) string {
	t.Helper()
	w := httptest.NewRecorder()
	tel.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	require.Equal(t, http.StatusOK, w.Code, w.Body.String())
	return w.Body.String()
}

func TestWhatACauseCausesIsOneTrace(t *testing.T) {
	spans := collected(t, func(ctx context.Context) {
		ctx, received := telemetry.Begin(ctx, telemetry.Consumer, "receive payments", cause)
		telemetry.About(ctx, telemetry.Job{Attempt: 2})
		telemetry.About(ctx, telemetry.Job{ID: "o-1/charge", Parent: "o-1"})
		_, called := telemetry.Begin(ctx, telemetry.Client, "POST gateway/charges", received.Trace())
		called.End("unknown", errors.New("no answer"))
		received.End("again", errors.New("no answer"))
		// The message comes again, in another process.
		ctx, again := telemetry.Begin(context.WithoutCancel(ctx), telemetry.Consumer, "receive payments", cause)
		telemetry.About(ctx, telemetry.Job{ID: "o-1/charge", Parent: "o-1", Attempt: 3})
		again.End("done", nil)
	})
	require.Len(t, spans, 3)
	call, first, second := spans[0], spans[1], spans[2]
	for _, s := range spans {
		assert.Equal(t, traceID, s.Trace)
		assert.Equal(t, "payments", s.Service)
		assert.Equal(t, "o-1/charge", s.Attributes["job_id"])
		assert.Equal(t, "o-1", s.Attributes["parent_job_id"])
		assert.False(t, s.End.Before(s.Start))
	}
	assert.Equal(t, "b7ad6b7169203331", first.Parent)
	assert.Equal(t, "b7ad6b7169203331", second.Parent, "a redelivery continues from the same cause")
	assert.Equal(t, first.ID, call.Parent)
	assert.Equal(t, "client", call.Kind)
	assert.Equal(t, "consumer", first.Kind)
	assert.Equal(t, "error", first.Status)
	assert.Equal(t, "again", first.Attributes["outcome"])
	assert.EqualValues(t, 2, first.Attributes["attempt_number"])
	assert.EqualValues(t, 3, second.Attributes["attempt_number"])
	assert.Equal(t, "ok", second.Attributes["status"])
}

func TestATraceThatCannotBeReadIsPassedOnAsItIs(t *testing.T) {
	spans := collected(t, func(ctx context.Context) {
		_, op := telemetry.Begin(ctx, telemetry.Consumer, "x", "ticket 17")
		assert.Equal(t, "ticket 17", op.Trace())
		op.End("done", nil)
		_, op = telemetry.Begin(ctx, telemetry.Consumer, "x", "")
		assert.Empty(t, op.Trace(), "nobody's message begins no trace")
		op.End("done", nil)
	})
	assert.Empty(t, spans)
}

func TestWithoutAnExporterTracesAreOnlyPassedOn(t *testing.T) {
	ctx, tel, out := start(t, "")
	ctx, op := telemetry.Begin(ctx, telemetry.Consumer, "receive payments", cause)
	telemetry.About(ctx, telemetry.Job{ID: "o-1/charge", Parent: "o-1", Attempt: 2})
	assert.Equal(t, cause, op.Trace())
	op.End("done", nil)
	require.NoError(t, tel.Close(t.Context()))
	assert.Contains(t, metrics(t, tel), `reference_operation_seconds_count{operation="receive payments",outcome="done"} 1`)
	for _, want := range []string{"trace_id=" + traceID, "job_id=o-1/charge", "parent_job_id=o-1", "attempt_number=2", "status=ok", "outcome=done", "began=", "took="} {
		assert.Contains(t, out.String(), want)
	}
}

func TestWithoutTelemetryNothingHappens(t *testing.T) {
	ctx, op := telemetry.Begin(t.Context(), telemetry.Consumer, "x", cause)
	telemetry.About(ctx, telemetry.Job{ID: "o-1"})
	telemetry.Count(ctx, telemetry.Redeliveries, "x")
	assert.Equal(t, cause, op.Trace())
	op.End("done", nil)
	assert.Nil(t, telemetry.Of(ctx))
}

func TestARequestThatSubmitsWithoutATraceGetsOne(t *testing.T) {
	var seen []string
	mux := http.NewServeMux()
	mux.HandleFunc("POST /orders", func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.Header.Get("traceparent"))
		w.WriteHeader(http.StatusCreated)
	})
	spans := collected(t, func(ctx context.Context) {
		h := telemetry.Serve(mux)
		for _, header := range []http.Header{{"Idempotency-Key": {"k"}}, {}, {"Traceparent": {cause}}} {
			r := httptest.NewRequest("POST", "/orders", nil).WithContext(ctx)
			r.Header = header
			h.ServeHTTP(httptest.NewRecorder(), r)
		}
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/nowhere", nil).WithContext(ctx))
	})
	require.Len(t, spans, 2)
	assert.Equal(t, "POST /orders", spans[0].Name)
	assert.Equal(t, "201", spans[0].Attributes["outcome"])
	assert.Equal(t, "00-"+spans[0].Trace+"-"+spans[0].ID+"-01", seen[0], "what is stored continues the span")
	assert.Empty(t, seen[1])
	assert.Equal(t, traceID, spans[1].Trace)
}

// A collector that is away, and comes back, gets everything that there was room for.
func TestSpansWaitForACollector(t *testing.T) {
	var up atomic.Bool
	var got atomic.Int64
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !up.Load() {
			w.WriteHeader(http.StatusInternalServerError)
			up.Store(true)
			return
		}
		got.Add(1)
	}))
	defer collector.Close()
	ctx, tel, _ := start(t, collector.URL)
	_, op := telemetry.Begin(ctx, telemetry.Consumer, "x", cause)
	op.End("done", nil)
	require.Eventually(t, func() bool { return got.Load() == 1 }, 20*time.Second, time.Millisecond)
	require.NoError(t, tel.Close(t.Context()))
	assert.Contains(t, metrics(t, tel), `reference_spans_total{fate="exported"} 1`)
}

// A collector that hangs costs spans, and neither time nor silence.
func TestWhatThereIsNoRoomForIsCounted(t *testing.T) {
	hung, entered := make(chan struct{}), make(chan struct{}, 100)
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		entered <- struct{}{}
		select {
		case <-hung:
		case <-r.Context().Done():
		}
	}))
	defer collector.Close()
	defer close(hung)
	ctx, tel, out := start(t, collector.URL)
	one := func() {
		_, op := telemetry.Begin(ctx, telemetry.Consumer, "x", cause)
		op.End("done", nil)
	}
	one()
	<-entered // the first is on its way, and stays there
	for range telemetry.Room + 5 {
		one()
	}
	assert.Contains(t, metrics(t, tel), `reference_spans_total{fate="lost-queue-full"} 5`)
	over, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, tel.Close(over))
	numbers := metrics(t, tel)
	assert.Contains(t, numbers, `reference_spans_total{fate="lost-not-exported"} 16385`)
	assert.Contains(t, out.String(), "spans lost")
}

func TestAGaugeThatCannotBeReadIsAnError(t *testing.T) {
	_, tel, _ := start(t, "")
	tel.Gauge("reference_depth", "how deep", func(context.Context) (float64, error) { return 3, nil })
	assert.Contains(t, metrics(t, tel), "\nreference_depth 3\n")
	tel.Gauge("reference_lag", "how long", func(context.Context) (float64, error) { return 0, errors.New("database is away") })
	w := httptest.NewRecorder()
	tel.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	assert.Equal(t, http.StatusInternalServerError, w.Code)
	assert.NotContains(t, w.Body.String(), "reference_depth 3")
}

func TestAnEndpointThatIsNoneIsAnError(t *testing.T) {
	_, err := telemetry.New(t.Context(), "x", environment("http://[::1"), slog.New(slog.DiscardHandler))
	require.Error(t, err)
	assert.Contains(t, strings.ToLower(err.Error()), "export spans to")
}

func BenchmarkOperation(b *testing.B) {
	collector := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer collector.Close()
	for _, c := range []struct{ name, endpoint string }{{"not exported", ""}, {"exported", collector.URL}} {
		b.Run(c.name, func(b *testing.B) {
			tel, err := telemetry.New(b.Context(), "payments", environment(c.endpoint), slog.New(telemetry.Logs(slog.DiscardHandler)))
			require.NoError(b, err)
			ctx := telemetry.With(b.Context(), tel)
			b.ReportAllocs()
			for b.Loop() {
				ctx, op := telemetry.Begin(ctx, telemetry.Consumer, "receive payments", cause)
				telemetry.About(ctx, telemetry.Job{ID: "o-1/charge", Parent: "o-1", Attempt: 1})
				_ = op.Trace()
				op.End("done", nil)
			}
			require.NoError(b, tel.Close(b.Context()))
		})
	}
}
