package defects

import (
	"github.com/wreckon/wreckon/reference/parts"
	"github.com/wreckon/wreckon/reference/quarantine"
)

// QuarantineReleaseUnchecked lets everybody who is known decide what becomes of an order that was set aside.
var QuarantineReleaseUnchecked = Defect{
	Name: "quarantine-release-unchecked",
	Story: "The quarantine was made on a bad night, by the people on call, for the people on call: whoever can log in can release. It said so in a " +
		"comment, with a note to add the rights later. It worked so well that support got a login, to look at stuck orders, and then the " +
		"trainees of support. Who has released what is in the audit trail, name by name, and no name was ever asked whether it may.",
	Reveals: []string{"poisoned-orders"},
	Falls:   "authorised-actions",
	Apply:   func(p *parts.Parts) { p.Release = func(quarantine.Decision) error { return nil } },
}
