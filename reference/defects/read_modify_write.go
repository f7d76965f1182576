package defects

import (
	"fmt"

	"github.com/wreckon/wreckon/reference/inventory"
	"github.com/wreckon/wreckon/reference/parts"
	"github.com/wreckon/wreckon/reference/store"
)

// ReadModifyWrite makes inventory read the stock, count, and write down what it comes to, in transactions that run beside one another.
var ReadModifyWrite = Defect{
	Name: "read-modify-write",
	Story: "The object mapper reads a record, the code changes its fields, and the mapper writes them back, all in one transaction, so what could go " +
		"wrong. On the file database of the first years there was one writer at a time. Then it was moved to a server, where transactions " +
		"run side by side at READ COMMITTED: two of them read a hundred, and both write ninety-nine.",
	Reveals: []string{"overlapping-transactions"},
	Falls:   "conserved-totals",
	Of:      "reference-postgres",
	Apply:   func(p *parts.Parts) { p.Turn, p.Shift = store.Late, readThenWrite },
}

func readThenWrite(*store.DB) inventory.Shift {
	return func(tx *store.Tx, sku string, quantity int) error {
		var onHand, reserved int
		if err := tx.Row(`SELECT on_hand, reserved FROM stock WHERE sku = ?`, []any{sku}, &onHand, &reserved); err != nil {
			return fmt.Errorf("move stock: %w", err)
		}
		_, err := tx.Exec(`UPDATE stock SET on_hand = ?, reserved = ? WHERE sku = ?`, onHand-quantity, reserved+quantity, sku)
		if err != nil {
			return fmt.Errorf("move stock: %w", err)
		}
		return nil
	}
}
