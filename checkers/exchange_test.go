package checkers

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/history"
)

// bitScript is a fault that bit at one exchange of order o-1: its kind, its evidence, the exchange.
func bitScript(kind, target, evidence, exchange string) string {
	return fmt.Sprintf(`
0.5 c1 submit o-1
0.6 c1 ok pending v1
1.0 fault f1 %[1]s %[2]q begin
1.001 fault f1 %[1]s %[2]q confirmed %[3]q
1.5 exchange "payments -> gateway" "POST /charges" o-1 n=12 fault=f1 %[4]s
1.6 fault f1 %[1]s %[2]q end
1.7 fault f1 %[1]s %[2]q healed
happy o-2 c2
settled
heads
end`, kind, target, evidence, exchange)
}

func TestVerdictsOfFaultsAtAnExchange(t *testing.T) {
	const edge, none = "payments -> gateway", "{}"
	tests := []struct {
		kind, target, evidence, exchange string
		want                             FaultVerdict
		reason, did, story               string
	}{
		{"drop-request", edge, none, "asked=1.0 delivered=- answered=- returned=-", Confirmed, "", "request dropped", "POST /charges #12 is lost before it arrives (payments -> gateway)"},
		{"drop-request", edge, none, "asked=1.0", Misfired, "delivered all the same", "request dropped", ""},
		{"drop-response", edge, none, "asked=0.9 answered=1.0 returned=-", Confirmed, "", "answer dropped", "the answer to POST /charges #12 is lost (payments -> gateway)"},
		{"drop-response", edge, none, "asked=0.9 answered=1.0", Misfired, "delivered all the same", "answer dropped", ""},
		{"error-after", edge, none, "asked=0.9 answered=1.0 refused", Confirmed, "", "answered with an error", "POST /charges #12 took effect, but its caller is told that it failed (payments -> gateway)"},
		{"error-after", edge, none, "asked=0.9 answered=1.0 refused returned=-", Masked, "the caller had gone", "answered with an error", "its caller went before it was told"},
		{"error-after", edge, none, "asked=0.9 answered=1.0", Misfired, "the true answer", "answered with an error", ""},
		{"delay-past-timeout", edge, none, "asked=1.0 delivered=1.3 returned=-", Confirmed, "", "request delivered late", "POST /charges #12 is held until its caller has given up, then delivered (payments -> gateway)"},
		{"delay-past-timeout", edge, none, "asked=1.0 delivered=- answered=- returned=-", Masked, "never delivered", "request delivered late", "and never delivered"},
		{"late-response", edge, none, "asked=0.9 answered=1.0 returned=1.4", Confirmed, "", "answer late", "the answer to POST /charges #12 is held until its caller has given up, then delivered (payments -> gateway)"},
		{"duplicate", edge, none, "asked=1.0 deliveries=2", Confirmed, "", "request delivered twice", "POST /charges #12 is delivered twice: its caller asked once, the harness repeats it (payments -> gateway)"},
		{"duplicate", edge, none, "asked=1.0", Masked, "not delivered again", "request delivered twice", "is to be delivered again by the harness, and is not"},
		{"swap", edge, none, "asked=1.0 delivered=1.3", Masked, "no other request", "request overtaken by the next", ""},
		{"crash", "gateway", `{"exchange":{"edge":"payments -> gateway","signature":"POST /charges","nth":12,"unit":0,"point":"before"},"hits":1}`,
			"asked=1.0 delivered=- answered=- returned=-", Confirmed, "", "gateway killed, request not delivered", "gateway is killed before POST /charges #12 arrives; request not delivered (payments -> gateway)"},
		{"pause", "gateway", `{"exchange":{"edge":"payments -> gateway","signature":"POST /charges","nth":12,"unit":0,"point":"after"},"hits":1}`,
			"asked=0.9 answered=1.0", Confirmed, "", "gateway paused, then the answer is delivered", "gateway is paused once POST /charges #12 is answered, before its caller knows; then the answer is delivered (payments -> gateway)"},
	}
	for _, test := range tests {
		t.Run(test.kind+" "+string(test.want)+" "+test.exchange, func(t *testing.T) {
			s, err := parseScript(bitScript(test.kind, test.target, test.evidence, test.exchange))
			require.NoError(t, err)
			h := s.history()
			r := Judge(h, Spec{Planned: []PlannedFault{{ID: "f1", Kind: test.kind, Target: test.target, When: &Waits{Edge: edge, Exchange: "POST *", Nth: 12}}}})
			require.Len(t, r.Faults, 1)
			f := r.Faults[0]
			assert.Equal(t, test.want, f.Verdict, f.Reason)
			assert.Contains(t, f.Reason, test.reason)
			assert.Equal(t, 1, f.Hits)
			require.Len(t, f.Bites, 1)
			assert.Equal(t, test.did, f.Bites[0].Did)
			assert.Equal(t, ms(1000), f.Bites[0].T)
			assert.Equal(t, "payments -> gateway: POST /charges #12 of o-1, "+f.Bites[0].Point, f.Exchange)

			c := prepare(t.Context(), h, 0)
			c.place([]PlannedFault{{ID: "f1", Kind: test.kind}})
			assert.Contains(t, tellStory(c.story(0, suspect{unit: 0})), test.story)
		})
	}
}

