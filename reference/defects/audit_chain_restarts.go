package defects

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/wreckon/wreckon/reference/audit"
	"github.com/wreckon/wreckon/reference/message"
	"github.com/wreckon/wreckon/reference/outbox"
	"github.com/wreckon/wreckon/reference/parts"
	"github.com/wreckon/wreckon/reference/store"
)

// AuditChainRestarts makes every process begin a hash chain of its own.
var AuditChainRestarts = Defect{
	Name: "audit-chain-restarts",
	Story: "To read the last hash from the table for each entry was slow, so it is kept in memory, where it is after the first entry anyway. " +
		"Before the first entry there is none, and an entry without one before it begins a chain: that case was there already, for the first " +
		"entry ever. Now it is there after each restart. The chain has a seam for every deployment and every crash, and whoever wants " +
		"to take an entry out only has to take out all that stand before the next seam.",
	Reveals: []string{"lost-audit"},
	Falls:   "complete-audit",
	Apply:   func(p *parts.Parts) { p.Trail = seamed },
}

func seamed(source string, _ *store.DB, box *outbox.Box, _ outbox.Publisher) audit.Trail {
	return &seam{source: source, box: box}
}

type seam struct {
	source string
	box    *outbox.Box
	mu     sync.Mutex
	begun  bool
}

func (s *seam) Run(context.Context) error { return nil }

func (s *seam) Append(tx *store.Tx, e audit.Entry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := audit.Body{Source: s.source, At: time.Now().UTC().Format(time.RFC3339Nano), OrderID: e.OrderID, Transition: e.Transition,
		Step: e.Step, Attempt: e.Attempt, Detail: e.Detail, Trace: e.Trace, Actor: e.Actor, Amount: e.Amount}
	if err := tx.Row(`SELECT coalesce(max(seq), 0) + 1 FROM audit`, nil, &b.Seq); err != nil {
		return err
	}
	body, err := json.Marshal(b)
	if err != nil {
		return err
	}
	prev := ""
	if s.begun {
		if err := tx.Row(`SELECT hash FROM audit WHERE seq = ?`, []any{b.Seq - 1}, &prev); err != nil {
			return err
		}
	}
	s.begun = true
	line := audit.Line{Source: s.source, Seq: b.Seq, Hash: audit.Hash(prev, string(body)), Body: string(body)}
	if _, err := tx.Exec(`INSERT INTO audit (seq, hash, body) VALUES (?, ?, ?)`, line.Seq, line.Hash, line.Body); err != nil {
		return err
	}
	data, err := json.Marshal(line)
	if err != nil {
		return err
	}
	return s.box.AddBulk(tx, message.Message{Subject: "audit." + s.source, Trace: e.Trace, Data: data})
}
