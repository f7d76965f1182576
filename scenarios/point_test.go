package scenarios

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/faults"
)

const told = `
scenario: told
workload: {orders: {rate: 40/s, for: 4s}}
faults:
  - drop-response: gateway <- payments
    when: {edge: payments -> gateway, exchange: POST /charges, nth: 3, point: after}
    end: silent
    then:
      - pause: payments
        when: {edge: payments -> gateway, exchange: POST /charges, point: before}
        for: 1s..2s
        then:
          - duplicate: payments -> broker
            when: {exchange: "MSG *", unit: o-17}
            again: 300ms
      - late-response: payments -> gateway
        when: {exchange: "POST *", every: 5}
        delay: 600ms
  - crash: relay
    at: 1s
  - crash: relay
    when: {edge: broker <-> relay, exchange: "PUB orders.*", nth: 3, point: before}
    restart: 200ms
    frame: drop
  - terminate: payments
    when: {edge: payments -> gateway, exchange: POST /charges, nth: 9, point: after}
    grace: 2s
  - duplicate: saga -> broker
    when: {exchange: "PUB *"}
    again: after-answer
  - drop-request: client -> api
    when: {exchange: POST /orders, nth: 2}
`

func TestFaultsPlacedByEvents(t *testing.T) {
	when := func(from, to, exchange string, nth uint64, point string) *faults.When {
		return &faults.When{From: from, To: to, Exchange: exchange, Nth: nth, Point: point}
	}
	edge := func(id, kind, from, to string, line int) faults.Spec {
		return faults.Spec{ID: id, Kind: kind, From: from, To: to, Direction: faults.Requests, Line: line}
	}
	lost, twice := edge("f1", "drop-response", "payments", "gateway", 5), edge("f3", "duplicate", "payments", "broker", 13)
	late, again := edge("f4", "late-response", "payments", "gateway", 16), edge("f8", "duplicate", "saga", "broker", 28)
	gone := edge("f9", "drop-request", "client", "api", 31)
	lost.When, lost.End = when("payments", "gateway", "POST /charges", 3, "after"), "silent"
	twice.When, twice.Again, twice.Delay = when("payments", "broker", "MSG *", 1, "before"), "later", 300*time.Millisecond
	twice.When.Unit = "o-17"
	late.When, late.Delay = when("payments", "gateway", "POST *", 0, "after"), 600*time.Millisecond
	late.When.Every = 5
	again.When, again.Again = when("saga", "broker", "PUB *", 1, "before"), "after-answer"
	gone.When = when("client", "api", "POST /orders", 2, "before")
	pause := faults.Spec{ID: "f2", Kind: "pause", Component: "payments", Line: 9, When: when("payments", "gateway", "POST /charges", 1, "before")}
	crash := faults.Spec{ID: "f6", Kind: "crash", Component: "relay", Line: 21, Frame: "drop", When: when("relay", "broker", "PUB orders.*", 3, "before")}
	drain := faults.Spec{ID: "f7", Kind: "terminate", Component: "payments", Line: 25, Grace: 2 * time.Second,
		When: when("payments", "gateway", "POST /charges", 9, "after")}

	short := Range{200 * time.Millisecond, 200 * time.Millisecond}
	assert.Equal(t, []Fault{
		{Spec: lost, Then: []Fault{
			{Spec: pause, For: Range{time.Second, 2 * time.Second}, Then: []Fault{{Spec: twice}}},
			{Spec: late},
		}},
		{Spec: faults.Spec{ID: "f5", Kind: "crash", Component: "relay", Line: 19}, At: Range{time.Second, time.Second}},
		{Spec: crash, For: short},
		{Spec: drain},
		{Spec: again},
		{Spec: gone},
	}, parse(t, told).Faults)
}

func TestAPlanHoldsWhatFollows(t *testing.T) {
	s := parse(t, told)
	plan := s.Plan(7, "")
	require.NoError(t, plan.Validate())
	var ids []string
	for _, f := range faults.All(plan.Faults) {
		ids = append(ids, f.ID)
	}
	assert.Equal(t, []string{"f1", "f2", "f3", "f4", "f5", "f6", "f7", "f8", "f9"}, ids)
	assert.NotEqual(t, plan.Faults[0].Then[0].For, s.Plan(8, "").Faults[0].Then[0].For, "the seed draws for what follows, too")

	text, err := json.Marshal(plan)
	require.NoError(t, err)
	var back Plan
	require.NoError(t, json.Unmarshal(text, &back))
	assert.Equal(t, plan, back)

	back = s.Plan(7, "")
	back.Faults[0].When.Nth, back.Faults[0].Then[0].When.Nth = 99, 99
	assert.Equal(t, plan, s.Plan(7, ""), "plans share nothing that one of them could change in another")
}

