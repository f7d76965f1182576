package defects

import (
	"github.com/wreckon/wreckon/reference/metering"
	"github.com/wreckon/wreckon/reference/parts"
	"github.com/wreckon/wreckon/reference/store"
)

// BatchCutAnew makes the ingester put a batch together again when it was not answered, with what has come in since.
var BatchCutAnew = Defect{
	Name: "batch-cut-anew",
	Story: "A batch is whatever is there when it is sent. If it fails, what was in it is still there, and goes with the next one: there is nothing " +
		"to remember, and one call fewer to make. Its key is made of its first and its last reading, so that the same batch has the same " +
		"key. It is never the same batch. When only the answer was lost, the next batch holds everything of the last one and three readings " +
		"more, its key is new, and the customer pays twice for what was in both.",
	Reveals: []string{"metering-batches"},
	Falls:   "no-duplicate-effects",
	Of:      "metering",
	Apply:   func(p *parts.Parts) { p.MeterCut = cutAnew },
}

func cutAnew(tx *store.Tx, account string) (metering.Batch, error) {
	b, err := metering.Unanswered(tx, account)
	if err != nil {
		return b, err
	}
	if b != (metering.Batch{}) {
		if _, err := tx.Exec(`DELETE FROM batches WHERE account = ?`, account); err != nil {
			return b, err
		}
		if _, err := tx.Exec(`UPDATE ledger SET next = ? WHERE account = ?`, b.First, account); err != nil {
			return b, err
		}
	}
	return metering.CutNext(tx, account)
}
