package lease_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/reference/lease"
	"github.com/wreckon/wreckon/reference/store"
)

type table struct {
	*testing.T
	*store.DB
}

func open(t *testing.T) table {
	t.Helper()
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "x.db"), store.Off, lease.Schema)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	return table{t, db}
}

func (t table) acquire(owner string, ttl time.Duration) (l lease.Lease, err error) {
	err = t.Write(t.Context(), func(tx *store.Tx) error {
		l, err = lease.Acquire(tx, "o-1/charge", owner, ttl)
		return err
	})
	return l, err
}

func (t table) release(l lease.Lease) error {
	return t.Write(t.Context(), func(tx *store.Tx) error { return lease.Release(tx, l) })
}

func TestALeaseIsHeldByOneAtATime(t *testing.T) {
	db := open(t)
	a, err := db.acquire("a", time.Hour)
	require.NoError(t, err)
	_, err = db.acquire("b", time.Hour)
	var held *lease.HeldError
	require.ErrorAs(t, err, &held)
	assert.Equal(t, "a", held.Owner)
	assert.WithinDuration(t, a.Expires, held.Until, time.Millisecond)
	_, err = db.acquire("a", time.Hour)
	require.ErrorAs(t, err, &held, "not even by the same owner: it may be another of its workers")

	require.NoError(t, db.release(a))
	b, err := db.acquire("b", time.Hour)
	require.NoError(t, err)
	assert.Greater(t, b.Token, a.Token)
	all, err := lease.Held(t.Context(), db.DB)
	require.NoError(t, err)
	require.Len(t, all, 1)
	assert.Equal(t, "b", all[0].Owner)
}

func TestAHolderWhoseLeaseWasTakenCannotReleaseIt(t *testing.T) {
	db := open(t)
	a, err := db.acquire("a", 0)
	require.NoError(t, err)
	b, err := db.acquire("b", 0)
	require.NoError(t, err)
	assert.ErrorIs(t, db.release(a), lease.ErrLost)
	assert.NoError(t, db.release(b), "expired, and nobody wanted it")
	assert.ErrorIs(t, db.release(b), lease.ErrLost, "twice")
}
