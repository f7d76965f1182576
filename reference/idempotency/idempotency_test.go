package idempotency_test

import (
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/reference/idempotency"
	"github.com/wreckon/wreckon/reference/store"
)

func TestRequestsAtOnceGetOneAnswer(t *testing.T) {
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "x.db"), store.Off, idempotency.Schema)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	payload := idempotency.Fingerprint([]byte("payload"))
	var mu sync.Mutex
	answers := map[string]int{}
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			mine := fmt.Appendf(nil, "answer %d", n)
			err := db.Write(t.Context(), func(tx *store.Tx) error {
				before, err := idempotency.Claim(tx, "key", payload, mine)
				if before != nil {
					mine = before
				}
				return err
			})
			assert.NoError(t, err)
			mu.Lock()
			defer mu.Unlock()
			answers[string(mine)]++
		})
	}
	all.Wait()
	assert.Len(t, answers, 1)

	found, err := idempotency.Lookup(t.Context(), db, "key", payload)
	require.NoError(t, err)
	assert.Contains(t, answers, string(found))
	found, err = idempotency.Lookup(t.Context(), db, "another key", payload)
	require.NoError(t, err)
	assert.Nil(t, found)
}

func TestAKeyWithAnotherPayloadIsAMistake(t *testing.T) {
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "x.db"), store.Off, idempotency.Schema)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	claim := func(fingerprint string) error {
		return db.Write(t.Context(), func(tx *store.Tx) error {
			_, err := idempotency.Claim(tx, "key", fingerprint, []byte("answer"))
			return err
		})
	}
	require.NoError(t, claim("a"))
	assert.ErrorIs(t, claim("b"), idempotency.ErrMismatch)
	_, err = idempotency.Lookup(t.Context(), db, "key", "b")
	assert.ErrorIs(t, err, idempotency.ErrMismatch)
}
