package defects

import (
	"github.com/wreckon/wreckon/reference/orders"
	"github.com/wreckon/wreckon/reference/parts"
	"github.com/wreckon/wreckon/reference/saga"
)

// OverdueNotUndone makes the saga end an order whose time is up where it stands.
var OverdueNotUndone = Defect{
	Name: "overdue-not-undone",
	Story: "Orders got a time until which they are wanted, and the workflow a line that ends what is too old before the next step: nobody wants it any " +
		"more, so there is nothing to do. What had been done by then was thought of for a declined card and an unknown address, each in its own " +
		"branch. This one has none. The order is closed, the goods stay reserved, and the card stays charged.",
	Reveals: []string{"overdue-orders"},
	Falls:   "atomic-outcome",
	Apply: func(p *parts.Parts) {
		p.Late = saga.Moves{
			saga.Reserving: {orders.Reserved: {State: orders.Compensated}},
			saga.Charging:  {orders.Charged: {State: orders.Compensated}},
		}
	},
}
