package metering_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/wreckon/wreckon/reference/audit"
	"github.com/wreckon/wreckon/reference/broker"
	"github.com/wreckon/wreckon/reference/gateway"
	"github.com/wreckon/wreckon/reference/idempotency"
	"github.com/wreckon/wreckon/reference/inbox"
	"github.com/wreckon/wreckon/reference/message"
	"github.com/wreckon/wreckon/reference/metering"
	"github.com/wreckon/wreckon/reference/outbox"
	"github.com/wreckon/wreckon/reference/policy"
	"github.com/wreckon/wreckon/reference/store"
)

var bg = context.Background()

func open(t require.TestingT, dir, name string, schemas ...store.Schema) *store.DB {
	db, err := store.Open(bg, filepath.Join(dir, name), store.Off, append(schemas, inbox.Schema, outbox.Schema, audit.Schema)...)
	require.NoError(t, err)
	return db
}

func newIntake(t *testing.T) *metering.Intake {
	t.Helper()
	db := open(t, t.TempDir(), "intake.db", metering.IntakeSchema, idempotency.Schema)
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	box := outbox.NewBox("intake")
	return &metering.Intake{DB: db, Inbox: &inbox.Inbox{DB: db}, Box: box, Trail: audit.Transactional("intake", db, box, nil)}
}

func reading(n int, account string) metering.Reading {
	return metering.Reading{ReadingID: fmt.Sprint("r-", n), Account: account, Meter: "m", Amount: 10}
}

func TestAReadingIsNumberedOnceForItsKey(t *testing.T) {
	in := newIntake(t)
	first, err := in.Accept(t.Context(), "k", "", reading(1, "a-1"))
	require.NoError(t, err)
	again, err := in.Accept(t.Context(), "k", "", reading(1, "a-1"))
	require.NoError(t, err)
	assert.Equal(t, string(first), string(again))
	_, err = in.Accept(t.Context(), "k", "", reading(2, "a-1"))
	require.ErrorIs(t, err, idempotency.ErrMismatch)
	_, err = in.Accept(t.Context(), "other", "", reading(1, "a-1"))
	require.ErrorIs(t, err, metering.ErrTaken)
	_, err = in.Accept(t.Context(), "next", "", reading(3, "a-1"))
	require.NoError(t, err)
	_, err = in.Accept(t.Context(), "elsewhere", "", reading(4, "a-2"))
	require.NoError(t, err)
	assert.Equal(t, []uint64{1, 2, 1}, numbers(t, in.DB), "those of an account have no gap")
}

// numbers are those in the outbox, in order.
func numbers(t *testing.T, db *store.DB) (all []uint64) {
	t.Helper()
	rows, err := db.Query(t.Context(), `SELECT data FROM outbox WHERE subject = ? ORDER BY id`, metering.SubjectReceived)
	require.NoError(t, err)
	defer rows.Close()
	for rows.Next() {
		var data []byte
		var n metering.Numbered
		require.NoError(t, rows.Scan(&data))
		require.NoError(t, json.Unmarshal(data, &n))
		all = append(all, n.Number)
	}
	require.NoError(t, rows.Err())
	return all
}

func TestAReadingEndsOnceWhateverIsToldLater(t *testing.T) {
	in := newIntake(t)
	for n := range 3 {
		_, err := in.Accept(t.Context(), fmt.Sprint(n), "", reading(n, "a-1"))
		require.NoError(t, err)
	}
	for id, s := range map[string]metering.Settlement{
		"1": {Account: "a-1", First: 1, Last: 2, Refused: []uint64{2}}, "2": {Account: "a-1", First: 1, Last: 2},
	} {
		tell(t, in.Settled, id, s)
	}
	open, err := in.Open(t.Context())
	require.NoError(t, err)
	assert.EqualValues(t, 1, open)
	first, err := in.Status(t.Context(), "r-0")
	require.NoError(t, err)
	assert.Equal(t, metering.Status{ReadingID: "r-0", State: metering.Settled, Version: 2}, first)
	_, err = in.Status(t.Context(), "r-9")
	require.ErrorIs(t, err, metering.ErrUnknown)
}

func tell(t require.TestingT, handle broker.Handler, id string, v any) {
	data, err := json.Marshal(v)
	require.NoError(t, err)
	require.NoError(t, handle(bg, message.Delivery{Message: message.Message{ID: id, Data: data}, Number: 1}))
}

func newIngester(db *store.DB, send metering.Send) *metering.Ingester {
	box := outbox.NewBox("ingester")
	return &metering.Ingester{
		DB: db, Inbox: &inbox.Inbox{DB: db}, Box: box, Trail: audit.Transactional("ingester", db, box, nil),
		Claim: metering.OneAtATime(), Cut: metering.OldestFirst, Settle: metering.InOneTransaction, Send: send, Window: time.Millisecond,
		Backoff: policy.NewBackoff(time.Millisecond, time.Millisecond, rand.New(rand.NewPCG(1, 1))),
		Meter:   &broker.Meter{}, Log: slog.New(slog.DiscardHandler),
	}
}

