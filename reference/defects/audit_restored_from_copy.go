package defects

import (
	"context"

	"github.com/wreckon/wreckon/reference/audit"
	"github.com/wreckon/wreckon/reference/outbox"
	"github.com/wreckon/wreckon/reference/parts"
	"github.com/wreckon/wreckon/reference/store"
)

// AuditRestoredFromCopy makes a service that starts go on with an audit trail that lacks its last entries.
var AuditRestoredFromCopy = Defect{
	Name: "audit-restored-from-copy",
	Story: "A service that crashed came up with a table of audit entries that it could not read, and since then each start begins with the copy that " +
		"is made of that table every few seconds. The copy is a sound chain: it was checked, link by link, before it was put in place, and " +
		"is checked every night. What was written after it was made is in no chain. The next entries get the numbers of those that are gone, " +
		"and whoever had heard of those has two of each, or keeps the first and throws the second away.",
	Reveals: []string{"lost-audit"},
	Falls:   "complete-audit",
	Apply: func(p *parts.Parts) {
		right := p.Trail
		p.Trail = func(source string, db *store.DB, box *outbox.Box, pub outbox.Publisher) audit.Trail {
			_ = db.Write(context.Background(), func(tx *store.Tx) error {
				_, err := tx.Exec(`DELETE FROM audit WHERE seq > (SELECT max(seq) FROM audit) - 10`)
				return err
			})
			return right(source, db, box, pub)
		}
	},
}
