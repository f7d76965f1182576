package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/internal/servers"
	"github.com/wreckon/wreckon/reference/store"
)

// everywhere runs a test on each backend, in a store that is not there yet.
func everywhere(t *testing.T, test func(t *testing.T, place string)) {
	t.Run("sqlite", func(t *testing.T) { test(t, filepath.Join(t.TempDir(), "a b?.db")) })
	t.Run("postgres", func(t *testing.T) { test(t, schema(servers.PostgresURL(servers.Postgres(t)), "a b")) })
}

// schema is the place of a schema of a database.
func schema(database, name string) string { return database + "&search_path=" + url.QueryEscape(name) }

var numbers = store.Schema{Name: "numbers", SQL: `CREATE TABLE numbers (n INTEGER PRIMARY KEY)`}

func open(t *testing.T, path string, schemas ...store.Schema) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), path, store.Off, schemas...)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	return db
}

func insert(n int) func(*store.Tx) error {
	return func(tx *store.Tx) error {
		_, err := tx.Exec(`INSERT INTO numbers (n) VALUES (?)`, n)
		return err
	}
}

func count(t *testing.T, db *store.DB) int64 {
	n, err := db.Count(t.Context(), `SELECT count(*) FROM numbers`)
	require.NoError(t, err)
	return n
}

func TestATransactionHappensEntirelyOrNotAtAll(t *testing.T) { everywhere(t, testEntirelyOrNotAtAll) }

func testEntirelyOrNotAtAll(t *testing.T, place string) {
	db := open(t, place, numbers)
	failure := errors.New("no")
	err := db.Write(t.Context(), func(tx *store.Tx) error {
		tx.After(func() { t.Error("called for a transaction that was rolled back") })
		require.NoError(t, insert(1)(tx))
		return failure
	})
	require.ErrorIs(t, err, failure)
	assert.Zero(t, count(t, db))

	after := false
	require.NoError(t, db.Write(t.Context(), func(tx *store.Tx) error {
		tx.After(func() { after = true })
		return insert(1)(tx)
	}))
	assert.True(t, after)
	assert.EqualValues(t, 1, count(t, db))
	assert.Error(t, db.Write(t.Context(), insert(1)), "a statement that fails")
	assert.NoError(t, db.Write(t.Context(), insert(2)), "the connection is usable after a failure")
}

func TestAStatementThatFailsDoomsItsTransaction(t *testing.T) { everywhere(t, testDoom) }

func testDoom(t *testing.T, place string) {
	db := open(t, place, numbers)
	require.NoError(t, db.Write(t.Context(), insert(1)))
	err := db.Write(t.Context(), func(tx *store.Tx) error {
		tx.After(func() { t.Error("called for a transaction that was rolled back") })
		assert.NoError(t, insert(2)(tx))
		assert.Error(t, insert(1)(tx))
		return nil // and yet it must not say that it has committed
	})
	require.Error(t, err)
	assert.NotErrorIs(t, err, store.ErrUnsure)
	assert.EqualValues(t, 1, count(t, db))
}

func TestNoRowIsNoFailure(t *testing.T) {
	everywhere(t, func(t *testing.T, place string) {
		db := open(t, place, numbers)
		require.NoError(t, db.Write(t.Context(), func(tx *store.Tx) error {
			var n int
			assert.ErrorIs(t, tx.Row(`SELECT n FROM numbers WHERE n = ?`, []any{7}, &n), sql.ErrNoRows)
			return insert(7)(tx)
		}))
		var seven bool
		require.ErrorIs(t, db.Row(t.Context(), `SELECT 1 FROM numbers WHERE n = ?`, []any{8}, &seven), sql.ErrNoRows)
		require.NoError(t, db.Row(t.Context(), `SELECT 1 FROM numbers WHERE n = ?2 OR n = ?1`, []any{8, 7}, &seven))
		assert.True(t, seven)
	})
}

