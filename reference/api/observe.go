package api

import (
	"context"
	"fmt"
	"strconv"

	"github.com/wreckon/wreckon/reference/orders"
)

// Observe emits the state of every order, and what the completed ones come to.
func (s *Service) Observe(ctx context.Context, emit func(any) error) error {
	rows, err := s.DB.Query(ctx, `SELECT order_id, state, version FROM orders ORDER BY order_id`)
	if err != nil {
		return fmt.Errorf("read orders: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id, state string
		var version uint64
		if err := rows.Scan(&id, &state, &version); err != nil {
			return fmt.Errorf("read orders: %w", err)
		}
		if err := emit(map[string]any{"op": "state", "order_id": id, "value": state, "version": version}); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read orders: %w", err)
	}
	sum, err := s.DB.Count(ctx, `SELECT coalesce(sum(amount), 0) FROM orders WHERE state = ?`, orders.Completed)
	if err != nil {
		return fmt.Errorf("add up orders: %w", err)
	}
	return emit(map[string]any{"op": "total", "key": "amount completed", "value": strconv.FormatInt(sum, 10)})
}
