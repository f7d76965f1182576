package checkers

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/wreckon/wreckon/history"
)

// Whatever an import holds, each checker comes to an end, none fails, and the result can be written down.
func TestStrangeHistories(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := strange(rapidDice{t})
		r := Judge(h, Spec{Budget: time.Second})
		for _, j := range r.Guarantees {
			assert.NotContains(t, j.Reason, "the checker", j.Guarantee)
		}
		_, err := json.Marshal(r)
		require.NoError(t, err)
	})
}

func strange(d dice) *history.History {
	one := func(words ...string) string { return words[d.below(len(words))] }
	step := func() string { return one("charge", "ship", "", "later") }
	state := func() string {
		return one("pending", "completed", "compensated", "quarantined", "expired", "absent", "", "elsewhere", "|")
	}
	number := func() float64 { return []float64{0, 1, 0.5, -3, 1e300, math.NaN(), math.Inf(1)}[d.below(7)] }
	wait := func() history.Duration {
		return history.Duration([]int64{0, 1, 1e6, -5, math.MaxInt64, math.MinInt64}[d.below(6)])
	}
	instant := func() string {
		return one("submit", "effect ", "undo ", "audit ", "state ", "", "when ") + one("charge", "completed", "", "pending")
	}
	c := history.Claims{Unit: "order", Prefix: "o-", Compensation: one("", "any", "sideways")}
	for range d.below(4) {
		c.Steps = append(c.Steps, history.Step{Name: step(), Undoes: one("", "refunded"), Observed: d.below(3) == 0, Required: d.below(2) == 0,
			AuditDo: state(), AuditUndo: state(), Promise: one("", "at-least-once")})
		c.Retries = append(c.Retries, history.Retries{Step: step(), Max: d.below(4) - 1, Base: wait(), Factor: number(), Cap: wait(), Jitter: true})
		c.Deadlines = append(c.Deadlines, history.Deadline{Name: "hold", From: instant(), To: instant(), Within: wait(), Must: d.below(2) == 0})
		c.Privileges = append(c.Privileges, history.Privilege{Action: state(), From: state(), Approval: state(), Above: number()})
		c.Checkpoints = append(c.Checkpoints, history.Checkpoints{Step: step(), Every: d.below(3) - 1})
		c.Totals = append(c.Totals, history.Total{Name: "sum", Terms: []history.Term{{Effects: step(), Times: number()}, {Observed: step()}}})
		c.Feeds = append(c.Feeds, one(history.FeedEffects, history.FeedAudit, history.FeedStates, history.FeedReads, history.FeedStarts, history.FeedLetters,
			history.FeedTokens, history.FeedTotals, history.FeedTraces, history.FeedSteps, history.FeedSpans))
	}
	if d.below(2) == 0 {
		c.States = history.States{Open: []string{state()}, Completed: state(), Compensated: state(), Expired: state(),
			Audits: map[string]string{state(): state(), state(): state()}, Next: map[string][]string{state(): {state(), state()}, state(): nil}}
	}
	if d.below(2) == 0 {
		c.DeadLetters = &history.DeadLetters{Context: []string{"reason", ""}, MaxRate: number()}
		c.Recovery = &history.Recovery{Success: wait(), Backlog: wait()}
		c.Drain = []history.Drain{{Grace: wait()}}
	}
	h := history.New(history.Header{Claims: c})
	for range d.below(40) {
		h.Append(history.Event{
			T: time.Duration([]int64{0, 1, 5e6, -7, math.MaxInt64, math.MinInt64}[d.below(6)]), Kind: history.Kind(1 + d.below(int(history.KindNote))),
			Outcome: history.Outcome(d.below(int(history.OutcomeExited) + 1)), Unit: []history.Unit{0, 1, 2, history.NoUnit, history.NoUnit - 1}[d.below(5)],
			Actor: uint32(d.below(3)), Attempt: uint32(d.below(3)), Op: one("submit", "read", "amend", "do", "undo", "state", "step", "dead-letter",
				"audit-head", "total", "observe", "quiesce", "checkpoint", "completed", "compensated", "told", "missed", ""),
			Step: step(), Component: one("api", "", "payments -> gateway"), Key: one("", "k", "f1", "effects", "completed"), Token: []uint64{0, 1, 2, 3, math.MaxUint64}[d.below(5)],
			Value: one("", "settled", "{", `{"reason":1}`, `{"deliveries":9223372036854775807,"fault":"f1"}`, `{"actor":[]}`, "in-force", "NaN", "1e999") + state(),
			Trace: one("", "t1"), At: time.Duration(d.below(3) - 1),
		})
	}
	return h
}
