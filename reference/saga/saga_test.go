package saga_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/reference/audit"
	"github.com/wreckon/wreckon/reference/inbox"
	"github.com/wreckon/wreckon/reference/message"
	"github.com/wreckon/wreckon/reference/orders"
	"github.com/wreckon/wreckon/reference/outbox"
	"github.com/wreckon/wreckon/reference/saga"
	"github.com/wreckon/wreckon/reference/store"
)

type office struct {
	*testing.T
	*saga.Orchestrator
	n int
}

func open(t *testing.T) *office {
	t.Helper()
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "x.db"), store.Off, saga.Schema, inbox.Schema, outbox.Schema, audit.Schema)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	box := outbox.NewBox("saga")
	return &office{T: t, Orchestrator: &saga.Orchestrator{
		DB: db, Inbox: &inbox.Inbox{DB: db}, Box: box, Trail: audit.Transactional("saga", db, box, nil), Moves: saga.Forward, Late: saga.Overdue,
		Keep: saga.Table{}, Log: slog.New(slog.DiscardHandler),
	}}
}

// deliver brings a message under an id of its own.
func (o *office) deliver(m message.Message, err error) message.Delivery {
	require.NoError(o, err)
	o.n++
	m.ID = fmt.Sprintf("m-%d", o.n)
	return message.Delivery{Message: m, Number: 1}
}

func (o *office) created() error {
	return o.Created(o.Context(), o.deliver(orders.Order{OrderID: "o-1", SKU: "s"}.Created("trace")))
}

func (o *office) reply(outcome string) error {
	return o.Replied(o.Context(), o.deliver(orders.Reply{OrderID: "o-1", Outcome: outcome}.Message("x", "trace")))
}

// sent is what went into the outbox: commands by their subject, the end as its state.
func (o *office) sent() []string {
	rows, err := o.DB.Query(o.Context(), `SELECT subject, data FROM outbox WHERE bulk = 0 ORDER BY id`)
	require.NoError(o, err)
	defer rows.Close()
	var all []string
	for rows.Next() {
		var subject string
		var data []byte
		require.NoError(o, rows.Scan(&subject, &data))
		if subject == orders.SubjectClosed {
			var c orders.Closed
			require.NoError(o, json.Unmarshal(data, &c))
			subject = c.State
		}
		all = append(all, subject)
	}
	require.NoError(o, rows.Err())
	return all
}

const (
	reserve = "commands.inventory.reserve"
	release = "commands.inventory.release"
	charge  = "commands.payments.charge"
	refund  = "commands.payments.refund"
	ship    = "commands.shipping.ship"
)

func TestEachReplyLeadsToTheNextStepOrBack(t *testing.T) {
	for name, c := range map[string]struct{ replies, sent []string }{
		"all goes well": {[]string{"reserved", "charged", "shipped"}, []string{reserve, charge, ship, "completed"}},
		"out of stock":  {[]string{"out-of-stock"}, []string{reserve, "compensated"}},
		"declined":      {[]string{"reserved", "declined", "released"}, []string{reserve, charge, release, "compensated"}},
		"undeliverable": {
			[]string{"reserved", "charged", "undeliverable", "refunded", "released"},
			[]string{reserve, charge, ship, refund, release, "compensated"},
		},
		"poison":        {[]string{orders.SetAside}, []string{reserve, "quarantined"}},
		"poison later":  {[]string{"reserved", "charged", orders.SetAside}, []string{reserve, charge, ship, "quarantined"}},
		"poison's undo": {[]string{"reserved", "declined", orders.SetAside}, []string{reserve, charge, release, "quarantined"}},
	} {
		t.Run(name, func(t *testing.T) {
			o := open(t)
			require.NoError(t, o.created())
			for _, r := range c.replies {
				require.NoError(t, o.reply(r))
				require.NoError(t, o.reply(r), "the same reply, sent twice")
				require.NoError(t, o.created(), "the same order, announced twice")
			}
			assert.Equal(t, c.sent, o.sent())
			open, err := o.Open(t.Context())
			require.NoError(t, err)
			assert.Zero(t, open)
		})
	}
}

