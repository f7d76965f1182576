package checkers

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/wreckon/wreckon/history"
)

func TestWhichThresholdsMayAbort(t *testing.T) {
	for text, want := range map[string]struct {
		column int
		msg    string
	}{
		"completion_latency.p99 < 2s": {}, "dead_letter_rate <= 0.1%": {}, "submit_latency.max < 1s": {}, "info_rate < 5%": {},
		"stuck == 0":                  {1, "stuck is not known before a run is over"},
		"recovery_time < 1s":          {1, "these can: completion_latency.p50"},
		"completion_latency.p99 > 2s": {24, "want < or <="},
		"every fault confirmed":       {1, "a phrase cannot abort a run"},
	} {
		cond, err := ParseCondition(text)
		require.NoError(t, err)
		err = cond.Abort()
		if want.msg == "" {
			assert.NoError(t, err, text)
			_, err = NewWatch(history.Claims{}, []string{text})
			assert.NoError(t, err)
			continue
		}
		var bad *CondError
		require.ErrorAs(t, err, &bad, text)
		assert.Equal(t, want.column, bad.Column, text)
		assert.Contains(t, bad.Msg, want.msg)
		_, err = NewWatch(history.Claims{}, []string{text})
		assert.Error(t, err)
	}
	for name := range live {
		_, ok := metricKind(name)
		assert.True(t, ok, name)
	}
}

// feed shows a watch a whole history, and gives the first reason to end the run.
func feed(t require.TestingT, h *history.History, threshold string) (why string, at int) {
	w, err := NewWatch(h.Header.Claims, []string{threshold})
	require.NoError(t, err)
	for i := range h.Len() {
		if why := w.See(time.Duration(h.T[i]), h.Event(i)); why != "" {
			return why, i
		}
	}
	return "", -1
}

// load is a history of n units: each due at its second, answered after a while, and seen to have ended later.
func loadOf(n int, answer, end func(i int) time.Duration) *history.History {
	h := history.New(history.Header{Claims: history.Claims{Prefix: "o-"}})
	for i := range n {
		at := time.Duration(i) * time.Second
		u := history.Unit(i)
		h.Append(history.Event{T: at, At: at, Kind: history.KindInvoke, Unit: u, Op: "submit", Actor: 1, Attempt: 1})
		h.Append(history.Event{T: at + answer(i), Kind: history.KindOK, Unit: u, Op: "submit", Actor: 1, Value: "accepted"})
		h.Append(history.Event{T: at + end(i), Kind: history.KindInvoke, Unit: u, Op: "read", Actor: 2})
		h.Append(history.Event{T: at + end(i), Kind: history.KindOK, Unit: u, Op: "read", Actor: 2, Value: "completed"})
	}
	return h
}

func TestTheWatchEndsARun(t *testing.T) {
	fast := func(int) time.Duration { return 10 * time.Millisecond }
	slow := func(i int) time.Duration {
		if i%50 == 7 {
			return 900 * time.Millisecond
		}
		return 20 * time.Millisecond
	}
	h := loadOf(300, fast, slow)
	for threshold, want := range map[string]struct {
		unit int // that ends it; -1: none does
		why  string
	}{
		"completion_latency.p99 < 500ms":  {99, "was missed: 900.0ms over 100 units so far"}, // two of a hundred
		"completion_latency.p95 < 500ms":  {-1, ""},
		"completion_latency.p99 < 900ms":  {99, "900.0ms over 100 units"},
		"completion_latency.p99 <= 900ms": {-1, ""},
		"completion_latency.max < 500ms":  {7, "900.0ms over 8 units so far"},
		"submit_latency.max < 10ms":       {0, "10.0ms over 1 units so far"},
		"submit_latency.p50 < 11ms":       {-1, ""},
		"units < 30":                      {29, "was missed: 30"},
		"operations <= 30":                {15, "was missed: 31"},
		"info_rate < 1%":                  {-1, ""},
	} {
		why, at := feed(t, h, threshold)
		if want.unit < 0 {
			assert.Empty(t, why, threshold)
			continue
		}
		assert.Contains(t, why, fmt.Sprintf("the threshold %q", threshold))
		assert.Contains(t, why, want.why)
		require.GreaterOrEqual(t, at, 0, threshold)
		assert.Equal(t, history.Unit(want.unit), h.Unit[at], threshold)
	}
}

