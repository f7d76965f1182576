package workloads_test

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/wreckon/wreckon/history"
	"github.com/wreckon/wreckon/workloads"
)

func only(ops []workloads.Operation, op string) []workloads.Operation {
	var some []workloads.Operation
	for _, o := range ops {
		if o.Op == op {
			some = append(some, o)
		}
	}
	return some
}

func TestStreamsOfOtherNamesAndSeedsDiffer(t *testing.T) {
	first := map[uint64]string{}
	for seed := range uint64(50) {
		for _, name := range []string{"", "a", "b", "workload/class", "faults"} {
			r := workloads.Stream(seed, name)
			v := r.Uint64()
			require.Empty(t, first[v], "seed %d, stream %q begins like %s", seed, name, first[v])
			first[v] = name
		}
	}
	assert.Equal(t, workloads.Stream(7, "x").Uint64(), workloads.Stream(7, "x").Uint64())
}

// The values are part of what replaying a stored run means: a change here changes every run of every seed.
func TestStreamsAreTheSameForEver(t *testing.T) {
	r := workloads.Stream(1, "workload/class")
	assert.Equal(t, uint64(0xb521f42c94af135c), r.Uint64())
	assert.Equal(t, 619, r.IntN(1000))
	assert.Equal(t, 0.7112545751562486, r.Float64())
	assert.Equal(t, int64(683123585), r.Int64N(1e9))
}

func TestOperationsAreAFunctionOfSpecAndSeed(t *testing.T) {
	s := workloads.Spec{Mix: map[string]int{"happy": 8, "declined": 1, "poison": 1}, Reads: 1.5, Amends: 0.3}
	a, b := s.Operations(42), s.Operations(42)
	require.Equal(t, a, b)
	require.NotEqual(t, a, s.Operations(43))
}

func TestMoreReadsMoveNothingElse(t *testing.T) {
	s := workloads.Spec{Mix: map[string]int{"happy": 8, "declined": 2}, Reads: 0, Amends: 0.5}
	before := s.Operations(7)
	s.Reads = 2.5
	after := s.Operations(7)
	require.NotEmpty(t, only(after, workloads.Read))
	assert.Equal(t, only(before, workloads.Submit), only(after, workloads.Submit))
	assert.Equal(t, only(before, workloads.Amend), only(after, workloads.Amend))
}

func TestOperationsOfAnySpecAreWellFormed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := workloads.Spec{
			Phases: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) workloads.Phase {
				return workloads.Phase{
					Rate: rapid.Float64Range(0, 500).Draw(t, "rate"),
					For:  time.Duration(rapid.Int64Range(1, int64(time.Second)).Draw(t, "for")),
				}
			}), 1, 4).Draw(t, "phases"),
			Reads:  rapid.Float64Range(0, 4).Draw(t, "reads"),
			Amends: rapid.Float64Range(0, 3).Draw(t, "amends"),
			First:  history.Unit(rapid.Uint32Range(0, 1e6).Draw(t, "first")),
			Mix:    rapid.MapOfN(rapid.StringN(1, 3, 3), rapid.IntRange(1, 9), 0, 3).Draw(t, "mix"),
		}
		if s.Units() == 0 {
			return
		}
		require.NoError(t, s.Validate())
		ops := s.Operations(rapid.Uint64().Draw(t, "seed"))

		submitted := map[history.Unit]workloads.Operation{}
		each := map[history.Unit]int{}
		keys, notes := map[string]bool{}, map[string]bool{}
		last := time.Duration(0)
		for _, op := range ops {
			require.GreaterOrEqual(t, op.Due, last, "operations are in the order of their due")
			require.LessOrEqual(t, op.Due, s.Duration())
			last = op.Due
			each[op.Unit]++
			if op.Op == workloads.Submit {
				require.Equal(t, s.First+history.Unit(len(submitted)), op.Unit, "units are dense, in the order of their submits")
				submitted[op.Unit] = op
			}
			require.Contains(t, submitted, op.Unit, "nothing precedes the submit")
			require.Equal(t, submitted[op.Unit].Trace, op.Trace)
			require.Len(t, op.Trace, 32)
			require.Equal(t, submitted[op.Unit].Class, op.Class)
			if op.Op == workloads.Read {
				require.Empty(t, op.Key)
				continue
			}
			require.False(t, keys[op.Key], "key %s is used twice", op.Key)
			keys[op.Key] = true
			if op.Op == workloads.Amend {
				require.False(t, notes[op.Note], "note %s is used twice", op.Note)
				notes[op.Note] = true
			}
		}
		require.Len(t, submitted, s.Units())
		for u, n := range each {
			require.LessOrEqual(t, n, workloads.MaxPerUnit, "unit %d", u)
		}
	})
}

func TestMixReadsAndAmendsHaveTheirProportions(t *testing.T) {
	s := workloads.Spec{
		Phases: []workloads.Phase{{Rate: 10_000, For: 2 * time.Second}},
		Mix:    map[string]int{"happy": 7, "declined": 2, "poison": 1, "never": 0},
		Reads:  1.5, Amends: 0.25,
	}
	ops := s.Operations(3)
	submits := only(ops, workloads.Submit)
	require.Len(t, submits, 20_000)
	classes := map[string]float64{}
	for _, op := range submits {
		classes[op.Class]++
	}
	n := float64(len(submits))
	// Five standard deviations of a binomial of this size are below 0.018.
	assert.InDelta(t, 0.7, classes["happy"]/n, 0.018)
	assert.InDelta(t, 0.2, classes["declined"]/n, 0.018)
	assert.InDelta(t, 0.1, classes["poison"]/n, 0.018)
	assert.Zero(t, classes["never"])
	assert.InDelta(t, 1.5, float64(len(only(ops, workloads.Read)))/n, 0.018)
	assert.InDelta(t, 0.25, float64(len(only(ops, workloads.Amend)))/n, 0.018)
}

