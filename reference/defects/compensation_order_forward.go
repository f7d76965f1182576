package defects

import (
	"maps"

	"github.com/wreckon/wreckon/reference/orders"
	"github.com/wreckon/wreckon/reference/parts"
	"github.com/wreckon/wreckon/reference/saga"
)

// CompensationOrderForward makes the saga undo what was done first, first.
var CompensationOrderForward = Defect{
	Name: "compensation-order-forward",
	Story: "To compensate is to walk over the list of steps that were done and to undo each; the list is in the order in which they were done, and " +
		"the loop was written the way loops are. The goods go back on the shelf, are sold to somebody else, and then the refund is tried. While " +
		"the payment provider is quick nobody can tell the order. When it is not, there are orders whose goods are gone and whose " +
		"money is not back, and a refund that fails for good can no longer be answered by shipping after all.",
	Reveals: []string{"slow-compensation"},
	Falls:   "compensation-order",
	Apply:   func(p *parts.Parts) { p.Moves = firstThingsFirst(p.Moves) },
}

func firstThingsFirst(right saga.Moves) saga.Moves {
	const releasing = "releasing first"
	moves := maps.Clone(right)
	moves[saga.Shipping] = map[string]saga.Move{
		orders.Shipped:       {State: orders.Completed},
		orders.Undeliverable: {State: releasing, Ask: orders.Release},
	}
	moves[releasing] = map[string]saga.Move{orders.Released: {State: saga.Refunding, Ask: orders.Refund}}
	moves[saga.Refunding] = map[string]saga.Move{orders.Refunded: {State: orders.Compensated}}
	return moves
}
