package wire

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/internal/servers"
)

func pgURL(port int, more string) string {
	return servers.PostgresURL(fmt.Sprintf("127.0.0.1:%d", port)) + more
}

func pgDial(t testing.TB, port int, mode pgx.QueryExecMode) *pgx.Conn {
	config, err := pgx.ParseConfig(pgURL(port, ""))
	require.NoError(t, err)
	config.DefaultQueryExecMode = mode
	c, err := pgx.ConnectConfig(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close(context.Background()) })
	return c
}

var pgModes = map[string]pgx.QueryExecMode{
	"prepared":        pgx.QueryExecModeCacheStatement,
	"described":       pgx.QueryExecModeCacheDescribe,
	"described first": pgx.QueryExecModeDescribeExec,
	"unprepared":      pgx.QueryExecModeExec,
	"simple":          pgx.QueryExecModeSimpleProtocol,
}

// Real clients and a real server, with the decoder between them.
func TestPostgresServer(t *testing.T) {
	upstream := servers.Postgres(t)
	port := portOf(t, upstream)
	for cut, pieces := range chunkings() {
		for name, mode := range pgModes {
			if cut == "byte by byte" && name != "prepared" && name != "simple" {
				continue // it is slow, and the others are between these two
			}
			t.Run(fmt.Sprintf("as direct, %s, %s", name, cut), func(t *testing.T) {
				r := newRelay(t, Postgres, upstream, pieces)
				through := pgDial(t, r.port(), mode)
				require.Equal(t, pgWork(t, pgDial(t, port, mode)), pgWork(t, through))
				require.NoError(t, through.Close(t.Context()))
				r.stop()
				r.understood()
			})
		}
	}
	asItComes := func() int { return 1 << 20 }
	t.Run("signatures", func(t *testing.T) { pgSignatures(t, newRelay(t, Postgres, upstream, asItComes)) })
	t.Run("pipeline with flushes", func(t *testing.T) { pgPipeline(t, newRelay(t, Postgres, upstream, asItComes)) })
	t.Run("cancel", func(t *testing.T) { pgCancelled(t, newRelay(t, Postgres, upstream, asItComes)) })
	t.Run("notifications", func(t *testing.T) { pgNotified(t, newRelay(t, Postgres, upstream, asItComes), port) })
	t.Run("lost commits", func(t *testing.T) { pgLostCommits(t, port, upstream) })
	t.Run("error after", func(t *testing.T) { pgErrorAfter(t, newRelay(t, Postgres, upstream, asItComes)) })
	t.Run("replication is opaque", func(t *testing.T) { pgReplication(t, newRelay(t, Postgres, upstream, asItComes)) })
}

