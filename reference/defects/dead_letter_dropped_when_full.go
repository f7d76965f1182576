package defects

import (
	"github.com/wreckon/wreckon/reference/audit"
	"github.com/wreckon/wreckon/reference/inbox"
	"github.com/wreckon/wreckon/reference/outbox"
	"github.com/wreckon/wreckon/reference/parts"
	"github.com/wreckon/wreckon/reference/quarantine"
	"github.com/wreckon/wreckon/reference/store"
)

// DeadLetterDroppedWhenFull makes services keep the newest few dead letters only.
var DeadLetterDroppedWhenFull = Defect{
	Name: "dead-letter-dropped-when-full",
	Story: "The queue of dead letters has a maximum length, as every queue should, and drops its oldest entry when it is full, as the broker does " +
		"unless it is told otherwise. It holds a thousand, and there were never more than nine. Then a bad import damages a record that " +
		"half of the orders need. For an hour the dead letters come by the thousand, and each pushes out another; the orders are marked " +
		"as set aside, for somebody to look into, and for most of them there is nothing left to look into.",
	Reveals: []string{"poisoned-orders"},
	Falls:   "dead-letters-accounted",
	Apply:   func(p *parts.Parts) { p.SetAside = newestFew },
}

// few is how many letters there is room for.
const few = 4

func newestFew(service string, box *outbox.Box, trail audit.Trail) func(*store.Tx, *inbox.Letter) error {
	answer := quarantine.Answer(service, box, trail)
	return func(tx *store.Tx, letter *inbox.Letter) error {
		_, err := tx.Exec(`DELETE FROM dead_letters WHERE id NOT IN (SELECT id FROM dead_letters ORDER BY dead_at DESC LIMIT ?)`, few-1)
		if err != nil {
			return err
		}
		return answer(tx, letter)
	}
}
