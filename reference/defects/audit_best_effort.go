package defects

import (
	"context"

	"github.com/wreckon/wreckon/reference/audit"
	"github.com/wreckon/wreckon/reference/message"
	"github.com/wreckon/wreckon/reference/outbox"
	"github.com/wreckon/wreckon/reference/parts"
	"github.com/wreckon/wreckon/reference/store"
)

// AuditBestEffort makes services send their audit entries themselves, once they are committed, and go on if that fails.
var AuditBestEffort = Defect{
	Name: "audit-best-effort",
	Story: "The audit trail must never be what stops an order, so it is sent on the side: straight to the broker, once the transaction is through, and " +
		"if that fails, the error goes to the log. Two writes for each entry were saved, too. It is complete on every day on which the " +
		"broker is there. On the others the services go on, as they were built to: they charge, and write down in their own tables that they " +
		"did, and of that hour the trail knows nothing.",
	Reveals: []string{"broker-partition"},
	Falls:   "complete-audit",
	Apply:   func(p *parts.Parts) { p.Trail = bestEffort },
}

func bestEffort(source string, _ *store.DB, box *outbox.Box, pub outbox.Publisher) audit.Trail {
	chain := audit.NewChain(source, box)
	if pub != nil {
		chain.Send = func(tx *store.Tx, m message.Message) error {
			m.ID = audit.Hash(m.Subject, string(m.Data))
			tx.After(func() { _ = pub.Publish(context.Background(), m) })
			return nil
		}
	}
	return aside{chain}
}

type aside struct{ audit.Chain }

func (a aside) Append(tx *store.Tx, e audit.Entry) error { return a.Link(tx, e) }

func (a aside) Run(context.Context) error { return nil }
