package defects

import (
	"maps"

	"github.com/wreckon/wreckon/reference/orders"
	"github.com/wreckon/wreckon/reference/parts"
	"github.com/wreckon/wreckon/reference/saga"
)

// CompensateUndoneStep makes the saga undo the step that failed, too.
var CompensateUndoneStep = Defect{
	Name: "compensate-undone-step",
	Story: "If a step fails, undo everything up to and including it: who knows how far it came. For most steps that is harmless, undoing what is " +
		"not there finds nothing. The payment provider takes a refund for what it is, a wish to give somebody money. A declined card " +
		"is now paid the amount that it could not be charged, and the monthly reconciliation is off by the sum of all declined orders, on the " +
		"friendly side.",
	Reveals: []string{"slow-compensation"},
	Falls:   "compensation-order",
	Apply: func(p *parts.Parts) {
		moves := maps.Clone(p.Moves)
		moves[saga.Charging] = map[string]saga.Move{
			orders.Charged:  {State: saga.Shipping, Ask: orders.Ship},
			orders.Declined: {State: saga.Refunding, Ask: orders.Refund},
		}
		p.Moves = moves
	},
}
