package defects

import (
	"time"

	"github.com/wreckon/wreckon/reference/booking"
	"github.com/wreckon/wreckon/reference/parts"
)

// TTLAcceptsLateCompletion looks at the clock before a confirmation leaves, and has nobody look when it lands.
var TTLAcceptsLateCompletion = Defect{
	Name: "ttl-accepts-late-completion",
	Story: "The partner offered a field for the time until which a confirmation may be applied. It was left empty: the service compares the end of " +
		"the hold with the clock itself, a line before the call, and why should it be done twice. Between that line and the partner's ledger lie " +
		"a queue, a network, and once in a while a pause of a few seconds. What was held for two minutes was then confirmed after three, when the " +
		"customer had been told that it was too late, and had booked elsewhere.",
	Reveals: []string{"bookings-clock"},
	Falls:   "honoured-deadlines",
	Of:      "bookings",
	Apply: func(p *parts.Parts) {
		p.BookingUntil = func(booking.Grant) time.Time { return time.Time{} }
	},
}
