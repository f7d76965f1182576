package intent_test

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/reference/broker"
	"github.com/wreckon/wreckon/reference/gateway"
	"github.com/wreckon/wreckon/reference/inbox"
	"github.com/wreckon/wreckon/reference/intent"
	"github.com/wreckon/wreckon/reference/lease"
	"github.com/wreckon/wreckon/reference/message"
	"github.com/wreckon/wreckon/reference/policy"
	"github.com/wreckon/wreckon/reference/store"
)

// desk performs one effect, and remembers with which keys it was called and what was recorded.
type desk struct {
	intent.Tools
	mu       sync.Mutex
	keys     []string
	tokens   []uint64
	recorded int
}

func open(t *testing.T, ttl time.Duration) *desk {
	t.Helper()
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "x.db"), store.Off, inbox.Schema, intent.Schema, lease.Schema)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	return &desk{Tools: intent.Tools{
		DB: db, Inbox: &inbox.Inbox{DB: db}, Owner: "me", Lease: ttl, Timeout: ttl / 10,
		Backoff: policy.NewBackoff(time.Millisecond, 2*time.Millisecond, rand.New(rand.NewPCG(1, 2))), Log: slog.New(slog.DiscardHandler),
	}}
}

// perform works on a delivery; ask is what the gateway does.
func (d *desk) perform(ctx context.Context, id string, number int, ask func(context.Context) error) error {
	return intent.Leased(d.Tools).Perform(ctx,
		message.Delivery{Message: message.Message{ID: id, Data: []byte("{}")}, Number: number, Extend: func() {}},
		intent.Effect{
			OrderID: "o-1", Step: "charge", Of: "charge",
			Call: func(ctx context.Context, call gateway.Call) (gateway.Answer, error) {
				d.mu.Lock()
				d.keys = append(d.keys, call.Key)
				d.tokens = append(d.tokens, call.Token)
				d.mu.Unlock()
				return gateway.Answer{ID: "g"}, ask(ctx)
			},
			Record: func(*store.Tx, gateway.Answer, int) (string, error) {
				d.recorded++
				return "charged", nil
			},
		})
}

func answer(context.Context) error { return nil }

func TestAnUnknownOutcomeIsAskedForAgainUnderTheSameKey(t *testing.T) {
	d, n := open(t, 10*time.Second), 0
	require.NoError(t, d.perform(t.Context(), "m", 1, func(context.Context) error {
		if n++; n < 4 {
			return errors.New("no answer")
		}
		return nil
	}))
	assert.Equal(t, []string{"o-1/charge/1", "o-1/charge/1", "o-1/charge/1", "o-1/charge/1"}, d.keys)
	require.NoError(t, d.perform(t.Context(), "m", 2, answer), "delivered again")
	require.NoError(t, d.perform(t.Context(), "another", 1, answer), "asked for by another message")
	assert.Len(t, d.keys, 4)
	assert.Equal(t, 1, d.recorded)
}

func TestNoCallIsBegunThatCouldOutliveTheLease(t *testing.T) {
	d := open(t, 200*time.Millisecond)
	began := time.Now()
	err := d.perform(t.Context(), "m", 1, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
	var later *broker.Later
	require.ErrorAs(t, err, &later)
	assert.LessOrEqual(t, len(d.keys), 10)
	assert.Less(t, time.Since(began), 2*time.Second)
	held, err := lease.Held(t.Context(), d.DB)
	require.NoError(t, err)
	assert.Empty(t, held, "given back, for the next delivery")
	require.NoError(t, d.perform(t.Context(), "m", 2, answer))
	assert.Equal(t, 1, d.recorded)
}

// What the gateway refuses because somebody took over is given up at once, and the lease of the one who did is left alone.
func TestACallThatIsLateIsGivenUp(t *testing.T) {
	d := open(t, time.Hour)
	err := d.perform(t.Context(), "m", 1, func(context.Context) error { return gateway.ErrSuperseded })
	require.ErrorIs(t, err, gateway.ErrSuperseded)
	assert.Len(t, d.keys, 1, "not asked again")
	require.NoError(t, d.perform(t.Context(), "m", 2, answer))
}

func TestTwoDeliveriesAtOnceAreWorkedOnOneAfterTheOther(t *testing.T) {
	d := open(t, time.Hour)
	require.NoError(t, d.perform(t.Context(), "m", 1, func(context.Context) error {
		err := d.perform(t.Context(), "m", 2, answer) // while the first is with the gateway
		var later *broker.Later
		require.ErrorAs(t, err, &later)
		var held *lease.HeldError
		require.ErrorAs(t, err, &held)
		return nil
	}))
	assert.Len(t, d.keys, 1)
	assert.Equal(t, 1, d.recorded)
}

func TestTheGatewayIsNotAskedForEver(t *testing.T) {
	d := open(t, time.Hour)
	d.Tools.Tries = 3
	fail := func(context.Context) error { return errors.New("no answer") }
	var err error
	for n := 1; n <= inbox.MaxFailures+1; n++ {
		err = d.perform(t.Context(), "m", n, fail)
	}
	require.NoError(t, err, "set aside")
	assert.Len(t, d.keys, 3)
	letters, err := inbox.Letters(t.Context(), d.DB)
	require.NoError(t, err)
	require.Len(t, letters, 1)
	assert.Contains(t, letters[0].Reason, "no answer")
	held, err := lease.Held(t.Context(), d.DB)
	require.NoError(t, err)
	assert.Empty(t, held)
	require.NoError(t, d.perform(t.Context(), "again", 1, answer), "a person has it tried again")
	assert.Equal(t, []string{"o-1/charge/1", "o-1/charge/1", "o-1/charge/1", "o-1/charge/1"}, d.keys)
}

// A call that the breaker held back was not made. It costs the message nothing, and nobody waits for its lease.
func TestACallThatWasHeldBackDoesNotCount(t *testing.T) {
	d := open(t, time.Hour)
	d.Tools.Tries = 3
	until := time.Now().Add(time.Minute)
	for n := 1; n <= 10; n++ {
		err := d.perform(t.Context(), "m", n, func(context.Context) error { return &policy.OpenError{Until: until} })
		var later *broker.Later
		require.ErrorAs(t, err, &later)
		assert.Greater(t, later.After, 50*time.Second, "it comes again when there is leave to call")
		held, err := lease.Held(t.Context(), d.DB)
		require.NoError(t, err)
		assert.Empty(t, held)
	}
	require.NoError(t, d.perform(t.Context(), "m", 11, answer))
	assert.Equal(t, 1, d.recorded)
}

// A worker that was asleep longer than its lease has its answer, but another has recorded the same answer since.
func TestAWorkerThatWasAsleepDoesNotRecord(t *testing.T) {
	d := open(t, 50*time.Millisecond)
	err := d.perform(t.Context(), "m", 1, func(context.Context) error {
		require.Eventually(t, func() bool { return d.perform(t.Context(), "m", 2, answer) == nil }, 10*time.Second, time.Millisecond)
		return nil
	})
	require.ErrorIs(t, err, lease.ErrLost)
	assert.Equal(t, 1, d.recorded)
	assert.Equal(t, []string{"o-1/charge/1", "o-1/charge/1"}, d.keys)
	assert.Equal(t, []uint64{1, 2}, d.tokens, "the gateway can tell who is late")
	assert.NoError(t, d.perform(t.Context(), "m", 3, answer))
	assert.Equal(t, 1, d.recorded)
}
