// Package store opens the SQLite file of a service and runs its transactions.
//
// Promise: what is written in one Write is there entirely or not at all, whatever is killed when; and transactions of one file,
// even of several processes, commit one after the other, in the order in which they were begun. The outbox and the audit chain
// build on that order.
//
// How: write-ahead logging, so that readers never wait for the writer; one connection for writing, which begins every transaction
// with BEGIN IMMEDIATE, so that a transaction which has started never fails half-way for want of the lock.
//
// Cost: one writer at a time, and with synchronous=full one fsync for each commit. Breaks: across machines, and when a process is
// stopped (not killed) between BEGIN and COMMIT: everyone else then waits for busyTimeout and gets an error, nothing is lost.
//
// It must never know what is stored.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite", in Go: nothing to install
)

// busyTimeout is how long a transaction waits for the lock of another process.
const busyTimeout = 2 * time.Second

// Sync is SQLite's synchronous setting. A killed process loses nothing with any of them, a machine without power does.
type Sync string

// The settings.
const (
	Full   Sync = "full"   // nothing committed is lost in a power cut
	Normal Sync = "normal" // the last commits may be lost in a power cut, the file stays sound
	Off    Sync = "off"    // a power cut may destroy the file
)

// Schema is the part of a database that one package owns. Its SQL is run once in the life of a file.
type Schema struct{ Name, SQL string }

// DB is an open database.
//
// Parsing takes SQLite longer than most of our statements take to run, so each is parsed once and kept.
type DB struct {
	write *sql.DB
	turn  chan struct{} // holds one element while a transaction runs; guards the two below
	conn  *sql.Conn     // of write, the only one
	stmts map[string]*sql.Stmt

	read    *sql.DB
	mu      sync.Mutex // guards queries
	queries map[string]*sql.Stmt
}

// Open opens or creates the file at path and adds the schemas it has not got yet. Several processes may do this at once.
func Open(ctx context.Context, path string, mode Sync, schemas ...Schema) (*DB, error) {
	write, err := connect(path, mode, 1)
	if err != nil {
		return nil, fmt.Errorf("open store %s: %w", path, err)
	}
	read, err := connect(path, mode, 4)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open store %s: %w", path, err), write.Close())
	}
	db := &DB{
		write: write, turn: make(chan struct{}, 1), stmts: map[string]*sql.Stmt{},
		read: read, queries: map[string]*sql.Stmt{},
	}
	if err := db.prepare(ctx, schemas); err != nil {
		return nil, errors.Join(fmt.Errorf("open store %s: %w", path, err), db.Close())
	}
	return db, nil
}

