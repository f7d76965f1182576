package choreography_test

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/reference/choreography"
	"github.com/wreckon/wreckon/reference/inbox"
	"github.com/wreckon/wreckon/reference/message"
	"github.com/wreckon/wreckon/reference/orders"
	"github.com/wreckon/wreckon/reference/store"
)

// newDancer is a service that writes down which steps it did, of which order.
func newDancer(t *testing.T, first string, steps choreography.Steps) (a *choreography.Dancer, done *[]string) {
	t.Helper()
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "service.db"), store.Off, choreography.Schema, inbox.Schema)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	done = &[]string{}
	return &choreography.Dancer{DB: db, Inbox: &inbox.Inbox{DB: db}, First: first, Steps: steps,
		Do: func(_ context.Context, d message.Delivery) error {
			order, err := orders.Decode[orders.Order](d.Message)
			require.NoError(t, err)
			*done = append(*done, orders.StepOf(d.Subject)+" "+order.OrderID)
			return nil
		}}, done
}

func delivery(t *testing.T, v any) message.Delivery {
	t.Helper()
	data, err := json.Marshal(v)
	require.NoError(t, err)
	return message.Delivery{Message: message.Message{ID: "m", Data: data}, Number: 1}
}

func TestWhatFollowsWhat(t *testing.T) {
	for name, c := range map[string]struct {
		first string
		steps choreography.Steps
		want  map[string]string // outcome -> step
	}{
		"inventory": {orders.Reserve, choreography.Inventory, map[string]string{orders.Declined: "release o-1", orders.Refunded: "release o-1"}},
		"payments":  {"", choreography.Payments, map[string]string{orders.Reserved: "charge o-1", orders.Undeliverable: "refund o-1"}},
		"shipping":  {"", choreography.Shipping, map[string]string{orders.Charged: "ship o-1"}},
	} {
		a, done := newDancer(t, c.first, c.steps)
		require.NoError(t, a.Created(t.Context(), delivery(t, orders.Order{OrderID: "o-1"})))
		if c.first != "" {
			assert.Equal(t, []string{c.first + " o-1"}, *done, name)
		}
		for _, outcome := range []string{orders.Reserved, orders.OutOfStock, orders.Charged, orders.Declined, orders.Shipped, orders.Undeliverable,
			orders.Refunded, orders.Released, orders.SetAside, orders.GiveUp} {
			*done = nil
			require.NoError(t, choreography.News(a)(t.Context(), delivery(t, orders.Reply{OrderID: "o-1", Outcome: outcome})))
			var want []string
			if step := c.want[outcome]; step != "" {
				want = []string{step}
			}
			assert.Equal(t, want, *done, "%s hears %s", name, outcome)
		}
	}
}

func TestNewsThatIsEarlyComesAgain(t *testing.T) {
	a, done := newDancer(t, "", choreography.Payments)
	news := delivery(t, orders.Reply{OrderID: "o-1", Outcome: orders.Reserved})
	require.ErrorIs(t, choreography.News(a)(t.Context(), news), choreography.ErrEarly)
	require.NoError(t, a.Created(t.Context(), delivery(t, orders.Order{OrderID: "o-1"})))
	require.NoError(t, choreography.News(a)(t.Context(), news))
	assert.Equal(t, []string{"charge o-1"}, *done)
}

func TestWhoSetAStepAsideTriesItAgain(t *testing.T) {
	for _, c := range []struct {
		first string
		steps choreography.Steps
		step  string
		want  []string
	}{
		{orders.Reserve, choreography.Inventory, orders.Reserve, []string{"reserve o-1"}},
		{orders.Reserve, choreography.Inventory, orders.Charge, nil},
		{"", choreography.Payments, orders.Refund, []string{"refund o-1"}},
		{"", choreography.Shipping, orders.Charge, nil},
	} {
		a, done := newDancer(t, c.first, c.steps)
		require.NoError(t, a.Created(t.Context(), delivery(t, orders.Order{OrderID: "o-1"})))
		*done = nil
		require.NoError(t, choreography.News(a)(t.Context(), delivery(t, orders.Reply{OrderID: "o-1", Step: c.step, Outcome: orders.Retry})))
		assert.Equal(t, c.want, *done)
	}
}

func TestWhichNewsIsAnEnd(t *testing.T) {
	a, _ := newDancer(t, "", nil)
	states := map[string]string{}
	failure := errors.New("the table is away")
	closed := func(_ context.Context, d message.Delivery) error {
		c, err := orders.Decode[orders.Closed](d.Message)
		require.NoError(t, err)
		states[c.Detail] = c.State
		return failure
	}
	for outcome, end := range map[string]bool{orders.Shipped: true, orders.OutOfStock: true, orders.Released: true, orders.SetAside: true,
		orders.GiveUp: true, orders.Reserved: false, orders.Declined: false, orders.Retry: false} {
		err := choreography.Ends(a.Inbox, closed)(t.Context(), delivery(t, orders.Reply{OrderID: "o-1", Outcome: outcome}))
		assert.Equal(t, end, errors.Is(err, failure), outcome)
	}
	assert.Equal(t, map[string]string{orders.Shipped: "completed", orders.OutOfStock: "compensated", orders.Released: "compensated",
		orders.SetAside: "quarantined", orders.GiveUp: "compensated"}, states)
}
