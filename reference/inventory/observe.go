package inventory

import (
	"context"
	"fmt"
)

// Observe emits every reservation, and the sums of the stock.
func (w *Warehouse) Observe(ctx context.Context, emit func(any) error) error {
	if err := w.observeReservations(ctx, emit); err != nil {
		return err
	}
	rows, err := w.DB.Query(ctx, `SELECT sku, delivered, on_hand, reserved FROM stock ORDER BY sku`)
	if err != nil {
		return fmt.Errorf("read stock: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var sku string
		var delivered, onHand, reserved int64
		if err := rows.Scan(&sku, &delivered, &onHand, &reserved); err != nil {
			return fmt.Errorf("read stock: %w", err)
		}
		if onHand < 0 {
			continue // damaged; it means nothing
		}
		err := emit(map[string]any{"op": "stock", "sku": sku, "delivered": delivered, "on_hand": onHand, "reserved": reserved})
		if err != nil {
			return err
		}
	}
	return rows.Err()
}

func (w *Warehouse) observeReservations(ctx context.Context, emit func(any) error) error {
	rows, err := w.DB.Query(ctx, `SELECT order_id, in_force FROM reservations ORDER BY order_id`)
	if err != nil {
		return fmt.Errorf("read reservations: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		var inForce bool
		if err := rows.Scan(&id, &inForce); err != nil {
			return fmt.Errorf("read reservations: %w", err)
		}
		value := "none"
		if inForce {
			value = "in-force"
		}
		if err := emit(map[string]any{"op": "step", "order_id": id, "step": "reserve", "value": value}); err != nil {
			return err
		}
	}
	return rows.Err()
}
