package booking

import (
	"context"
	"fmt"
	"strconv"
)

const countOpen = `SELECT count(*) FROM bookings WHERE state IN ('held', 'confirming')`

// Open is how many bookings have not ended.
func (o *Office) Open(ctx context.Context) (int64, error) { return o.DB.Count(ctx, countOpen) }

// Observe emits the state of every booking, and the sums of the seats.
func (o *Office) Observe(ctx context.Context, emit func(any) error) error {
	rows, err := o.DB.Query(ctx, selectBooking+` ORDER BY number`)
	if err != nil {
		return fmt.Errorf("read bookings: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		b, err := scan(rows.Scan)
		if err != nil {
			return fmt.Errorf("read bookings: %w", err)
		}
		if err := emit(map[string]any{"op": "state", "order_id": b.BookingID, "value": b.State, "version": b.Version}); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read bookings: %w", err)
	}
	for _, sum := range []struct{ name, query string }{
		{"seats free", `SELECT sum(free) FROM seats`},
		{"seats held", `SELECT sum(held) FROM seats`},
		{"seats sold", `SELECT sum(sold) FROM seats`},
		{"bookings open", countOpen},
	} {
		n, err := o.DB.Count(ctx, sum.query)
		if err != nil {
			return fmt.Errorf("read %s: %w", sum.name, err)
		}
		if err := emit(map[string]any{"op": "total", "key": sum.name, "value": strconv.FormatInt(n, 10)}); err != nil {
			return err
		}
	}
	return nil
}
