package reports

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/wreckon/wreckon/checkers"
	"github.com/wreckon/wreckon/history"
)

func TestIndicatorsShowAllQuantilesOnOneLine(t *testing.T) {
	ten, others := indicators([]checkers.Metric{
		{Name: "completion_rate", Value: 0.998, Unit: "ratio", M: "M1", Doc: "units that ended"},
		{Name: "completion_latency.p50", Value: 0.061, Unit: "s", M: "M2", Doc: "to the end: median"},
		{Name: "completion_latency.p95", Value: 0.5, Unit: "s", M: "M2", Doc: "the same"},
		{Name: "completion_latency.p99", Value: 1.18, Unit: "s", M: "M2", Doc: "the same"},
		{Name: "completion_latency.max", Value: 2, Unit: "s", M: "M2", Doc: "the same"},
		{Name: "lateness.p50", Value: 0.001, Unit: "s", Doc: "late: median"},
		{Name: "lateness.max", Unit: "s", Doc: "the same", NA: true},
		{Name: "retries_per_unit.p50", Unit: "count", M: "M6", Doc: "repeats: median", NA: true},
		{Name: "retries_per_unit.max", Unit: "count", M: "M6", Doc: "the same", NA: true},
	})
	assert.Equal(t, []indicator{
		{M: "M1", Name: "completion_rate", Doc: "units that ended", Value: "99.8 %"},
		{M: "M2", Name: "completion_latency", Doc: "to the end", Value: "p50 61ms · p95 500ms · p99 1.18s · max 2s"},
		{M: "M6", Name: "retries_per_unit", Doc: "repeats", Value: "n/a"},
	}, ten)
	assert.Equal(t, []indicator{{Name: "lateness", Doc: "late", Value: "p50 1ms · max n/a"}}, others)
}

// Whatever is measured is shown: no metric of the table is swallowed by the one before it.
func TestEveryMetricIsShown(t *testing.T) {
	metrics := checkers.Judge(history.New(history.Header{}), checkers.Spec{}).Metrics
	ten, others := indicators(metrics)
	shown := map[string]bool{}
	for _, x := range append(ten, others...) {
		shown[x.Name] = true
	}
	for _, m := range metrics {
		base, _, _ := cutQuantile(m.Name)
		assert.True(t, shown[base], m.Name)
	}
	assert.Len(t, shown, len(ten)+len(others)-1, "retries_per_unit is a mean and a distribution")
	seen := map[string]bool{}
	for _, x := range ten {
		seen[x.M] = true
	}
	assert.Len(t, seen, 10)
}
