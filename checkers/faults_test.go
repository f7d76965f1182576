package checkers

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/wreckon/wreckon/history"
)

func ms(n int) time.Duration { return time.Duration(n) * time.Millisecond }

func TestFaultVerdicts(t *testing.T) {
	const tail = "\nsettled\nheads\nend"
	tests := []struct {
		name, text string
		want       FaultVerdict
		reason     string
	}{
		{"it bit", "1 fault f1 partition \"a -> b\" begin\n2 fault f1 partition \"a -> b\" confirmed\n3 fault f1 partition \"a -> b\" end\n" +
			`4 fault f1 partition "a -> b" healed "{\"connections\":2,\"bytes\":90}"` + tail, Confirmed, ""},
		{"nothing passed there, but something was in flight", "0.5 c1 submit o-1\n1 fault f1 partition \"a -> b\" begin\n2 fault f1 partition \"a -> b\" confirmed\n" +
			"3 c1 ok pending v1\n4 fault f1 partition \"a -> b\" end\n5 fault f1 partition \"a -> b\" healed" + tail, Masked, "no connection of the target was there for it to touch"},
		{"a process died with a unit under way", "0.5 c1 submit o-1\n0.6 c1 ok pending v1\n1 fault f1 crash saga begin\n2 fault f1 crash saga confirmed\n" +
			"4 fault f1 crash saga end\n5 fault f1 crash saga healed" + tail, Confirmed, ""},
		{"nothing was there", "1 fault f1 crash saga begin\n2 fault f1 crash saga confirmed\n3 fault f1 crash saga end\n4 fault f1 crash saga healed\nhappy o-1 c1" + tail,
			Masked, "it was in force, but"},
		{"never confirmed", "1 fault f1 crash saga begin\n3 fault f1 crash saga end\n4 fault f1 crash saga healed" + tail, Misfired, "no probe ever showed it in force"},
		{"never healed", "1 fault f1 crash saga begin\n3 fault f1 crash saga confirmed" + tail, Misfired, "no probe showed it gone"},
		{"failed", "1 fault f1 crash saga begin\n2 fault f1 crash saga failed \"no such process\"" + tail, Misfired, "could not be injected, confirmed or healed: no such process"},
		{"never begun", "happy o-1 c1" + tail, NotReached, "before its time came"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := run(t, test.text, Spec{Planned: []PlannedFault{{ID: "f1", Kind: "crash", Target: "saga"}}})
			assert.Len(t, r.Faults, 1)
			assert.Equal(t, test.want, r.Faults[0].Verdict)
			assert.Contains(t, r.Faults[0].Reason, test.reason)
		})
	}
}

func TestFaultResult(t *testing.T) {
	r := run(t, `
0.100 c1 submit o-1
0.200 c2 submit o-2
0.250 c2 ok pending v1
0.300 fault f1 partition "relay <-> broker" begin
0.400 fault f1 partition "relay <-> broker" confirmed "{\"probe\":\"no answer within 50ms\"}"
0.450 c3 submit o-3
0.500 c1 ok pending v1
0.600 c3 info timeout
0.700 fault f1 partition "relay <-> broker" end
0.710 c4 submit o-4
0.720 fault f1 partition "relay <-> broker" healed "{\"probe\":\"answered\",\"connections\":3,\"bytes\":120}"
0.900 c4 info timeout
0.950 c4 submit o-4 try=2
1.200 c4 ok pending v1
settled
heads
end`, Spec{})
	assert.Equal(t, []FaultResult{{
		ID: "f1", Kind: "partition", Target: "relay <-> broker", Verdict: Confirmed,
		Begin: ms(300), Confirmed: ms(400), End: ms(700), Healed: ms(720),
		InFlight: 3, Hurt: 2, OpenUnits: 2, Probe: "no answer within 50ms", HealProbe: "answered",
		Bytes: 120, Conns: 3, Recovery: ms(500),
	}}, r.Faults)
}

// The sweep against the definition: an interval counts if it begins before the stretch ends and ends after the stretch begins.
func TestOverlapAgreesWithTheDefinition(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var o overlap
		var intervals [][2]int64
		for range r.IntN(40) {
			a := r.Int64N(100)
			b := a + 1 + r.Int64N(30)
			intervals = append(intervals, [2]int64{a, b})
			o.add(a, b)
		}
		o.sort()
		for range 20 {
			from := r.Int64N(120)
			to := from + 1 + r.Int64N(20)
			want := 0
			for _, i := range intervals {
				if i[0] < to && i[1] > from {
					want++
				}
			}
			assert.Equal(t, want, o.count(from, to), "%v in %d..%d", intervals, from, to)
		}
	}
}

