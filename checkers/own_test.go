package checkers

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/wreckon/wreckon/history"
)

// What a checker of one's own says wrong harms nobody but itself.
func TestGuaranteesOfOnesOwn(t *testing.T) {
	h := func() *history.History { s := newScript(); s.happy(0, 1); s.happy(5, 2); return s.finish() }()
	extra := []Guarantee{
		{Name: "sees", Check: func(c *Case) Judgement {
			units := slices.Collect(c.Units())
			assert.Equal(t, []int{0, 5}, units)
			assert.Equal(t, "order o-6", c.Name(5))
			assert.True(t, c.Acknowledged(0) && c.Rested())
			assert.Len(t, slices.Collect(c.Events(0)), len(c.eventsOf(0)))
			return c.Judge("orders", len(units), nil)
		}},
		{Name: "strays", Check: func(c *Case) Judgement {
			return c.Judge("orders", 1, []Breach{{Unit: 99, Events: []uint64{1 << 40, 1}, Sentence: "so it is"}})
		}},
		{Name: "looks away", Check: func(c *Case) Judgement { return c.Judge("orders", 0, nil) }},
		{Name: "doubts", Check: func(c *Case) Judgement { return c.Judge("orders", 1, nil).Undecided("it was dark") }},
		{Name: "no-lost-work", Check: func(c *Case) Judgement { return c.Judge("orders", 1, nil) }},
		{Name: "forgot its checker"},
	}
	r := Judge(h, Spec{Extra: extra})
	got := r.Guarantees[len(Guarantees):]
	assert.Equal(t, Holds, got[0].Status)
	assert.Equal(t, 2, got[0].Checked)
	assert.Equal(t, Violated, got[1].Status)
	assert.Equal(t, []uint64{1}, got[1].Findings[0].Events)
	assert.Equal(t, "strays", got[1].Findings[0].Guarantee)
	assert.Equal(t, NotTested, got[2].Status)
	assert.Equal(t, "it was dark", got[3].Reason)
	assert.Equal(t, Unknown, got[4].Status)
	assert.Contains(t, got[4].Reason, "a name of its own")
	assert.Equal(t, Unknown, got[5].Status)
	assert.Equal(t, Violation, r.Verdict)
	assert.Equal(t, "sees", Judge(h, Spec{Extra: extra, Guarantees: []string{"sees"}}).Guarantees[0].Guarantee)
}
