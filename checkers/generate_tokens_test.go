package checkers

import (
	"fmt"

	"github.com/wreckon/wreckon/history"
)

// claimTokens claims what the tokens of a generated history are for: leases on the steps of an order, and one numbered stream of
// notifications.
func (w *world) claimTokens() {
	c := &w.header.Claims
	c.Fencing = []history.Fencing{{Step: "charge"}, {Step: "ship"}}
	c.Ordering = []history.Ordering{{Step: "notify", Key: "component"}}
	c.Feeds = append(c.Feeds, history.FeedTokens, history.FeedStarts)
}

// asking is a submit with the order's key and payload.
func (w *world) asking(o *item, actor int, attempt uint32) func() {
	return func() {
		id := history.UnitID("o-", o.u)
		w.invoke(actor, "submit", o.u, id, attempt)
		w.last().Value = "an order of " + id
	}
}

// performs is how one effect comes about: a worker takes the lease, shows the sink its token, and now and then asks again. Now and then
// another worker had the lease before, was paused, and comes when all is done: the sink refuses what it asks. Notifications need no
// lease; they are numbered as they land.
func (w *world) performs(o *item, step, op string, outcome history.Outcome) (steps []func()) {
	key := history.UnitID("o-", o.u) + "/" + step + "/" + op
	leased := step != "notify"
	var token, late uint64
	ask := func(outcome history.Outcome, token *uint64) {
		steps = append(steps, func() {
			if !leased && outcome == history.OutcomeApplied {
				w.posted++
				*token = w.posted
			}
			w.effect(step, op, o.u, "4990", key, outcome)
			w.last().Token = *token
		})
	}
	run := func(kind history.Kind, worker int, token uint64) {
		steps = append(steps, func() {
			w.add(history.Event{Kind: kind, Unit: o.u, Op: op, Step: step, Component: fmt.Sprintf("%s-%d", performer[step], worker), Attempt: uint32(worker),
				Token: token})
		})
	}
	if leased && w.below(4) == 0 {
		o.leases[step]++
		late = o.leases[step]
		run(history.KindStart, 1, late)
	}
	if leased {
		o.leases[step]++
		token = o.leases[step]
		if late > 0 { // it waits for the lease to run out
			steps = append(steps, func() { w.now += leastWait })
		}
		run(history.KindStart, 2, token)
	}
	ask(outcome, &token)
	for outcome == history.OutcomeApplied && w.below(4) == 0 {
		ask(history.OutcomeDeduplicated, &token)
	}
	if leased {
		run(history.KindFinish, 2, token)
	}
	if late > 0 {
		ask(history.OutcomeRefused, &late)
		run(history.KindFinish, 1, late)
	}
	return steps
}
