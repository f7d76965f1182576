package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"

	_ "modernc.org/sqlite" // the driver "sqlite", in Go: nothing to install
)

// sqlite is a file of SQLite, with write-ahead logging, so that readers never wait for the writer. One connection writes.
//
// Parsing takes SQLite longer than most of our statements take to run, so each is parsed once and kept.
type sqlite struct {
	write *sql.DB
	line  chan struct{} // holds one element while a transaction runs; guards the two below
	conn  *sql.Conn     // of write, the only one
	stmts map[string]*sql.Stmt

	read    *sql.DB
	mu      sync.Mutex // guards queries
	queries map[string]*sql.Stmt
}

func openSQLite(_ context.Context, path string, mode Sync) (backend, error) {
	write, err := connectSQLite(path, mode, 1)
	if err != nil {
		return nil, err
	}
	read, err := connectSQLite(path, mode, 4)
	if err != nil {
		return nil, errors.Join(err, write.Close())
	}
	return &sqlite{
		write: write, line: make(chan struct{}, 1), stmts: map[string]*sql.Stmt{}, read: read, queries: map[string]*sql.Stmt{},
	}, nil
}

func connectSQLite(path string, mode Sync, conns int) (*sql.DB, error) {
	q := url.Values{"_pragma": {
		fmt.Sprintf("busy_timeout(%d)", patience.Milliseconds()),
		"journal_mode(wal)",
		"synchronous(" + string(mode) + ")",
	}}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+q.Encode())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	return db, nil
}

// passes: switching a new file to write-ahead logging needs it for itself alone and does not wait for the lock, so two processes that
// create one file together must try more than once.
func (s *sqlite) passes(err error) bool { return strings.Contains(err.Error(), "locked") }

func (s *sqlite) begin(ctx context.Context, _ Turn) (session, error) {
	select {
	case s.line <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if err := s.beginInLine(ctx); err != nil {
		<-s.line
		return nil, err
	}
	return sqliteTx{s}, nil
}

func (s *sqlite) beginInLine(ctx context.Context) (err error) {
	if s.conn == nil {
		if s.conn, err = s.write.Conn(ctx); err != nil {
			return err
		}
	}
	_, err = sqliteTx{s}.exec(context.WithoutCancel(ctx), "BEGIN IMMEDIATE", nil)
	return err
}

func (s *sqlite) query(ctx context.Context, query string, args []any) (*Rows, error) {
	stmt, err := s.prepared(ctx, query)
	if err != nil {
		return nil, err
	}
	rows, err := stmt.QueryContext(ctx, args...)
	if err != nil {
		return nil, err
	}
	return &Rows{Rows: rows}, nil
}

func (s *sqlite) row(ctx context.Context, query string, args, into []any) error {
	stmt, err := s.prepared(ctx, query)
	if err != nil {
		return err
	}
	return stmt.QueryRowContext(ctx, args...).Scan(into...)
}

func (s *sqlite) prepared(ctx context.Context, query string) (*sql.Stmt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if stmt, ok := s.queries[query]; ok {
		return stmt, nil
	}
	stmt, err := s.read.PrepareContext(ctx, query)
	if err == nil {
		s.queries[query] = stmt
	}
	return stmt, err
}

func (s *sqlite) tables(ctx context.Context, name string) (n int, err error) {
	err = s.row(ctx, `SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = ?`, []any{name}, []any{&n})
	return n, err
}

func (s *sqlite) words(sql string) string { return sql }

func (s *sqlite) close() error {
	s.line <- struct{}{}
	var errs []error
	if s.conn != nil {
		errs = append(errs, s.conn.Close())
	}
	return errors.Join(append(errs, s.read.Close(), s.write.Close())...)
}

// sqliteTx is the transaction that runs on the writing connection.
type sqliteTx struct{ *sqlite }

func (sqliteTx) turn(context.Context) error { return nil } // BEGIN IMMEDIATE has taken it

func (t sqliteTx) exec(ctx context.Context, query string, args []any) (changed int64, err error) {
	stmt, err := t.prepared(ctx, query)
	if err != nil {
		return 0, err
	}
	res, err := stmt.ExecContext(ctx, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

func (t sqliteTx) row(ctx context.Context, query string, args, into []any) error {
	stmt, err := t.prepared(ctx, query)
	if err != nil {
		return err
	}
	return stmt.QueryRowContext(ctx, args...).Scan(into...)
}

func (t sqliteTx) prepared(ctx context.Context, query string) (*sql.Stmt, error) {
	if stmt, ok := t.stmts[query]; ok {
		return stmt, nil
	}
	stmt, err := t.conn.PrepareContext(ctx, query)
	if err == nil {
		t.stmts[query] = stmt
	}
	return stmt, err
}

func (t sqliteTx) commit(ctx context.Context) error {
	if _, err := t.exec(ctx, "COMMIT", nil); err != nil {
		return err // the file is ours: it did not happen
	}
	<-t.line
	return nil
}

func (t sqliteTx) rollback(ctx context.Context) {
	_, _ = t.exec(ctx, "ROLLBACK", nil) // it fails only if SQLite has rolled back by itself
	<-t.line
}