// pgWork does what a client does, and tells what it got.
func pgWork(t *testing.T, c *pgx.Conn) (saw []string) {
	ctx := t.Context()
	note := func(what string, err error, more ...any) {
		if pg := (*pgconn.PgError)(nil); errors.As(err, &pg) {
			err = fmt.Errorf("%s: %s", pg.Code, pg.Message)
		}
		saw = append(saw, fmt.Sprint(what, " ", err, more))
	}
	exec := func(query string, args ...any) {
		tag, err := c.Exec(ctx, query, args...)
		note(query, err, tag)
	}
	exec("DROP TABLE IF EXISTS work") // a notice, the second time
	exec("CREATE TABLE work (id int PRIMARY KEY, name text, at timestamptz)")
	for i := range 5 {
		exec("INSERT INTO work (id, name) VALUES ($1, $2)", i, fmt.Sprintf("it's nr. %d", i))
	}
	exec("INSERT INTO work (id, name) VALUES ($1, $2)", 1, "again")
	exec("SELEC 1")
	exec("")
	var name *string
	note("big", c.QueryRow(ctx, "SELECT name || $1 FROM work WHERE id = $2", strings.Repeat("x", 300_000), 3).Scan(&name), len(*name))
	rows, err := c.Query(ctx, "SELECT id, repeat(name, 100) FROM work, generate_series(1, 20) ORDER BY id")
	require.NoError(t, err)
	all, err := pgx.CollectRows(rows, pgx.RowToMap)
	note("many", err, len(all), all[len(all)-1])

	tx, err := c.Begin(ctx)
	note("begin", err)
	_, err = tx.Exec(ctx, "UPDATE work SET name = $1 WHERE id = $2", "changed", 1)
	note("update", err)
	_, err = tx.Exec(ctx, "INSERT INTO work (id) VALUES ($1)", 2)
	note("fails", err)
	_, err = tx.Exec(ctx, "INSERT INTO work (id) VALUES ($1)", 77)
	note("is aborted", err)
	note("rollback", tx.Rollback(ctx))

	batch := &pgx.Batch{}
	for i := range 30 {
		batch.Queue("INSERT INTO work (id, name) VALUES ($1, $2)", 100+i, "batch")
		batch.Queue("SELECT count(*) FROM work WHERE id < $1", 1000)
	}
	note("batch", c.SendBatch(ctx, batch).Close())
	batch.Queue("INSERT INTO work (id, name) VALUES ($1, $2)", 100, "batch")
	note("failing batch", c.SendBatch(ctx, batch).Close())

	var copied [][]any
	for i := range 3000 {
		copied = append(copied, []any{10_000 + i, strings.Repeat("c", i%300)})
	}
	n, err := c.CopyFrom(ctx, pgx.Identifier{"work"}, []string{"id", "name"}, pgx.CopyFromRows(copied))
	note("copy from", err, n)
	n, err = c.CopyFrom(ctx, pgx.Identifier{"work"}, []string{"id", "name"}, pgx.CopyFromRows(copied))
	note("failing copy", err, n)
	var out bytes.Buffer
	tag, err := c.PgConn().CopyTo(ctx, &out, "COPY (SELECT id, name FROM work ORDER BY id) TO STDOUT")
	note("copy to", err, tag, out.Len())
	results, err := c.PgConn().Exec(ctx, "BEGIN; INSERT INTO work (id) VALUES (9); COMMIT; SELECT count(*) FROM work").ReadAll()
	note("several", err, len(results), string(results[3].Rows[0][0]))
	exec("DROP TABLE work")
	return saw
}

func pgSignatures(t *testing.T, r *decodingRelay) {
	ctx := t.Context()
	c := pgDial(t, r.port(), pgx.QueryExecModeCacheStatement)
	exec := func(query string, args ...any) {
		_, err := c.Exec(ctx, query, args...)
		require.NoError(t, err)
	}
	exec("create temporary table Outbox (id bigint, body text)")
	for i := range 2 {
		tx, err := c.Begin(ctx)
		require.NoError(t, err)
		_, err = tx.Exec(ctx, "insert into outbox (id, body) values ($1, 'x')", i)
		require.NoError(t, err)
		require.NoError(t, tx.Commit(ctx))
	}
	batch := &pgx.Batch{}
	batch.Queue("insert into outbox (id, body) values ($1, 'x')", 7)
	batch.Queue("insert into outbox (id, body) values ($1, 'x')", 8)
	batch.Queue("delete from outbox where id = $1", 8)
	require.NoError(t, c.SendBatch(ctx, batch).Close())
	_, err := c.CopyFrom(ctx, pgx.Identifier{"outbox"}, []string{"id"}, pgx.CopyFromRows([][]any{{int64(1)}}))
	require.NoError(t, err)
	require.NoError(t, c.Close(ctx))
	r.stop()
	r.understood()
	require.Equal(t, []string{
		"CREATE TABLE outbox",
		"BEGIN", "PARSE INSERT INTO outbox", "INSERT INTO outbox", "COMMIT",
		"BEGIN", "INSERT INTO outbox", "COMMIT",
		"PARSE DELETE FROM outbox", "INSERT INTO outbox; DELETE FROM outbox",
		"PARSE SELECT FROM outbox", "COPY outbox FROM",
	}, r.asked())
}