func TestAPlanPrintsWhatItWaitsFor(t *testing.T) {
	got := parse(t, told).Plan(7, "").Marked("f3", "no such message came")
	const name = "testdata/told.txt"
	if *update {
		require.NoError(t, os.WriteFile(name, []byte(got), 0o644))
	}
	want, err := os.ReadFile(name)
	require.NoError(t, err)
	assert.Equal(t, string(want), got)
}

func TestValidatePlaces(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func([]faults.Spec)
		want  string
	}{
		"no message":         {func(f []faults.Spec) { f[0].When = nil }, "fault f1: acts on a message, and does not say on which"},
		"no edge":            {func(f []faults.Spec) { f[0].When.From = "" }, "fault f1: waits for no message"},
		"no exchange":        {func(f []faults.Spec) { f[2].When.Exchange = "" }, "fault f6: waits for no message"},
		"point":              {func(f []faults.Spec) { f[2].When.Point = "between" }, `fault f6: point "between" is none`},
		"which":              {func(f []faults.Spec) { f[2].When.Nth = 0 }, "fault f6: does not say which message"},
		"an id taken":        {func(f []faults.Spec) { f[0].Then[0].ID = "f1" }, `id "f1" is empty or taken`},
		"follows the clock":  {func(f []faults.Spec) { f[1].Then = f[0].Then }, "fault f5: f2 follows it, and it is placed by time"},
		"follows by time":    {func(f []faults.Spec) { f[0].Then[0].When = nil }, "fault f1: f2 follows it, and waits for no message"},
		"what follows lasts": {func(f []faults.Spec) { f[0].Then[0].For = time.Hour }, "fault f2: holds until 1h0m0s"},
		"too deep": {func(f []faults.Spec) {
			for range 4 {
				inner := f[0]
				f[0].Then = []faults.Spec{inner}
			}
		}, "fault f1: then nests 6 deep: 5 is the most"},
	} {
		t.Run(name, func(t *testing.T) {
			plan := parse(t, told).Plan(7, "")
			c.spoil(plan.Faults)
			assert.ErrorContains(t, plan.Validate(), c.want)
		})
	}
}

func TestEveryPlacedFaultReadsAsASentence(t *testing.T) {
	for want, spec := range map[string]faults.Spec{
		"drop-request, then close the connection":  {Kind: "drop-request"},
		"drop-response, then reset the connection": {Kind: "drop-response", End: "reset"},
		"error-after":              {Kind: "error-after"},
		"swap":                     {Kind: "swap"},
		"delay-past-timeout by 1s": {Kind: "delay-past-timeout", Delay: time.Second},
		"duplicate at once":        {Kind: "duplicate"},
		"duplicate, the second one after the answer":                      {Kind: "duplicate", Again: "after-answer"},
		"duplicate, the second one 1s later":                              {Kind: "duplicate", Again: "later", Delay: time.Second},
		"crash relay, then let the message through; start again at once":  {Kind: "crash", Component: "relay", Frame: "pass"},
		"pause payments, then let the message through; continue after 1s": {Kind: "pause", Component: "payments", For: time.Second},
		"crash relay, then drop the message; start again after 1s":        {Kind: "crash", Component: "relay", For: time.Second, Frame: "drop"},
		"terminate api with 2s to drain, then drop the message; start again after 1s": {
			Kind: "terminate", Component: "api", For: time.Second, Grace: 2 * time.Second, Frame: "drop"},
	} {
		assert.Equal(t, want, bites(spec))
	}
	assert.True(t, strings.HasPrefix(waiting(faults.When{From: "a", To: "b", Exchange: "PUB *", Every: 5, Point: "before"}),
		"PUB * #5, and each 5 after it, on a -> b"))
}

// The language places kinds by name; the catalogue must agree.
func TestTheLanguagePlacesEachKindAsTheCatalogueDoes(t *testing.T) {
	for _, k := range faults.Kinds {
		_, acts := messages[k.Name]
		assert.Equal(t, k.Placed == faults.ByEvent, acts, k.Name)
		assert.Equal(t, k.Placed == faults.ByEither, slices.Contains(exact, k.Name), k.Name)
	}
}
