package defects

import (
	"context"

	"github.com/wreckon/wreckon/reference/gateway"
	"github.com/wreckon/wreckon/reference/message"
	"github.com/wreckon/wreckon/reference/orders"
	"github.com/wreckon/wreckon/reference/parts"
	"github.com/wreckon/wreckon/reference/reconcile"
)

// ReconcilerRepairsTwice makes the reconciler ship what the books do not have as shipped.
var ReconcilerRepairsTwice = Defect{
	Name: "reconciler-repairs-twice",
	Story: "Every night a job compares what was paid for with what was sent. An order that is paid for and not in the table of shipments was forgotten, " +
		"and the job ships it, under a number of its own, since it is another job. It compares two tables that are both ours. The orders " +
		"that are missing in one are those of which nobody heard what the carrier did, and the carrier did it: that is how they came to be missing. " +
		"It was called the repair job, and what it repaired went out twice.",
	Reveals: []string{"answers-lost-for-good"},
	Falls:   "no-duplicate-effects",
	Apply:   func(p *parts.Parts) { p.Repair = shipWhatIsMissing },
}

func shipWhatIsMissing(ctx context.Context, t reconcile.Tools, d reconcile.Doubt) (bool, error) {
	if d.Step != orders.Ship {
		return reconcile.AskTheOtherSide(ctx, t, d)
	}
	order, err := orders.Decode[orders.Order](message.Message{Data: d.Command})
	if err != nil {
		return false, err
	}
	call := gateway.Call{OrderID: d.OrderID, Key: d.OrderID + "/repaired", Trace: d.Trace}
	if _, err := t.Gateway.Ship(ctx, call, order.Address); err != nil {
		return false, err
	}
	return true, t.Desk.TakeUp(ctx, reconcile.Name, d.OrderID)
}
