package defects

import (
	"github.com/wreckon/wreckon/reference/metering"
	"github.com/wreckon/wreckon/reference/parts"
)

// TwoRelaysNoClaim makes the ingester send whatever is due, whether somebody is at it or not.
var TwoRelaysNoClaim = Defect{
	Name: "two-relays-no-claim",
	Story: "One instance that sends batches was a single point of failure, so there are two. Both look for what is due, and on most days a batch is " +
		"answered before the other looks. When the receiver is slow they send the same one; but it knows keys, and nobody is billed " +
		"twice, which was thought about. Then both have an answer, and both write down what follows from it: the batch is deleted, which does no " +
		"harm the second time, and the balance grows, which does. The second delete matched no row. Nobody looks at how many rows a " +
		"delete has matched.",
	Reveals: []string{"metering-window"},
	Falls:   "conserved-totals",
	Of:      "metering",
	Apply:   func(p *parts.Parts) { p.MeterClaim = func() metering.Claim { return anybody } },
}

func anybody(string) (func(), bool) { return func() {}, true }
