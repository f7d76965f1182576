package scenarios

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestDurations(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"250ms": 250 * time.Millisecond, "3s": 3 * time.Second, "1m30s": 90 * time.Second, "0.5s": 500 * time.Millisecond, "0s": 0,
	} {
		got, err := duration(text)
		assert.NoError(t, err, text)
		assert.Equal(t, want, got, text)
	}
	for text, want := range map[string]string{
		"5": "has no unit", "": "is missing", "-1s": "must not be negative", "010s": "write 10s", "00s": "write 0s", "5 s": "is no time",
		"1d": "is no time", "s": "is no time", "1s2": "is no time", "25h": "longer than a day", "9999999999999999999h": "longer than a day",
		"١s": "is no time",
	} {
		_, err := duration(text)
		assert.ErrorContains(t, err, want, text)
	}
}

func TestRatesAndSizes(t *testing.T) {
	for text, want := range map[string]float64{"40/s": 40, "30/m": 0.5, "0.5 / s": 0.5, "0/s": 0} {
		got, err := rate(text)
		assert.NoError(t, err, text)
		assert.InDelta(t, want, got, 1e-12, text)
	}
	for text, want := range map[string]int64{"500B/s": 500, "16KB/s": 16_000, "1.5 MB/s": 1_500_000} {
		got, err := bandwidth(text)
		assert.NoError(t, err, text)
		assert.Equal(t, want, got, text)
	}
	for text, want := range map[string]float64{"0.5": 0.5, "50%": 0.5, "2": 2, "0": 0} {
		got, err := ratio(text)
		assert.NoError(t, err, text)
		assert.InDelta(t, want, got, 1e-12, text)
	}
	for _, text := range []string{"", "40", "-1/s", "40/h", "04/s", "1e9/s", "NaN/s", "100001/s"} {
		_, err := rate(text)
		assert.Error(t, err, text)
	}
	for _, text := range []string{"", "16", "16KB", "16k/s", "0B/s", "-1B/s", "99999999MB/s"} {
		_, err := bandwidth(text)
		assert.Error(t, err, text)
	}
	for _, text := range []string{"", "-1", "half", "050%", "101", "1e3"} {
		_, err := ratio(text)
		assert.Error(t, err, text)
	}
}
