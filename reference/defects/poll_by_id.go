package defects

import (
	"github.com/wreckon/wreckon/reference/outbox"
	"github.com/wreckon/wreckon/reference/parts"
	"github.com/wreckon/wreckon/reference/store"
)

// PollByID makes relays read what has a higher id than what they sent last, and transactions run beside one another until they need the chain.
var PollByID = Defect{
	Name: "poll-by-id",
	Story: "An index on rows that are not sent was large, and its maintenance slow; ids only ever grow, so the relay remembers the last one that it " +
		"sent and asks for what is behind it. And the lock that let transactions happen one after the other was moved to where it is needed, " +
		"in front of the audit chain. Ids are drawn when a row is written and can be seen when it is committed. Now and then somebody draws a " +
		"low one, is held up, and commits after somebody with a higher one, which has been sent by then. Looking back at ten more has " +
		"helped, for a while. " +
		"Under a heavy load it is one event in a million, in a quiet night it is one in ten.",
	Reveals: []string{"overlapping-transactions"},
	Falls:   "no-stuck-work",
	Of:      "reference-postgres",
	Apply:   func(p *parts.Parts) { p.Turn, p.Pick = store.Late, behindTheLast },
}

const behindTheLast outbox.Pick = `sent_at IS NULL AND id > (SELECT coalesce(max(id), 0) - 10 FROM outbox WHERE sent_at IS NOT NULL)`