func TestTheWatchCountsWhatIsNotALatency(t *testing.T) {
	claims := history.Claims{States: history.States{Completed: "done", Quarantined: "held", Audits: map[string]string{"held": "held-back"}}}
	build := func(each func(h *history.History, i int)) *history.History {
		h := history.New(history.Header{Claims: claims})
		for i := range 200 {
			h.Append(history.Event{Kind: history.KindInvoke, Unit: history.Unit(i), Op: "submit", Actor: 1, Attempt: 1})
			each(h, i)
		}
		return h
	}
	ok := func(h *history.History, i int) {
		h.Append(history.Event{Kind: history.KindOK, Unit: history.Unit(i), Op: "submit", Actor: 1})
	}
	for threshold, tc := range map[string]struct {
		h    *history.History
		want string
	}{
		"dead_letter_rate < 1%": {build(func(h *history.History, i int) {
			ok(h, i)
			if i%50 == 0 {
				h.Append(history.Event{Kind: history.KindAudit, Unit: history.Unit(i), Op: "held-back", Component: "api", Token: uint64(i + 1)})
			}
		}), "2.00% over 100 units so far"},
		"duplicate_rate < 0.5%": {build(func(h *history.History, i int) {
			ok(h, i)
			h.Append(history.Event{Kind: history.KindEffect, Unit: history.Unit(i), Op: "do", Step: "charge", Outcome: history.OutcomeApplied})
			if i == 3 {
				h.Append(history.Event{Kind: history.KindEffect, Unit: history.Unit(i), Op: "do", Step: "charge", Outcome: history.OutcomeDeduplicated})
			}
		}), "1.00% over 100 effects so far"},
		"info_rate < 10%": {build(func(h *history.History, i int) {
			kind := history.KindOK
			if i%5 == 0 {
				kind = history.KindInfo
			}
			h.Append(history.Event{Kind: kind, Unit: history.Unit(i), Op: "submit", Actor: 1})
		}), "20.00% over 100 operations so far"},
		"retries_per_unit < 0.5": {build(func(h *history.History, i int) {
			h.Append(history.Event{Kind: history.KindInfo, Unit: history.Unit(i), Op: "submit", Actor: 1})
			h.Append(history.Event{Kind: history.KindInvoke, Unit: history.Unit(i), Op: "submit", Actor: 1, Attempt: 2})
			ok(h, i)
		}), "0.95 over 20 units so far"},
		"deduplicated < 1": {build(func(h *history.History, i int) {
			h.Append(history.Event{Kind: history.KindEffect, Unit: 1 << 31, Outcome: history.OutcomeDeduplicated})
		}), "was missed: 1"},
	} {
		why, _ := feed(t, tc.h, threshold)
		assert.Contains(t, why, tc.want, threshold)
	}
}

// What the watch has measured when it has seen everything is what is measured of the whole: the two cannot drift apart.
func TestTheWatchAgreesWithTheVerdict(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ms := rapid.IntRange(1, 40)
		n := rapid.IntRange(100, 130).Draw(t, "units")
		h := loadOf(n, func(int) time.Duration { return time.Duration(ms.Draw(t, "answer")) * time.Millisecond },
			func(int) time.Duration { return time.Duration(40+ms.Draw(t, "end")) * time.Millisecond })
		result := Judge(h, Spec{})
		for _, name := range []string{"completion_latency.p50", "completion_latency.p95", "completion_latency.p99", "completion_latency.max",
			"submit_latency.p50", "submit_latency.p95", "submit_latency.p99", "submit_latency.max"} {
			for _, m := range result.Metrics {
				if m.Name != name {
					continue
				}
				for _, limit := range []float64{m.Value - 1e-4, m.Value, m.Value + 1e-4} {
					w, err := NewWatch(h.Header.Claims, []string{fmt.Sprintf("%s <= %.6fs", name, limit)})
					require.NoError(t, err)
					for i := range h.Len() {
						w.See(time.Duration(h.T[i]), h.Event(i))
					}
					require.Equal(t, m.Value > limit+1e-9, w.missed(&w.bounds[0]), "%s <= %v, and it is %v", name, limit, m.Value)
				}
			}
		}
	})
}

func BenchmarkWatch(b *testing.B) {
	h := loadOf(1000, func(int) time.Duration { return time.Millisecond }, func(int) time.Duration { return time.Millisecond })
	events := make([]history.Event, h.Len())
	for i := range events {
		events[i] = h.Event(i)
	}
	w, err := NewWatch(h.Header.Claims, []string{"completion_latency.p99 < 2s", "info_rate < 5%"})
	require.NoError(b, err)
	for i := 0; b.Loop(); i++ {
		w.See(time.Second, events[i%len(events)])
	}
}
