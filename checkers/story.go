package checkers

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/wreckon/wreckon/history"
)

// maxStory is how many lines a story has at most.
const maxStory = 25

// line is a story line with what decides whether it is kept: proof first, then the more telling ones.
type line struct {
	StoryLine
	rank int
}

// The ranks of lines: what is first here is given up last.
const (
	proofLine = iota
	effectLine
	biteLine
	submitLine
	faultLine
	stateLine
	auditLine
	amendLine
	readLine
)

// story tells what became of one unit: its client, its effects, its audit trail, the faults that were in force while it was under
// way, and how it was found at the end.
func (c *Case) story(u int, s suspect) []StoryLine {
	events := c.eventsOf(u)
	var lines []line
	told := make(map[[2]uint64]bool) // audit events told: redeliveries are not told again
	first, last := none, uint32(0)
	for _, i := range events {
		if c.H.Kind[i] == history.KindAudit {
			id := [2]uint64{uint64(c.H.Comp[i]), c.H.Token[i]}
			if told[id] && !slices.Contains(s.events, i) {
				continue
			}
			told[id] = true
		}
		l, ok := c.line(i)
		if !ok {
			continue
		}
		if c.H.Kind[i] != history.KindObserve {
			first, last = min(first, i), max(last, i)
		}
		lines = append(lines, l)
	}
	if first != none {
		lines = append(lines, c.faultLines(u, first, last)...)
	}
	lines = append(lines, c.retold(events)...)
	for _, i := range s.events {
		if !slices.Contains(events, i) {
			if l, ok := c.line(i); ok {
				lines = append(lines, l)
			}
		}
	}
	return finish(lines, s)
}

// storyOf tells events that belong to no unit.
func (c *Case) storyOf(events []uint32, s suspect) []StoryLine {
	var lines []line
	for _, i := range events {
		if l, ok := c.line(i); ok {
			lines = append(lines, l)
		}
	}
	if len(events) > 0 {
		lines = append(lines, c.faultLines(-1, events[0], events[len(events)-1])...)
	}
	return finish(lines, s)
}

// finish puts lines in order, marks the proof, and gives up the least telling where there are too many.
func finish(lines []line, s suspect) []StoryLine {
	for k := range lines {
		l := &lines[k]
		if slices.Contains(s.events, uint32(l.Seq)) {
			l.Proof, l.rank = true, proofLine
		}
		if note := s.notes[uint32(l.Seq)]; note != "" {
			if l.Note != "" {
				note = l.Note + ", " + note
			}
			l.Note = note
		}
	}
	slices.SortStableFunc(lines, func(a, b line) int { return cmp.Or(cmp.Compare(a.T, b.T), cmp.Compare(a.Seq, b.Seq)) })
	kept, more := fewer(lines)
	story := make([]StoryLine, 0, len(kept)+1)
	for _, l := range kept {
		story = append(story, l.StoryLine)
	}
	if more > 0 {
		end := story[len(story)-1]
		story = append(story, StoryLine{Seq: end.Seq, T: end.T, Text: fmt.Sprintf("… %d more", more)})
	}
	return story
}

// fewer keeps what a story has room for, beside the line that says how many there were more: of the least telling lines the last
// go first.
func fewer(lines []line) (kept []line, more int) {
	const room = maxStory - 1
	if len(lines) <= room {
		return lines, 0
	}
	var of [readLine + 1]int
	for _, l := range lines {
		of[l.rank]++
	}
	left := room
	for rank := range of {
		of[rank] = min(of[rank], left)
		left -= of[rank]
	}
	for _, l := range lines {
		if of[l.rank] > 0 {
			of[l.rank]--
			kept = append(kept, l)
		}
	}
	return kept, len(lines) - len(kept)
}

// line says one event in words; false for an event that tells nothing.
func (c *Case) line(i uint32) (line, bool) {
	e := c.H.Event(int(i))
	l := line{StoryLine: StoryLine{Seq: e.Seq, T: e.T}}
	switch e.Kind {
	case history.KindInvoke:
		l.Who, l.Text, l.rank = client(e.Actor), c.asks(i, e), operationRank(e.Op)
	case history.KindOK, history.KindFail, history.KindInfo:
		l.Who, l.Text, l.rank = client(e.Actor), answered(e), operationRank(e.Op)
	case history.KindEffect:
		l.Who, l.Text, l.Note, l.rank = c.actorOf(e), c.lands(e), effectNote(e.Outcome), effectLine
	case history.KindStart, history.KindFinish:
		l.Who, l.Text, l.rank = c.actorOf(e), executes(e), effectLine
	case history.KindAudit:
		if e.At > 0 && e.At < e.T { // the trail is read late; a story is told in the order in which things happened
			l.T = e.At
		}
		l.Who, l.Text, l.rank = clip(e.Component, 40), fmt.Sprintf("audit event %d: %s", e.Token, clip(e.Op, 60)), auditLine
	case history.KindObserve:
		l.Who, l.rank = "at the end", stateLine
		l.Text = observedText(e)
	case history.KindExchange:
		if b := c.biteAt(i); b != nil {
			return c.tellBite(b, false), true
		}
		return l, false
	case history.KindFault:
		return c.faultLine(e), true
	case history.KindProcess:
		l.Who, l.Text, l.rank = clip(e.Component, 40), clip(e.Value, 120), faultLine
	case history.KindPhase:
		l.Who, l.Text, l.rank = "run", strings.TrimSpace("phase "+e.Op+" ends "+clip(e.Value, 40)), stateLine
	default:
		return l, false
	}
	return l, true
}

func client(actor uint32) string { return fmt.Sprintf("client %d", actor) }

