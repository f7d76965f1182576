package defects

import (
	"github.com/wreckon/wreckon/reference/booking"
	"github.com/wreckon/wreckon/reference/parts"
	"github.com/wreckon/wreckon/reference/store"
)

// ReservationLeak forgets the seats of bookings whose confirmation was refused.
var ReservationLeak = Defect{
	Name: "reservation-leak",
	Story: "There were two ways for a booking to end: it was confirmed, and the seat was sold, or its time was up, and the reclaimer gave the seat " +
		"back. When the partner began to refuse confirmations that came too late, a third was added. It sets the state to expired, as the second " +
		"does, and tells the customer. The seat was the reclaimer's business, and the reclaimer looks for bookings that are held. After each bad " +
		"day of the network a few more seats were neither free nor sold, until a flight was sold out half empty.",
	Reveals: []string{"bookings-clock"},
	Falls:   "conserved-totals",
	Of:      "bookings",
	Apply: func(p *parts.Parts) {
		p.BookingSettle = func(tx *store.Tx, b booking.Booking, end string) error {
			if b.State == booking.Confirming && end == booking.Expired {
				return nil
			}
			return booking.MoveSeat(tx, b, end)
		}
	},
}
