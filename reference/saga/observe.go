package saga

import (
	"context"
	"fmt"
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
	return rows.Err()
}
