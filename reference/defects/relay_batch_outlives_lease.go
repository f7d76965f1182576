package defects

import (
	"sync"
	"time"

	"github.com/wreckon/wreckon/reference/metering"
	"github.com/wreckon/wreckon/reference/parts"
)

// RelayBatchOutlivesLease makes the ingester take an account for a fixed time, and not look whether it still has it.
var RelayBatchOutlivesLease = Defect{
	Name: "relay-batch-outlives-lease",
	Story: "Whoever sends batches takes a lease on the account first, so that there is one at a time, and a lease ends by itself, so that an account " +
		"is not stuck behind the dead. It lasts five times as long as a batch takes. Then there is an afternoon on which the receiver takes ten times " +
		"as long, and each batch is still on its way when somebody else has the lease, and sends it, too. Whoever is answered last does not look " +
		"whether the lease is still his. Both have closed the batch, both say in the audit trail that they had it billed, and the balance has grown twice.",
	Reveals: []string{"metering-window"},
	Falls:   "complete-audit",
	Of:      "metering",
	Apply:   func(p *parts.Parts) { p.MeterClaim = forAFixedTime },
}

func forAFixedTime() metering.Claim {
	var mu sync.Mutex
	until := map[string]time.Time{}
	return func(account string) (func(), bool) {
		mu.Lock()
		defer mu.Unlock()
		now := time.Now()
		if now.Before(until[account]) {
			return nil, false
		}
		until[account] = now.Add(150 * time.Millisecond)
		return func() { mu.Lock(); defer mu.Unlock(); delete(until, account) }, true
	}
}
