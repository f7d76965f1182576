package checkers

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/wreckon/wreckon/history"
)

// prepare reads the history once.
func prepare(ctx context.Context, h *history.History, budget time.Duration) *Case {
	return preparePart(ctx, h, nil, budget)
}

// preparePart reads a part of a history of which a scan knows the rest; nil: there is no rest.
func preparePart(ctx context.Context, h *history.History, w *whole, budget time.Duration) *Case {
	c := &Case{H: h, whole: w, ctx: ctx, budget: budget, vocabulary: newVocabulary(h, w.met()),
		quiesceAt: none, observeBegin: none, observeEnd: none, baselineFails: none, lateness: none,
		events: new(lazyGroups), opsOf: new(lazyGroups), successes: new(successes)}
	c.noun = c.claims.Unit
	if c.noun == "" {
		c.noun = "unit"
	}
	c.nouns = plural(c.noun)
	c.index()
	p := pass{Case: c, actors: make(map[uint32]uint32), faultOf: make(map[history.Ref]int)}
	for i := range h.Kind {
		p.event(uint32(i))
	}
	p.joinBites()
	c.settle()
	w.complete(c)
	c.feeds = c.inferFeeds()
	return c
}

// index makes the unit column dense. The ids a run issues are; an import may hold any.
func (c *Case) index() {
	c.col = c.H.Unit
	last := -1
	for _, u := range c.col {
		if u != history.NoUnit {
			last = max(last, int(u))
		}
	}
	n := last + 1
	if n > 4*len(c.col)+1024 || c.whole != nil {
		n = c.compact()
	}
	c.units = make([]unit, n)
	for i := range c.units {
		c.units[i] = unit{asked: none, acked: none, touched: none, final: none, dead: none, ended: none, effect: none, told: none, done: -1}
	}
	c.cells = make([]cell, n*len(c.steps))
	for i := range c.cells {
		c.cells[i].inForce = -1
	}
}

func (c *Case) compact() int {
	c.names = slices.Clone(c.col)
	slices.Sort(c.names)
	c.names = slices.Compact(c.names)
	if n := len(c.names); n > 0 && c.names[n-1] == history.NoUnit {
		c.names = c.names[:len(c.names)-1]
	}
	col := make([]history.Unit, len(c.col))
	for i, u := range c.col {
		col[i] = history.NoUnit
		if u != history.NoUnit {
			k, _ := slices.BinarySearch(c.names, u)
			col[i] = history.Unit(k)
		}
	}
	c.col = col
	return len(c.names)
}

// inferFeeds takes what the claims say can be observed, and otherwise what the history shows.
func (c *Case) inferFeeds() map[string]bool {
	feeds := make(map[string]bool)
	for _, f := range c.claims.Feeds {
		feeds[f] = true
	}
	if len(feeds) > 0 {
		return feeds
	}
	feeds[history.FeedEffects] = c.applied+c.deduplicated > 0
	feeds[history.FeedAudit] = len(c.chains) > 0 || c.whole.audited()
	feeds[history.FeedStates] = c.states > 0
	feeds[history.FeedSteps] = c.stepsSeen > 0
	feeds[history.FeedTokens] = c.tokens > 0
	feeds[history.FeedLetters] = c.letters > 0
	feeds[history.FeedSpans] = len(c.spans) > 0
	feeds[history.FeedStarts] = slices.Contains(c.H.Kind, history.KindStart)
	feeds[history.FeedReads] = c.whole.readsSeen()
	for _, o := range c.ops {
		if op := c.H.Op[o.call]; op == c.read || op == c.amend {
			feeds[history.FeedReads] = true
			break
		}
	}
	return feeds
}

// pass is the state of the one pass that is of no use after it.
type pass struct {
	*Case
	actors  map[uint32]uint32   // actor -> its open operation, an index of ops
	faultOf map[history.Ref]int // id -> its span, an index of faults
	lists   sourceIndex
}

func (p *pass) unitAt(i uint32) *unit {
	if u := p.col[i]; u != history.NoUnit {
		return &p.units[u]
	}
	return nil
}

func (p *pass) event(i uint32) {
	switch p.H.Kind[i] {
	case history.KindInvoke:
		p.invoke(i)
	case history.KindOK, history.KindFail, history.KindInfo:
		p.end(i)
	case history.KindEffect:
		p.landed(i)
	case history.KindStart:
		p.countToken(i)
	case history.KindAudit:
		p.audit(i)
	case history.KindObserve:
		p.observe(i)
	case history.KindExchange:
		p.exchange(i)
	case history.KindFault:
		p.fault(i)
	case history.KindProcess:
		if p.H.Outcome[i] == history.OutcomeExited && unasked(p.str(p.H.Value[i])) {
			p.exits = append(p.exits, i)
		}
	case history.KindPhase:
		p.phase(i)
	case history.KindNote:
		if p.str(p.H.Op[i]) == "lateness" {
			p.lateness = i
		}
	}
}

