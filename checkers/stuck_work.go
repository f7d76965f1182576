package checkers

import (
	"fmt"

	"github.com/wreckon/wreckon/history"
)

var noStuckWork = Guarantee{
	Name:    "no-stuck-work",
	Promise: "Once the faults are gone, every unit comes to an end before the deadline.",
	Finds: "A unit that is still open when the deadline cut quiescence short, acknowledged or not. One that was never acknowledged " +
		"and is still open although the target had come to rest; where it was acknowledged, that is lost work. Units in the dead " +
		"letters are not open.",
	Needs: []string{history.FeedStates},
	Uses:  []string{history.FeedLetters},
	Check: checkStuckWork,
}

func checkStuckWork(c *Case) Judgement {
	const name = "no-stuck-work"
	if reason := c.endMissing(); reason != "" {
		return Judgement{Guarantee: name, What: c.nouns, Status: Unknown, Reason: reason}
	}
	checked, undecided := 0, 0
	var suspects []suspect
	for u := range c.units {
		x := &c.units[u]
		if x.kind == unseen || x.kind == absent {
			continue
		}
		checked++
		switch {
		case !x.open():
		case c.quiesce == "deadline":
			suspects = append(suspects, c.stuck(u, "at the deadline"))
		case !c.settled():
			undecided++
		case !x.acknowledged():
			suspects = append(suspects, c.stuck(u, "though the target has come to rest"))
		}
	}
	j := c.judgement(name, c.nouns, checked, suspects)
	if undecided > 0 {
		j = j.unknown(c.count(undecided) + " still open, and the history does not say whether the target was given time to finish")
	}
	return j
}

func (c *Case) stuck(u int, why string) suspect {
	x := &c.units[u]
	events := []uint32{x.final}
	if x.asked != none {
		events = append(events, x.asked)
	}
	if c.quiesceAt != none {
		events = append(events, c.quiesceAt)
	}
	return suspect{unit: u, events: events, say: func() string {
		text := fmt.Sprintf("%s is still %s %s", c.name(u), c.stateOf(u), why)
		if x.asked != none {
			text += fmt.Sprintf(", %s after it was asked for", when(c.at(x.final)-x.intended))
		}
		return text
	}}
}
