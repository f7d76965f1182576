package checkers

import (
	"fmt"
	"math/big"
	"slices"
	"time"

	"github.com/wreckon/wreckon/history"
)

var conservedTotals = Guarantee{
	Name:    "conserved-totals",
	Promise: "The sums that the target claims to conserve are conserved.",
	Finds: "A total, added up from what the target was read to hold and what effects add up to at the sink, that is not what is claimed: not " +
		"equal to it, beyond its bounds, or, where only constancy is claimed, another than when it was first read. Numbers are added " +
		"as decimals, without rounding. A total of a single number is judged whenever it is read; one of several only where they were read " +
		"at rest: before anything was asked for, after the baseline, or at the end of a target that had come to rest. What is undone is " +
		"taken off with its own value, or with that of what it undoes.",
	Needs: []string{history.FeedTotals},
	Check: checkConservedTotals,
}

func checkConservedTotals(c *Case) Judgement {
	const name = "conserved-totals"
	if len(c.claims.Totals) == 0 {
		return Judgement{Status: NotTested, Reason: "the target claims no sum that is conserved (claims: totals)"}
	}
	t := newTally(c)
	t.run()
	checked, open := 0, ""
	var suspects []suspect
	for k := range t.sums {
		s := &t.sums[k]
		checked += s.checked
		if s.first != nil {
			suspects = append(suspects, s.suspect(c))
		} else {
			open = coalesce(open, s.undecided(t))
		}
	}
	j := c.judgement(name, "readings of totals", checked, suspects)
	if open != "" {
		return j.unknown(open)
	}
	return j
}

// claimedSum is one total of the claims, and how it fared.
type claimedSum struct {
	history.Total
	wants   []*big.Rat // equals, at least, at most
	broken  string     // why it cannot be added up at all
	atomic  bool       // one number that the target reads at once
	checked int
	final   bool // it was read at the end
	base    *reading
	first   *reading // the first that is wrong
	more    int      // and how many are, beyond it
}

// reading is one value of a total, and the events that it was added up from.
type reading struct {
	value  *big.Rat
	events []uint32
	at     time.Duration
}

// compare holds a reading to the claim.
func (s *claimedSum) compare(r reading) {
	constant := s.constant()
	if constant && s.base == nil {
		s.base = &r
		return
	}
	s.checked++
	wrong := constant && r.value.Cmp(s.base.value) != 0
	for k, bad := range []func(int) bool{func(n int) bool { return n != 0 }, func(n int) bool { return n < 0 }, func(n int) bool { return n > 0 }} {
		wrong = wrong || s.wants[k] != nil && bad(r.value.Cmp(s.wants[k]))
	}
	switch {
	case wrong && s.first == nil:
		s.first = &r
	case wrong:
		s.more++
	}
}

// constant tells that no value is claimed, but that it stays the same.
func (s *claimedSum) constant() bool { return s.Equals == nil && s.AtLeast == nil && s.AtMost == nil }

func (s *claimedSum) suspect(c *Case) suspect {
	events := slices.Clone(s.first.events)
	if s.base != nil {
		events = append(events, s.base.events...)
	}
	return suspect{unit: -1, events: events, say: func() string {
		text := fmt.Sprintf("the total %s is %s at %s, and ", clip(s.Name, 60), figure(s.first.value), when(s.first.at))
		switch over := new(big.Rat); {
		case s.base != nil:
			over.Sub(s.first.value, s.base.value)
			text += fmt.Sprintf("it was %s at %s: %s", figure(s.base.value), when(s.base.at), excess(over))
		case s.wants[0] != nil && s.first.value.Cmp(s.wants[0]) != 0:
			text += fmt.Sprintf("should be %s: %s", figure(s.wants[0]), excess(over.Sub(s.first.value, s.wants[0])))
		case s.wants[1] != nil && s.first.value.Cmp(s.wants[1]) < 0:
			text += "should be at least " + figure(s.wants[1])
		default:
			text += "should be at most " + figure(s.wants[2])
		}
		if s.more > 0 {
			text += fmt.Sprintf("; it was wrong %s more", times(s.more))
		}
		return text
	}}
}

// undecided says why a total that shows nothing wrong is not known to be right; empty where it is.
func (s *claimedSum) undecided(t *tally) string {
	about := fmt.Sprintf("the total %s ", clip(s.Name, 60))
	switch {
	case s.broken != "":
		return about + "cannot be added up: " + s.broken
	case !s.final && !s.atomic && (t.quiesce == "deadline" || t.moving()):
		return about + "could not be judged: the target had not come to rest, and its parts were read one after the other"
	case !s.final:
		return about + "was not read in full at the end"
	case s.checked == 0:
		return about + "was read only once: there is nothing to compare it with"
	}
	return ""
}

// excess says a difference.
func excess(d *big.Rat) string {
	if d.Sign() < 0 {
		return figure(d.Neg(d)) + " too little"
	}
	return figure(d) + " too much"
}
