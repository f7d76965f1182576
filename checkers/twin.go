package checkers

import (
	"fmt"
	"slices"
	"time"

	"github.com/wreckon/wreckon/history"
)

// life is the time from when a unit was asked for to the first evidence that it had ended.
func (c *Case) life(u int) (from, to time.Duration) {
	x := &c.units[u]
	from, to = x.intended, x.done
	if to < 0 {
		to = c.last()
	}
	return from, to
}

// twinReach is how far beside a unit its twin is looked for.
const twinReach = 256

// twin finds a unit near u that was under way during one of the same faults and went well: what it did differently is often the
// explanation. Among these, one that ended as u did is the closest relative.
func (c *Case) twin(u int, spans []*span, bad map[int]bool) (twin int, text string) {
	best, score := -1, 0
	for d := 1; d <= twinReach; d++ {
		for _, v := range []int{c.near(u, -d), c.near(u, d)} {
			if v < 0 || bad[v] || !c.well(v) {
				continue
			}
			n := 1
			if c.units[v].kind == c.units[u].kind || !c.units[u].kind.terminal() && c.units[v].kind == completed {
				n++
			}
			if c.shared(v, spans) != nil {
				n += 2
			}
			if n > score {
				best, score = v, n
			}
		}
		if score == 4 || score == 2 && len(spans) == 0 {
			break
		}
	}
	if best < 0 {
		return -1, ""
	}
	beside := "beside it"
	if d := c.apart(u, best); d > 3 {
		beside = fmt.Sprintf("%d %s away", d, c.nouns)
	}
	through := ""
	if s := c.shared(best, spans); s != nil {
		through = "went through the same fault (" + clip(s.id, 20) + ") and "
	}
	return best, fmt.Sprintf("%s, %s, %sended %s%s", c.name(best), beside, through, c.stateOf(best), c.tally(best))
}

// near is the unit d places from u; -1 where there is none, or none that is known.
func (c *Case) near(u, d int) int {
	v := u + d
	if c.whole != nil {
		k, ok := slices.BinarySearch(c.names, c.names[u]+history.Unit(d))
		if !ok {
			return -1
		}
		v = k
	}
	if v < 0 || v >= len(c.units) {
		return -1
	}
	return v
}

// apart is how many places there are between two units.
func (c *Case) apart(u, v int) int {
	if c.whole != nil {
		u, v = int(c.names[u]), int(c.names[v])
	}
	return max(u-v, v-u)
}

// well tells that a unit was acknowledged and ended with every step as its state demands.
func (c *Case) well(u int) bool {
	x := &c.units[u]
	if !x.acknowledged() || !x.kind.final() || x.flags&(twiceInForce|againAfterEnd|earlyEffect) != 0 {
		return false
	}
	for s, step := range c.steps {
		n, known := c.stepInForce(u, s)
		if known && (x.kind == completed && step.Required && n < 1 || x.kind.undone() && n > 0 && undoable(step)) {
			return false
		}
	}
	return true
}

func (c *Case) shared(u int, spans []*span) *span {
	from, to := c.life(u)
	for _, s := range spans {
		a, b := s.holds(c)
		until := c.last()
		if b < uint32(c.H.Len()) {
			until = c.at(b)
		}
		if from <= until && to >= c.at(a) {
			return s
		}
	}
	return nil
}

// tally says how often each step of a unit was applied: ", charged once, shipped once".
func (c *Case) tally(u int) string {
	var words []string
	for s, step := range c.steps {
		if n := int(c.cell(u, s).do); n > 0 {
			words = append(words, did(step, false)+" "+times(n))
		}
	}
	if len(words) == 0 {
		return ""
	}
	return ", " + list(words)
}
