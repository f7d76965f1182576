package checkers

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/wreckon/wreckon/history"
)

// maxFindings is how many findings of one guarantee are told in full. Their total is always given.
const maxFindings = 20

// suspect is a finding before anybody has told it: what proves it, and how to say it. Sentences and stories are made for those
// that are shown, so that a hundred thousand violations cost no more than twenty.
type suspect struct {
	unit   int // -1: none
	name   string
	events []uint32
	say    func() string
	notes  map[uint32]string // what the story says beside an event
	order  func() []Ordered  // nil: no order has to do with it
}

func (s suspect) last() uint32 {
	if len(s.events) == 0 {
		return 0
	}
	return slices.Max(s.events)
}

// judgement makes a guarantee's judgement of what its checker found: violated, or held as far as it was checked.
func (c *Case) judgement(name, what string, checked int, suspects []suspect) Judgement {
	checked += c.whole.also(name)
	j := Judgement{Guarantee: name, Status: Holds, Checked: checked, What: what, Total: len(suspects)}
	if len(suspects) > 0 {
		j.Status = Violated
		slices.SortStableFunc(suspects, func(a, b suspect) int {
			return cmp.Or(cmp.Compare(a.last(), b.last()), cmp.Compare(a.unit, b.unit))
		})
		bad := make(map[int]bool, len(suspects))
		for _, s := range suspects {
			bad[s.unit] = true
		}
		for _, s := range suspects[:min(len(suspects), maxFindings)] {
			j.Findings = append(j.Findings, c.tell(name, s, bad))
		}
		return j
	}
	if checked == 0 {
		j.Status, j.Reason = NotTested, nothingToCheck+": no "+what+" in this history"
	}
	return j
}

const nothingToCheck = "there was nothing to check"

// idle tells that a checker looked, and found nothing that it could check.
func (j Judgement) idle() bool {
	return j.Status == NotTested && strings.HasPrefix(j.Reason, nothingToCheck)
}

// tell makes a finding of a suspect. bad are the units that no twin can be.
func (c *Case) tell(guarantee string, s suspect, bad map[int]bool) Finding {
	s.events = slices.Clone(s.events)
	slices.Sort(s.events)
	s.events = slices.Compact(s.events)
	f := Finding{Guarantee: guarantee, Unit: s.name, Sentence: s.say(), Events: make([]uint64, len(s.events)), Faults: []string{}}
	for k, i := range s.events {
		f.Events[k] = uint64(i)
	}
	if s.order != nil {
		f.Order = s.order()
	}
	var spans []*span
	if first, last := c.exposed(s); first != none {
		spans = c.faultsBetween(first, last)
	}
	for _, sp := range spans {
		f.Faults = append(f.Faults, sp.id)
	}
	if s.unit < 0 {
		f.Story = c.storyOf(s.events, s)
		return f
	}
	f.Unit = c.id(s.unit)
	if c.whole != nil {
		c.whole.show(c.names[s.unit])
	}
	f.Story = c.story(s.unit, s)
	if t, text := c.twin(s.unit, spans, bad); t >= 0 {
		f.Twin, f.TwinStory = text, c.story(t, suspect{unit: t})
	}
	return f
}

// exposed is the stretch of the history whose faults may have to do with a finding: the whole life of its unit, from its first event to
// the last that is no look at its final state. A unit that never ended was exposed until somebody looked. Without a unit it is the
// stretch from the first proof to the last. first is none where there is neither.
func (c *Case) exposed(s suspect) (first, last uint32) {
	first = none
	if len(s.events) > 0 {
		first, last = s.events[0], s.events[len(s.events)-1]
	}
	if s.unit < 0 {
		return first, last
	}
	events := c.eventsOf(s.unit)
	if len(events) == 0 {
		return first, last
	}
	n := len(events) - 1
	if k := c.units[s.unit].kind; k.terminal() {
		for n > 0 && c.H.Kind[events[n]] == history.KindObserve {
			n--
		}
	}
	return events[0], events[n]
}

// unknown turns a judgement that holds into one that nobody knows: what was found stays found.
func (j Judgement) unknown(reason string) Judgement {
	if j.Status == Holds || j.Status == NotTested {
		j.Status = Unknown
	}
	if j.Reason == "" || j.Status == Unknown {
		j.Reason = reason
	}
	return j
}

// unclaimed is the judgement of a guarantee for which the target makes no claim.
func unclaimed(name, claim, says string) Judgement {
	return Judgement{Guarantee: name, Status: NotTested, Reason: fmt.Sprintf("the target does not claim it: claims.%s says %s", claim, says)}
}
