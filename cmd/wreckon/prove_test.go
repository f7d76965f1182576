package main

import (
	"errors"
	"io"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/wreckon/wreckon/checkers"
)

// TestWhatTheMatrixComesTo holds what a proof is: neither a survivor, nor a false alarm, nor runs that came to nothing are one.
func TestWhatTheMatrixComesTo(t *testing.T) {
	found := func(runs, n int) *cell {
		c := newCell("bug", "s", "g", runs)
		c.fell["g"] = n
		return c
	}
	correct := func(runs, passed, violated int) *cell {
		c := newCell("", "s", "", runs)
		c.verdicts[checkers.Pass], c.verdicts[checkers.Violation] = passed, violated
		return c
	}
	other := newCell("bug", "s", "g", 1)
	other.fell["another"] = 1
	broken := found(20, 20)
	broken.broken = []error{errors.New("no result")}
	for name, c := range map[string]struct {
		cell *cell
		want int
	}{
		"found":                      {found(20, 20), 0},
		"found in nearly every run":  {found(20, 18), 0},
		"found too seldom":           {found(20, 17), 1},
		"never found, in one run":    {found(1, 0), 1},
		"found by another guarantee": {other, 1},
		"a run gave no result":       {broken, exitHarness},
		"the correct system passes":  {correct(50, 50, 0), 0},
		"one false alarm":            {correct(50, 49, 1), 1},
		"one run, and not a pass":    {correct(1, 0, 0), 1},
		"too few came to a pass":     {correct(50, 44, 0), 1},
	} {
		code := 0
		var ex exitError
		if errors.As(verdictOfMatrix(io.Discard, []*cell{c.cell}), &ex) {
			code = ex.code
		}
		assert.Equal(t, c.want, code, name)
	}
}
