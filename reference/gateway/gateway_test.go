package gateway_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/reference/gateway"
	"github.com/wreckon/wreckon/reference/policy"
)

var call = gateway.Call{OrderID: "o-1", Key: "o-1/charge/1", Token: 7, Fenced: true, Trace: "00-trace"}

func serve(t *testing.T, handler http.HandlerFunc) *gateway.Client {
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	client := gateway.New(server.URL+"/", "secret", "payments", nil)
	t.Cleanup(client.Close)
	return client
}

func TestACallIsAnAnswerARefusalOrUnknown(t *testing.T) {
	for _, c := range []struct {
		status               int
		body                 string
		charge, refund, ship string
	}{
		{200, `{"id":"g-1"}`, "done", "done", "done"},
		{200, `{"id":`, "unknown", "unknown", "unknown"},
		{402, `{}`, "refused", "unknown", "unknown"},
		{422, `{}`, "unknown", "unknown", "refused"},
		{201, `{"id":"g-1"}`, "unknown", "unknown", "unknown"},
		{401, ``, "unknown", "unknown", "unknown"},
		{412, `{}`, "superseded", "superseded", "superseded"},
		{307, ``, "unknown", "unknown", "unknown"},
		{500, `{"id":"g-1"}`, "unknown", "unknown", "unknown"},
		{503, ``, "unknown", "unknown", "unknown"},
	} {
		client := serve(t, func(w http.ResponseWriter, r *http.Request) {
			assert.Equal(t, "Bearer secret", r.Header.Get("Authorization"))
			assert.Equal(t, call.Key, r.Header.Get("Idempotency-Key"))
			assert.Equal(t, call.Trace, r.Header.Get("traceparent"))
			assert.Equal(t, "7 strict", r.Header.Get("Fencing-Token")+" "+r.Header.Get("Fencing"))
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(c.status)
			_, _ = w.Write([]byte(c.body))
		})
		kind := func(a gateway.Answer, err error) string {
			switch {
			case errors.Is(err, gateway.ErrSuperseded):
				return "superseded"
			case err != nil:
				return "unknown"
			case a.Refused:
				return "refused"
			}
			assert.Equal(t, "g-1", a.ID)
			return "done"
		}
		assert.Equal(t, c.charge, kind(client.Charge(t.Context(), call, 100, "card")), "charge answered %d %s", c.status, c.body)
		assert.Equal(t, c.refund, kind(client.Refund(t.Context(), call, 100)), "refund answered %d %s", c.status, c.body)
		assert.Equal(t, c.ship, kind(client.Ship(t.Context(), call, "address")), "ship answered %d %s", c.status, c.body)
	}
}

// Refusals are answers; what gets none is left alone after a while, and found again.
func TestAGatewayThatDoesNotAnswerIsLeftAlone(t *testing.T) {
	var calls, status atomic.Int64
	status.Store(http.StatusPaymentRequired)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		w.WriteHeader(int(status.Load()))
		_, _ = w.Write([]byte(`{"id":"g-1"}`))
	}))
	t.Cleanup(server.Close)
	waits := policy.NewBackoff(100*time.Millisecond, 100*time.Millisecond, rand.New(rand.NewPCG(1, 2)))
	breaker := policy.NewBreaker(3, waits)
	client := gateway.New(server.URL, "secret", "payments", breaker)
	t.Cleanup(client.Close)
	charge := func() error {
		_, err := client.Charge(t.Context(), call, 100, "card")
		return err
	}
	for range 5 {
		require.NoError(t, charge())
	}
	status.Store(http.StatusPreconditionFailed)
	for range 5 {
		require.ErrorIs(t, charge(), gateway.ErrSuperseded)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for range 5 { // we have ended these ourselves
		_, err := client.Charge(gone, call, 100, "card")
		require.ErrorIs(t, err, context.Canceled)
	}
	assert.False(t, breaker.Open())
	status.Store(http.StatusServiceUnavailable)
	var open *policy.OpenError
	require.Eventually(t, func() bool { return errors.As(charge(), &open) }, 10*time.Second, time.Microsecond)
	made := calls.Load()
	assert.EqualValues(t, 13, made)
	status.Store(http.StatusOK)
	require.Eventually(t, func() bool { return charge() == nil }, 10*time.Second, time.Millisecond)
	assert.False(t, breaker.Open())
	assert.Equal(t, made+1, calls.Load(), "nobody called meanwhile")
}

// net/http would repeat such a request by itself.
func TestABrokenConnectionIsNotRetriedBehindOurBack(t *testing.T) {
	var calls atomic.Int64
	client := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		if calls.Add(1) == 1 {
			_, _ = w.Write([]byte(`{"id":"g-1"}`))
			return
		}
		panic(http.ErrAbortHandler)
	})
	_, err := client.Charge(t.Context(), call, 100, "card") // leaves a connection to reuse
	require.NoError(t, err)
	_, err = client.Charge(t.Context(), call, 100, "card")
	require.Error(t, err)
	assert.EqualValues(t, 2, calls.Load())
}

func TestAConfirmationSaysUntilWhenItMayLand(t *testing.T) {
	until := time.Date(2026, 11, 21, 20, 4, 11, 123456789, time.UTC)
	status, said := http.StatusOK, ""
	client := serve(t, func(w http.ResponseWriter, r *http.Request) {
		said = r.Header.Get("Valid-Until")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(`{"id":"g-1"}`))
	})
	bounded := call
	bounded.Until = until
	answer, err := client.Confirm(t.Context(), bounded, "economy")
	require.NoError(t, err)
	assert.Equal(t, gateway.Answer{ID: "g-1"}, answer)
	assert.Equal(t, "2026-11-21T20:04:11.123456789Z", said)
	status = http.StatusGone
	answer, err = client.Confirm(t.Context(), call, "economy")
	require.NoError(t, err)
	assert.True(t, answer.Refused)
	assert.Empty(t, said)
}

func TestACallEndsWithItsContext(t *testing.T) {
	release := make(chan struct{})
	client := serve(t, func(http.ResponseWriter, *http.Request) { <-release })
	defer close(release)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, err := client.Refund(ctx, call, 100)
	assert.ErrorIs(t, err, context.DeadlineExceeded)
}
