package checkers

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What was not seen cannot be counted: no threshold is met by it.
func TestWhatWasMissedIsNotMeasured(t *testing.T) {
	const before, after = "c1 submit o-1\nc1 ok pending v1\neffect charge do o-1 4990\neffect charge undo o-1 4990\n", "settled\nstate o-1 compensated v2\nend\n"
	measured := func(text, name string) bool {
		s, err := parseScript(text)
		require.NoError(t, err)
		metrics := Judge(s.history(), Spec{}).Metrics
		k := slices.IndexFunc(metrics, func(m Metric) bool { return m.Name == name })
		require.GreaterOrEqual(t, k, 0, name)
		return !metrics[k].NA
	}
	for feed, names := range map[string][]string{
		"effects": {"compensation_success", "deduplicated"},
		"letters": {"stuck", "completion_rate", "dead_letter_rate"},
	} {
		for _, name := range names {
			assert.True(t, measured(before+after, name), name)
			assert.False(t, measured(before+"missed "+feed+"\n"+after, name), name)
		}
	}
}
