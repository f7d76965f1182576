package telemetry

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"
)

// Counter is something that is counted, from the start of the process.
type Counter struct {
	name, help string
	labels     []string
	index      int
}

var counters []*Counter

func counter(name, help string, labels ...string) *Counter {
	c := &Counter{name: name, help: help, labels: labels, index: len(counters)}
	counters = append(counters, c)
	return c
}

// What is counted, beside the operations.
var (
	Redeliveries   = counter("reference_redeliveries_total", "Messages that were not delivered for the first time.", "consumer")
	Retries        = counter("reference_retries_total", "Calls that were not the first for what they ask.", "operation")
	DeadLetters    = counter("reference_dead_letters_total", "Messages that were set aside.")
	LeaseTakeovers = counter("reference_lease_takeovers_total", "Leases that expired and were taken by somebody else.")
	BreakerOpened  = counter("reference_breaker_opened_total", "Times that calls to the gateway began to be held back, or went on being held back.")
	Refused        = counter("reference_refused_total", "Requests that were refused because too much waited to be sent.")
	Overdue        = counter("reference_overdue_total", "Orders that were undone because their time was up.")
	Spans          = counter("reference_spans_total", "Spans that were recorded, by what became of them.", "fate")
)

// Count counts one more of c, with values for its labels, in the telemetry that ctx carries.
func Count(ctx context.Context, c *Counter, labels ...string) { from(ctx).add(c, 1, labels...) }

func (t *Telemetry) add(c *Counter, n int, labels ...string) {
	if t != nil {
		t.counters[c.index].WithLabelValues(labels...).Add(float64(n))
	}
}

// Gauge has a number told that is read whenever somebody asks. read is called from any goroutine.
func (t *Telemetry) Gauge(name, help string, read func(ctx context.Context) (float64, error)) {
	if t != nil {
		t.registry.MustRegister(gauge{prometheus.NewDesc(name, help, nil, nil), read})
	}
}

type gauge struct {
	desc *prometheus.Desc
	read func(ctx context.Context) (float64, error)
}

func (g gauge) Describe(ch chan<- *prometheus.Desc) { ch <- g.desc }

func (g gauge) Collect(ch chan<- prometheus.Metric) {
	v, err := g.read(context.Background())
	if err != nil {
		ch <- prometheus.NewInvalidMetric(g.desc, err)
		return
	}
	ch <- prometheus.MustNewConstMetric(g.desc, prometheus.GaugeValue, v)
}
