package checkers

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/wreckon/wreckon/history"
)

// What a good history holds for the guarantees that a target must claim: people who release what was set aside, a worker with
// checkpoints, a shelf whose pieces are counted, components that are told to stop, and a trace on everything.

func (w *world) claimMore() {
	c := &w.header.Claims
	c.Feeds = append(c.Feeds, history.FeedTraces, history.FeedTotals, history.FeedStarts)
	c.Steps = append(c.Steps, history.Step{Name: "load", Does: "loaded"})
	c.Privileges = append(c.Privileges, history.Privilege{Action: "let-go", Actors: []string{"ann", "bob"}, From: "quarantined", Approval: "agreed", Above: 100})
	c.Checkpoints = append(c.Checkpoints, history.Checkpoints{Step: "load", Every: checkpointEvery})
	zero := 0.0
	c.Totals = append(c.Totals,
		history.Total{Name: "pieces", Terms: []history.Term{{Observed: "on-hand"}, {Count: "ship"}}},
		history.Total{Name: "takings", Equals: &zero, Terms: []history.Term{{Observed: "ledger"}, {Effects: "charge", Times: -0.01}}})
	c.Recovery = &history.Recovery{Success: history.Duration(time.Minute), Backlog: history.Duration(time.Minute), Loss: new(history.Duration)}
	c.Drain = append(c.Drain, history.Drain{Grace: history.Duration(time.Minute)})
	w.source("ops")
}

const checkpointEvery = 2

// signed records what a person did.
func (w *world) signed(transition string, u history.Unit, actor string, amount int) {
	t := w.source("ops")
	before := t.hash
	w.audit("ops", transition, u, "")
	e := w.last()
	e.Value = fmt.Sprintf(`%s,"actor":%q,"amount":%d}`, strings.TrimSuffix(e.Value, "}"), actor, amount)
	e.Key = chained(before, e.Value)
	t.hash = e.Key
}

// release lets a person decide on an order that was set aside: above the limit with somebody else's consent.
func (w *world) release(o *item) (steps []func()) {
	amount := []int{50, 100, 250}[w.below(3)]
	steps = append(steps, func() {
		o.state, o.version = "quarantined", o.version+1
		w.audit("api", "quarantined", o.u, "")
	})
	if amount >= 100 {
		steps = append(steps, func() { w.signed("agreed", o.u, "bob", amount) })
	}
	return append(steps, func() { w.signed("let-go", o.u, "ann", amount) })
}

// load is work in chunks. It crashes now and then, and goes on from its last checkpoint.
func (w *world) load(o *item) (steps []func()) {
	id := history.UnitID("o-", o.u)
	event := func(kind history.Kind, chunk int, attempt uint32, op string) func() {
		return func() {
			w.add(history.Event{Kind: kind, Unit: o.u, Step: "load", Component: "worker-" + id, Token: uint64(chunk), Attempt: attempt, Op: op})
		}
	}
	land := func(chunk int) func() {
		return func() {
			key, outcome := fmt.Sprintf("%s/load/%d", id, chunk), history.OutcomeApplied
			if slices.ContainsFunc(w.events, func(e history.Event) bool { return e.Kind == history.KindEffect && e.Key == key }) {
				outcome = history.OutcomeDeduplicated
			}
			w.add(history.Event{Kind: history.KindEffect, Outcome: outcome, Unit: o.u, Step: "load", Op: "do", Component: "worker-" + id, Token: uint64(chunk), Key: key})
		}
	}
	durable, attempt := 0, uint32(1)
	chunks := 1 + w.below(5)
	for chunk := 1; chunk <= chunks; chunk++ {
		steps = append(steps, event(history.KindStart, chunk, attempt, ""))
		crash := w.below(4) // 0: before the effect, 1: behind it
		if attempt < 3 && crash < 2 {
			if crash == 1 {
				steps = append(steps, land(chunk))
			}
			steps = append(steps, func() { w.becomes("worker-"+id, history.OutcomeKilled, "signal: killed", uint64(o.u)+1000) })
			attempt++
			chunk = durable
			continue
		}
		steps = append(steps, land(chunk), event(history.KindFinish, chunk, attempt, ""))
		if chunk%checkpointEvery == 0 {
			steps = append(steps, event(history.KindFinish, chunk, attempt, "checkpoint"))
			durable = chunk
		}
	}
	return steps
}

func (w *world) becomes(component string, o history.Outcome, value string, pid uint64) {
	w.add(history.Event{Kind: history.KindProcess, Unit: history.NoUnit, Component: component, Outcome: o, Value: value, Token: pid})
}

// drain tells a component to stop, and starts it again.
func (w *world) drain() {
	name := []string{"payments", "shipping"}[w.below(2)]
	step := func(o history.Outcome, value string) func() { return func() { w.becomes(name, o, value, 41) } }
	w.lanes = slices.Insert(w.lanes, w.below(len(w.lanes)+1), []func(){step(history.OutcomeTerminated, "grace 5s"),
		step(history.OutcomeExited, "exit status 0, 12ms after SIGTERM"), step(history.OutcomeStarted, "")})
}

// count reads the totals, in any order.
func (w *world) count() {
	shipped, cents := 0, 0
	for _, e := range w.events {
		switch {
		case applied("ship", "do")(e):
			shipped++
		case applied("charge", "do")(e):
			cents += 4990
		case applied("charge", "undo")(e):
			cents -= 4990
		}
	}
	read := []func(){
		func() { w.observe("total", history.NoUnit, "", fmt.Sprint(1000-shipped), "inventory", 0, "on-hand") },
		func() {
			w.observe("total", history.NoUnit, "", fmt.Sprintf("%d.%02d", cents/100, cents%100), "api", 0, "ledger")
		},
	}
	k := w.below(2)
	read[k]()
	read[1-k]()
}

// trace puts everything of a unit on one trace, with a span of its own.
func (w *world) trace() {
	for k := range w.events {
		if e := &w.events[k]; e.Unit != history.NoUnit && e.Kind != history.KindObserve {
			e.Trace = fmt.Sprintf("00-%032x-%016x-01", e.Unit+1, k+1)
		}
	}
}
