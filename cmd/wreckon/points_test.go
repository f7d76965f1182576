package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/history"
	"github.com/wreckon/wreckon/scenarios"
	"github.com/wreckon/wreckon/targets"
)

// Exchanges come into the history when they are over; they are told in the order in which they were asked, and only those of the load.
func TestPointsAreThoseOfTheLoad(t *testing.T) {
	h := history.New(history.Header{Claims: targets.Reference().Claims})
	exchange := func(signature string, nth uint64, unit history.Unit, asked time.Duration, returned bool) {
		h.Append(history.Event{Kind: history.KindExchange, Unit: unit, Op: signature, Component: "client -> api", Token: nth,
			Value: fmt.Sprintf(`{"protocol":"http","asked_ns":%d,"returned":%t}`, asked, returned)})
	}
	phase := func(outcome history.Outcome, at time.Duration) {
		h.Append(history.Event{Kind: history.KindPhase, Unit: history.NoUnit, Op: "chaos", Outcome: outcome, T: at})
	}
	exchange("POST /orders", 1, 0, 1, true) // of the baseline
	phase(history.OutcomeBegin, 10)
	exchange("POST /orders", 3, 16, 30, false)
	exchange("POST /orders", 2, 15, 20, true)
	exchange("GET /orders/{id}", 1, history.NoUnit, 40, true)
	phase(history.OutcomeEnd, 100)
	exchange("POST /orders", 4, 17, 100, true) // while the target comes to rest

	edges := pointsOf(h)
	assert.Equal(t, map[string][]*point{"client -> api": {
		{edge: "client -> api", signature: "GET /orders/{id}", seen: 1, answered: 1},
		{edge: "client -> api", signature: "POST /orders", seen: 2, answered: 1, units: []string{"#1 o-16", "#2 o-17"}},
	}}, edges)

	s, err := loadScenario("quick")
	require.NoError(t, err)
	var b strings.Builder
	require.NoError(t, printPoints(&b, faultFree(s.Plan(1, "")), targets.Reference(), edges))
	assert.Contains(t, b.String(), "quick on reference, without faults: what passed over each edge in 3s of load\n\nclient -> api\n"+
		"  GET /orders/{id}  1  answered    \n  POST /orders      2  1 answered  #1 o-16, #2 o-17\n\nrelay -> broker\n  nothing that is understood\n")

	_, example, ok := strings.Cut(b.String(), "any run of characters:\n\n")
	require.True(t, ok)
	_, problems := scenarios.Parse("example.yaml", []byte("scenario: a\nworkload: {orders: {rate: 1/s, for: 3s}}\nfaults:\n"+example), vocabulary())
	assert.Empty(t, problems, "what is shown can be used: %v", problems)
}

func TestAFaultFreePlanIsTheBeginningOfThePlan(t *testing.T) {
	for _, name := range shippedNames() {
		s, err := loadScenario(name)
		require.NoError(t, err)
		plan := faultFree(s.Plan(1, ""))
		assert.NoError(t, plan.Validate(), name)
		assert.Empty(t, plan.Faults, name)
		assert.LessOrEqual(t, plan.Workload.Duration(), pointsLoad, name)
	}
}
