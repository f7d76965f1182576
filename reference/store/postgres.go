package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// conns is how many connections a process has to its schema for writing, and for reading as many again.
const conns = 4

// postgres is a schema of a PostgreSQL database, over connections that may break at any time.
//
// A connection that is silent for patience is given up. What was sent over it before COMMIT has not happened: the server rolls back what has
// lost its client, and what has been idle within a transaction for patience, so that nobody's turn outlives him by more than that. Of a
// COMMIT that is not answered nobody knows: ErrUnsure.
type postgres struct {
	schema string
	lock   string // statement that takes the turn
	write  *sql.DB
	read   *sql.DB
}

func openPostgres(_ context.Context, place string, _ Sync) (backend, error) {
	cfg, err := pgx.ParseConfig(place)
	if err != nil {
		return nil, err // it shows no password
	}
	schema := cfg.RuntimeParams["search_path"]
	if schema == "" {
		return nil, errors.New("search_path, which says the schema, is not set")
	}
	cfg.ConnectTimeout = patience
	ms := strconv.FormatInt(patience.Milliseconds(), 10)
	for _, name := range []string{"lock_timeout", "idle_in_transaction_session_timeout"} {
		cfg.RuntimeParams[name] = ms
	}
	cfg.RuntimeParams["application_name"] = schema
	open := func() *sql.DB {
		db := stdlib.OpenDB(*cfg)
		db.SetMaxOpenConns(conns)
		db.SetMaxIdleConns(conns)
		return db
	}
	h := fnv.New64a()
	_, _ = io.WriteString(h, schema) // a hash does not fail
	return &postgres{
		schema: pgx.Identifier{schema}.Sanitize(), lock: fmt.Sprintf("SELECT pg_advisory_xact_lock(%d)", int64(h.Sum64())), write: open(), read: open(),
	}, nil
}

// begin opens a transaction and takes its turn in one round trip. Nothing has happened yet, so a connection that turns out to be dead, one
// of those that the server took with it when it died, say, is left for the next.
func (p *postgres) begin(ctx context.Context, turn Turn) (_ session, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	text := "BEGIN"
	if turn == AtBegin {
		text += "; " + p.lock
	}
	for range conns + 1 {
		var conn *sql.Conn
		if conn, err = p.write.Conn(ctx); err != nil {
			return nil, err
		}
		t := &postgresTx{p: p, conn: conn, inLine: turn == AtBegin}
		// Whoever asks may go away. What is begun then is rolled back here, and not left to the server.
		if _, err = t.exec(context.WithoutCancel(ctx), text, nil); err == nil {
			return t, nil
		}
		t.rollback(context.WithoutCancel(ctx))
		if !broken(err) {
			return nil, err
		}
	}
	return nil, err
}

func (p *postgres) query(ctx context.Context, query string, args []any) (*Rows, error) {
	var rows *Rows
	err := again(func() error {
		ctx, cancel := context.WithCancel(ctx)
		waiting := time.AfterFunc(patience, cancel)
		found, err := p.read.QueryContext(ctx, numbered(query), numbers(args)...)
		if err != nil {
			waiting.Stop()
			cancel()
			return err
		}
		rows = &Rows{Rows: found, waiting: waiting, cancel: cancel}
		return nil
	})
	return rows, err
}

func (p *postgres) row(ctx context.Context, query string, args, into []any) error {
	return again(func() error {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		return p.read.QueryRowContext(ctx, numbered(query), numbers(args)...).Scan(into...)
	})
}

// again reads once more for each connection that turns out to be dead.
func again(read func() error) (err error) {
	for range conns + 1 {
		if err = read(); err == nil || !broken(err) {
			return err
		}
	}
	return err
}

func (p *postgres) tables(ctx context.Context, name string) (n int, err error) {
	err = p.row(ctx, `SELECT count(*) FROM pg_tables WHERE schemaname = current_schema() AND tablename = ?`, []any{name}, []any{&n})
	if err != nil || n > 0 {
		return n, err
	}
	// Where there is no table there may be no schema. Two processes may make it at once, so that it takes the turn.
	_, err = p.write.ExecContext(ctx, "BEGIN; "+p.lock+"; CREATE SCHEMA IF NOT EXISTS "+p.schema+"; COMMIT")
	return 0, err
}

// passes: a server that is not there will come, one that is starting will be up, and one that stops will be started again.
func (p *postgres) passes(err error) bool {
	var said *pgconn.PgError
	if errors.As(err, &said) {
		return broken(err) || said.Code == "53300" // too many connections
	}
	var dial *pgconn.ConnectError // also where a connection is taken and closed, as by what stands before a server that is away
	return errors.As(err, &dial) || broken(err) || errors.Is(err, context.DeadlineExceeded)
}

func (p *postgres) words(sql string) string { return postgresWords.Replace(sql) }

func (p *postgres) close() error { return errors.Join(p.write.Close(), p.read.Close()) }

// broken tells that a connection is of no use any more, and that it did not end because somebody has waited for too long.
func broken(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return false
	}
	var said *pgconn.PgError
	if errors.As(err, &said) {
		// 08: connection exception; 57P: the server goes down, has crashed, is coming up, or ends this session; 25P03: the session was idle.
		return strings.HasPrefix(said.Code, "08") || strings.HasPrefix(said.Code, "57P") || said.Code == "25P03"
	}
	var dial *pgconn.ConnectError
	if errors.As(err, &dial) {
		return false // there is no other connection to try
	}
	var net net.Error
	return errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &net)
}

// postgresTx is a transaction on a connection of its own.
type postgresTx struct {
	p      *postgres
	conn   *sql.Conn
	inLine bool
}

func (t *postgresTx) turn(ctx context.Context) error {
	if t.inLine {
		return nil
	}
	_, err := t.exec(ctx, t.p.lock, nil)
	t.inLine = err == nil
	return err
}

func (t *postgresTx) exec(ctx context.Context, query string, args []any) (changed int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	res, err := t.conn.ExecContext(ctx, numbered(query), numbers(args)...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

func (t *postgresTx) row(ctx context.Context, query string, args, into []any) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return t.conn.QueryRowContext(ctx, numbered(query), numbers(args)...).Scan(into...)
}

// commit: an error that the server itself says may come after the fact, too, when it is going down. None of them is taken for a no.
func (t *postgresTx) commit(ctx context.Context) error {
	if _, err := t.exec(ctx, "COMMIT", nil); err != nil {
		return fmt.Errorf("%w: %w", ErrUnsure, err)
	}
	return t.conn.Close()
}

// rollback leaves to the server what it can no longer be told: it rolls back when the connection is closed.
func (t *postgresTx) rollback(ctx context.Context) {
	if _, err := t.exec(ctx, "ROLLBACK", nil); err != nil {
		_ = t.conn.Raw(func(any) error { return driver.ErrBadConn })
	}
	_ = t.conn.Close() // back to the others, if it is still of use
}
