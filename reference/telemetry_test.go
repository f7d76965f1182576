package reference_test

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/internal/otlp"
	"github.com/wreckon/wreckon/reference"
)

// An order is one trace, from its client to the gateway and back, also where its way is interrupted.
func TestAnOrderIsOneTrace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "spans.jsonl")
	collector, err := otlp.NewReceiver(path)
	require.NoError(t, err)
	endpoint, err := collector.Listen("127.0.0.1:0")
	require.NoError(t, err)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
	s := start(t)
	for id, kind := range map[string]string{"o-1": "happy", "o-2": "undeliverable", "o-3": "poison"} {
		status, _, err := s.submit(order(id, kind))
		require.NoError(t, err)
		require.Equal(t, http.StatusCreated, status)
	}
	s.waitSettled()
	for _, c := range reference.Components {
		status, numbers, err := s.ask(c, "/metrics")
		require.NoError(t, err)
		assert.Equal(t, http.StatusOK, status, "%s: %s", c, numbers)
		switch c {
		case "relay":
			assert.Contains(t, string(numbers), `reference_operation_seconds_count{operation="publish orders.created",outcome="stored"} 3`)
			assert.Contains(t, string(numbers), "\nreference_outbox_depth 0\n")
		case "inventory":
			assert.Contains(t, string(numbers), "\nreference_dead_letters_total 1\n")
			assert.Contains(t, string(numbers), "\nreference_dead_letters 1\n")
		}
	}
	for _, c := range reference.Components[1:] {
		require.Zero(t, s.terminate(c), c) // what they have to tell, they tell before they go
	}
	require.NoError(t, collector.Close(t.Context()))
	spans, err := otlp.ReadFile(path)
	require.NoError(t, err)

	traces, services, known := map[string]string{}, map[string]map[string]bool{}, map[string]bool{}
	for _, span := range spans {
		known[span.ID] = true
	}
	for _, span := range spans {
		job, _ := span.Attributes["job_id"].(string)
		if span.Kind == "producer" { // an outbox does not know what it sends
			assert.True(t, known[span.Parent], "its cause is there, too: %+v", span)
			continue
		}
		unit, _, _ := strings.Cut(job, "/")
		require.Contains(t, []string{"o-1", "o-2", "o-3"}, unit, "%+v", span)
		if traces[unit] == "" {
			traces[unit], services[unit] = span.Trace, map[string]bool{}
		}
		assert.Equal(t, traces[unit], span.Trace, "%+v", span)
		assert.NotEmpty(t, span.Attributes["status"], "%+v", span)
		assert.NotEmpty(t, span.Attributes["outcome"], "%+v", span)
		services[unit][span.Service] = true
		if span.Name != "POST /orders" {
			assert.True(t, known[span.Parent], "its cause is there, too: %+v", span)
		}
	}
	for _, c := range []string{"api", "saga", "inventory", "payments", "shipping"} {
		assert.True(t, services["o-1"][c], c)
		assert.True(t, services["o-2"][c], c)
	}
	assert.Len(t, traces, 3)
	for _, span := range spans {
		assert.Contains(t, traces, map[string]string{traces["o-1"]: "o-1", traces["o-2"]: "o-2", traces["o-3"]: "o-3"}[span.Trace], "%+v", span)
	}
}
