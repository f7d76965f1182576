package reference_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/reference"
	"github.com/wreckon/wreckon/reference/defects"
)

func TestUsageErrors(t *testing.T) {
	full := func(args ...string) []string {
		return append([]string{"payments", "--data", "d", "--control", "127.0.0.1:0", "--broker", "b:1", "--gateway", "http://g"}, args...)
	}
	for _, c := range []struct {
		args []string
		says string
	}{
		{nil, "name one of: broker, api"},
		{[]string{"cashier"}, "name one of: broker, api"},
		{[]string{"payments"}, "--data is needed"},
		{[]string{"payments"}, "--gateway is needed"},
		{[]string{"api"}, "--listen is needed"},
		{[]string{"relay"}, "--broker is needed"},
		{full("--nonsense"), "nonsense"},
		{full("extra"), `unexpected argument "extra"`},
		{full("--defect", "no-such"), "publish-before-commit"},
		{full("--sync", "sometimes"), "want full, normal or off"},
		{full("--lease", "100ms"), "--lease is not longer than --gateway-timeout"},
		{full("--hold", "400ms"), "--hold is not longer than --gateway-timeout"},
		{[]string{"reclaimer"}, "--bookings is needed"},
		{[]string{"intake"}, "--listen is needed"},
		{[]string{"ingester"}, "--gateway is needed"},
		{full("--drain", "0"), "--drain is below 1ms"},
		{full("--workers", "0"), "--workers is below 1"},
		{full("--control", "0.0.0.0:0"), "not a loopback address"},
		{full("--control", "example.org:0"), "not a loopback address"},
	} {
		var stderr bytes.Buffer
		code := reference.Main(t.Context(), c.args, environment(nil), nil, &stderr)
		assert.Equal(t, 2, code, "%v", c.args)
		assert.Contains(t, stderr.String(), c.says, "%v", c.args)
	}
	var stderr bytes.Buffer
	assert.Equal(t, 2, reference.Main(t.Context(), full(), environment(map[string]string{"OPERATORS": "ann"}), nil, &stderr))
	assert.Contains(t, stderr.String(), "read OPERATORS")
	assert.Equal(t, 2, reference.Main(t.Context(), full(), func(string) string { return "" }, nil, &stderr))
	assert.Contains(t, stderr.String(), "CONTROL_TOKEN")
	assert.Zero(t, reference.Main(t.Context(), []string{"api", "-h"}, func(string) string { return "" }, nil, &stderr))
}

// environment holds the tokens, and more.
func environment(more map[string]string) func(string) string {
	return func(name string) string {
		if strings.HasSuffix(name, "_TOKEN") {
			return "token"
		}
		return more[name]
	}
}

func TestDefectsAreDescribed(t *testing.T) {
	seen := map[string]bool{}
	for _, d := range reference.Defects() {
		assert.False(t, seen[d.Name], "%s is listed twice", d.Name)
		seen[d.Name] = true
		assert.NotEmpty(t, d.Reveals, d.Name)
		assert.NotEmpty(t, d.Falls, d.Name)
		assert.Greater(t, len(strings.Fields(d.Story)), 40, "the story of %s is a paragraph", d.Name)
		found, ok := defects.Find(d.Name)
		require.True(t, ok)
		assert.Equal(t, d.Story, found.Story)
	}
	assert.NotEmpty(t, seen)
	_, ok := defects.Find("none")
	assert.False(t, ok)
}
