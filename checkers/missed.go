package checkers

import (
	"fmt"
	"slices"
	"strings"

	"github.com/wreckon/wreckon/history"
)

// What is read of a target can have holes: a subscription that a broker forgot when it crashed. Whoever reads says so where the hole is
// ("observe" with Op "missed", Key the feed, Value why; Token 1 where it may be anywhere up to there), and then what was not seen proves nothing: no guarantee that rests on the feed
// holds, and nothing is found that only rests on its silence.

// unseen notes a hole in a feed.
func (p *pass) unseen(i uint32) {
	feed := p.str(p.H.Key[i])
	if p.missed == nil {
		p.missed = make(map[string][]uint32)
	}
	p.missed[feed] = append(p.missed[feed], i)
}

// sees tells that a feed is there, and that nothing of it was missed.
func (c *Case) sees(feed string) bool { return c.has(feed) && len(c.missed[feed]) == 0 }

// hole tells that something of a feed may have been missed between two events.
func (c *Case) hole(feed string, from, to uint32) bool {
	return slices.ContainsFunc(c.missed[feed], func(i uint32) bool { return from < i && (i < to || c.H.Token[i] > 0) })
}

// rests lists the feeds that a guarantee looks at.
func (g Guarantee) rests() (feeds []string) {
	for _, need := range g.Needs {
		feeds = append(feeds, strings.Split(need, " or ")...)
	}
	return append(feeds, g.Uses...)
}

// unsure says what is left of a judgement where something was missed of a feed that it rests on.
func (c *Case) unsure(g Guarantee, j Judgement) Judgement {
	for _, feed := range g.rests() {
		holes := c.missed[feed]
		if len(holes) == 0 || j.Status == NotTested && !(j.idle() && len(g.Needs) > 0) {
			continue
		}
		if j.Status == Violated && !slices.Contains(g.Bears, feed) {
			j.Status, j.Findings, j.Total = Unknown, nil, 0
		}
		j = j.unknown(fmt.Sprintf("the %s that were seen may not be all, from %s on: %s", feedNoun(feed), when(c.at(holes[0])), clip(c.str(c.H.Value[holes[0]]), 200)))
	}
	return j
}

// feedNoun is what a feed is made of, in a sentence.
func feedNoun(feed string) string {
	switch feed {
	case history.FeedAudit:
		return "audit events"
	case history.FeedStarts:
		return "executions"
	case history.FeedLetters:
		return "dead letters"
	}
	return clip(feed, 20)
}
