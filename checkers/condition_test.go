package checkers

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/history"
)

func TestParseCondition(t *testing.T) {
	tests := []struct {
		text string
		want Cond
	}{
		{"completion_latency.p99 < 2s", Cond{Metric: "completion_latency.p99", Op: "<", Value: 2}},
		{"recovery_time<=250ms", Cond{Metric: "recovery_time", Op: "<=", Value: 0.25}},
		{"recovery_time < 1.5m", Cond{Metric: "recovery_time", Op: "<", Value: 90}},
		{"lateness.p99 < 500us", Cond{Metric: "lateness.p99", Op: "<", Value: 0.0005}},
		{"completion_rate >= 99.5%", Cond{Metric: "completion_rate", Op: ">=", Value: 0.995}},
		{"completion_rate >= 0.5", Cond{Metric: "completion_rate", Op: ">=", Value: 0.5}},
		{"  redeliveries  >  0 ", Cond{Metric: "redeliveries", Op: ">", Value: 0}},
		{"stuck == 0", Cond{Metric: "stuck", Op: "==", Value: 0}},
		{"every  fault confirmed", Cond{}},
		{"operations in flight during every fault", Cond{}},
	}
	for _, test := range tests {
		got, err := ParseCondition(test.text)
		require.NoError(t, err, test.text)
		got.Text = ""
		assert.InDelta(t, test.want.Value, got.Value, 1e-12, test.text)
		got.Value, test.want.Value = 0, 0
		assert.Equal(t, test.want, got, test.text)
	}
}

func TestConditionsThatAreWrong(t *testing.T) {
	tests := []struct {
		text   string
		column int
		msg    string
	}{
		{"", 1, "want the name of a metric"},
		{"completion_latncy.p99 < 2s", 1, `did you mean "completion_latency.p99"?`},
		{"zzzzzzzzzzzzzzzzzzzzzzzz < 2s", 1, "the metrics are completion_rate,"},
		{"every fault confirmd", 1, `did you mean "every fault confirmed"?`},
		{"stuck = 0", 7, `did you mean "=="?`},
		{"stuck 0", 7, "want one of <, <=, >, >=, =="},
		{"stuck <", 8, "want a number"},
		{"stuck < many", 9, "want a number"},
		{"stuck < 1-2", 9, "want a number"},
		{"recovery_time < 2", 18, "recovery_time is measured as s: want us, ms, s or m"},
		{"recovery_time < 2 hours", 19, "want us, ms, s or m"},
		{"stuck < 2s", 10, "want no unit"},
		{"completion_rate > 2s", 20, "want % or nothing"},
		{"stuck < 2 and more", 15, `nothing may follow "stuck < 2 and"`},
		{"stuck < 2 % more", 13, "nothing may follow"},
	}
	for _, test := range tests {
		_, err := ParseCondition(test.text)
		var bad *CondError
		require.ErrorAs(t, err, &bad, test.text)
		assert.Equal(t, test.column, bad.Column, "%s: %s", test.text, bad.Msg)
		assert.Contains(t, bad.Msg, test.msg, test.text)
	}
}

func TestEvaluate(t *testing.T) {
	metrics := []Metric{{Name: "recovery_time", Unit: "s", Value: 0.25}, {Name: "stuck", Unit: "count", Value: 2},
		{Name: "completion_rate", Unit: "ratio", Value: 0.995}, {Name: "redeliveries", Unit: "count", NA: true}}
	faults := []FaultResult{{ID: "f1", Verdict: Confirmed, InFlight: 3}, {ID: "f2", Verdict: Masked}}
	tests := []struct {
		text   string
		met    bool
		actual string
		reason string
	}{
		{"recovery_time < 300ms", true, "250.0ms", ""},
		{"recovery_time < 250ms", false, "250.0ms", "recovery_time is 250.0ms"},
		{"recovery_time <= 250ms", true, "250.0ms", ""},
		{"stuck > 2", false, "2", "stuck is 2"},
		{"stuck >= 2", true, "2", ""},
		{"stuck == 2", true, "2", ""},
		{"completion_rate == 99.5%", true, "99.50%", ""},
		{"redeliveries >= 0", false, "not measured", "there was nothing to measure redeliveries on"},
		{"every fault confirmed", false, "1 of 2", "f2 was masked"},
		{"operations in flight during every fault", false, "1 of 2", "f2 held while no operation was in flight"},
		{"nonsense", false, "", "not understood, column 1"},
	}
	for _, test := range tests {
		c := evaluate(test.text, metrics, faults)
		assert.Equal(t, test.met, c.Met, test.text)
		assert.Equal(t, test.actual, c.Actual, test.text)
		assert.Contains(t, c.Reason, test.reason, test.text)
	}
	assert.True(t, evaluate("every fault confirmed", nil, faults[:1]).Met)
	assert.False(t, evaluate("every fault confirmed", nil, nil).Met, "no fault at all is not every fault")
}

func FuzzParseCondition(f *testing.F) {
	f.Add("completion_latency.p99 < 2s")
	f.Add("every fault confirmed")
	f.Add("stuck == 1e309")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ParseCondition(text)
		if err != nil {
			var bad *CondError
			require.ErrorAs(t, err, &bad)
			assert.LessOrEqual(t, 1, bad.Column)
			assert.LessOrEqual(t, bad.Column, len(text)+1)
			return
		}
		again, err := ParseCondition(c.Text)
		require.NoError(t, err)
		assert.Equal(t, c, again)
		if err := c.Abort(); err != nil {
			var bad *CondError
			require.ErrorAs(t, err, &bad)
			assert.LessOrEqual(t, 1, bad.Column)
			assert.LessOrEqual(t, bad.Column, len(c.Text)+1)
		} else if _, err := NewWatch(history.Claims{}, []string{text}); err != nil {
			t.Errorf("%q may abort a run, and cannot be watched: %v", text, err)
		}
	})
}