func TestWhatComesInAnyOrderAndAgainIsBilledOnceInOrder(t *testing.T) {
	base := t.TempDir()
	run := 0
	rapid.Check(t, func(t *rapid.T) {
		const readings, accounts = 12, 2
		arrivals := rapid.SliceOfN(rapid.IntRange(0, readings-1), readings, 3*readings).Draw(t, "arrivals")
		for n := range readings { // whatever else comes, each comes once
			arrivals = append(arrivals, n)
		}
		failing := rapid.SliceOfN(rapid.SampledFrom([]string{"", "lost", "unanswered"}), 6, 6).Draw(t, "failing")

		run++
		db := open(t, base, fmt.Sprintf("ingester-%d.db", run), metering.IngesterSchema)
		defer db.Close()
		calls := make(chan struct{}, 1) // one at a time: there are several accounts
		seen := map[string]bool{}
		billed := map[string][]uint64{}
		tries := 0
		in := newIngester(db, func(_ context.Context, b metering.Batch, lines []gateway.Line) ([]uint64, error) {
			calls <- struct{}{}
			defer func() { <-calls }()
			how := ""
			if tries < len(failing) {
				how = failing[tries]
			}
			tries++
			if how != "lost" && !seen[b.Key()] {
				seen[b.Key()] = true
				for _, l := range lines {
					billed[l.Account] = append(billed[l.Account], l.Number)
				}
			}
			if how != "" {
				return nil, errors.New(how)
			}
			return nil, nil
		})
		ctx, stop := context.WithCancel(bg)
		stopped := make(chan error, 1)
		go func() { stopped <- in.Run(ctx, bg) }()
		for k, n := range arrivals {
			r := metering.Numbered{Reading: reading(n, fmt.Sprint("a-", n%accounts)), Number: uint64(n/accounts) + 1}
			tell(t, in.Arrived, fmt.Sprint("m-", k), r) // under another id each time
		}
		require.Eventually(t, func() bool {
			left, err := db.Count(bg, `SELECT (SELECT count(*) FROM waiting) + (SELECT count(*) FROM batches)`)
			return err == nil && left == 0
		}, 20*time.Second, time.Millisecond)
		stop()
		require.NoError(t, <-stopped)
		for account := range accounts {
			assert.Equal(t, []uint64{1, 2, 3, 4, 5, 6}, billed[fmt.Sprint("a-", account)])
		}
		sum, err := db.Count(bg, `SELECT sum(billed) FROM ledger`)
		require.NoError(t, err)
		assert.EqualValues(t, 10*readings, sum)
	})
}

func TestABatchIsTheSameForTheNextProcess(t *testing.T) {
	db := open(t, t.TempDir(), "ingester.db", metering.IngesterSchema)
	defer db.Close()
	in := newIngester(db, nil)
	arrive := func(n uint64) {
		tell(t, in.Arrived, fmt.Sprint(n), metering.Numbered{Reading: reading(int(n), "a"), Number: n})
	}
	cut := func() (b metering.Batch) {
		require.NoError(t, db.Write(t.Context(), func(tx *store.Tx) (err error) {
			b, err = metering.OldestFirst(tx, "a")
			return err
		}))
		return b
	}
	arrive(2)
	assert.Zero(t, cut(), "the first one has not come")
	arrive(1)
	arrive(4)
	assert.Equal(t, metering.Batch{Account: "a", First: 1, Last: 2, Attempt: 1}, cut())
	arrive(3)
	assert.Equal(t, metering.Batch{Account: "a", First: 1, Last: 2, Attempt: 2}, cut(), "what has come since is for the next")
}

func TestALineThatIsRefusedHoldsNobodyUp(t *testing.T) {
	db := open(t, t.TempDir(), "ingester.db", metering.IngesterSchema)
	defer db.Close()
	in := newIngester(db, func(context.Context, metering.Batch, []gateway.Line) ([]uint64, error) { return []uint64{2}, nil })
	for n := range uint64(3) {
		tell(t, in.Arrived, fmt.Sprint(n), metering.Numbered{Reading: reading(int(n), "a"), Number: n + 1})
	}
	ctx, stop := context.WithCancel(bg)
	stopped := make(chan error, 1)
	go func() { stopped <- in.Run(ctx, bg) }()
	require.Eventually(t, func() bool {
		n, err := in.Movable(bg)
		return err == nil && n == 0
	}, 20*time.Second, time.Millisecond)
	stop()
	require.NoError(t, <-stopped)
	sums := map[string]any{}
	require.NoError(t, in.Observe(t.Context(), func(v any) error {
		line := v.(map[string]any)
		sums[line["key"].(string)] = line["value"]
		return nil
	}))
	assert.Equal(t, map[string]any{"amount billed": "20", "amount refused": "10", "amount waiting": "0"}, sums)
	var news string
	require.NoError(t, db.Row(t.Context(), `SELECT data FROM outbox WHERE subject = ?`, []any{metering.SubjectSettled}, &news))
	assert.JSONEq(t, `{"account":"a","first":1,"last":3,"refused":[2]}`, news)
}