// Arrivals clump as those of independent customers do: the variance of their number in a slot of time equals its mean. Evenly
// spaced ones have next to none.
func TestArrivalsClumpLikeAPoissonProcess(t *testing.T) {
	s := workloads.Spec{Phases: []workloads.Phase{{Rate: 1000, For: 20 * time.Second}}}
	slots := make([]float64, 2000) // of 10 ms, 10 arrivals each on average
	for _, op := range s.Operations(11) {
		slots[int(op.Due/(10*time.Millisecond))]++
	}
	var variance float64
	for _, n := range slots {
		variance += (n - 10) * (n - 10) / float64(len(slots))
	}
	assert.InDelta(t, 10, variance, 2)
}

func TestPhasesHaveTheirOwnRates(t *testing.T) {
	s := workloads.Spec{Phases: []workloads.Phase{{Rate: 100, For: time.Second}, {For: time.Second}, {Rate: 10, For: 2 * time.Second}}}
	var each [4]int
	for _, op := range s.Operations(1) {
		each[op.Due/time.Second]++
	}
	assert.Equal(t, 100, each[0])
	assert.Equal(t, 0, each[1], "a rate of 0 is a pause")
	assert.Equal(t, 20, each[2]+each[3])
	assert.Equal(t, 120, s.Units())
	assert.Equal(t, 4*time.Second, s.Duration())
}

func TestValidateNamesEveryFieldThatIsWrong(t *testing.T) {
	require.NoError(t, workloads.Spec{}.Validate(), "the zero value is the defaults")
	for _, c := range []struct {
		want string
		spec workloads.Spec
	}{
		{"phases[1].rate: -1 is no rate", workloads.Spec{Phases: []workloads.Phase{{Rate: 1, For: time.Second}, {Rate: -1, For: time.Second}}}},
		{"phases[0].rate: NaN is no rate", workloads.Spec{Phases: []workloads.Phase{{Rate: math.NaN(), For: time.Second}}}},
		{"phases[0].for: 0s is no duration", workloads.Spec{Phases: []workloads.Phase{{Rate: 1}}}},
		{"come to no unit at all", workloads.Spec{Phases: []workloads.Phase{{Rate: 1, For: time.Millisecond}}}},
		{"more than the 10000000", workloads.Spec{Phases: []workloads.Phase{{Rate: 1e9, For: time.Hour}}}},
		{"clients: -1 is out of range", workloads.Spec{Clients: -1}},
		{"mix.happy: weight -2 is negative", workloads.Spec{Mix: map[string]int{"happy": -2, "x": 3}}},
		{"mix: every weight is 0", workloads.Spec{Mix: map[string]int{"happy": 0}}},
		{"reads: -1 is no number", workloads.Spec{Reads: -1}},
		{"amends: NaN is no number", workloads.Spec{Amends: math.NaN()}},
		{"up to 9 operations for one unit", workloads.Spec{Reads: 4.5, Amends: 3}},
		{"attempts: 11 is out of range", workloads.Spec{Attempts: 11}},
		{"timeout: -1s is negative", workloads.Spec{Timeout: -time.Second}},
		{"late: -1s is negative", workloads.Spec{Late: -time.Second}},
	} {
		assert.ErrorContains(t, c.spec.Validate(), c.want)
	}
	both := workloads.Spec{Clients: -1, Attempts: -1}.Validate()
	assert.ErrorContains(t, both, "clients")
	assert.ErrorContains(t, both, "attempts")
}

func TestSpecSurvivesJSON(t *testing.T) {
	s := workloads.Spec{Mix: map[string]int{"happy": 1}, Reads: 1.5, First: 12}.Defaults()
	b, err := json.Marshal(s)
	require.NoError(t, err)
	var back workloads.Spec
	require.NoError(t, json.Unmarshal(b, &back))
	assert.Equal(t, s.Operations(5), back.Operations(5))
}

func TestRepeatsAndClashesComeUnderTheKeyOfTheirUnit(t *testing.T) {
	spec := workloads.Spec{Phases: []workloads.Phase{{Rate: 50, For: time.Second}}, Repeats: 1, Clashes: 1}
	first := map[history.Unit]workloads.Operation{}
	repeats, clashes := 0, 0
	for _, op := range spec.Operations(1) {
		if !op.Again {
			first[op.Unit] = op
			continue
		}
		submit, ok := first[op.Unit]
		require.True(t, ok, "after its submit")
		assert.Equal(t, submit.Key, op.Key)
		assert.GreaterOrEqual(t, op.Due-submit.Due, time.Duration(0))
		if op.Clash {
			clashes++
			assert.NotEqual(t, submit.Nonce, op.Nonce)
			continue
		}
		repeats++
		op.Due, op.Again = submit.Due, false
		assert.Equal(t, submit, op)
	}
	assert.Equal(t, []int{50, 50, 50}, []int{len(first), repeats, clashes})

	plain := spec
	plain.Repeats, plain.Clashes = 0, 0
	var without []workloads.Operation
	for _, op := range spec.Operations(1) {
		if !op.Again {
			without = append(without, op)
		}
	}
	assert.Equal(t, plain.Operations(1), without, "nothing else changes")
}
