package reports

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/checkers"
	"github.com/wreckon/wreckon/faults"
	"github.com/wreckon/wreckon/history"
	"github.com/wreckon/wreckon/internal/rundir"
	"github.com/wreckon/wreckon/scenarios"
)

// bitten is a run whose faults are placed by events, judged by the checkers: the answer to a charge is lost, and the charge is made
// again under another key; a worker is paused between a COMMIT and its answer; a third fault waits in vain.
func bitten() Run { return bittenAt("POST /charges") }

func bittenAt(signature string) Run {
	var es []history.Event
	add := func(t time.Duration, e history.Event) { e.T = t; es = append(es, e) }
	nobody := func(t time.Duration, e history.Event) { e.Unit = history.NoUnit; add(t, e) }
	exchange := func(at time.Duration, u history.Unit, edge, signature string, nth uint64, returned bool, fault string) {
		value := fmt.Sprintf(`{"protocol":"http","asked_ns":%d,"delivered_ns":%d,"answered_ns":%d`, at, at+200*time.Microsecond, at+2*ms)
		if returned {
			value += fmt.Sprintf(`,"returned_ns":%d`, at+2100*time.Microsecond)
		}
		value += fmt.Sprintf(`,"deliveries":1,"returned":%t,"refused":false`, returned)
		if fault != "" {
			value += fmt.Sprintf(`,"fault":%q`, fault)
		}
		add(at+3*ms, history.Event{Kind: history.KindExchange, Unit: u, Op: signature, Component: edge, Token: nth, Value: value + "}"})
	}
	fault := func(id, kind, target string, begin, end time.Duration, evidence string) {
		for k, o := range []history.Outcome{history.OutcomeBegin, history.OutcomeConfirmed, history.OutcomeEnd, history.OutcomeHealed} {
			e := history.Event{Kind: history.KindFault, Key: id, Op: kind, Component: target, Outcome: o}
			if o == history.OutcomeConfirmed {
				e.Value = evidence
			}
			nobody([]time.Duration{begin, begin + ms, end, end + ms}[k], e)
		}
	}
	nobody(0, history.Event{Kind: history.KindPhase, Op: "chaos", Outcome: history.OutcomeBegin})
	for n := range 40 {
		u, t := history.Unit(n), time.Duration(n)*50*ms+10*ms
		client, id, nth := uint32(n%4+1), history.UnitID("o-", history.Unit(n)), uint64(n+1)
		add(t, history.Event{Kind: history.KindInvoke, Actor: client, Unit: u, Op: "submit", Attempt: 1})
		exchange(t+ms, u, "client -> api", "POST /orders", nth, true, "")
		add(t+5*ms, history.Event{Kind: history.KindOK, Actor: client, Unit: u, Op: "submit", Value: "pending", Token: 1})
		exchange(t+7*ms, u, "relay -> broker", "PUB orders.created", nth, true, "")
		charge := history.Event{Kind: history.KindEffect, Outcome: history.OutcomeApplied, Op: "do", Step: "charge", Unit: u, Component: "gateway", Key: id + "/charge/1", Value: "4990"}
		add(t+13*ms, charge)
		if n == 11 {
			exchange(t+12*ms, u, "payments -> gateway", signature, nth, false, "f1")
			charge.Key = id + "/charge/2"
			add(t+33*ms, charge)
			exchange(t+32*ms, u, "payments -> gateway", signature, nth+100, true, "")
		} else {
			exchange(t+12*ms, u, "payments -> gateway", signature, nth, true, "")
		}
		bit := map[int]string{24: "f2"}[n]
		exchange(t+20*ms, history.NoUnit, "payments -> store", "COMMIT", nth, true, bit)
		add(t+40*ms, history.Event{Kind: history.KindInvoke, Actor: client, Unit: u, Op: "read", Attempt: 1})
		add(t+44*ms, history.Event{Kind: history.KindOK, Actor: client, Unit: u, Op: "read", Value: "completed|", Token: 2})
	}
	fault("f1", "drop-response", "payments -> gateway", 574*ms, 577*ms, `{"probe":"POST /charges #12 of o-12 (payments -> gateway): the answer was lost","hits":1,"connections":1,"bytes":211}`)
	fault("f2", "pause", "payments", 1232*ms, 1500*ms, `{"probe":"the kernel shows payments stopped","hits":1,"exchange":{"edge":"payments -> store","signature":"COMMIT","nth":25,"point":"after"}}`)
	nobody(2100*ms, history.Event{Kind: history.KindPhase, Op: "quiesce", Outcome: history.OutcomeEnd, Value: "settled"})
	nobody(2101*ms, history.Event{Kind: history.KindPhase, Op: "observe", Outcome: history.OutcomeBegin})
	for n := range 40 {
		add(2102*ms, history.Event{Kind: history.KindObserve, Op: "state", Unit: history.Unit(n), Value: "completed", Token: 2})
	}
	nobody(2110*ms, history.Event{Kind: history.KindPhase, Op: "observe", Outcome: history.OutcomeEnd})
	slices.SortStableFunc(es, func(a, b history.Event) int { return cmp.Compare(a.T, b.T) })
	h := history.New(history.Header{Format: 1, Scenario: "lost-answer", Claims: history.Claims{
		Target: "reference", Unit: "order", Prefix: "o-", States: history.States{Completed: "completed"},
		Steps: []history.Step{{Name: "charge", Does: "charged", Required: true}}, Feeds: []string{history.FeedEffects, history.FeedStates, history.FeedReads},
	}})
	h.Sealed = true
	for _, e := range es {
		h.Append(e)
	}
	specs := []faults.Spec{
		{ID: "f1", Kind: "drop-response", From: "payments", To: "gateway", When: &faults.When{Exchange: signature, Nth: 12, Point: "after"}, Line: 9},
		{ID: "f2", Kind: "pause", Component: "payments", For: 250 * ms, When: &faults.When{From: "payments", To: "store", Exchange: "COMMIT", Nth: 25, Point: "after"}},
		{ID: "f3", Kind: "duplicate", From: "relay", To: "broker", When: &faults.When{Exchange: "PUB orders.*", Nth: 3, Unit: "o-99", Point: "before"}},
	}
	result := checkers.Judge(h, checkers.Spec{Planned: []checkers.PlannedFault{
		{ID: "f1", Kind: "drop-response", Target: "payments -> gateway", When: &checkers.Waits{Exchange: signature, Nth: 12, Point: "after"}},
		{ID: "f2", Kind: "pause", Target: "payments", When: &checkers.Waits{Edge: "payments -> store", Exchange: "COMMIT", Nth: 25, Point: "after"}},
		{ID: "f3", Kind: "duplicate", Target: "relay -> broker", When: &checkers.Waits{Edge: "relay -> broker", Exchange: "PUB orders.*", Nth: 3, Unit: "o-99", Point: "before"}},
	}})
	result.Took = 2 * ms
	return Run{
		Manifest: rundir.Manifest{Format: 1, Scenario: "lost-answer", Target: "reference", Seed: 7},
		Plan:     scenarios.Plan{Format: 1, Scenario: "lost-answer", Target: "reference", Seed: 7, Faults: specs},
		History:  h, Result: result,
	}
}

