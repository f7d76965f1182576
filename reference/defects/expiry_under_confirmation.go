package defects

import (
	"time"

	"github.com/wreckon/wreckon/reference/booking"
	"github.com/wreckon/wreckon/reference/parts"
)

// ExpiryUnderConfirmation lets every booking expire whose time is up, also one that is being confirmed.
var ExpiryUnderConfirmation = Defect{
	Name: "expiry-under-confirmation",
	Story: "Bookings that hung in the state confirming were a nuisance: when the confirmer died in the middle of one, its seat was bound until " +
		"somebody had found out what the partner had made of it. The reclaimer's condition was simplified: whatever is not confirmed when its time " +
		"is up expires. Most of the hanging ones had indeed come to nothing. But for some the partner had done what it was asked, and only the " +
		"answer had been lost; their seats were given back, and sold to somebody else.",
	Reveals: []string{"bookings-lost-answers"},
	Falls:   "atomic-outcome",
	Of:      "bookings",
	Apply: func(p *parts.Parts) {
		p.BookingOver = func(b booking.Booking, now time.Time) bool { return !now.Before(b.ValidUntil) }
	},
}