func TestSwapIsConfirmedByWhatOvertookIt(t *testing.T) {
	r := run(t, `
1.0 fault f1 swap "relay -> broker" begin
1.2 exchange "relay -> broker" "PUB orders.created" o-2 n=4 asked=1.1 delivered=1.15
1.3 exchange "relay -> broker" "PUB orders.created" o-1 n=3 asked=1.05 delivered=1.2 fault=f1
1.4 fault f1 swap "relay -> broker" healed
happy o-1 c1
settled
heads
end`, Spec{})
	assert.Equal(t, Confirmed, r.Faults[0].Verdict, r.Faults[0].Reason)
}

func TestClientThatHadGivenUpHearsNoLostAnswer(t *testing.T) {
	text := `
1.0 c1 submit o-1
%s
1.9 exchange "client -> api" "POST /orders" o-1 asked=1.1 answered=1.5 returned=- fault=f1
2.0 fault f1 drop-response "client -> api" begin
2.1 fault f1 drop-response "client -> api" healed
settled
heads
end`
	r := run(t, fmt.Sprintf(text, "1.4 c1 info timeout"), Spec{})
	assert.Equal(t, Masked, r.Faults[0].Verdict)
	assert.Equal(t, "the client had given up before the answer came", r.Faults[0].Reason)
	r = run(t, fmt.Sprintf(text, "1.8 c1 info timeout"), Spec{})
	assert.Equal(t, Confirmed, r.Faults[0].Verdict)
}

func TestFaultThatWaitedInVain(t *testing.T) {
	planned := []PlannedFault{
		{ID: "f1", Kind: "drop-response", Target: "relay -> broker", When: &Waits{Exchange: "PUB orders.*", Nth: 3, Point: "before"}},
		{ID: "f2", Kind: "crash", Target: "saga", After: "f1", When: &Waits{Exchange: "COMMIT", Nth: 1, Point: "after"}},
		{ID: "f3", Kind: "duplicate", Target: "a -> b", When: &Waits{Exchange: "POST /charges", Every: 5}},
	}
	r := run(t, `
1.0 fault f1 drop-response "relay -> broker" begin
2.0 fault f1 drop-response "relay -> broker" healed
1.5 exchange "relay -> broker" "PUB orders.created" o-1
happy o-1 c1
settled
heads
end`, Spec{Planned: planned})
	for k, want := range []string{
		"no PUB orders.* #3 came by before the load was over", "f1, which it follows, was not reached",
		"fewer than 5 POST /charges came by before the load was over",
	} {
		assert.Equal(t, NotReached, r.Faults[k].Verdict)
		assert.Equal(t, want, r.Faults[k].Reason)
	}
	assert.Equal(t, Inconclusive, r.Verdict)
}

func TestInjectorThatFailed(t *testing.T) {
	text := `
1.0 fault f1 duplicate "a -> b" begin
1.1 fault f1 duplicate "a -> b" failed "{\"detail\":\"its second delivery did not come about\"}"
%s
happy o-1 c1
settled
heads
end`
	r := run(t, fmt.Sprintf(text, `exchange "a -> b" PUB o-1 fault=f1 deliveries=1`), Spec{})
	assert.Equal(t, Masked, r.Faults[0].Verdict, "it was reached, and there was nothing to see")
	for _, exchange := range []string{"", `exchange "a -> b" PUB o-1 fault=f1 deliveries=2`} {
		r = run(t, fmt.Sprintf(text, exchange), Spec{})
		assert.Equal(t, Misfired, r.Faults[0].Verdict)
		assert.Contains(t, r.Faults[0].Reason, "its second delivery did not come about")
	}
}

