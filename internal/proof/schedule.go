package proof

import "time"

// Round are the cells that an n-th run, from 0, is still to be made of. Runs are made in rounds, so that after the first one it is known how
// long each takes. Their runs count as begun.
func (m *Matrix) Round(n int) (due []*Cell) {
	for _, c := range m.Cells {
		if c.Runs > n {
			c.begun = n + 1
			due = append(due, c)
		}
	}
	return due
}

// Left is about how long the runs that have not come to an end yet will take, one at a time.
func (m *Matrix) Left() (all time.Duration) {
	pace := m.pace()
	for _, c := range m.Cells {
		all += time.Duration(c.Runs-c.ended()) * c.lasts(pace)
	}
	return all
}

// pace is how much longer runs took than was planned.
func (m *Matrix) pace() float64 {
	var took, planned time.Duration
	for _, c := range m.Cells {
		planned += time.Duration(len(c.took)) * c.Takes
		for _, t := range c.took {
			took += t
		}
	}
	if planned == 0 {
		return 1
	}
	return took.Seconds() / planned.Seconds()
}

// lasts is about how long a run of the cell takes: as long as those that were made; or as planned, at the pace of the others.
func (c *Cell) lasts(pace float64) time.Duration {
	if len(c.took) == 0 {
		return time.Duration(pace * float64(c.Takes))
	}
	var all time.Duration
	for _, t := range c.took {
		all += t
	}
	return all / time.Duration(len(c.took))
}

// Fit takes runs from all defects alike, out of those asked for of each, until what is left takes no longer than within, one run at a time; or
// until fewest are left. Runs on the correct system stay: false alarms are looked for all the same. It can be asked again as runs are made
// and more is known.
func (m *Matrix) Fit(asked, fewest int, within time.Duration) {
	for most := asked; ; most-- {
		for _, c := range m.Cells {
			if c.Defect != "" {
				c.Runs = max(most, c.begun)
			}
		}
		if most <= fewest || m.Left() <= within {
			return
		}
	}
}

// ended is how many runs of the cell came to an end, whatever it was.
func (c *Cell) ended() int { return c.made() + len(c.notMade) }

// Runs are how many runs are to be made in all, and how many came to an end.
func (m *Matrix) Runs() (ended, all int) {
	for _, c := range m.Cells {
		ended += c.ended()
		all += c.Runs
	}
	return ended, all
}
