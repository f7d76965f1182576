package checkers

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/wreckon/wreckon/history"
)

// dice is where a generator takes its choices from: rapid, which can shrink them, or a seeded stream.
type dice interface{ below(n int) int }

type rapidDice struct{ *rapid.T }

func (d rapidDice) below(n int) int { return rapid.IntRange(0, n-1).Draw(d.T, "choice") }

type seededDice struct{ *rand.Rand }

func (d seededDice) below(n int) int { return d.IntN(n) }

// world generates histories of a system that does everything right, under faults: orders of every class, retries, lost answers,
// repeats that the sink absorbs, audit events delivered twice and late, reads and conditional updates at any time.
type world struct {
	*script
	dice
	lanes  [][]func() // each runs in order; among each other they are mixed
	posted uint64     // number of the last notification
}

// item is one order as the system itself has it.
type item struct {
	w       *world
	u       history.Unit
	state   string // "" before it is created
	version uint64
	note    string
	leases  map[string]uint64 // the newest token of each step
}

func generate(d dice, units int) *script {
	w := &world{script: newScript(), dice: d}
	w.claimTokens()
	w.promise()
	for _, name := range []string{"api", "inventory", "payments", "shipping"} {
		w.source(name) // each names its last number, also where that is none
	}
	w.claimMore()
	w.count()
	first := &item{w: w}
	for u := range units {
		o := &item{w: w, u: history.Unit(u), leases: map[string]uint64{}}
		if u == 0 {
			first = o
		}
		w.order(o)
	}
	for f := range d.below(3) {
		w.fault(fmt.Sprintf("f%d", f+1))
	}
	for range w.below(2) {
		w.drain()
	}
	w.mix()
	known := uint64(0)
	for _, step := range w.reading(first, 1<<20, &known) { // somebody asks once the faults are gone
		step()
	}
	w.redeliver()
	w.rest("settled")
	w.count()
	w.trace()
	w.heads()
	w.phase("observe", history.OutcomeEnd, "")
	return w.script
}

// promise claims what such a system keeps, beyond the claims of every script.
func (w *world) promise() {
	c := &w.header.Claims
	c.Feeds = append(c.Feeds, history.FeedLetters)
	c.States.Next = map[string][]string{"pending": {"completed", "compensated", "quarantined"}, "quarantined": {"completed", "compensated"}}
	c.DeadLetters = &history.DeadLetters{Context: []string{"reason", "payload"}, MaxRate: 1}
	c.Retries = []history.Retries{{Step: "charge", Max: maxAttempts, Base: history.Duration(leastWait), Factor: 2}, {Step: "ship", Max: maxAttempts}}
	c.Deadlines = []history.Deadline{{Name: "time to live", From: "submit", To: "effect ship", Within: history.Duration(time.Hour)}}
}

const (
	maxAttempts = 4
	leastWait   = 10 * time.Millisecond
)

// mix runs the lanes, always the next step of one at random, a few lanes open at a time.
func (w *world) mix() {
	const atOnce = 6
	var open [][]func()
	rest := w.lanes
	for len(open) > 0 || len(rest) > 0 {
		for len(open) < atOnce && len(rest) > 0 {
			open, rest = append(open, rest[0]), rest[1:]
		}
		k := w.below(len(open))
		open[k][0]()
		if open[k] = open[k][1:]; len(open[k]) == 0 {
			open = slices.Delete(open, k, k+1)
		}
	}
}

func (w *world) fault(id string) {
	event := func(o history.Outcome) func() {
		return func() {
			w.add(history.Event{Kind: history.KindFault, Unit: history.NoUnit, Key: id, Op: "partition", Component: "relay <-> broker", Outcome: o,
				Value: `{"probe":"no answer","connections":1}`})
		}
	}
	w.lanes = slices.Insert(w.lanes, w.below(len(w.lanes)+1), []func(){event(history.OutcomeBegin), event(history.OutcomeConfirmed),
		event(history.OutcomeEnd), event(history.OutcomeHealed)})
}

// redeliver gives some audit events again, later.
func (w *world) redeliver() {
	for range w.below(4) {
		k := w.below(len(w.events))
		if w.events[k].Kind == history.KindAudit {
			again := w.events[k]
			w.events = slices.Insert(w.events, k+1+w.below(len(w.events)-k), again)
		}
	}
}

// order adds the lanes of one order: its submitter with what the system makes of it, and a client that reads and updates it.
func (w *world) order(o *item) {
	class := w.below(8)
	submit := w.submits(o, class)
	w.lanes = append(w.lanes, append(submit, w.process(o, class)...))
	if class != refusedClass {
		w.lanes = append(w.lanes, w.touches(o))
	}
}

// The classes of order; what is above them is happy.
const (
	refusedClass = iota
	vanishedClass
	declinedClass
	undeliverableClass
	poisonClass
)

