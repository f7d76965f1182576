package checkers

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/wreckon/wreckon/history"
)

// exchange is one request and its response: the JSON of its event. Histories hold many of them, and no guarantee needs one, so that
// only those that a fault touched, and those that a story tells, are ever read.
type exchange struct {
	Asked      int64  `json:"asked_ns"`
	Delivered  int64  `json:"delivered_ns"`
	Answered   int64  `json:"answered_ns"`
	Deliveries int    `json:"deliveries"`
	Returned   bool   `json:"returned"`
	Refused    bool   `json:"refused"`
	Fault      string `json:"fault"`
}

// bite is an exchange that a fault touched.
type bite struct {
	exchange
	i     uint32 // its event
	fault int    // index of faults
}

// faultField is what the value of a touched exchange holds: looking for it costs a tenth of reading the value.
const faultField = `"fault":`

func (p *pass) exchange(i uint32) {
	p.exchanges++
	v := p.str(p.H.Value[i])
	if !strings.Contains(v, faultField) {
		return
	}
	b := bite{i: i}
	if json.Unmarshal([]byte(v), &b.exchange) == nil && b.Fault != "" {
		p.bites = append(p.bites, b)
	}
}

// joinBites gives each bite to its fault. A fault of which the history tells nothing else has bitten all the same.
func (p *pass) joinBites() {
	of := make(map[string]int, len(p.faults))
	for k := range p.faults {
		of[p.faults[k].id] = k
	}
	for n := range p.bites {
		b := &p.bites[n]
		k, ok := of[b.Fault]
		if !ok {
			k = len(p.faults)
			of[b.Fault] = k
			p.faults = append(p.faults, newSpan(b.Fault))
			p.faults[k].target = p.str(p.H.Comp[b.i])
		}
		b.fault = k
		p.faults[k].bites = append(p.faults[k].bites, n)
	}
}

// biteAt finds the bite that an event is.
func (c *Case) biteAt(i uint32) *bite {
	n, ok := slices.BinarySearchFunc(c.bites, i, func(b bite, i uint32) int { return int(int64(b.i) - int64(i)) })
	if !ok {
		return nil
	}
	return &c.bites[n]
}

// repeats counts how often we delivered a request more often than its caller asked for.
func (c *Case) repeats() (n int) {
	for k := range c.bites {
		n += max(c.bites[k].Deliveries-1, 0)
	}
	return n
}

// bitten is when the fault bit: when the message was at its point, as far as the event says so.
func (c *Case) bitten(b *bite) time.Duration {
	t := b.Asked
	if c.point(b) == pointAfter {
		t = b.Answered
	}
	if end := c.at(b.i); t > 0 && time.Duration(t) < end {
		return time.Duration(t)
	}
	return c.at(b.i)
}

const (
	pointBefore = "before" // the request is at the proxy, undelivered
	pointAfter  = "after"  // its answer is
)

// point is where a fault bit; "" where nothing says so.
func (c *Case) point(b *bite) string {
	s := &c.faults[b.fault]
	if a, ok := acts[s.kind]; ok {
		return a.point
	}
	if x := s.force.Exchange; x != nil {
		return x.Point
	}
	return s.point
}

// exchangeName is how a person names an exchange: "POST /charges #12".
func exchangeName(signature string, nth uint64) string {
	name := clip(signature, 80)
	if nth > 0 {
		name += fmt.Sprintf(" #%d", nth)
	}
	return name
}

func (c *Case) biteOf(b *bite) Bite {
	s := &c.faults[b.fault]
	from, to := ends(c.str(c.H.Comp[b.i]))
	x := Bite{Seq: uint64(b.i), T: c.bitten(b), From: from, To: to, Exchange: clip(c.str(c.H.Op[b.i]), 80), Nth: c.H.Token[b.i],
		Point: c.point(b), Did: c.done(s, b)}
	if u := c.col[b.i]; u != history.NoUnit {
		x.Unit = c.id(int(u))
	}
	return x
}

