package audit_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/reference/audit"
	"github.com/wreckon/wreckon/reference/inbox"
	"github.com/wreckon/wreckon/reference/message"
	"github.com/wreckon/wreckon/reference/outbox"
	"github.com/wreckon/wreckon/reference/store"
)

func open(t *testing.T, schemas ...store.Schema) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "x.db"), store.Off, schemas...)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	return db
}

func TestEntriesFormAChainThatRolledBackOnesAreNotIn(t *testing.T) {
	db := open(t, audit.Schema, outbox.Schema)
	trail := audit.Transactional("payments", db, outbox.NewBox("payments"), nil)
	failure := errors.New("no")
	for n := range 6 {
		err := db.Write(t.Context(), func(tx *store.Tx) error {
			require.NoError(t, trail.Append(tx, audit.Entry{OrderID: fmt.Sprintf("o-<%d>", n), Transition: "charged", Step: "charge", Attempt: 1}))
			if n%2 == 1 {
				return failure
			}
			return nil
		})
		if n%2 == 1 {
			require.ErrorIs(t, err, failure)
		}
	}
	rows, err := db.Query(t.Context(), `SELECT seq, hash, body FROM audit ORDER BY seq`)
	require.NoError(t, err)
	defer rows.Close()
	prev, want := "", uint64(1)
	for ; rows.Next(); want++ {
		var seq uint64
		var hash, text string
		require.NoError(t, rows.Scan(&seq, &hash, &text))
		assert.Equal(t, want, seq)
		assert.Equal(t, audit.Hash(prev, text), hash)
		prev = hash
		var body audit.Body
		require.NoError(t, json.Unmarshal([]byte(text), &body))
		assert.Equal(t, "payments", body.Source)
		assert.Equal(t, seq, body.Seq)
		assert.Equal(t, fmt.Sprintf("o-<%d>", (seq-1)*2), body.OrderID)
	}
	require.NoError(t, rows.Err())
	assert.EqualValues(t, 4, want)
	seq, hash, err := audit.Head(t.Context(), db)
	require.NoError(t, err)
	assert.EqualValues(t, 3, seq)
	assert.Equal(t, prev, hash)
}

func line(seq uint64, body string) string {
	text, err := json.Marshal(audit.Line{Source: "api", Seq: seq, Hash: audit.Hash("", body), Body: body})
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func TestTheLedgerHoldsEachEntryOnce(t *testing.T) {
	db := open(t, audit.LedgerSchema, inbox.Schema)
	ledger := &audit.Ledger{DB: db, Inbox: &inbox.Inbox{DB: db}}
	send := func(id string, number int, lines ...string) error {
		m := message.Message{ID: id, Subject: "audit.api", Data: []byte(strings.Join(lines, "\n"))}
		return ledger.Handle(t.Context(), message.Delivery{Message: m, Number: number})
	}
	require.NoError(t, send("1", 1, line(2, "two"), line(1, "one")))
	require.NoError(t, send("2", 1, line(2, "two"), line(3, "three"))) // the same entry in another parcel
	require.NoError(t, send("2", 2, line(2, "two"), line(3, "three")))
	page, err := ledger.After(t.Context(), 1, 10)
	require.NoError(t, err)
	require.Len(t, page, 2)
	assert.EqualValues(t, 2, page[0].Cursor)
	assert.EqualValues(t, 3, page[1].Cursor)
	assert.Equal(t, "three", page[1].Body)

	for n := 1; n < inbox.MaxFailures; n++ {
		require.ErrorIs(t, send("3", n, line(4, "four"), line(1, "another one")), audit.ErrRewritten)
	}
	require.NoError(t, send("3", 3, line(4, "four"), line(1, "another one")), "now it is a dead letter")
	page, err = ledger.After(t.Context(), 3, 10)
	require.NoError(t, err)
	assert.Empty(t, page, "nothing of it was taken")
}

// What the outbox joins, the ledger takes apart.
func TestEntriesTravelThroughTheOutbox(t *testing.T) {
	db := open(t, audit.Schema, outbox.Schema, audit.LedgerSchema, inbox.Schema)
	box := outbox.NewBox("api")
	trail := audit.Transactional("api", db, box, nil)
	for range 5 {
		require.NoError(t, db.Write(t.Context(), func(tx *store.Tx) error {
			return trail.Append(tx, audit.Entry{OrderID: "o-1", Transition: "amended"})
		}))
	}
	ledger := &audit.Ledger{DB: db, Inbox: &inbox.Inbox{DB: db}}
	relay := &outbox.Relay{DB: db, Sender: "api", Pub: into{ledger}, Forward: outbox.PublishThenMark, Log: slog.New(slog.DiscardHandler)}
	done, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, relay.Run(done, t.Context()))
	page, err := ledger.After(t.Context(), 0, 10)
	require.NoError(t, err)
	require.Len(t, page, 5)
	prev := ""
	for _, l := range page {
		assert.Equal(t, audit.Hash(prev, l.Body), l.Hash)
		prev = l.Hash
	}
}

// into is a broker that delivers at once.
type into struct{ *audit.Ledger }

func (l into) Publish(ctx context.Context, m message.Message) error {
	return l.Handle(ctx, message.Delivery{Message: m, Number: 1})
}