func TestFaultWithoutItsExchange(t *testing.T) {
	fault := `
1.0 fault f1 drop-response "a -> b" begin
1.1 fault f1 drop-response "a -> b" confirmed "{\"hits\":1,\"exchange\":{\"edge\":\"a -> b\",\"signature\":\"COMMIT\",\"nth\":7,\"point\":\"after\"}}"
1.2 fault f1 drop-response "a -> b" healed
`
	r := run(t, fault+"happy o-1 c1\nsettled\nheads\nend", Spec{})
	assert.Equal(t, Confirmed, r.Faults[0].Verdict, "an import need not hold exchanges")
	assert.Equal(t, "a -> b: COMMIT #7, after", r.Faults[0].Exchange)
	r = run(t, fault+`exchange "a -> b" COMMIT - n=8`+"\nhappy o-1 c1\nsettled\nheads\nend", Spec{})
	assert.Equal(t, Misfired, r.Faults[0].Verdict)
	assert.Equal(t, "no exchange of the history shows what it did", r.Faults[0].Reason)
}

// A story tells what was done to the unit's own exchanges, who asked again, and what was lost beside it; not every exchange.
func TestStoryTellsTheExchangesThatAFaultTouched(t *testing.T) {
	s, err := parseScript(`
2.000 c2 submit o-1
2.010 c2 ok pending v1
2.020 exchange "relay -> broker" "PUB orders.created" o-1 n=5
2.100 fault f1 duplicate "payments -> gateway" begin
2.150 effect charge do o-1 4990 key=o-1/charge/1
2.151 effect charge do o-1 4990 key=o-1/charge/1
2.160 exchange "payments -> gateway" "POST /charges" o-1 n=11 fault=f1 deliveries=2 asked=2.14
2.161 exchange "payments -> gateway" "POST /charges" o-1 n=12 asked=2.1605
2.170 exchange "payments -> gateway" "POST /charges" o-2 n=13 fault=f1 deliveries=1
2.180 exchange "payments -> store" COMMIT - n=99 fault=f1 deliveries=2
2.190 fault f1 duplicate "payments -> gateway" healed
settled
state o-1 completed v2
heads
end`)
	require.NoError(t, err)
	f := Judge(s.history(), Spec{Guarantees: []string{"no-duplicate-effects"}}).Guarantees[0].Findings[0]
	assert.Equal(t, strings.TrimLeft(`
  2.000s client 2   submits o-1
  2.010s client 2   is answered: pending, version 1
! 2.140s f1         POST /charges #11 is delivered twice: its caller asked once, the harness repeats it (payments -> gateway)
* 2.150s payments   charged 49.90, key o-1/charge/1                    applied
* 2.151s payments   charged 49.90, key o-1/charge/1                    applied, in force twice
  2.160s payments   asks again: POST /charges #12                      answered
`, "\n"), strings.Join(strings.SplitAfter(tellStory(f.Story), "\n")[:6], ""))
	assert.Equal(t, []string{"f1"}, f.Faults)
	assert.Equal(t, "payments", f.Story[2].From)
	assert.Equal(t, "gateway", f.Story[2].To)
}

func TestExchangeMetrics(t *testing.T) {
	r := run(t, `
1.0 fault f1 duplicate "a -> b" begin
exchange "a -> b" "POST /charges" o-1 fault=f1 deliveries=2
exchange "a -> b" "POST /charges" o-1 n=2
exchange "a -> b" "POST /charges" - n=3
happy o-1 c1
settled
heads
end`, Spec{Thresholds: []string{"exchanges == 3", "harness_duplicates == 1"}})
	for _, c := range r.Thresholds {
		assert.True(t, c.Met, c.Text+": "+c.Actual)
	}
}

// What an exchange says of itself came over a wire: nothing in it may break a verdict or a line.
func TestHostileExchanges(t *testing.T) {
	s := newScript()
	for _, value := range []string{`{"fault":"f1","asked_ns":-9223372036854775808,"answered_ns":9223372036854775807}`, `{"fault":"f1"`, `{"fault":7}`, `"fault":`,
		`{"fault":"f1","deliveries":-5}`, `{"fault":"f1","deliveries":9e99}`} {
		s.add(history.Event{Kind: history.KindExchange, Unit: 0, Component: "a -> b -> \x1b[2Jc", Op: "GET /\n<script>" + strings.Repeat("x", 1000), Token: ^uint64(0), Value: value})
	}
	s.add(history.Event{Kind: history.KindFault, Unit: history.NoUnit, Key: "f1", Op: "late-response", Outcome: history.OutcomeBegin})
	s.effect("charge", "do", 0, "4990", "a", history.OutcomeApplied)
	s.effect("charge", "do", 0, "4990", "b", history.OutcomeApplied)
	r := Judge(s.finish(), Spec{})
	require.NotEqual(t, Errored, r.Verdict, r.Reasons)
	assert.Len(t, r.Faults[0].Bites, 2)
	for _, b := range r.Faults[0].Bites {
		assert.NotContains(t, b.Exchange+b.To, "\n")
		assert.NotContains(t, b.Exchange+b.To, "\x1b")
		assert.GreaterOrEqual(t, b.T, ms(0))
	}
}