func TestRepliesThatDoNotFitAreIgnored(t *testing.T) {
	o := open(t)
	require.NoError(t, o.created())
	for _, outcome := range []string{"shipped", "charged", "refunded", "released", "undeliverable", "nonsense", ""} {
		require.NoError(t, o.reply(outcome))
	}
	assert.Equal(t, []string{reserve}, o.sent())
	require.NoError(t, o.reply("out-of-stock"))
	require.NoError(t, o.reply(orders.SetAside), "after the end")
	assert.Equal(t, []string{reserve, "compensated"}, o.sent())
}

func TestAReplyToNothingIsSetAside(t *testing.T) {
	o := open(t)
	d := o.deliver(orders.Reply{OrderID: "o-2", Outcome: "reserved"}.Message("x", ""))
	for range inbox.MaxFailures - 1 {
		require.Error(t, o.Replied(t.Context(), d))
	}
	require.NoError(t, o.Replied(t.Context(), d))
}

// What a person decides about a step that was set aside, and what came of it. A decision that overtakes the news comes again.
func TestAPersonDecidesWhatBecomesOfAStepThatWasSetAside(t *testing.T) {
	for how, want := range map[string]string{orders.GiveUp: "compensated", orders.Retry: "commands.inventory.reserve"} {
		t.Run(how, func(t *testing.T) {
			o := open(t)
			require.NoError(t, o.created())
			decide := func() error {
				return o.Replied(t.Context(), o.deliver(orders.Reply{OrderID: "o-1", Step: orders.Reserve, Outcome: how}.Message("x", "trace")))
			}
			require.ErrorIs(t, decide(), saga.ErrEarly)
			require.NoError(t, o.reply(orders.SetAside))
			require.NoError(t, decide())
			sent := o.sent()
			assert.Equal(t, want, sent[len(sent)-1])
			open, err := o.Open(t.Context())
			require.NoError(t, err)
			assert.Equal(t, how == orders.Retry, open == 1)
		})
	}
}

// An order that nobody wants any more goes back from where it is.
func TestAnOverdueOrderBeginsNoStep(t *testing.T) {
	for name, c := range map[string]struct {
		before  string // which reply its time is up
		replies []string
		want    []string
	}{
		"before the first":      {"", nil, []string{orders.Compensated}},
		"after the reservation": {orders.Reserved, []string{orders.Reserved, orders.Released}, []string{reserve, release, orders.Compensated}},
		"after the charge": {orders.Charged, []string{orders.Reserved, orders.Charged, orders.Refunded, orders.Released},
			[]string{reserve, charge, refund, release, orders.Compensated}},
		"while it is shipped": {orders.Shipped, []string{orders.Reserved, orders.Charged, orders.Shipped}, []string{reserve, charge, ship, orders.Completed}},
	} {
		t.Run(name, func(t *testing.T) {
			o := open(t)
			order := orders.Order{OrderID: "o-1", SKU: "s", ValidUntil: time.Now()}
			if c.before != "" {
				order.ValidUntil = order.ValidUntil.Add(time.Hour)
			}
			require.NoError(t, o.Created(t.Context(), o.deliver(order.Created("trace"))))
			for _, outcome := range c.replies {
				if outcome == c.before {
					require.NoError(t, o.DB.Write(t.Context(), func(tx *store.Tx) error {
						_, err := tx.Exec(`UPDATE sagas SET body = json_set(CAST(body AS TEXT), '$.valid_until', '2001-01-01T00:00:00Z')`)
						return err
					}))
				}
				require.NoError(t, o.reply(outcome))
			}
			assert.Equal(t, c.want, o.sent())
		})
	}
}