func connect(path string, mode Sync, conns int) (*sql.DB, error) {
	q := url.Values{"_pragma": {
		fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()),
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

// prepare brings the file up to the schemas. Switching a new file to write-ahead logging needs it for itself alone and does not
// wait for the lock, so two processes that create one file together must try more than once.
func (db *DB) prepare(ctx context.Context, schemas []Schema) error {
	deadline := time.Now().Add(busyTimeout)
	for {
		err := db.tryPrepare(ctx, schemas)
		if err == nil || !strings.Contains(err.Error(), "locked") || time.Now().After(deadline) {
			return err
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (db *DB) tryPrepare(ctx context.Context, schemas []Schema) (err error) {
	if db.conn == nil {
		if db.conn, err = db.write.Conn(ctx); err != nil {
			return err
		}
	}
	return db.addSchemas(ctx, schemas)
}

func (db *DB) addSchemas(ctx context.Context, schemas []Schema) error {
	// A file that has them all is not written to: a restart must not wait for the lock of a neighbour.
	if missing, err := db.missing(ctx, schemas); err != nil || missing == 0 {
		return err
	}
	return db.Write(ctx, func(tx *Tx) error {
		if _, err := tx.Exec(`CREATE TABLE IF NOT EXISTS schemas (name TEXT PRIMARY KEY)`); err != nil {
			return err
		}
		for _, s := range schemas {
			added, err := tx.Exec(`INSERT INTO schemas (name) VALUES (?) ON CONFLICT DO NOTHING`, s.Name)
			if err != nil || added == 0 {
				if err != nil {
					return err
				}
				continue
			}
			if _, err := tx.Exec(s.SQL); err != nil {
				return fmt.Errorf("create schema %s: %w", s.Name, err)
			}
		}
		return nil
	})
}

func (db *DB) missing(ctx context.Context, schemas []Schema) (int, error) {
	var tables int
	row := db.conn.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'schemas'`)
	if err := row.Scan(&tables); err != nil || tables == 0 {
		return len(schemas), err
	}
	n := 0
	for _, s := range schemas {
		var have int
		if err := db.conn.QueryRowContext(ctx, `SELECT count(*) FROM schemas WHERE name = ?`, s.Name).Scan(&have); err != nil {
			return 0, err
		}
		n += 1 - have
	}
	return n, nil
}

// Write runs fn in one transaction. It returns nil once the transaction is committed; with an error of fn, nothing of it has
// happened. ctx bounds the wait for other writers of this process; once begun, a transaction runs to its end, which takes
// milliseconds: an interrupted COMMIT would leave the caller not knowing.
func (db *DB) Write(ctx context.Context, fn func(*Tx) error) error {
	select {
	case db.turn <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("begin transaction: %w", ctx.Err())
	}
	tx := &Tx{db: db, ctx: context.WithoutCancel(ctx)}
	if err := tx.inTurn(fn); err != nil {
		return err
	}
	for _, after := range tx.after {
		after()
	}
	return nil
}

// Query runs a query outside a transaction. It sees everything that was committed before it began.
func (db *DB) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	stmt, err := db.query(ctx, query)
	if err != nil {
		return nil, err
	}
	return stmt.QueryContext(ctx, args...)
}

// Row is Query for one row, which it scans. Without a row it returns sql.ErrNoRows.
func (db *DB) Row(ctx context.Context, query string, args []any, into ...any) error {
	stmt, err := db.query(ctx, query)
	if err != nil {
		return err
	}
	return stmt.QueryRowContext(ctx, args...).Scan(into...)
}

// Count runs a query that answers one number.
func (db *DB) Count(ctx context.Context, query string, args ...any) (n int64, err error) {
	err = db.Row(ctx, query, args, &n)
	return n, err
}

func (db *DB) query(ctx context.Context, query string) (*sql.Stmt, error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	if stmt, ok := db.queries[query]; ok {
		return stmt, nil
	}
	stmt, err := db.read.PrepareContext(ctx, query)
	if err == nil {
		db.queries[query] = stmt
	}
	return stmt, err
}

// Close closes the file. A transaction that runs is waited for; there must not be another after it.
func (db *DB) Close() error {
	db.turn <- struct{}{}
	var errs []error
	if db.conn != nil {
		errs = append(errs, db.conn.Close())
	}
	return errors.Join(append(errs, db.read.Close(), db.write.Close())...)
}

// Tx is a running transaction. It belongs to the function it was given to.
type Tx struct {
	db    *DB
	ctx   context.Context // without an end
	after []func()
}

// inTurn lets the next one have its turn even if fn panics.
func (t *Tx) inTurn(fn func(*Tx) error) error {
	defer func() { <-t.db.turn }()
	return t.run(fn)
}

func (t *Tx) run(fn func(*Tx) error) (err error) {
	if _, err := t.Exec("BEGIN IMMEDIATE"); err != nil {
		return fmt.Errorf("begin transaction: %w", err)
	}
	committed := false
	defer func() {
		if !committed {
			_, _ = t.Exec("ROLLBACK") // it fails only if SQLite has rolled back by itself
		}
	}()
	if err := fn(t); err != nil {
		return err
	}
	if _, err := t.Exec("COMMIT"); err != nil {
		return fmt.Errorf("commit transaction: %w", err)
	}
	committed = true
	return nil
}

// After has fn called once the transaction is committed, and not at all if it is not.
func (t *Tx) After(fn func()) { t.after = append(t.after, fn) }

// Exec runs a statement and returns how many rows it changed.
func (t *Tx) Exec(query string, args ...any) (changed int64, err error) {
	stmt, err := t.stmt(query)
	if err != nil {
		return 0, err
	}
	res, err := stmt.ExecContext(t.ctx, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// Row runs a query for one row and scans it. Without a row it returns sql.ErrNoRows.
func (t *Tx) Row(query string, args []any, into ...any) error {
	stmt, err := t.stmt(query)
	if err != nil {
		return err
	}
	return stmt.QueryRowContext(t.ctx, args...).Scan(into...)
}

func (t *Tx) stmt(query string) (*sql.Stmt, error) {
	if stmt, ok := t.db.stmts[query]; ok {
		return stmt, nil
	}
	stmt, err := t.db.conn.PrepareContext(t.ctx, query)
	if err == nil {
		t.db.stmts[query] = stmt
	}
	return stmt, err
}
