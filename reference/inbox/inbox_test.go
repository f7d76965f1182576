package inbox_test

import (
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/reference/inbox"
	"github.com/wreckon/wreckon/reference/message"
	"github.com/wreckon/wreckon/reference/store"
)

var work = store.Schema{Name: "work", SQL: `CREATE TABLE work (n)`}

func open(t *testing.T) *inbox.Inbox {
	t.Helper()
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "x.db"), store.Off, inbox.Schema, work)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	return &inbox.Inbox{DB: db}
}

func do(tx *store.Tx) error {
	_, err := tx.Exec(`INSERT INTO work (n) VALUES (1)`)
	return err
}

func done(t *testing.T, in *inbox.Inbox) int64 {
	n, err := in.DB.Count(t.Context(), `SELECT count(*) FROM work`)
	require.NoError(t, err)
	return n
}

func delivery(id string, number int) message.Delivery {
	return message.Delivery{Message: message.Message{ID: id, Subject: "s", Trace: "t", Data: []byte("payload")}, Number: number}
}

func TestDeliveriesAtOnceDoTheWorkOnce(t *testing.T) {
	in := open(t)
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() { assert.NoError(t, in.Once(t.Context(), delivery("a", 1), do)) })
	}
	all.Wait()
	require.NoError(t, in.Once(t.Context(), delivery("b", 1), do))
	assert.EqualValues(t, 2, done(t, in))
	n, err := inbox.Redeliveries(t.Context(), in.DB)
	require.NoError(t, err)
	assert.EqualValues(t, 15, n)
}

func TestWorkThatFailsIsNotDoneAndComesAgain(t *testing.T) {
	in, failure := open(t), errors.New("not now")
	err := in.Once(t.Context(), delivery("a", 1), func(tx *store.Tx) error {
		require.NoError(t, do(tx))
		return failure
	})
	require.ErrorIs(t, err, failure)
	assert.Zero(t, done(t, in))
	require.NoError(t, in.Once(t.Context(), delivery("a", 5), do))
	assert.EqualValues(t, 1, done(t, in))
	n, err := inbox.Redeliveries(t.Context(), in.DB)
	require.NoError(t, err)
	assert.EqualValues(t, 4, n, "the broker has counted deliveries that left no trace here")
}

func TestAMessageThatFailsForGoodIsSetAsideWithItsContext(t *testing.T) {
	in := open(t)
	told := 0
	in.Dead = func(tx *store.Tx, l *inbox.Letter) error {
		told++
		l.OrderID = "o-1"
		return do(tx)
	}
	broken := func(*store.Tx) error { return inbox.Permanent(errors.New("damaged")) }
	began := time.Now().Add(-time.Second)
	for n := 1; n < inbox.MaxFailures; n++ {
		require.ErrorContains(t, in.Once(t.Context(), delivery("a", n), broken), "damaged")
	}
	assert.Zero(t, told)
	for range 3 { // the last failure, and two deliveries after it
		require.NoError(t, in.Once(t.Context(), delivery("a", inbox.MaxFailures), broken))
	}
	assert.Equal(t, 1, told)
	assert.EqualValues(t, 1, done(t, in))
	letters, err := inbox.Letters(t.Context(), in.DB)
	require.NoError(t, err)
	require.Len(t, letters, 1)
	assert.WithinRange(t, letters[0].First, began, time.Now())
	assert.WithinRange(t, letters[0].Dead, letters[0].First, time.Now())
	letters[0].First, letters[0].Dead = time.Time{}, time.Time{}
	assert.Equal(t, inbox.Letter{Message: delivery("a", 1).Message, OrderID: "o-1", Reason: "damaged", Attempts: 3}, letters[0])
}

func TestALetterThatCannotBeAnnouncedIsNotSetAside(t *testing.T) {
	in, failure := open(t), errors.New("disk full")
	in.Dead = func(*store.Tx, *inbox.Letter) error { return failure }
	broken := func(*store.Tx) error { return inbox.Permanent(errors.New("damaged")) }
	for n := 1; n <= inbox.MaxFailures+1; n++ {
		require.Error(t, in.Once(t.Context(), delivery("a", n), broken))
	}
	in.Dead = nil
	require.NoError(t, in.Once(t.Context(), delivery("a", 9), broken))
}