// A Flush ends an exchange without ending the conversation up to the Sync.
func pgPipeline(t *testing.T, r *decodingRelay) {
	c := pgDial(t, r.port(), pgx.QueryExecModeExec).PgConn()
	p := c.StartPipeline(t.Context())
	read := func(want string) {
		got, err := p.GetResults()
		require.NoError(t, err)
		res, ok := got.(*pgconn.ResultReader)
		require.True(t, ok, "%T", got)
		require.Equal(t, want, string(res.Read().Rows[0][0]))
	}
	send := func(query string) { p.SendQueryParams(query, nil, nil, nil, nil) }
	send("SELECT 1 FROM pg_class LIMIT 1")
	p.SendFlushRequest()
	require.NoError(t, p.Flush())
	read("1")
	send("SELECT 2")
	p.SendFlushRequest()
	send("SELECT 3 FROM pg_am")
	require.NoError(t, p.Sync())
	read("2")
	read("3")
	_, err := p.GetResults()
	require.NoError(t, err)
	send("SELECT 1/0")
	p.SendFlushRequest()
	send("SELECT 4 FROM pg_am") // skipped
	p.SendFlushRequest()
	require.NoError(t, p.Sync())
	_, err = p.GetResults()
	require.ErrorContains(t, err, "division by zero")
	require.NoError(t, p.Close())
	require.NoError(t, c.Close(t.Context()))
	r.stop()
	r.understood()
	require.Equal(t, []string{"SELECT FROM pg_class", "SELECT", "SELECT FROM pg_am", "SELECT", "SELECT FROM pg_am", "SYNC"}, r.asked())
	down := r.conns[len(r.conns)-1].messages // the first was refused TLS
	i := slices.IndexFunc(down, func(m relayed) bool { return len(m.Also) > 0 })
	require.Positive(t, i, "%+v", down)
	require.Equal(t, []uint64{5}, down[i].Also, "what the server skipped ends with the Sync")
}

func pgCancelled(t *testing.T, r *decodingRelay) {
	c := pgDial(t, r.port(), pgx.QueryExecModeExec)
	sleeping := make(chan error, 1)
	arrived := make(chan struct{})
	r.meet(func(m relayed) fate {
		if m.Role == Ask && m.Signature == "SELECT pg_sleep()" {
			close(arrived)
		}
		return fate{}
	})
	go func() {
		_, err := c.Exec(context.WithoutCancel(t.Context()), "SELECT pg_sleep(60)")
		sleeping <- err
	}()
	<-arrived
	var err error
	within(t, 20*time.Second, "the query is cancelled", func() bool { // one that comes before the query does nothing
		require.NoError(t, c.PgConn().CancelRequest(t.Context()))
		select {
		case err = <-sleeping:
			return true
		case <-time.After(50 * time.Millisecond):
			return false
		}
	})
	pg := (*pgconn.PgError)(nil)
	require.ErrorAs(t, err, &pg)
	require.Equal(t, "57014", pg.Code)
	r.stop()
	r.understood()
}

func pgNotified(t *testing.T, r *decodingRelay, port int) {
	ctx := t.Context()
	c := pgDial(t, r.port(), pgx.QueryExecModeExec)
	_, err := c.Exec(ctx, "LISTEN orders")
	require.NoError(t, err)
	_, err = pgDial(t, port, pgx.QueryExecModeExec).Exec(ctx, "NOTIFY orders, 'one'")
	require.NoError(t, err)
	n, err := c.WaitForNotification(ctx)
	require.NoError(t, err)
	require.Equal(t, "one", n.Payload)
	r.stop()
	r.understood()
	messages := r.conns[len(r.conns)-1].messages
	last := messages[len(messages)-1]
	require.Equal(t, Plain, last.Role)
	require.Equal(t, Down, last.way)
	require.Equal(t, []string{"LISTEN orders"}, r.asked())
}

