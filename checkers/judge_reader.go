package checkers

import (
	"context"
	"slices"
	"time"

	"github.com/wreckon/wreckon/history"
)

// JudgeReader judges a history that is read block by block, and says what Judge says of it. Its memory grows with the number of units and
// not of events, and with the events of those units that are looked at closely: those that are not as they should be, those of which
// something was undone, those with more than one client operation, and what a claim makes doubtful. Where that cannot be told unit by unit
// the whole history is read into memory and judged as Judge does: with guarantees of one's own, where a fault swapped requests, where
// something of a feed was missed, and in those rare cases that docs/performance.md lists. Its error is one of reading; damage is for the
// reader to tell, and what stands before it is judged.
func JudgeReader(r *history.Reader, spec Spec) (Result, error) {
	start := time.Now()
	result, err := judgeReader(r, spec)
	result.Took = time.Since(start)
	return result, err
}

func judgeReader(r *history.Reader, spec Spec) (Result, error) {
	s := newScan(r, spec)
	if !s.giveUp {
		if err := s.run(); err != nil {
			return Result{}, err
		}
	}
	if s.fallBack() {
		return judgeAll(r, spec)
	}
	e := s.ending(s.atTheEnd())
	for {
		s.weigh(e)
		h, w, err := s.part()
		if err != nil {
			return Result{}, err
		}
		result, c := judgePart(h, w, spec, Guarantees)
		switch {
		case c == nil || c.swapped():
			return judgeAll(r, spec)
		case !w.lookBeside():
			result.renumber(w.seqs)
			return result, nil
		}
	}
}

// judgeAll judges the whole history in memory.
func judgeAll(r *history.Reader, spec Spec) (Result, error) {
	h, err := r.History()
	if h == nil {
		return Result{}, err
	}
	return Judge(h, spec), nil
}

// atTheEnd is a case of how the history ended: of its phases, with the counts of the whole.
func (s *scan) atTheEnd() *Case {
	_, s.phases.Lost = s.r.Sealed()
	w := &whole{scan: s}
	c := preparePart(context.Background(), s.phases, w, 0)
	return c
}

// swapped tells that a fault swapped requests: whether one was overtaken is seen from exchanges of any unit.
func (c *Case) swapped() bool {
	return slices.ContainsFunc(c.faults, func(s span) bool { return s.kind == "swap" && len(s.bites) > 0 })
}

// renumber gives the events of a part their place in the whole.
func (r *Result) renumber(seqs []uint64) {
	lines := func(story []StoryLine) {
		for k := range story {
			story[k].Seq = seqs[story[k].Seq]
		}
	}
	for _, j := range r.Guarantees {
		for _, f := range j.Findings {
			for k, i := range f.Events {
				f.Events[k] = seqs[i]
			}
			lines(f.Story)
			lines(f.TwinStory)
		}
	}
	for _, f := range r.Faults {
		for k := range f.Bites {
			f.Bites[k].Seq = seqs[f.Bites[k].Seq]
		}
	}
}
