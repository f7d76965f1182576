package inventory

import (
	"context"
	"fmt"
	"strconv"
)

// Observe emits every reservation, the stock of every product, and the sums of both.
func (w *Warehouse) Observe(ctx context.Context, emit func(any) error) error {
	if err := w.observeReservations(ctx, emit); err != nil {
		return err
	}
	rows, err := w.DB.Query(ctx, `SELECT sku, delivered, on_hand, reserved FROM stock ORDER BY sku`)
	if err != nil {
		return fmt.Errorf("read stock: %w", err)
	}
	defer rows.Close()
	var sum struct{ delivered, onHand, reserved int64 }
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
		sum.delivered, sum.onHand, sum.reserved = sum.delivered+delivered, sum.onHand+onHand, sum.reserved+reserved
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read stock: %w", err)
	}
	inForce, err := w.DB.Count(ctx, `SELECT coalesce(sum(quantity), 0) FROM reservations WHERE in_force = 1`)
	if err != nil {
		return fmt.Errorf("read reservations: %w", err)
	}
	for name, n := range map[string]int64{
		"stock delivered": sum.delivered, "stock on hand": sum.onHand, "stock reserved": sum.reserved, "reservations in force": inForce,
	} {
		if err := emit(map[string]any{"op": "total", "key": name, "value": strconv.FormatInt(n, 10)}); err != nil {
			return err
		}
	}
	return nil
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
