package reference_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/reference/orders"
)

// metric says whether a component tells a number so.
func (s *system) metric(component, line string) bool {
	status, numbers, err := s.ask(component, "/metrics")
	return err == nil && status == http.StatusOK && strings.Contains(string(numbers), "\n"+line)
}

func TestAGatewayThatDoesNotAnswerIsLeftAloneUntilItDoes(t *testing.T) {
	s := start(t, "--breaker-after", "3")
	stop := s.load("o", 10*time.Millisecond)
	s.gateway.set(0, true) // does it, and says it did not
	until(t, "payments leaves it alone", func() bool { return s.metric("payments", "reference_breaker_open 1") })
	until(t, "calls are held back", func() bool {
		return s.metric("payments", `reference_operation_seconds_count{operation="POST gateway/charges",outcome="held-back"}`)
	})
	s.gateway.set(0, false)
	before := len(s.gateway.landed())
	until(t, "load flows again", func() bool { return len(s.gateway.landed()) > before+10 })
	accepted := stop()
	s.waitSettled()
	s.verify(accepted)
	assert.True(t, s.metric("payments", "reference_breaker_open 0"))
	assert.False(t, s.metric("payments", "reference_breaker_opened_total 0"))
}

func TestOrdersAreTurnedAwayWhileTooMuchWaits(t *testing.T) {
	s := start(t, "--outbox-limit", "10")
	s.kill("relay")
	accepted, refused := map[string]string{}, 0
	for n := 0; refused < 5; n++ {
		require.Less(t, n, 50)
		id := fmt.Sprintf("o-%d", n)
		status, _, err := s.submit(order(id, "happy"))
		require.NoError(t, err)
		if status == http.StatusTooManyRequests {
			refused++
			continue
		}
		require.Equal(t, http.StatusCreated, status)
		accepted[id] = "happy"
	}
	require.NotEmpty(t, accepted)
	assert.True(t, s.metric("api", "reference_refused_total 5"))
	assert.False(t, s.metric("api", "reference_outbox_lag_seconds 0\n"))
	for id := range accepted {
		status, _, err := s.submit(order(id, "happy"))
		require.NoError(t, err)
		require.Equal(t, http.StatusCreated, status, "what was accepted stays so")
	}
	s.launch("relay")
	s.waitReady("relay")
	s.waitSettled()
	until(t, "it takes orders again", func() bool {
		status, _, err := s.submit(order("o-last", "happy"))
		return err == nil && status == http.StatusCreated
	})
	accepted["o-last"] = "happy"
	s.waitSettled()
	s.verify(accepted)
	for _, r := range s.observe("api") {
		if r["op"] == "state" {
			assert.Contains(t, accepted, r["order_id"], "nothing is left of what was turned away")
		}
	}
}

func TestAnOrderThatNobodyWantsAnyMoreIsUndone(t *testing.T) {
	s := start(t)
	late, never := order("o-1", "happy"), order("o-2", "happy")
	late.ValidUntil = time.Now().Add(-time.Second)
	never.ValidUntil = time.Now().Add(time.Hour)
	for _, o := range []orders.Order{late, never} {
		status, _, err := s.submit(o)
		require.NoError(t, err)
		require.Equal(t, http.StatusCreated, status)
	}
	s.waitSettled()
	states := map[any]any{}
	for _, r := range s.observe("api") {
		if r["op"] == "state" {
			states[r["order_id"]] = r["value"]
		}
	}
	assert.Equal(t, map[any]any{"o-1": orders.Compensated, "o-2": orders.Completed}, states)
	assert.Empty(t, s.gateway.applied()["o-1"])
	assert.True(t, s.metric("saga", "reference_overdue_total 1"))
	said := false
	for _, line := range s.trail() {
		said = said || strings.Contains(line.Body, `"order_id":"o-1","transition":"compensated"`) && strings.Contains(line.Body, `"detail":"overdue"`)
	}
	assert.True(t, said, "the trail says why")
}
