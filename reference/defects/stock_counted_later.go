package defects

import (
	"context"
	"sync"
	"time"

	"github.com/wreckon/wreckon/reference/inventory"
	"github.com/wreckon/wreckon/reference/parts"
	"github.com/wreckon/wreckon/reference/store"
)

// StockCountedLater makes inventory count in memory, and write the stock down every now and then.
var StockCountedLater = Defect{
	Name: "stock-counted-later",
	Story: "The row of the best-selling product was the hottest of the whole database: every reservation waits for it. So reservations are rows of " +
		"their own, and the counters are added up in memory and written a few times a second. The numbers on the shelf are a little " +
		"late, which nobody minds. A process that is killed takes its last additions with it. The reservations are there and the counters do " +
		"not know of them; nothing ever looks at both, until the day of the stocktaking.",
	Reveals: []string{"inventory-crash"},
	Falls:   "conserved-totals",
	Apply:   func(p *parts.Parts) { p.Shift = later },
}

// countEvery is how long an addition may wait to be written.
const countEvery = 50 * time.Millisecond

func later(db *store.DB) inventory.Shift {
	var mu sync.Mutex
	sums := map[string]int{}
	flush := func() {
		mu.Lock()
		due := sums
		sums = map[string]int{}
		mu.Unlock()
		_ = db.Write(context.Background(), func(tx *store.Tx) error {
			for sku, n := range due {
				if err := inventory.InPlace(db)(tx, sku, n); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return func(tx *store.Tx, sku string, quantity int) error {
		tx.After(func() {
			mu.Lock()
			defer mu.Unlock()
			if len(sums) == 0 {
				time.AfterFunc(countEvery, flush)
			}
			sums[sku] += quantity
		})
		return nil
	}
}
