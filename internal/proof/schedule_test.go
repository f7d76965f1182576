package proof

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/wreckon/wreckon/checkers"
)

func took(d time.Duration, r Run) Run {
	r.Took = d
	return r
}

func planned(defect string, runs int) *Cell {
	return &Cell{Defect: defect, Falls: "g", Scenario: defect, Runs: runs, Takes: 5 * time.Second}
}

// TestWhatIsLeftIsSaidFromWhatRunsTook: a plan that was too optimistic is corrected, first by how much, then cell by cell.
func TestWhatIsLeftIsSaidFromWhatRunsTook(t *testing.T) {
	m := &Matrix{Cells: []*Cell{planned("slow", 10), planned("quick", 10)}}
	assert.Equal(t, 100*time.Second, m.Left(), "as planned")
	assert.Equal(t, m.Cells, m.Round(0))
	m.Cells[0].Count(took(20*time.Second, fell("g")))
	assert.Equal(t, (9*20+10*20)*time.Second, m.Left(), "the other one takes four times as long as planned, too, as far as anyone knows")
	m.Cells[1].Count(took(4*time.Second, fell("g")))
	assert.Equal(t, (9*20+9*4)*time.Second, m.Left(), "and now it is known")
	m.Cells[1].Count(Run{Err: assert.AnError})
	assert.Equal(t, (9*20+8*4)*time.Second, m.Left(), "a run that came to nothing is over")
	ended, all := m.Runs()
	assert.Equal(t, []int{3, 20}, []int{ended, all})
}

func TestRoundsEndWithTheRunsThatWereAskedFor(t *testing.T) {
	m := &Matrix{Cells: []*Cell{planned("bug", 2), planned("", 1)}}
	assert.Len(t, m.Round(0), 2)
	assert.Equal(t, m.Cells[:1], m.Round(1))
	assert.Empty(t, m.Round(2))
}

// TestTheMatrixIsFittedAgainAsMoreIsKnown: what was taken is given back where runs turn out quick, and what has begun is never taken.
func TestTheMatrixIsFittedAgainAsMoreIsKnown(t *testing.T) {
	m := &Matrix{Cells: []*Cell{planned("bug", 20), planned("", 2)}}
	m.Fit(20, 5, 60*time.Second)
	assert.Equal(t, 10, m.Cells[0].Runs, "50 s, and 10 s for the correct system")
	assert.Equal(t, 2, m.Cells[1].Runs)

	m.Round(0)
	m.Cells[0].Count(took(time.Second, fell("g")))
	m.Cells[1].Count(took(time.Second, ended(checkers.Pass)))
	m.Fit(20, 5, 58*time.Second)
	assert.Equal(t, 20, m.Cells[0].Runs)

	for n := range 12 {
		m.Round(n)
	}
	m.Cells[0].Count(took(time.Hour, fell("g")))
	m.Fit(20, 5, time.Second)
	assert.Equal(t, 12, m.Cells[0].Runs, "they have begun")
}