func (p *pass) invoke(i uint32) {
	actor := p.H.Actor[i]
	if _, busy := p.actors[actor]; busy {
		p.malformed.nested++
	}
	p.actors[actor] = uint32(len(p.ops))
	p.ops = append(p.ops, operation{call: i, ret: none})
	u := p.unitAt(i)
	if u == nil {
		return
	}
	u.touched = min(u.touched, i)
	if p.H.Op[i] != p.submit {
		return
	}
	u.attempts++
	if u.asked == none {
		u.asked = i
		u.intended = p.intended(i)
	}
}

// intended is when an operation was due: latency counts from there, whatever held its client up.
func (c *Case) intended(call uint32) time.Duration {
	if at := c.H.At[call]; at > 0 {
		return time.Duration(at)
	}
	return c.at(call)
}

// end closes the operation of the actor. What the invoke says about unit and operation counts.
func (p *pass) end(i uint32) {
	o, busy := p.actors[p.H.Actor[i]]
	if !busy {
		p.malformed.unpaired++
		return
	}
	delete(p.actors, p.H.Actor[i])
	p.ops[o].ret = i
	call := p.ops[o].call
	u := p.unitAt(call)
	if u == nil {
		return
	}
	switch op, kind := p.H.Op[call], p.H.Kind[i]; {
	case op == p.submit && kind == history.KindOK:
		if u.acked == none {
			u.acked = i
		}
		p.show(u, i)
	case op == p.submit && kind == history.KindFail:
		u.fails++
	case op == p.read && kind == history.KindOK:
		k := p.show(u, i)
		if k.final() {
			u.ended = min(u.ended, i)
		}
		if k.terminal() {
			u.finish(p.at(i))
		}
	}
}

// show notes the state that an answer showed the unit in.
func (p *pass) show(u *unit, i uint32) stateKind {
	s := p.state(p.str(p.H.Value[i]))
	if s >= 0 {
		u.seen |= 1 << s
	}
	return p.kindOf(s)
}

func (u *unit) finish(t time.Duration) {
	if u.done < 0 || t < u.done {
		u.done = t
	}
}

func (p *pass) landed(i uint32) {
	p.countToken(i)
	if u := p.unitAt(i); u != nil && p.H.Op[i] == p.undo {
		u.flags |= undoAsked
	}
	switch p.H.Outcome[i] {
	case history.OutcomeDeduplicated:
		p.deduplicated++
		return
	case history.OutcomeApplied:
	default:
		return
	}
	p.applied++
	u := p.unitAt(i)
	if u == nil {
		p.phantom = append(p.phantom, i)
		return
	}
	u.effect = min(u.effect, i)
	if u.asked == none {
		u.flags |= earlyEffect
	}
	s := p.step(p.H.Step[i])
	if s < 0 {
		p.malformed.steps++
		return
	}
	x := p.cell(int(p.col[i]), s)
	if p.H.Op[i] == p.undo {
		add(&x.undo)
		return
	}
	if !judgedOnce(p.steps[s]) {
		add(&x.do)
		return
	}
	if x.do > 0 && u.ended != none {
		u.flags |= againAfterEnd
	}
	add(&x.do)
	if x.net() > 1 {
		u.flags |= twiceInForce
	}
}

func (p *pass) countToken(i uint32) {
	if p.H.Token[i] > 0 {
		p.tokens++
	}
}

// add counts up to what fits: what happened 65,535 times is wrong often enough.
func add(n *uint16) {
	if *n < math.MaxUint16 {
		*n++
	}
}

func (p *pass) observe(i uint32) {
	u := p.unitAt(i)
	switch op := p.str(p.H.Op[i]); {
	case op == "audit-head":
		p.head(i)
	case op == "redeliveries":
		p.redelivered = true
		p.redeliveries += p.H.Token[i]
	case op == "dead-letter":
		p.letters++
		if u != nil {
			u.dead = i
		}
	case op == "missed":
		p.unseen(i)
	case u == nil:
	case op == "told":
		p.spans = append(p.spans, i)
	case op == "state":
		p.states++
		u.final = i
		s := p.state(p.str(p.H.Value[i]))
		if u.kind = p.kindOf(s); s >= 0 {
			u.seen |= 1 << s
		} else {
			u.flags |= undeclaredName
		}
	case op == "step":
		if s := p.step(p.H.Step[i]); s >= 0 {
			p.stepsSeen++
			x := p.cell(int(p.col[i]), s)
			x.inForce = 0
			if p.str(p.H.Value[i]) == "in-force" {
				x.inForce = 1
			}
		}
	}
}

func (p *pass) phase(i uint32) {
	p.phases = true
	outcome := p.H.Outcome[i]
	switch p.str(p.H.Op[i]) {
	case "baseline":
		if outcome == history.OutcomeFailed {
			p.baselineFails = i
		}
	case "quiesce":
		switch outcome {
		case history.OutcomeEnd:
			p.quiesce, p.quiesceAt = p.str(p.H.Value[i]), i
		case history.OutcomeFailed:
			p.quiesce, p.quiesceAt = "", i
		}
	case "observe":
		switch outcome {
		case history.OutcomeBegin:
			p.observeBegin = i
		case history.OutcomeEnd:
			p.observeEnd = i
		}
	}
}
