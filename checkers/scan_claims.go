package checkers

import (
	"slices"

	"github.com/wreckon/wreckon/history"
)

// This file holds the rules for those claims that a unit's life decides: work in chunks, attempts, privileged actions, dead letters, and what
// a component that stops may take with it.

// isChunk tells that an event of a shape is of work in chunks. A unit with such work is judged by all that the history has of it.
func (s *scan) isChunk(x *history.Shape) bool {
	if x.Kind != history.KindStart && x.Kind != history.KindFinish && x.Kind != history.KindEffect {
		return false
	}
	step := s.name(x.Step)
	return slices.ContainsFunc(s.claims.Checkpoints, func(p history.Checkpoints) bool { return p.Step != "" && p.Step == step })
}

// A life counts up to fifteen attempts to do each step, and to undo it.
func tryBits(step int, undo bool) uint64 {
	if undo {
		return 1 << (8*step + 4)
	}
	return 1 << (8 * step)
}

const mostTries = 15

// try takes an attempt.
func (x *life) try(of uint64) {
	if x.tries/max(of, 1)%(mostTries+1) == mostTries && of != 0 {
		x.doubt()
		return
	}
	x.tries += of
}

// attemptMeans says what an event is an attempt of, where retries are claimed.
func (s *scan) attemptMeans(m *meaning, op string) {
	kind := history.KindEffect
	if slices.Contains(s.claims.Feeds, history.FeedStarts) {
		kind = history.KindStart
	}
	if len(s.claims.Retries) == 0 || m.shape.Kind != kind {
		return
	}
	if k := s.stepNamed(s.name(m.shape.Step)); k < 0 || k >= lifeSteps {
		m.mark = true
	} else {
		m.tries = tryBits(k, op == "undo")
	}
}

// tries calls f with the attempts to do each step, and to undo it, of which there were some.
func (e *ending) tries(x *life, f func(step string, n int)) {
	for k, left := 0, x.tries; left != 0; k, left = k+1, left>>4 {
		if n := int(left % (mostTries + 1)); n > 0 {
			f(e.Case.steps[k/2].Name, n)
		}
	}
}

// mayRetryWrongly tells that there were too many attempts, or that a wait between two of them is to be measured.
func (e *ending) mayRetryWrongly(x *life) (may bool) {
	e.tries(x, func(step string, n int) {
		for _, b := range e.claims.Retries {
			if b.Step == "" || b.Step == step {
				may = may || b.Max > 0 && n > b.Max || b.Base > 0 && n > 1
			}
		}
	})
	return may
}

// attempted counts what a claim bounds the attempts of.
func (e *ending) attempted(x *life) (n int) {
	for k, b := range e.claims.Retries {
		if b.Max > 0 {
			n += e.tried(x, k)
		}
	}
	return n
}

// tried counts what of a unit was attempted, for one claim on retries.
func (e *ending) tried(x *life, claim int) (n int) {
	b := e.claims.Retries[claim]
	e.tries(x, func(step string, _ int) {
		if b.Step == "" || b.Step == step {
			n++
		}
	})
	return n
}

// guard makes ready for what the claims say of privileged actions.
func (s *scan) guard() {
	if !slices.ContainsFunc(s.rules, func(r rule) bool { return r.guarantee == "authorised-actions" }) {
		return
	}
	for _, p := range s.claims.Privileges {
		if k := slices.Index(s.stateNames, p.From); k >= 0 {
			s.guarded |= 1 << k
		}
	}
}

// isPrivileged tells that an event of a shape records a privileged action, somebody's consent to one, or that a unit came into a state that is
// left by such an action only. Who was shown to be in such a state is in doubt too.
func (s *scan) isPrivileged(x *history.Shape) bool {
	if x.Kind != history.KindAudit {
		return false
	}
	op := s.name(x.Op)
	for state, t := range s.stateAudit {
		if t >= 0 && s.transitionName[t] == op && s.guarded.has(state) {
			return true
		}
	}
	return op != "" && slices.ContainsFunc(s.claims.Privileges, func(p history.Privilege) bool { return op == p.Action || op == p.Approval })
}

// mayBeMisplaced tells that a unit may be in no place where one may end, or in two.
func (e *ending) mayBeMisplaced(x *life) bool {
	return x.accounted() || x.has(lifeAcked) && !x.kind.final()
}

// mayBeCut tells that a unit may be lost, or its end not known, and so may have gone with a component that was told to stop.
func (e *ending) mayBeCut(x *life) bool {
	return x.has(lifeAcked) && (e.mayBeLost(x) || x.kind == open || e.states == 0 || e.endMissing() != "")
}
