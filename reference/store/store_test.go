package store_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/reference/store"
)

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

func TestATransactionHappensEntirelyOrNotAtAll(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "a b?.db"), numbers)
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
func TestHandlesCreateAndWriteOneFileTogether(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	other := store.Schema{Name: "other", SQL: `CREATE TABLE other (n)`}
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
	db := open(t, filepath.Join(t.TempDir(), "x.db"), numbers)
	assert.Panics(t, func() {
		_ = db.Write(t.Context(), func(tx *store.Tx) error {
			require.NoError(t, insert(1)(tx))
			panic("no")
		})
	})
	require.NoError(t, db.Write(t.Context(), insert(2)))
	assert.EqualValues(t, 1, count(t, db))
}