func operationRank(op string) int {
	switch op {
	case "submit":
		return submitLine
	case "amend":
		return amendLine
	}
	return readLine
}

func (c *Case) asks(i uint32, e history.Event) string {
	id := ""
	if e.Unit != history.NoUnit {
		id = " " + c.id(int(c.col[i]))
	}
	text := clip(e.Op, 40) + id
	switch e.Op {
	case "submit":
		text = "submits" + id
	case "read":
		text = "reads" + id
	case "amend":
		text = fmt.Sprintf("amends%s, expecting version %d, note %q", id, e.Token, clip(e.Value, 60))
	}
	if e.Attempt > 1 {
		text += fmt.Sprintf(", attempt %d", e.Attempt)
	}
	return text
}

func answered(e history.Event) string {
	value := clip(e.Value, 120)
	if e.Kind == history.KindOK && e.Op == "read" {
		if state, note, ok := strings.Cut(e.Value, "|"); ok {
			value = clip(state, 60)
			if note != "" {
				value += fmt.Sprintf(", note %q", clip(note, 60))
			}
		}
	}
	if e.Token > 0 {
		value = strings.TrimPrefix(fmt.Sprintf("%s, version %d", value, e.Token), ", ")
	}
	text := "is answered"
	switch e.Kind {
	case history.KindFail:
		text = "is refused"
	case history.KindInfo:
		text = "never learns what became of it"
	}
	if value == "" {
		return text
	}
	return text + ": " + value
}

func (c *Case) actorOf(e history.Event) string {
	if e.Component == "" {
		return "target"
	}
	return clip(e.Component, 40)
}

func (c *Case) lands(e history.Event) string {
	step := history.Step{Name: e.Step}
	for _, s := range c.steps {
		if s.Name == e.Step {
			step = s
		}
	}
	text := did(step, e.Op == "undo")
	if a := amount(e.Value); a != "" {
		text += " " + a
	}
	if e.Key != "" {
		text += ", key " + clip(e.Key, 80)
	}
	return text + bearing(e)
}

// executes says that an execution begins or ends.
func executes(e history.Event) string {
	verb := "begins"
	switch {
	case e.Kind == history.KindFinish && e.Op != "":
		verb = clip(e.Op, 40)
	case e.Kind == history.KindFinish:
		verb = "ends"
	}
	text := strings.TrimSpace(clip(e.Step, 60) + " " + verb)
	if e.Attempt > 1 {
		text += fmt.Sprintf(", attempt %d", e.Attempt)
	}
	return text + bearing(e)
}

// bearing names the token of an event that has one.
func bearing(e history.Event) string {
	if e.Token == 0 {
		return ""
	}
	return fmt.Sprintf(", token %d", e.Token)
}

func effectNote(o history.Outcome) string {
	switch o {
	case history.OutcomeApplied:
		return "applied"
	case history.OutcomeDeduplicated:
		return "deduplicated"
	case history.OutcomeRefused:
		return "refused"
	}
	return ""
}

func observedText(e history.Event) string {
	value := clip(e.Value, 120)
	switch e.Op {
	case "state":
		if e.Token > 0 {
			value += fmt.Sprintf(", version %d", e.Token)
		}
		return "state " + value
	case "step":
		return clip(e.Step, 40) + " is " + map[bool]string{true: "in force", false: "not in force"}[e.Value == "in-force"]
	case "dead-letter":
		return "dead letter: " + value
	case "told":
		return fmt.Sprintf("a span of %s says: %s", clip(e.Component, 40), clip(e.Key, 60))
	case "audit-head":
		return fmt.Sprintf("%s says its audit trail ends at %d", clip(e.Component, 40), e.Token)
	}
	return strings.TrimSpace(clip(e.Op, 40) + " " + value)
}

// othersBites is how many exchanges of other units, or of none, the story of a unit tells of one fault.
const othersBites = 3

// faultLines are the beginnings and ends of the faults in force between two events, and the processes that went unasked. Of a fault
// that acts on messages they are the exchanges that it touched: those of unit u are its own story, but one message lost may take
// others of its connection with it.
func (c *Case) faultLines(u int, first, last uint32) (lines []line) {
	for _, s := range c.faultsBetween(first, last) {
		if _, ok := acts[s.kind]; !ok || len(s.bites) == 0 {
			for _, i := range []uint32{s.begin, s.confirmed, s.end, s.healed} {
				if i != none {
					lines = append(lines, c.faultLine(c.H.Event(int(i))))
				}
			}
		}
		others := 0
		for _, n := range s.bites {
			b := &c.bites[n]
			if t := c.bitten(b); t > c.at(last) || others == othersBites {
				break
			} else if t < c.at(first) || u >= 0 && c.col[b.i] == history.Unit(u) {
				continue
			}
			others++
			lines = append(lines, c.tellBite(b, true))
		}
	}
	for _, i := range c.exits {
		if l, ok := c.line(i); ok && i >= first && i <= last {
			l.Fault = true
			lines = append(lines, l)
		}
	}
	return lines
}

func (c *Case) faultLine(e history.Event) line {
	text := strings.TrimSpace(clip(e.Op, 40) + " " + clip(e.Component, 80))
	switch e.Outcome {
	case history.OutcomeBegin:
		text += " begins"
	case history.OutcomeConfirmed:
		text += " is in force"
	case history.OutcomeEnd:
		text += " ends"
	case history.OutcomeHealed:
		text += " is gone"
	case history.OutcomeFailed:
		text += " failed"
	}
	return line{StoryLine: StoryLine{Seq: e.Seq, T: e.T, Who: clip(e.Key, 20), Text: text, Fault: true}, rank: faultLine}
}
