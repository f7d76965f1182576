package checkers

import (
	"bytes"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/wreckon/wreckon/history"
)

// stored gives a history as a reader has it, from a file.
func stored(t require.TestingT, h *history.History) *history.Reader {
	var file bytes.Buffer
	require.NoError(t, h.WriteBlocks(&file))
	r, err := history.NewReader(bytes.NewReader(file.Bytes()), int64(file.Len()))
	require.NoError(t, err)
	return r
}

// requireSame fails unless a history is judged block by block as it is in memory, in all that a result holds.
// It tells how many units the scan itself has cleared.
func requireSame(t require.TestingT, h *history.History, spec Spec) (cleared int) {
	r := stored(t, h)
	want, got := Judge(h, spec), Result{}
	got, err := JudgeReader(r, spec)
	require.NoError(t, err)
	want.Took, got.Took = 0, 0
	require.Equal(t, want, got)
	s := newScan(r, spec)
	require.NoError(t, s.run())
	if s.giveUp {
		return 0
	}
	s.weigh(s.ending(s.atTheEnd()))
	return s.census.units
}

func TestTheScanSaysWhatTheCheckersSay(t *testing.T) {
	t.Run("good", func(t *testing.T) {
		cleared := 0
		rapid.Check(t, func(t *rapid.T) {
			cleared += requireSame(t, generate(rapidDice{t}, rapid.IntRange(1, 12).Draw(t, "units")).history(), Spec{Guarantees: someGuarantees(t)})
		})
		require.Positive(t, cleared, "nothing was left to the scan")
		t.Log(cleared)
	})
	t.Run("mutated", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			d := rapidDice{t}
			s := generate(d, rapid.IntRange(1, 10).Draw(t, "units"))
			if rapid.SampledFrom(mutations).Draw(t, "mutation").apply(s, d) {
				requireSame(t, s.history(), Spec{Guarantees: someGuarantees(t)})
			}
		})
	})
	t.Run("anything", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) { requireSame(t, anything(rapidDice{t}).history(), Spec{}) })
	})
}

func TestTheScanSaysWhatTheCorpusWants(t *testing.T) {
	files, err := filepath.Glob("testdata/*/*.txtar")
	require.NoError(t, err)
	for _, file := range files {
		s, err := parseScript(readArchive(t, file).history)
		require.NoError(t, err, file)
		requireSame(t, s.history(), Spec{})
	}
}

// Any events whatever, good histories that lost some, got some twice or in another order, and foreign ones among them.
func TestTheScanSaysWhatTheCheckersSayOfBrokenHistories(t *testing.T) {
	cleared := 0
	rapid.Check(t, func(t *rapid.T) {
		s := generate(rapidDice{t}, rapid.IntRange(1, 8).Draw(t, "units"))
		for range rapid.IntRange(1, 6).Draw(t, "wrongs") {
			k := rapid.IntRange(0, len(s.events)-1).Draw(t, "event")
			e := s.events[k]
			switch rapid.SampledFrom([]string{"drop", "repeat", "late", "unit", "no unit", "kind", "actor", "value", "token", "at", "early", "step", "fault"}).Draw(t, "wrong") {
			case "drop":
				s.events = slices.Delete(s.events, k, k+1)
			case "repeat":
				s.events = slices.Insert(s.events, k, e)
			case "late":
				s.events = slices.Delete(s.events, k, k+1)
				s.events = slices.Insert(s.events, rapid.IntRange(k, len(s.events)).Draw(t, "to"), e)
			case "unit":
				s.events[k].Unit = history.Unit(rapid.IntRange(0, 9).Draw(t, "of"))
			case "no unit":
				s.events[k].Unit = history.NoUnit
			case "kind":
				s.events[k].Kind = history.Kind(rapid.IntRange(1, int(history.KindNote)).Draw(t, "to"))
			case "actor":
				s.events[k].Actor = rapid.SampledFrom([]uint32{0, 1, 2, 3, 70_000, 1 << 31}).Draw(t, "to")
			case "value":
				s.events[k].Value = rapid.SampledFrom([]string{"", "pending", "completed|", "quarantined", "absent", "in-force", `{"fault":"f1"}`, "settled"}).Draw(t, "to")
			case "token":
				s.events[k].Token = rapid.SampledFrom([]uint64{0, 1, 2, 5, 1 << 40, 1<<64 - 1}).Draw(t, "to")
			case "at":
				s.events[k].At = rapid.SampledFrom([]time.Duration{-1, 0, 1, time.Second, time.Hour, 1 << 62}).Draw(t, "to")
			case "early":
				s.events[k].T = rapid.SampledFrom([]time.Duration{0, 1, time.Second, time.Hour, 1 << 62}).Draw(t, "to")
			case "step":
				s.events[k].Step = rapid.SampledFrom([]string{"", "charge", "reserve", "notify", "pack"}).Draw(t, "to")
			case "fault":
				s.events[k].Kind, s.events[k].Op, s.events[k].Key = history.KindFault, "swap", "f1"
				s.events[k].Outcome = history.Outcome(rapid.IntRange(int(history.OutcomeBegin), int(history.OutcomeFailed)).Draw(t, "outcome"))
			}
			if len(s.events) == 0 {
				return
			}
		}
		if rapid.IntRange(0, 4).Draw(t, "cut") == 0 {
			s.lost = "cut short"
		}
		if rapid.IntRange(0, 4).Draw(t, "says nothing of its feeds") == 0 {
			s.header.Claims.Feeds = nil
		}
		if rapid.IntRange(0, 9).Draw(t, "claims nothing") == 0 {
			s.header.Claims = history.Claims{}
		}
		cleared += requireSame(t, s.history(), Spec{Guarantees: someGuarantees(t), Planned: []PlannedFault{{ID: "f1", Kind: "partition"}, {ID: "f9", Kind: "crash"}}})
	})
	require.Positive(t, cleared, "nothing was left to the scan")
	t.Log(cleared)
}

func TestTheScanSaysWhatTheCheckersSayOfExchanges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := proxied(generate(rapidDice{t}, rapid.IntRange(1, 8).Draw(t, "units")).history())
		requireSame(t, h, Spec{Guarantees: someGuarantees(t)})
	})
}

// someGuarantees are all, or only a few: the fewer speak, the more is left to the scan.
func someGuarantees(t *rapid.T) (some []string) {
	if rapid.Bool().Draw(t, "all guarantees") {
		return nil
	}
	return rapid.SliceOfNDistinct(rapid.SampledFrom(names()), 1, 4, rapid.ID[string]).Draw(t, "guarantees")
}

func TestEveryGuaranteeHasARuleOfTheScan(t *testing.T) {
	for _, name := range names() {
		require.True(t, slices.ContainsFunc(scanRules, func(r rule) bool { return r.guarantee == name }), name)
	}
}
