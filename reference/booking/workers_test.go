package booking_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/reference/booking"
	"github.com/wreckon/wreckon/reference/broker"
	"github.com/wreckon/wreckon/reference/gateway"
	"github.com/wreckon/wreckon/reference/policy"
)

var bg = context.Background()

// confirmer asks as a test says; its office serves at the address of its client.
func confirmer(t *testing.T, o *booking.Office, ask booking.Ask) *booking.Confirmer {
	t.Helper()
	return &booking.Confirmer{
		Owner: "w", Office: serve(t, o), Ask: ask, Until: booking.EndOfHold, Slots: 2, Poll: time.Millisecond,
		Backoff: policy.NewBackoff(time.Millisecond, 5*time.Millisecond, rng()), Meter: &broker.Meter{}, Log: slog.New(slog.DiscardHandler),
	}
}

func serve(t *testing.T, o *booking.Office) *booking.Client {
	t.Helper()
	server := httptest.NewServer(booking.Handler(o, slog.New(slog.DiscardHandler)))
	t.Cleanup(server.Close)
	client := booking.NewClient(server.URL, 5*time.Second)
	t.Cleanup(client.Close)
	return client
}

// work runs a worker until done says so.
func work(t *testing.T, run func(told, work context.Context) error, done func() bool) {
	t.Helper()
	told, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- run(told, t.Context()) }()
	require.Eventually(t, done, 10*time.Second, time.Millisecond)
	stop()
	require.NoError(t, <-ended)
}

func TestAConfirmationIsAskedForUntilThereIsAnAnswer(t *testing.T) {
	for _, refused := range []bool{false, true} {
		o := newOffice(t, time.Minute, 5*time.Millisecond)
		take(t, o, economy("b-1"))
		var mu sync.Mutex
		var tokens []uint64
		c := confirmer(t, o, func(_ context.Context, g booking.Grant, until time.Time) (gateway.Answer, error) {
			mu.Lock()
			defer mu.Unlock()
			assert.True(t, until.Equal(g.ValidUntil))
			if tokens = append(tokens, g.Token); len(tokens) < 3 {
				return gateway.Answer{}, errors.New("nobody knows")
			}
			return gateway.Answer{Refused: refused, Reason: "too late"}, nil
		})
		c.Slots = 1 // two of them would not ask in the order in which they were granted it
		require.Error(t, c.Ready(t.Context()))
		want := map[bool]string{false: booking.Confirmed, true: booking.Expired}[refused]
		work(t, c.Run, func() bool { return state(t, o, "b-1") == want })
		require.NoError(t, c.Ready(t.Context()))
		assert.IsIncreasing(t, tokens, "each under a token of its own")
		assert.GreaterOrEqual(t, len(tokens), 3)
		assert.Zero(t, seats(t, o, "economy")[1])
	}
}

func TestAConfirmerThatIsToldToStopFinishesWhatItHasBegun(t *testing.T) {
	o := newOffice(t, time.Minute, time.Minute)
	take(t, o, economy("b-1"))
	take(t, o, economy("b-2"))
	told, stop := context.WithCancel(t.Context())
	c := confirmer(t, o, func(context.Context, booking.Grant, time.Time) (gateway.Answer, error) {
		stop()
		return gateway.Answer{}, nil
	})
	c.Slots = 1
	require.NoError(t, c.Run(told, t.Context()))
	assert.Equal(t, booking.Confirmed, state(t, o, "b-1"))
	assert.Equal(t, booking.Held, state(t, o, "b-2"))
}

func TestTheReclaimerHasExpireWhatIsDue(t *testing.T) {
	o := newOffice(t, 10*time.Millisecond, time.Minute)
	take(t, o, economy("b-1"))
	c := &booking.Reclaimer{Office: serve(t, o), Poll: time.Millisecond,
		Backoff: policy.NewBackoff(time.Millisecond, 5*time.Millisecond, rng()), Log: slog.New(slog.DiscardHandler)}
	work(t, c.Run, func() bool { return state(t, o, "b-1") == booking.Expired })
	require.NoError(t, c.Ready(t.Context()))
	assert.Equal(t, []string{"held", "expired", "released"}, said(t, o))
}
