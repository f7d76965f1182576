package reference_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/reference/defects"
	"github.com/wreckon/wreckon/reference/message"
	"github.com/wreckon/wreckon/reference/outbox"
	"github.com/wreckon/wreckon/reference/parts"
)

// Each defect breaks its promise under the fault that reveals it. The correct system passes the same faults in the other tests.

func TestPublishBeforeCommitLeavesEffectsOfOrdersThatDoNotExist(t *testing.T) {
	s := start(t, "--defect", "publish-before-commit")
	s.edges["api -> broker"].set(holdAnswers)
	status, _, err := s.submit(order("o-1", "happy"))
	require.NoError(t, err)
	assert.Equal(t, http.StatusServiceUnavailable, status)
	until(t, "it is shipped", func() bool { return s.gateway.applied()["o-1"]["shipments"] == 1 })
	for _, r := range s.observe("api") {
		assert.NotEqual(t, "o-1", r["order_id"], "there is no such order")
	}
}

func TestMarkBeforePublishLosesOrdersWhileTheBrokerIsAway(t *testing.T) {
	s := start(t, "--defect", "mark-before-publish")
	s.edges["relay -> broker"].set(reset)
	until(t, "the relay notices", func() bool { code, _, err := s.ask("relay", "/ready"); return err == nil && code == 503 })
	_, _, err := s.submit(order("o-1", "happy"))
	require.NoError(t, err)
	until(t, "it is marked as sent", func() bool { i, ok := s.idle("relay"); return ok && i.Backlog == 0 })
	s.edges["relay -> broker"].set(none)
	s.waitReady("relay")
	_, _, err = s.submit(order("o-2", "happy"))
	require.NoError(t, err)
	until(t, "a later one goes through", func() bool { return s.gateway.applied()["o-2"]["shipments"] == 1 })
	assert.Zero(t, s.gateway.applied()["o-1"]["charges"])
	i, ok := s.idle("api")
	require.True(t, ok)
	assert.Positive(t, i.Open, "nobody works on o-1")
}

func TestCheckThenActChargesTwiceWhenTheGatewayIsSlow(t *testing.T) {
	s := start(t, "--defect", "dedup-check-then-act")
	s.gateway.set(600*time.Millisecond, false)
	_, _, err := s.submit(order("o-1", "happy"))
	require.NoError(t, err)
	until(t, "it is charged twice", func() bool { return s.gateway.applied()["o-1"]["charges"] > 1 })
}

func TestAckBeforeWorkLosesWhatWasInMemory(t *testing.T) {
	s := start(t, "--defect", "ack-before-work")
	s.gateway.set(300*time.Millisecond, true)
	for n := range 30 {
		_, _, err := s.submit(order(fmt.Sprintf("o-%d", n), "happy"))
		require.NoError(t, err)
	}
	until(t, "commands are acknowledged and queue", func() bool { i, ok := s.idle("payments"); return ok && i.InProgress == 30 })
	s.kill("payments")
	s.gateway.set(0, false)
	s.launch("payments")
	s.waitReady("payments")
	_, _, err := s.submit(order("later", "happy"))
	require.NoError(t, err)
	until(t, "a later one goes through", func() bool { return s.gateway.applied()["later"]["shipments"] == 1 })
	until(t, "nobody works on anything", func() bool {
		i, ok := s.idle("broker")
		p, ok2 := s.idle("payments")
		return ok && ok2 && i.Pending+p.InProgress == 0
	})
	shipped := 0
	for _, steps := range s.gateway.applied() {
		shipped += steps["shipments"]
	}
	assert.Equal(t, 1, shipped)
}

func TestAuditOutsideTheTransactionLosesEntriesOfAKilledProcess(t *testing.T) {
	s := start(t, "--defect", "audit-outside-transaction")
	accepted := 0
	for lost := false; !lost; accepted++ {
		id := fmt.Sprintf("o-%d", accepted)
		_, _, err := s.submit(order(id, "happy"))
		require.NoError(t, err)
		until(t, "it is charged and shipped", func() bool { return s.gateway.applied()[id]["shipments"] == 1 })
		s.restart("payments") // within the 150 ms in which the entry is only in memory
		s.waitSettled()
		i, ok := s.idle("payments")
		require.True(t, ok)
		require.Zero(t, i.Backlog)
		head := 0.0
		for _, r := range s.observe("payments") {
			if r["op"] == "audit-head" {
				head = r["seq"].(float64)
			}
		}
		lost = head < float64(accepted+1)
		require.Less(t, accepted, 20, "no entry was lost")
	}
}

func TestUpsertOnRetryReopensAnOrderForEver(t *testing.T) {
	s := start(t, "--defect", "upsert-on-retry")
	for range 2 { // the second time, the client asks again long after the order was shipped
		status, _, err := s.submit(order("o-1", "happy"))
		require.NoError(t, err)
		require.Equal(t, http.StatusCreated, status)
		until(t, "it is shipped", func() bool { return s.gateway.applied()["o-1"]["shipments"] == 1 })
		until(t, "nobody works on it", func() bool {
			i, ok := s.idle("saga")
			b, ok2 := s.idle("broker")
			return ok && ok2 && i.Open+i.Backlog+b.Pending == 0
		})
	}
	i, ok := s.idle("api")
	require.True(t, ok)
	assert.EqualValues(t, 1, i.Open)
}

// listener is a broker that remembers under which ids it was given messages.
type listener struct{ ids map[string]int }

func (l listener) Publish(_ context.Context, m message.Message) error {
	l.ids[m.ID]++
	return nil
}

func TestDedupKeyPerPublishSendsAMessageUnderTwoIDs(t *testing.T) {
	rows := []outbox.Row{{ID: 1, Message: message.Message{ID: "saga-1", Subject: "commands.payments.charge"}}}
	dies := func(context.Context, []outbox.Row) error { return errors.New("killed before the row was marked") }
	for d, ids := range map[string]int{"": 1, "dedup-key-per-publish": 2} {
		p := parts.Right()
		if defect, ok := defects.Find(d); ok {
			defect.Apply(p)
		}
		broker := listener{ids: map[string]int{}}
		for range 2 {
			_, err := p.Forward(t.Context(), rows, broker, dies, slog.New(slog.DiscardHandler))
			require.Error(t, err)
		}
		assert.Len(t, broker.ids, ids, "defect %q", d)
	}
}
