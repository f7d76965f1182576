package checkers

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/history"
)

func tellStory(lines []StoryLine) string {
	var b strings.Builder
	for _, l := range lines {
		mark := " "
		if l.Proof {
			mark = "*"
		} else if l.Fault {
			mark = "!"
		}
		fmt.Fprintln(&b, strings.TrimRight(fmt.Sprintf("%s %s %-10s %-50s %s", mark, when(l.T), l.Who, l.Text, l.Note), " "))
	}
	return b.String()
}

func TestFindingTellsTheWholeStory(t *testing.T) {
	r := run(t, `
2.000 c2 submit o-1
2.001 audit api accepted o-1
2.002 c2 ok pending v1
2.060 c3 submit o-2
2.070 audit api accepted o-2
2.071 c3 info "no answer within 10ms"
2.072 c3 submit o-2 try=2
2.073 c3 ok pending v1
2.090 fault f1 lost-response "payments -> gateway" begin
2.100 fault f1 lost-response "payments -> gateway" confirmed "{\"probe\":\"no answer\"}"
2.104 effect charge do o-2 4990 key=o-2/charge/1
2.110 effect charge do o-1 1200 key=o-1/charge
2.150 effect charge do o-1 1200 key=o-1/charge dedup
2.200 fault f1 lost-response "payments -> gateway" end
2.201 fault f1 lost-response "payments -> gateway" healed "{\"connections\":2}"
2.913 effect charge do o-2 4990 key=o-2/charge/2
2.920 audit payments charged o-2 step=charge at=2.915
2.921 audit payments charged o-2 n=1
2.930 c3 read o-2
2.931 c3 ok completed| v2
2.940 audit payments charged o-1 step=charge
settled
state o-1 completed v2
state o-2 completed v2
heads
end`, Spec{Guarantees: []string{"no-duplicate-effects"}})
	f := r.Guarantees[0].Findings[0]
	assert.Equal(t, "order o-2 was charged twice: 49.90 at 2.104s, and again at 2.913s under another key", f.Sentence)
	assert.Equal(t, "o-2", f.Unit)
	assert.Equal(t, []string{"f1"}, f.Faults)
	assert.Equal(t, strings.TrimLeft(`
  2.060s client 3   submits o-2
  2.070s api        audit event 2: accepted
  2.071s client 3   never learns what became of it: no answer within 10ms
  2.072s client 3   submits o-2, attempt 2
  2.073s client 3   is answered: pending, version 1
! 2.090s f1         lost-response payments -> gateway begins
! 2.100s f1         lost-response payments -> gateway is in force
* 2.104s payments   charged 49.90, key o-2/charge/1                    applied
! 2.200s f1         lost-response payments -> gateway ends
! 2.201s f1         lost-response payments -> gateway is gone
* 2.913s payments   charged 49.90, key o-2/charge/2                    applied, in force twice
  2.915s payments   audit event 1: charged
  2.930s client 3   reads o-2
  2.931s client 3   is answered: completed, version 2
  2.946s at the end state completed, version 2
`, "\n"), tellStory(f.Story))
	assert.Empty(t, f.Twin, "o-1 was never shipped: it did not go well")
}

func TestTwinWentThroughTheSameFault(t *testing.T) {
	s := newScript()
	fault := func(o history.Outcome) {
		s.add(history.Event{Kind: history.KindFault, Unit: history.NoUnit, Key: "f1", Op: "crash", Component: "saga", Outcome: o})
	}
	s.happy(0, 1) // before the fault
	fault(history.OutcomeBegin)
	fault(history.OutcomeConfirmed)
	s.happy(1, 1)
	s.effect("charge", "do", 1, "4990", "again", history.OutcomeApplied)
	s.declined(2, 1)
	s.happy(3, 1)
	fault(history.OutcomeEnd)
	fault(history.OutcomeHealed)
	f := Judge(s.finish(), Spec{Guarantees: []string{"no-duplicate-effects"}}).Guarantees[0].Findings[0]
	assert.Equal(t, "order o-4, beside it, went through the same fault (f1) and ended completed, charged once and shipped once", f.Twin)
	assert.Contains(t, tellStory(f.TwinStory), "charged 49.90, key o-4/charge")
}

func TestLongStoriesKeepTheProof(t *testing.T) {
	s := newScript()
	s.happy(0, 1)
	for range 100 {
		s.invoke(2, "read", 0, "", 1)
		s.answer(2, history.KindOK, "completed|", 2)
	}
	s.effect("charge", "do", 0, "4990", "again", history.OutcomeApplied)
	f := Judge(s.finish(), Spec{Guarantees: []string{"no-duplicate-effects"}}).Guarantees[0].Findings[0]
	require.Len(t, f.Story, maxStory)
	text := tellStory(f.Story)
	assert.Equal(t, 2, strings.Count(text, "* "), text)
	assert.Contains(t, f.Story[maxStory-1].Text, "… 19")
	assert.Contains(t, text, "submits o-1")
}
