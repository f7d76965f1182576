// Package store keeps what a service knows, and runs its transactions. Where it keeps it is a matter of configuration: in a file of
// SQLite, or in a schema of a PostgreSQL database. The services cannot tell.
//
// Promise: what is written in one Write is there entirely or not at all, whatever is killed when; and transactions of one store,
// even of several processes, commit one after the other, in the order in which they took their turn, each seeing all before it. The
// outbox and the audit chain build on that order: an id that was drawn earlier is never committed later, so that a reader in the order of
// ids passes nobody over.
//
// How: every transaction takes its turn before it reads anything. In SQLite that is BEGIN IMMEDIATE; in PostgreSQL, whose transactions
// would otherwise run beside one another, an advisory lock that is the schema's and is given back by COMMIT itself, after what was
// committed can be seen.
//
// Cost: one writer at a time for each store, and one flush of a log for each commit. In PostgreSQL each statement is a round trip within
// the turn. Breaks: when a process is stopped (not killed) between BEGIN and COMMIT: everyone else then waits for patience and gets an
// error, nothing is lost.
//
// It must never know what is stored.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
)

// patience is how long a transaction waits for its turn, and, where there is a connection, any statement for its answer.
const patience = 2 * time.Second

// ErrUnsure says that COMMIT was sent and no answer came: the transaction has happened or it has not, and nobody here knows. Whoever gets it must
// not take it for a failure, but do the same again under the same key, and find out.
var ErrUnsure = errors.New("nobody knows whether it is committed")

// Sync is SQLite's synchronous setting. A killed process loses nothing with any of them, a machine without power does.
type Sync string

// The settings.
const (
	Full   Sync = "full"   // nothing committed is lost in a power cut
	Normal Sync = "normal" // the last commits may be lost in a power cut, the file stays sound
	Off    Sync = "off"    // a power cut may destroy the file
)

// Schema is the part of a store that one package owns. Its SQL is run once in the life of a store.
//
// It is written in SQLite's words, of which PostgreSQL is told its own: INTEGER for every number, BLOB for bytes, INTEGER PRIMARY KEY for a
// number that is counted up. Statements are written in what both understand, with ? or ?1 for arguments.
type Schema struct{ Name, SQL string }

// Turn is when a transaction takes its turn.
type Turn int

// The times.
const (
	AtBegin Turn = iota // before it reads anything: there is never another beside it
	Late                // when it asks for it with Tx.Turn, or never. SQLite knows only AtBegin
)

// DB is an open store.
type DB struct {
	Turn Turn // of all its transactions
	backend
}

// backend is where a store is kept.
type backend interface {
	// begin opens a transaction. ctx bounds the wait for it.
	begin(ctx context.Context, turn Turn) (session, error)
	query(ctx context.Context, query string, args []any) (*Rows, error)
	row(ctx context.Context, query string, args, into []any) error
	// tables counts the tables of a name.
	tables(ctx context.Context, name string) (int, error)
	// words turns the SQL of a Schema into its own.
	words(sql string) string
	// passes tells of an error that goes away by itself while a store is opened.
	passes(err error) bool
	close() error
}

// session is a transaction under way. Its context has no end: what is begun runs to its end, which takes milliseconds.
type session interface {
	turn(ctx context.Context) error
	exec(ctx context.Context, query string, args []any) (changed int64, err error)
	row(ctx context.Context, query string, args, into []any) error
	commit(ctx context.Context) error
	rollback(ctx context.Context) // also behind a COMMIT that failed
}

// Open opens or creates the store at a place, and adds the schemas it has not got yet. Several processes may do this at once. The place is a file,
// or the URL of a PostgreSQL database whose parameter search_path names the schema: for such a server Open waits until ctx ends.
func Open(ctx context.Context, place string, mode Sync, schemas ...Schema) (*DB, error) {
	open, name := openSQLite, place
	if IsURL(place) {
		open, name = openPostgres, "in PostgreSQL"
	}
	b, err := open(ctx, place, mode)
	if err != nil {
		return nil, fmt.Errorf("open store %s: %w", name, err)
	}
	db := &DB{backend: b}
	for err = db.addSchemas(ctx, schemas); err != nil && b.passes(err) && ctx.Err() == nil; err = db.addSchemas(ctx, schemas) {
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open store %s: %w", name, err), db.Close())
	}
	return db, nil
}

// IsURL tells whether a place is a database, and not a file.
func IsURL(place string) bool {
	return strings.HasPrefix(place, "postgres://") || strings.HasPrefix(place, "postgresql://")
}