// Two that read before they write, and write what they have read, overwrite one another where they run side by side.
func TestEachTransactionSeesAllBeforeIt(t *testing.T) {
	everywhere(t, func(t *testing.T, place string) {
		dbs := []*store.DB{open(t, place, numbers), open(t, place, numbers)}
		require.NoError(t, dbs[0].Write(t.Context(), insert(0)))
		var all sync.WaitGroup
		for _, db := range dbs {
			for range 4 {
				all.Go(func() {
					for range 10 {
						assert.NoError(t, db.Write(t.Context(), increment))
					}
				})
			}
		}
		all.Wait()
		n, err := dbs[0].Count(t.Context(), `SELECT n FROM numbers`)
		require.NoError(t, err)
		assert.EqualValues(t, 80, n)
	})
}

func increment(tx *store.Tx) error {
	var n int
	if err := tx.Row(`SELECT n FROM numbers`, nil, &n); err != nil {
		return err
	}
	_, err := tx.Exec(`UPDATE numbers SET n = ?`, n+1)
	return err
}

func TestRowsAreReadToTheirEnd(t *testing.T) {
	everywhere(t, func(t *testing.T, place string) {
		db := open(t, place, numbers)
		require.NoError(t, db.Write(t.Context(), func(tx *store.Tx) error { return errors.Join(insert(3)(tx), insert(1)(tx), insert(2)(tx)) }))
		rows, err := db.Query(t.Context(), `SELECT n FROM numbers WHERE n > ? ORDER BY n`, 1)
		require.NoError(t, err)
		var read []string
		for rows.Next() {
			var n int
			require.NoError(t, rows.Scan(&n))
			read = append(read, fmt.Sprint(n))
		}
		require.NoError(t, rows.Err())
		require.NoError(t, rows.Close())
		assert.Equal(t, []string{"2", "3"}, read)
	})
}

func TestWaitingForAWriterEndsWithTheContext(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "x.db"), numbers)
	ctx, cancel := context.WithCancel(t.Context())
	require.NoError(t, db.Write(t.Context(), func(*store.Tx) error {
		cancel()
		assert.ErrorIs(t, db.Write(ctx, insert(1)), context.Canceled)
		return nil
	}))
}

// Two processes share the api's file; two handles of one process use the same locks.
func TestHandlesCreateAndWriteOneStoreTogether(t *testing.T) { everywhere(t, testTogether) }

func testTogether(t *testing.T, path string) {
	other := store.Schema{Name: "other", SQL: `CREATE TABLE other (n INTEGER)`}
	dbs := make([]*store.DB, 4)
	var all sync.WaitGroup
	for i := range dbs {
		all.Go(func() {
			db, err := store.Open(t.Context(), path, store.Off, numbers, other)
			if assert.NoError(t, err) {
				dbs[i] = db
			}
		})
	}
	all.Wait()
	for i, db := range dbs {
		require.NotNil(t, db)
		all.Go(func() {
			for n := range 50 {
				assert.NoError(t, db.Write(t.Context(), insert(i*50+n)))
			}
		})
	}
	all.Wait()
	assert.EqualValues(t, 200, count(t, dbs[0]))
	for _, db := range dbs {
		assert.NoError(t, db.Close())
	}
	assert.EqualValues(t, 200, count(t, open(t, path, numbers, other)), "after opening it again")
}

func TestATransactionThatPanicsIsRolledBackAndStandsInNobodysWay(t *testing.T) {
	everywhere(t, testPanic)
}

func testPanic(t *testing.T, place string) {
	db := open(t, place, numbers)
	assert.Panics(t, func() {
		_ = db.Write(t.Context(), func(tx *store.Tx) error {
			require.NoError(t, insert(1)(tx))
			panic("no")
		})
	})
	require.NoError(t, db.Write(t.Context(), insert(2)))
	assert.EqualValues(t, 1, count(t, db))
}
