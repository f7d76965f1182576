// Package telemetry lets people watch a component at work: traces of units across every boundary, numbers, and log lines that can be
// found by trace.
//
// Promise: whatever crosses a boundary (a request in or out, a message out or in, a call to the gateway) is one Operation, and an
// Operation is a span, a number and, at debug level, a log line, all of which agree. The spans of one unit are one trace: the trace
// its client sent, or, if it sent none and spans are exported, one that begins where the unit came in. A retry and a redelivery
// continue it; they are spans of their own with an attempt_number. Watching changes nothing: a collector that is slow, full or away
// costs spans and never waits, and each span that was lost is counted.
//
// How: the traceparent of the Operation that caused it is stored with each message and each row, and Begin continues from there. Spans
// are exported only if OTEL_EXPORTER_OTLP_ENDPOINT (or its _TRACES_ form) is set, over OTLP/HTTP, through a bounded queue. Without it
// no span is made, traceparents are passed on as they came, and numbers and trace ids in log lines remain. The context carries it
// all, as it carries spans: nothing has to be wired, and where a context carries no telemetry, nothing happens.
//
// Cost: without an exporter an Operation costs a microsecond and half a kilobyte; with one some ten microseconds, and memory for as
// many spans as the queue holds; see the benchmark. Breaks: a process that is killed takes the spans of the last Every with it, and those of the
// operations in hand, so that a span that is absent proves nothing; times are those of the machine that tells them; messages that
// the outbox joins (the audit lane) belong to many units and to no trace.
//
// It must never decide anything: nothing in the system reads what is recorded here.
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Telemetry is what one process tells about itself. A nil one tells nothing.
type Telemetry struct {
	log      *slog.Logger
	registry *prometheus.Registry
	seconds  *prometheus.HistogramVec
	counters []*prometheus.CounterVec // by Counter.index

	tracer trace.Tracer // nil: no spans
	queue  *queue
}

// New makes the telemetry of a component. Where spans go is said by the standard variables of OpenTelemetry: it reads the endpoint
// with getenv, and everything else (headers, sampler, resource attributes) where the SDK reads it, in the environment of the process.
func New(ctx context.Context, component string, getenv func(string) string, log *slog.Logger) (*Telemetry, error) {
	t := &Telemetry{log: log, registry: prometheus.NewRegistry()}
	t.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	t.seconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "reference_operation_seconds",
		Help:    "Operations at the component's boundaries, by what became of them.",
		Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
	}, []string{"operation", "outcome"})
	t.registry.MustRegister(t.seconds)
	for _, c := range counters {
		vec := prometheus.NewCounterVec(prometheus.CounterOpts{Name: c.name, Help: c.help}, c.labels)
		t.registry.MustRegister(vec)
		t.counters = append(t.counters, vec)
	}
	where := endpoint(getenv)
	if where == "" || strings.EqualFold(getenv("OTEL_SDK_DISABLED"), "true") {
		return t, nil
	}
	if u, err := url.Parse(where); err != nil || u.Host == "" {
		return nil, fmt.Errorf("export spans to %q: want a URL", where)
	}
	// A failed export is tried again by the queue, which counts what it gives up.
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(where), otlptracehttp.WithRetry(otlptracehttp.RetryConfig{}))
	if err != nil {
		return nil, fmt.Errorf("export spans to %s: %w", where, err)
	}
	name := getenv("OTEL_SERVICE_NAME")
	if name == "" {
		name = component
	}
	about, err := resource.New(ctx, resource.WithFromEnv(), resource.WithAttributes(
		attribute.String("service.name", name), attribute.Int("process.pid", os.Getpid())))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("describe component for spans: %w", err), exporter.Shutdown(ctx))
	}
	t.queue = newQueue(exporter, t, log)
	t.tracer = sdk.NewTracerProvider(sdk.WithResource(about), sdk.WithSpanProcessor(t.queue)).Tracer("reference")
	return t, nil
}

// endpoint is the URL that spans are posted to; "" if they are not.
func endpoint(getenv func(string) string) string {
	if e := getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"); e != "" {
		return e
	}
	e := getenv("OTEL_EXPORTER_OTLP_ENDPOINT")
	if e == "" {
		return ""
	}
	return strings.TrimRight(e, "/") + "/v1/traces"
}

// Close exports what is queued until ctx ends, and counts the rest as lost.
func (t *Telemetry) Close(ctx context.Context) error {
	if t == nil || t.queue == nil {
		return nil
	}
	if err := t.queue.Shutdown(ctx); err != nil {
		return fmt.Errorf("stop exporting spans: %w", err)
	}
	return nil
}

// Handler serves the numbers as text, in the form that Prometheus reads. If one of them cannot be told it answers 500: half of the
// truth would look like the whole.
func (t *Telemetry) Handler() http.Handler {
	return promhttp.HandlerFor(t.registry, promhttp.HandlerOpts{ErrorHandling: promhttp.HTTPErrorOnError, DisableCompression: true})
}

type contextKey int

const (
	telemetryKey contextKey = iota
	operationKey
)

// With makes a context that carries t.
func With(ctx context.Context, t *Telemetry) context.Context {
	return context.WithValue(ctx, telemetryKey, t)
}

func from(ctx context.Context) *Telemetry {
	t, _ := ctx.Value(telemetryKey).(*Telemetry)
	return t
}
