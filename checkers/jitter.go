package checkers

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// This file tells waits that are spread at random from waits that are not, for bounded-retries.
//
// A correct wait is drawn for itself, from a stretch at least as long as the least wait: equal jitter (half and half) and full jitter do
// that. So, measured in least waits, its density is nowhere above 1, and whatever delays come on top only make it flatter. Of n such
// waits, the chance that some m lie within a window of width w is at most n·C(n-1, m-1)·w^(m-1): any of them is the first, and m-1 of
// the others follow within w.
//
// One thing can make correct waits alike: a stall, after which everything that fell due comes at once. Therefore only waits that do not
// overlap in time count, chosen by when they began: a stall then holds up one of them. Nine tenths of them must lie together, so that a spread that
// is narrower than it should be, ten or twenty percent, is not called none.

const (
	fewestWaits = 8
	improbable  = 1e-9
)

// windows are the widths that are tried, in least waits.
var windows = []float64{0.1, 0.05, 0.02, 0.01}

// judgeSpread judges the waits under one claim; what could not be judged it says.
func (b *retryBound) judgeSpread(r *retrying) (limits []string) {
	name := "the steps"
	if b.Step != "" {
		name = clip(b.Step, 60)
	}
	switch {
	case b.seen == 0:
		return []string{"no attempt of " + name + " was seen"}
	case b.Base <= 0 && b.Jitter:
		return []string{"whether the waits of " + name + " are spread cannot be judged without their least (base)"}
	case b.Base > 0 && len(b.waits) == 0:
		return []string{"no wait of " + name + " could be measured"}
	case !b.Jitter:
		return nil
	}
	apart := disjoint(r.Case, b.waits)
	if len(apart) < fewestWaits {
		return []string{fmt.Sprintf("whether the waits of %s are spread cannot be judged by %d", name, len(apart))}
	}
	slices.SortFunc(apart, func(x, y wait) int { return cmp.Compare(x.share, y.share) })
	for _, w := range windows {
		from, to := crowded(apart, w)
		chance := crowding(len(apart), to-from, w) * float64(len(windows)*len(r.bounds))
		if chance > improbable || 10*(to-from) < 9*len(apart) {
			continue
		}
		crowd := slices.Clone(apart[from:to])
		var events []uint32
		for _, x := range crowd[:min(len(crowd), maxProof/2)] {
			events = append(events, x.from, x.to)
		}
		r.suspects = append(r.suspects, suspect{unit: -1, events: events, say: func() string {
			return fmt.Sprintf("the waits before %s are tried again are not spread: %d of %d, at different times, are between %.3f and %.3f times the least "+
				"wait; jitter does that less than once in 10^%d runs", name, len(crowd), len(apart), crowd[0].share, crowd[len(crowd)-1].share,
				int(min(-math.Log10(chance), 99)))
		}})
		break
	}
	return nil
}

// disjoint chooses waits that do not overlap in time, the next that began once the last was over.
func disjoint(c *Case, waits []wait) (apart []wait) {
	waits = slices.Clone(waits)
	slices.SortFunc(waits, func(x, y wait) int { return cmp.Compare(x.from, y.from) })
	for _, x := range waits {
		if n := len(apart); n == 0 || c.at(x.from) >= c.at(apart[n-1].to) {
			apart = append(apart, x)
		}
	}
	return apart
}

// crowded finds the window of a width that holds most of some sorted waits.
func crowded(waits []wait, width float64) (from, to int) {
	first := 0
	for k := range waits {
		for waits[k].share-waits[first].share > width {
			first++
		}
		if k+1-first > to-from {
			from, to = first, k+1
		}
	}
	return from, to
}

// crowding bounds the chance that m of n waits lie within a window.
func crowding(n, m int, width float64) float64 {
	lg := func(x int) float64 { v, _ := math.Lgamma(float64(x)); return v }
	log := math.Log(float64(n)) + lg(n) - lg(m) - lg(n-m+1) + float64(m-1)*math.Log(width)
	return math.Exp(log)
}