func (w *world) submits(o *item, class int) (steps []func()) {
	actor := int(o.u)*2 + 1
	attempt := uint32(0)
	try := func(answer func()) {
		attempt++
		n := attempt
		steps = append(steps, w.asking(o, actor, n), answer)
	}
	info := func() { w.answer(actor, history.KindInfo, "timeout", 0) }
	switch class {
	case refusedClass:
		for range 1 + w.below(2) {
			try(func() { w.answer(actor, history.KindFail, "400", 0) })
		}
		return steps
	case vanishedClass:
		try(info)
		return steps
	}
	if w.below(4) == 0 { // the first try never arrives
		try(info)
	}
	lost := w.below(4) == 0 // the order is created, and its client not told
	attempt++
	n := attempt
	steps = append(steps, w.asking(o, actor, n), func() {
		o.state, o.version = "pending", 1
		w.audit("api", "accepted", o.u, "")
	})
	stored := func() { w.answer(actor, history.KindOK, "pending", 1) }
	if lost {
		steps = append(steps, info)
	} else {
		steps = append(steps, stored)
	}
	for w.below(3) == 0 { // its client asks again
		try(stored)
	}
	return steps
}

// process is what the system does with an order.
func (w *world) process(o *item, class int) (steps []func()) {
	do := func(f func()) { steps = append(steps, f) }
	audit := func(source, transition, step string) { do(func() { w.audit(source, transition, o.u, step) }) }
	effect := func(step, op string, outcome history.Outcome) {
		steps = append(steps, w.performs(o, step, op, outcome)...)
	}
	end := func(state, reserved string) {
		do(func() {
			o.state, o.version = state, o.version+1
			w.audit("api", state, o.u, "")
		})
		w.ends = append(w.ends, func() {
			w.observe("state", o.u, "", o.state, "api", o.version, "")
			w.observe("step", o.u, "reserve", reserved, "inventory", 0, "")
			if state == "quarantined" {
				w.observe("dead-letter", o.u, "", `{"reason":"poison","payload":{"sku":"poison"}}`, "saga", 0, "")
			}
		})
	}
	switch class {
	case refusedClass, vanishedClass:
		return nil
	case poisonClass:
		if w.below(2) == 0 {
			end("quarantined", "none")
			return steps
		}
		steps = append(steps, w.release(o)...)
	}
	if class > undeliverableClass && w.below(2) == 0 {
		steps = append(steps, w.load(o)...)
	}
	audit("inventory", "reserved", "reserve")
	switch class {
	case declinedClass:
		effect("charge", "do", history.OutcomeRefused)
	case undeliverableClass:
		effect("charge", "do", history.OutcomeApplied)
		audit("payments", "charged", "charge")
		effect("ship", "do", history.OutcomeRefused)
		effect("charge", "undo", history.OutcomeApplied)
		audit("payments", "refunded", "charge")
	default:
		effect("charge", "do", history.OutcomeApplied)
		audit("payments", "charged", "charge")
		effect("ship", "do", history.OutcomeApplied)
		audit("shipping", "shipped", "ship")
		for range w.below(3) {
			effect("notify", "do", history.OutcomeApplied)
		}
		end("completed", "in-force")
		return steps
	}
	audit("inventory", "released", "reserve")
	end("compensated", "none")
	return steps
}

// touches are reads and conditional updates of one order by one client. Between the call and the answer of each there is an instant
// at which it happens.
func (w *world) touches(o *item) (steps []func()) {
	actor := int(o.u)*2 + 2
	known := uint64(1)
	for n := range 1 + w.below(4) {
		if w.below(3) > 0 {
			steps = append(steps, w.reading(o, actor, &known)...)
		} else {
			steps = append(steps, w.amending(o, actor, fmt.Sprintf("note-%d", n), &known)...)
		}
	}
	return steps
}

func (w *world) reading(o *item, actor int, known *uint64) []func() {
	var answer string
	var version uint64
	return []func(){
		func() { w.invoke(actor, "read", o.u, "", 1) },
		func() {
			answer, version = "absent", 0
			if o.state != "" {
				answer, version = o.state+"|"+o.note, o.version
				*known = version
			}
		},
		func() { w.answer(actor, history.KindOK, answer, version) },
	}
}

func (w *world) amending(o *item, actor int, note string, known *uint64) []func() {
	lost, arrives := w.below(4) == 0, w.below(2) == 0
	kind, version := history.KindFail, uint64(0)
	return []func(){
		func() {
			w.invoke(actor, "amend", o.u, "", 1)
			e := &w.events[len(w.events)-1]
			e.Token, e.Value = *known, note
		},
		func() {
			kind, version = history.KindFail, o.version
			if o.state != "" && o.version == *known && (!lost || arrives) {
				o.version, o.note = o.version+1, note
				kind, version = history.KindOK, o.version
			}
		},
		func() {
			if lost {
				w.answer(actor, history.KindInfo, "timeout", 0)
				return
			}
			w.answer(actor, kind, o.state, version)
			if version > 0 {
				*known = version
			}
		},
	}
}