// A lost request and a lost answer look alike to the caller, and are the difference between lost work and a duplicate.
func pgLostCommits(t *testing.T, port int, upstream string) {
	ctx := t.Context()
	direct := pgDial(t, port, pgx.QueryExecModeExec)
	_, err := direct.Exec(ctx, "CREATE TABLE lost (what text)")
	require.NoError(t, err)
	kinds := map[Role]string{}
	for role, rows := range map[Role]int{Ask: 0, Answer: 1} {
		r := newRelay(t, Postgres, upstream, func() int { return 1 << 20 })
		r.meet(func(m relayed) fate { return fate{cut: m.of == "COMMIT" && m.Role == role} })
		c := pgDial(t, r.port(), pgx.QueryExecModeCacheStatement)
		var pid uint32 = c.PgConn().PID()
		tx, err := c.Begin(ctx)
		require.NoError(t, err)
		_, err = tx.Exec(ctx, "INSERT INTO lost (what) VALUES ($1)", fmt.Sprint(role))
		require.NoError(t, err)
		err = tx.Commit(ctx)
		require.Error(t, err)
		require.True(t, c.IsClosed())
		pg := (*pgconn.PgError)(nil)
		require.NotErrorAs(t, err, &pg, "no server said so")
		kinds[role] = fmt.Sprintf("%T", errors.Unwrap(err))
		within(t, 20*time.Second, "the server has let go of the session", func() bool {
			var n int
			require.NoError(t, direct.QueryRow(ctx, "SELECT count(*) FROM pg_stat_activity WHERE pid = $1", int(pid)).Scan(&n))
			return n == 0
		})
		var n int
		require.NoError(t, direct.QueryRow(ctx, "SELECT count(*) FROM lost WHERE what = $1", fmt.Sprint(role)).Scan(&n))
		require.Equal(t, rows, n, "rows after the %v was lost", role)
	}
	require.Equal(t, kinds[Ask], kinds[Answer], "the caller cannot tell")
}

// It took effect, and the caller gets an error; the session goes on.
func pgErrorAfter(t *testing.T, r *decodingRelay) {
	ctx := t.Context()
	for name, mode := range pgModes {
		t.Run(name, func(t *testing.T) {
			c := pgDial(t, r.port(), mode)
			_, err := c.Exec(ctx, "CREATE TEMPORARY TABLE after (id int)")
			require.NoError(t, err)
			var refusal []byte
			r.meet(func(m relayed) fate {
				switch {
				case m.of != "INSERT INTO after":
					return fate{}
				case m.Role == Ask:
					refusal, err = Postgres.Refuse(m.Message)
					require.NoError(t, err)
					return fate{}
				case m.Last:
					return fate{replace: true, instead: refusal}
				}
				return fate{replace: true}
			})
			_, err = c.Exec(ctx, "INSERT INTO after (id) VALUES ($1)", 5)
			r.meet(nil)
			pg := (*pgconn.PgError)(nil)
			require.ErrorAs(t, err, &pg)
			require.Equal(t, "08007", pg.Code)
			var n int
			require.NoError(t, c.QueryRow(ctx, "SELECT count(*) FROM after").Scan(&n))
			require.Equal(t, 1, n)
		})
	}
}

func pgReplication(t *testing.T, r *decodingRelay) {
	c, err := pgconn.Connect(t.Context(), pgURL(r.port(), "&replication=database"))
	require.NoError(t, err)
	results, err := c.Exec(t.Context(), "IDENTIFY_SYSTEM").ReadAll()
	require.NoError(t, err)
	position := string(results[0].Rows[0][2])
	_, err = c.Exec(t.Context(), "CREATE_REPLICATION_SLOT s TEMPORARY PHYSICAL").ReadAll()
	require.NoError(t, err)
	c.Frontend().SendQuery(&pgproto3.Query{String: "START_REPLICATION SLOT s PHYSICAL " + position})
	require.NoError(t, c.Frontend().Flush())
	within(t, 20*time.Second, "the stream is opaque", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		_, why := r.conns[len(r.conns)-1].decoder.Opaque()
		return why == "replication"
	})
	r.stop()
}