func (db *DB) addSchemas(ctx context.Context, schemas []Schema) error {
	// A store that has them all is not written to: a restart must not wait for the turn of a neighbour.
	if missing, err := db.missing(ctx, schemas); err != nil || missing == 0 {
		return err
	}
	return db.Write(ctx, func(tx *Tx) error {
		if _, err := tx.Exec(`CREATE TABLE IF NOT EXISTS schemas (name TEXT PRIMARY KEY)`); err != nil {
			return err
		}
		for _, s := range schemas {
			added, err := tx.Exec(`INSERT INTO schemas (name) VALUES (?) ON CONFLICT DO NOTHING`, s.Name)
			if err != nil {
				return err
			}
			if added == 0 {
				continue
			}
			if _, err := tx.Exec(db.words(s.SQL)); err != nil {
				return fmt.Errorf("create schema %s: %w", s.Name, err)
			}
		}
		return nil
	})
}

func (db *DB) missing(ctx context.Context, schemas []Schema) (int, error) {
	if n, err := db.tables(ctx, "schemas"); err != nil || n == 0 {
		return len(schemas), err
	}
	n := 0
	for _, s := range schemas {
		have, err := db.Count(ctx, `SELECT count(*) FROM schemas WHERE name = ?`, s.Name)
		if err != nil {
			return 0, err
		}
		n += 1 - int(have)
	}
	return n, nil
}

// Write runs fn in one transaction. It returns nil once the transaction is committed; with an error of fn, or of one of its statements,
// nothing of it has happened; with ErrUnsure, nobody knows. ctx bounds the wait for other writers of this process; once begun, a
// transaction runs to its end: an interrupted COMMIT would leave the caller not knowing.
func (db *DB) Write(ctx context.Context, fn func(*Tx) error) error {
	tx := &Tx{ctx: context.WithoutCancel(ctx)}
	if err := db.write(ctx, tx, fn); err != nil {
		return err
	}
	for _, after := range tx.after {
		after()
	}
	return nil
}

func (db *DB) write(ctx context.Context, tx *Tx, fn func(*Tx) error) (err error) {
	if tx.session, err = db.begin(ctx, db.Turn); err != nil {
		return fmt.Errorf("begin transaction: %w", err)
	}
	committed := false
	defer func() { // the next one gets its turn even if fn panics
		if !committed {
			tx.session.rollback(tx.ctx)
		}
	}()
	if err := fn(tx); err != nil {
		return err
	}
	if tx.failed != nil {
		return tx.failed
	}
	if err := tx.session.commit(tx.ctx); err != nil {
		return fmt.Errorf("commit transaction: %w", err)
	}
	committed = true
	return nil
}

// Query runs a query outside a transaction. It sees everything that was committed before it began.
func (db *DB) Query(ctx context.Context, query string, args ...any) (*Rows, error) {
	return db.query(ctx, query, args)
}

// Row is Query for one row, which it scans. Without a row it returns sql.ErrNoRows.
func (db *DB) Row(ctx context.Context, query string, args []any, into ...any) error {
	return db.row(ctx, query, args, into)
}

// Count runs a query that answers one number.
func (db *DB) Count(ctx context.Context, query string, args ...any) (n int64, err error) {
	err = db.Row(ctx, query, args, &n)
	return n, err
}

// Close closes the store. A transaction that runs is waited for; there must not be another after it.
func (db *DB) Close() error { return db.close() }

// Rows is what a Query found. It must be closed.
type Rows struct {
	*sql.Rows
	waiting *time.Timer // ends the query; nil: what is read is here
	cancel  context.CancelFunc
}

// Next is that of sql.Rows. A row that does not come within patience ends the query, with an error.
func (r *Rows) Next() bool {
	if r.waiting != nil {
		r.waiting.Reset(patience)
	}
	return r.Rows.Next()
}

// Close is that of sql.Rows.
func (r *Rows) Close() error {
	if r.waiting != nil {
		r.waiting.Stop()
		defer r.cancel()
	}
	return r.Rows.Close()
}

// Tx is a running transaction. It belongs to the function it was given to.
type Tx struct {
	session session
	ctx     context.Context // without an end
	after   []func()
	failed  error // the first statement that did: the transaction will not be committed, whatever is made of the error
}

// After has fn called once the transaction is committed for certain, and not at all otherwise.
func (t *Tx) After(fn func()) { t.after = append(t.after, fn) }

// Turn takes the transaction's turn, if it has not been taken: until it ends nobody else has one, and what those before it committed can be seen.
func (t *Tx) Turn() error { return t.fail(t.session.turn(t.ctx)) }

// Exec runs a statement and returns how many rows it changed.
func (t *Tx) Exec(query string, args ...any) (changed int64, err error) {
	changed, err = t.session.exec(t.ctx, query, args)
	return changed, t.fail(err)
}

// Row runs a query for one row and scans it. Without a row it returns sql.ErrNoRows.
func (t *Tx) Row(query string, args []any, into ...any) error {
	return t.fail(t.session.row(t.ctx, query, args, into))
}

func (t *Tx) fail(err error) error {
	if err != nil && !errors.Is(err, sql.ErrNoRows) && t.failed == nil {
		t.failed = err
	}
	return err
}
