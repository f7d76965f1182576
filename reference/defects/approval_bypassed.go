package defects

import (
	"github.com/wreckon/wreckon/reference/parts"
	"github.com/wreckon/wreckon/reference/quarantine"
)

// ApprovalBypassed makes one person enough to give up an order of any amount.
var ApprovalBypassed = Defect{
	Name: "approval-bypassed",
	Story: "Above a limit it takes two. The rule lives in the form that operators fill in: its button stays grey until a second person has agreed. " +
		"When the nightly clean-up had to give up orders by the hundred, it was written against the endpoint behind the form, which " +
		"checks that the caller has the right and nothing else, because everything else had been checked. From then on everybody " +
		"who knew the script could do alone what takes two.",
	Reveals: []string{"poisoned-orders"},
	Falls:   "authorised-actions",
	Apply:   func(p *parts.Parts) { p.Release = oneIsEnough },
}

func oneIsEnough(d quarantine.Decision) error {
	if !d.Who.May(quarantine.Resolve) {
		return quarantine.ErrNoRight
	}
	return nil
}