// ends are the two components of an edge, the one that dials first. What names no edge is one end.
func ends(edge string) (from, to string) {
	from, to, _ = strings.Cut(clip(edge, 120), " -> ")
	return from, to
}

// told is a bite as FaultResult has it in one line.
func (b Bite) told() string {
	text := exchangeName(b.Exchange, b.Nth)
	if b.Unit != "" {
		text += " of " + b.Unit
	}
	if b.Point != "" {
		text += ", " + b.Point
	}
	if b.To != "" {
		text = b.From + " -> " + b.To + ": " + text
	}
	return text
}

// tellBite tells what a fault did to an exchange, and to whose where that is not the unit of the story.
func (c *Case) tellBite(b *bite, others bool) line {
	s := &c.faults[b.fault]
	l := line{StoryLine: StoryLine{Seq: uint64(b.i), T: c.bitten(b), Who: clip(s.id, 20), Fault: true}, rank: biteLine}
	l.From, l.To = ends(c.str(c.H.Comp[b.i]))
	name := exchangeName(c.str(c.H.Op[b.i]), c.H.Token[b.i])
	if u := c.col[b.i]; others && u != history.NoUnit {
		name += " of " + c.id(int(u))
	}
	l.Text = c.saysBite(s, b, name)
	if edge := clip(c.str(c.H.Comp[b.i]), 80); edge != "" {
		l.Text += " (" + edge + ")"
	}
	if d := b.Delivered - b.Asked; d > 0 && holdsRequest(s.kind) {
		l.Note = "held " + briefly(time.Duration(d))
	}
	return l
}

// briefly rounds a duration to what a person reads.
func briefly(d time.Duration) string {
	if d > time.Second {
		return d.Round(10 * time.Millisecond).String()
	}
	return d.Round(10 * time.Microsecond).String()
}

// retold tells the requests of a unit that ask again what a fault had touched: what the target repeats by itself is another exchange,
// what we delivered again is not.
func (c *Case) retold(events []uint32) (lines []line) {
	var own []*bite
	for _, i := range events {
		if c.H.Kind[i] != history.KindExchange {
			continue
		}
		if b := c.biteAt(i); b != nil {
			own = append(own, b)
		}
	}
	if len(own) == 0 {
		return nil
	}
	for _, i := range events {
		if c.H.Kind[i] != history.KindExchange || c.biteAt(i) != nil {
			continue
		}
		alike := func(b *bite) bool { return c.H.Comp[b.i] == c.H.Comp[i] && c.H.Op[b.i] == c.H.Op[i] }
		if !slices.ContainsFunc(own, alike) {
			continue
		}
		x, ok := c.exchangeAt(i)
		if !ok || !slices.ContainsFunc(own, func(b *bite) bool { return alike(b) && b.Asked < x.Asked }) {
			continue
		}
		from, _ := ends(c.str(c.H.Comp[i]))
		l := line{StoryLine: StoryLine{Seq: uint64(i), T: min(time.Duration(x.Asked), c.at(i)), Who: from}, rank: stateLine}
		l.Text = "asks again: " + exchangeName(c.str(c.H.Op[i]), c.H.Token[i])
		switch {
		case x.Refused:
			l.Note = "refused"
		case x.Returned:
			l.Note = "answered"
		default:
			l.Note = "not answered"
		}
		lines = append(lines, l)
	}
	return lines
}

// exchangeAt reads the exchange of an event.
func (c *Case) exchangeAt(i uint32) (x exchange, ok bool) {
	return x, json.Unmarshal([]byte(c.str(c.H.Value[i])), &x) == nil
}

// since is the first event at or after an instant.
func (c *Case) since(t time.Duration) uint32 {
	i, _ := slices.BinarySearch(c.H.T, int64(t))
	return uint32(i)
}