func TestReportsSayWhereAFaultBit(t *testing.T) {
	r := bitten()
	require.Equal(t, checkers.Violation, r.Result.Verdict, r.Result.Reasons)
	summary := printed(t, func(w io.Writer) error { return Summary(w, r, TermOptions{}) })
	for _, want := range []string{
		"confirmed, bit at POST /charges #12 of o-12, after: answer dropped",
		"confirmed, bit at COMMIT #25, after, on payments -> store: payments paused, then the answer is delivered",
		"not reached, no PUB orders.* #3 of o-99 came by on relay -> broker before the load was over",
		"↯ f1", "the answer to POST /charges #12 is lost (payments -> gateway)", "asks again: POST /charges #112",
	} {
		assert.Contains(t, summary, want)
	}
	assert.NotContains(t, summary, "in flight")

	text := rendered(t, r, Options{})
	picture := between(text, `<svg class="story-svg"`, "</svg>")
	assert.Equal(t, 1, strings.Count(picture, `class="bite-edge"`), "the exchange is a line between two lanes")
	assert.Contains(t, picture, `stroke="`+bandColors[0]+`"`, "in the colour of its fault, without any style sheet")
	assert.Contains(t, picture, "the answer to POST /charges #12 is lost")
	assert.Contains(t, text, "at POST /charges #12, after")

	m, rows := unpacked(t, text)
	assert.Equal(t, []int64{int64(574 * ms)}, m.Faults[0].Bites)
	assert.Equal(t, []int64{int64(1232 * ms)}, m.Faults[1].Bites)
	touched, others := 0, 0
	for _, w := range rows {
		switch w.class {
		case classBite:
			touched++
			assert.Contains(t, []string{"POST /charges #12: answer dropped", "COMMIT #25: payments paused, then the answer is delivered"}, m.Names[w.name])
		case classExecution:
			others++
		}
	}
	assert.Equal(t, 2, touched)
	assert.Equal(t, 3, others, "of the finding's unit; those of the others are left out")
}

func TestRedactionLeavesExchanges(t *testing.T) {
	text := rendered(t, bitten(), Options{Redact: true})
	assert.Contains(t, text, "the answer to POST /charges #12 is lost")
	assert.Contains(t, text, "asks again: POST /charges #112")
}

func TestHostileSignaturesAreInert(t *testing.T) {
	r := bittenAt("POST /" + script + image + "\x1b[31m|`")
	text := rendered(t, r, Options{})
	summary := printed(t, func(w io.Writer) error { return Markdown(w, r) })
	for _, banned := range []string{script, image, "\x1b"} {
		lacks(t, text, banned)
		lacks(t, summary, banned)
	}
	lacks(t, printed(t, func(w io.Writer) error { return Summary(w, r, TermOptions{}) }), "\x1b")
}
