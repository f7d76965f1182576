package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Harness is the application_name of the harness's own sessions: whoever ends those of clients leaves them alone.
const Harness = "wreckon"

// EndSessions ends the sessions of all clients of a server but those of the harness, by pg_terminate_backend, and returns how many they were once
// the server lists none of them any more. It needs a superuser, or the user whose sessions they are.
func EndSessions(ctx context.Context, c *pgx.Conn) (ended int, err error) {
	// A process id may come again; together with when it began it does not.
	rows, err := c.Query(ctx, `SELECT pid, backend_start FROM pg_stat_activity
		WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND application_name <> $1 AND pg_terminate_backend(pid)`,
		pgx.QueryExecModeExec, Harness)
	if err != nil {
		return 0, fmt.Errorf("end sessions: %w", err)
	}
	type session struct {
		PID   int32
		Began time.Time
	}
	told, err := pgx.CollectRows(rows, pgx.RowToStructByPos[session])
	if err != nil {
		return 0, fmt.Errorf("end sessions: %w", err)
	}
	for _, s := range told {
		for left := true; left; {
			err := c.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1 AND backend_start = $2)`, s.PID, s.Began).Scan(&left)
			if err != nil {
				return ended, fmt.Errorf("see session %d end: %w", s.PID, err)
			}
		}
		ended++
	}
	return ended, nil
}
