package checkers

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/wreckon/wreckon/history"
)

var deadLettersAccounted = Guarantee{
	Name:    "dead-letters-accounted",
	Promise: "Every accepted unit is in exactly one place at the end, and what is set aside can be taken up again.",
	Finds: "A sum that is not right: more units were accepted than ended completed, compensated, expired, quarantined or in the dead " +
		"letters (which units these are, no-lost-work and no-stuck-work say). A unit that ended completed, compensated or expired and " +
		"is in the dead letters too. A unit that is quarantined and has no dead letter. A dead letter without a record, or whose record " +
		"lacks a field that the claims say it has (dead_letters: context): the field is missing, null or empty. A share of the accepted " +
		"units that ended quarantined or in the dead letters above what the claims allow (max_rate). A unit that was in motion " +
		"while it was read is not judged by where it was found.",
	Needs: []string{history.FeedStates, history.FeedLetters},
	Check: checkDeadLetters,
}

func checkDeadLetters(c *Case) Judgement {
	const name = "dead-letters-accounted"
	claim := c.claims.DeadLetters
	if claim == nil {
		return Judgement{Guarantee: name, Status: NotTested, What: "acknowledged " + c.nouns,
			Reason: "the target claims nothing of its dead letters: declare claims.dead_letters"}
	}
	if reason := c.endMissing(); reason != "" {
		return Judgement{Guarantee: name, What: "acknowledged " + c.nouns, Status: Unknown, Reason: reason}
	}
	b := c.whole.places()
	suspects := c.records(claim.Context)
	for u := range c.units {
		x := &c.units[u]
		b.add(x, u)
		rested := c.quiesce != "deadline"
		switch {
		case x.kind.final() && x.dead != none && (rested || c.endedBefore(u)):
			suspects = append(suspects, c.inTwoPlaces(u))
		case x.kind == quarantined && x.dead == none && rested:
			suspects = append(suspects, c.withoutLetter(u))
		}
	}
	if b.nowhere() > 0 && (b.open == 0 || c.quiesce != "") {
		suspects = append(suspects, c.unbalanced(b))
	}
	if dead := b.quarantined; claim.MaxRate > 0 && float64(dead) > claim.MaxRate*float64(b.accepted) {
		suspects = append(suspects, c.tooManyDead(b, claim.MaxRate))
	}
	j := c.judgement(name, "acknowledged "+c.nouns, b.accepted, suspects)
	switch {
	case b.open > 0 && c.quiesce == "":
		j = j.unknown(c.count(b.open) + " still open, and the history does not say whether the target had come to rest")
	case j.Status == Holds:
		j.Reason = b.sum()
	}
	return j
}

// balance counts where the accepted units ended.
type balance struct {
	accepted, completed, compensated, expired, quarantined, open, gone int
	first                                                              int // the first that is nowhere
}

func (b *balance) add(x *unit, u int) {
	if !x.acknowledged() {
		return
	}
	before := b.nowhere()
	if b.place(x.kind, x.accounted(), 1); before == 0 && b.nowhere() > 0 {
		b.first = u
	}
}

// place counts n units of one kind.
func (b *balance) place(kind stateKind, accounted bool, n int) {
	b.accepted += n
	switch {
	case accounted:
		b.quarantined += n
	case kind == completed:
		b.completed += n
	case kind == compensated:
		b.compensated += n
	case kind == expired:
		b.expired += n
	case kind == open:
		b.open += n
	default:
		b.gone += n
	}
}

// nowhere is how many units are in none of the places where one may end.
func (b *balance) nowhere() int { return b.open + b.gone }

// sum writes the balance: "412 accepted = 390 completed + 18 compensated + 4 quarantined".
func (b *balance) sum() string {
	sign := " = "
	if b.nowhere() > 0 {
		sign = " ≠ "
	}
	text := fmt.Sprintf("%d accepted%s%d completed + %d compensated + %d quarantined", b.accepted, sign, b.completed, b.compensated, b.quarantined)
	if b.expired > 0 {
		text += fmt.Sprintf(" + %d expired", b.expired)
	}
	return text
}

func (c *Case) unbalanced(b balance) suspect {
	x := &c.units[b.first]
	events := []uint32{x.acked}
	if x.final != none {
		events = append(events, x.final)
	} else if c.observeEnd != none {
		events = append(events, c.observeEnd)
	}
	return suspect{unit: -1, events: events, say: func() string {
		return fmt.Sprintf("the sum is not right: %s; %d are still open and %d gone, %s first", b.sum(), b.open, b.gone, c.name(b.first))
	}}
}

func (c *Case) tooManyDead(b balance, limit float64) suspect {
	var events []uint32
	for u := range c.units {
		if x := &c.units[u]; x.acknowledged() && x.accounted() {
			if x.dead != none {
				events = append(events, x.dead)
			} else {
				events = append(events, x.final)
			}
		}
	}
	return suspect{unit: -1, events: events[:min(len(events), maxFindings)], say: func() string {
		return fmt.Sprintf("%d of %s accepted ended quarantined or in the dead letters: %.3g%%, and the limit is %.3g%%", b.quarantined,
			c.count(b.accepted), 100*float64(b.quarantined)/float64(b.accepted), 100*limit)
	}}
}

func (c *Case) inTwoPlaces(u int) suspect {
	x := &c.units[u]
	return suspect{unit: u, events: []uint32{x.final, x.dead}, notes: map[uint32]string{x.dead: "counted twice"}, say: func() string {
		return fmt.Sprintf("%s ended %s, and is in the dead letters too: whoever takes it up from there does it again", c.name(u), c.stateOf(u))
	}}
}

func (c *Case) withoutLetter(u int) suspect {
	x := &c.units[u]
	return suspect{unit: u, events: []uint32{x.final}, say: func() string {
		return fmt.Sprintf("%s is %s, and has no dead letter: nothing says why, or what to do again", c.name(u), c.stateOf(u))
	}}
}

// records looks at what each dead letter holds.
func (c *Case) records(fields []string) (suspects []suspect) {
	for i, kind := range c.H.Kind {
		i := uint32(i)
		if kind != history.KindObserve || c.str(c.H.Op[i]) != "dead-letter" {
			continue
		}
		lacks := lacking(c.str(c.H.Value[i]), fields)
		if lacks == "" {
			continue
		}
		s := suspect{unit: -1, events: []uint32{i}, notes: map[uint32]string{i: "cannot be taken up again"}}
		whose := "of no " + c.noun + " that is known"
		if u := c.col[i]; u != history.NoUnit {
			s.unit, whose = int(u), "of "+c.name(int(u))
		}
		s.say = func() string { return fmt.Sprintf("the dead letter %s %s", whose, lacks) }
		suspects = append(suspects, s)
	}
	return suspects
}

// lacking says what a record has not got; "" where it has everything.
func lacking(record string, fields []string) string {
	if strings.TrimSpace(record) == "" {
		return "has no record at all"
	}
	if len(fields) == 0 {
		return ""
	}
	var object map[string]json.RawMessage
	if json.Unmarshal([]byte(record), &object) != nil || object == nil {
		return fmt.Sprintf("is no JSON object, and so has none of %s: %s", list(fields), clip(record, 80))
	}
	var missing []string
	for _, field := range fields {
		if slices.Contains([]string{"", "null", `""`, "[]", "{}"}, strings.Join(strings.Fields(string(object[field])), "")) {
			missing = append(missing, field)
		}
	}
	if len(missing) == 0 {
		return ""
	}
	return "lacks " + list(missing)
}
