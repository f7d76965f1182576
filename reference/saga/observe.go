package saga

import (
	"context"
	"fmt"
	"strconv"

	"github.com/wreckon/wreckon/reference/orders"
)

// Observe emits where every saga is.
func (o *Orchestrator) Observe(ctx context.Context, emit func(any) error) error {
	rows, err := o.DB.Query(ctx, `SELECT order_id, state FROM sagas ORDER BY order_id`)
	if err != nil {
		return fmt.Errorf("read sagas: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id, state string
		if err := rows.Scan(&id, &state); err != nil {
			return fmt.Errorf("read sagas: %w", err)
		}
		if err := emit(map[string]any{"op": "saga", "order_id": id, "value": state}); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read sagas: %w", err)
	}
	return o.observeHeld(ctx, emit)
}

// observeHeld emits what the orders come to that were set aside with their charge in force. While a charge or a refund is set aside nobody
// knows, and nothing is emitted.
func (o *Orchestrator) observeHeld(ctx context.Context, emit func(any) error) error {
	unknown, err := o.DB.Count(ctx, `SELECT count(*) FROM sagas WHERE state = ? AND asked IN (?, ?)`, orders.Quarantined, orders.Charge, orders.Refund)
	if err != nil {
		return fmt.Errorf("add up sagas: %w", err)
	}
	if unknown > 0 {
		return nil
	}
	sum, err := o.DB.Count(ctx, `SELECT coalesce(sum(amount), 0) FROM sagas WHERE state = ? AND asked = ?`,
		orders.Quarantined, orders.Ship)
	if err != nil {
		return fmt.Errorf("add up sagas: %w", err)
	}
	return emit(map[string]any{"op": "total", "key": "amount held", "value": strconv.FormatInt(sum, 10)})
}