func TestRecoveryThatNeverCame(t *testing.T) {
	r := run(t, `
0.1 fault f1 crash saga begin
0.2 fault f1 crash saga confirmed
1.0 fault f1 crash saga end
1.1 fault f1 crash saga healed
1.2 c1 submit o-1
1.3 c1 info timeout
4.0 settled
heads
4.0 end`, Spec{Thresholds: []string{"recovery_time < 1s"}})
	assert.Equal(t, time.Duration(-1), r.Faults[0].Recovery)
	assert.False(t, r.Thresholds[0].Met)
	assert.Equal(t, "recovery_time is 3.000s", r.Thresholds[0].Reason)
}

func TestMetrics(t *testing.T) {
	s, err := parseScript(`
1.0 c1 submit o-1 at=0.5
1.5 c1 info timeout
1.6 c1 submit o-1 try=2
2.5 c1 ok pending v1
3.0 effect charge do o-1 4990 key=k
3.1 effect charge do o-1 4990 key=k dedup
4.5 audit api completed o-1
5.0 c2 read o-1
6.0 c2 ok completed| v2
7.0 c1 submit o-2
8.0 c1 ok pending v1
8.1 effect charge do o-2 4990 key=k2
8.2 effect charge undo o-2 4990 key=k3
9.0 audit api compensated o-2
10 c1 submit o-3
11 c1 ok pending v1
settled
state o-1 completed v2
state o-2 compensated v2
state o-3 pending v1
head api n=4
end`)
	assert.NoError(t, err)
	s.observe("redeliveries", history.NoUnit, "", "", "saga", 3, "")
	s.observe("redeliveries", history.NoUnit, "", "", "payments", 4, "")
	got := map[string]string{}
	for _, m := range Judge(s.history(), Spec{}).Metrics {
		got[m.Name] = m.text()
	}
	assert.Equal(t, map[string]string{
		"completion_rate": "66.67%", "completion_latency.p50": "2.000s", "completion_latency.p95": "4.000s", "completion_latency.p99": "4.000s",
		"completion_latency.max": "4.000s", "submit_latency.p50": "1.000s", "submit_latency.p95": "2.000s", "submit_latency.p99": "2.000s",
		"submit_latency.max": "2.000s", "dead_letter_rate": "0.00%", "duplicate_rate": "33.33%", "compensation_success": "100.00%",
		"retries_per_unit": "0.3333333333333333", "retries_per_unit.p50": "0", "retries_per_unit.p95": "1", "retries_per_unit.p99": "1",
		"retries_per_unit.max": "1", "intent_latency.p50": "1.000s", "intent_latency.p95": "1.500s", "intent_latency.p99": "1.500s",
		"intent_latency.max": "1.500s", "stuck": "1", "audit_completeness": "50.00%", "rollback_rate": "50.00%",
		"recovery_time": "not measured", "redeliveries": "7", "deduplicated": "1", "exchanges": "not measured", "harness_duplicates": "not measured", "units": "3", "acknowledged": "3", "refused": "0", "operations": "5",
		"submit.ok": "3", "read.ok": "1", "amend.ok": "0", "info_rate": "20.00%", "in_flight.min": "not measured",
		"lateness.p50": "not measured", "lateness.p99": "not measured", "lateness.max": "not measured",
	}, got)
}

// The intent of a unit is durable, at the latest, when the first thing is seen that cannot be without it; what came before anybody
// asked proves nothing.
func TestIntentLatency(t *testing.T) {
	for text, want := range map[string]string{
		"1.0 c1 submit o-1\n1.7 c1 ok pending v1\n2.0 audit api accepted o-1":                          "700.0ms",
		"1.0 c1 submit o-1\n1.2 audit api accepted o-1\n1.7 c1 info timeout":                           "200.0ms",
		"1.0 c1 submit o-1\n1.1 effect charge do o-1 4990\n1.7 c1 info timeout":                        "100.0ms",
		"1.0 c1 submit o-1 at=0.1\n1.1 c1 info timeout\n2.0 c1 submit o-1 try=2\n2.5 c1 ok pending v1": "1.500s",
		"0.5 effect charge do o-1 4990\n1.0 c1 submit o-1\n1.7 c1 ok pending v1":                       "700.0ms",
		"1.0 c1 submit o-1\n1.7 c1 info timeout":                                                       "not measured",
	} {
		s, err := parseScript(text)
		assert.NoError(t, err)
		for _, m := range Judge(s.history(), Spec{}).Metrics {
			if m.Name == "intent_latency.max" {
				assert.Equal(t, want, m.text(), text)
			}
		}
	}
}

// The ten indicators of safe completion are all there, and what is a distribution has all of its quantiles.
func TestTheTenIndicators(t *testing.T) {
	names := map[string][]string{}
	for _, m := range Metrics {
		names[m.M] = append(names[m.M], m.Name)
	}
	for k := range 10 {
		assert.NotEmpty(t, names[fmt.Sprintf("M%d", k+1)])
	}
	for _, name := range []string{"completion_latency", "submit_latency", "intent_latency", "retries_per_unit"} {
		for _, suffix := range quantileNames {
			_, ok := metricKind(name + suffix)
			assert.True(t, ok, name+suffix)
		}
	}
}
