package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/reference/message"
	"github.com/wreckon/wreckon/reference/outbox"
	"github.com/wreckon/wreckon/reference/policy"
	"github.com/wreckon/wreckon/reference/store"
)

func open(t *testing.T) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "x.db"), store.Off, outbox.Schema)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	return db
}

// broker takes messages, and says no, or takes them and says no, as often as it is told.
type broker struct {
	mu     sync.Mutex
	got    []message.Message
	refuse int // so many messages are not taken
	forget int // then so many are taken, and not confirmed
}

var errNo = errors.New("no")

func (b *broker) Publish(_ context.Context, m message.Message) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.refuse > 0 {
		b.refuse--
		return errNo
	}
	b.got = append(b.got, m)
	if b.forget > 0 {
		b.forget--
		return errNo
	}
	return nil
}

func (b *broker) ids() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var ids []string
	for _, m := range b.got {
		ids = append(ids, m.ID)
	}
	return ids
}

func relay(t *testing.T, db *store.DB, b *broker, box *outbox.Box) (stop func()) {
	r := &outbox.Relay{
		DB: db, Sender: "test", Pub: b, Forward: outbox.PublishThenMark, Added: box.Added(), Poll: time.Hour,
		Backoff: policy.NewBackoff(time.Millisecond, time.Millisecond, rand.New(rand.NewPCG(1, 2))), Log: slog.New(slog.DiscardHandler),
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- r.Run(ctx, t.Context()) }()
	return func() { cancel(); assert.NoError(t, <-done) }
}

func add(t *testing.T, db *store.DB, box *outbox.Box, data string) {
	t.Helper()
	require.NoError(t, db.Write(t.Context(), func(tx *store.Tx) error {
		return box.Add(tx, message.Message{Subject: "s", Data: []byte(data)})
	}))
}

func TestWhatIsCommittedIsPublishedInOrderAndTheRestIsNot(t *testing.T) {
	db, b, box := open(t), &broker{}, outbox.NewBox("test")
	add(t, db, box, "before the relay runs")
	stop := relay(t, db, b, box)
	err := db.Write(t.Context(), func(tx *store.Tx) error {
		require.NoError(t, box.Add(tx, message.Message{Subject: "s", ID: "rolled back", Data: []byte("x")}))
		return errNo
	})
	require.ErrorIs(t, err, errNo)
	for n := range 20 {
		add(t, db, box, fmt.Sprint(n))
	}
	require.Eventually(t, func() bool { return len(b.ids()) == 21 }, 10*time.Second, time.Millisecond)
	stop()
	var want []string
	for n := range 21 {
		want = append(want, fmt.Sprintf("test-%d", n+1))
	}
	assert.Equal(t, want, b.ids())
	unsent, err := outbox.Unsent(t.Context(), db)
	require.NoError(t, err)
	assert.Zero(t, unsent)
}

func TestAMessageThatIsNotConfirmedIsSentAgainAndNotOvertaken(t *testing.T) {
	db, b, box := open(t), &broker{refuse: 3, forget: 2}, outbox.NewBox("test")
	for n := range 3 {
		add(t, db, box, fmt.Sprint(n))
	}
	stop := relay(t, db, b, box)
	require.Eventually(t, func() bool { return len(b.ids()) == 5 }, 10*time.Second, time.Millisecond)
	stop()
	assert.Equal(t, []string{"test-1", "test-1", "test-1", "test-2", "test-3"}, b.ids())
}

func TestWhatWasConfirmedBeforeAFailureIsMarked(t *testing.T) {
	var marked []outbox.Row
	mark := func(_ context.Context, rows []outbox.Row) error { marked = rows; return nil }
	rows := []outbox.Row{{ID: 1}, {ID: 2}, {ID: 3}}
	b := &failsAt{3}
	n, err := outbox.PublishThenMark(t.Context(), rows, b, mark, nil)
	require.ErrorIs(t, err, errNo)
	assert.Equal(t, 2, n)
	assert.Equal(t, rows[:2], marked)
}

type failsAt struct{ n int }

func (f *failsAt) Publish(context.Context, message.Message) error {
	if f.n--; f.n == 0 {
		return errNo
	}
	return nil
}

func TestADrainingRelayThatCannotSendStops(t *testing.T) {
	db, b, box := open(t), &broker{refuse: 1 << 30}, outbox.NewBox("test")
	add(t, db, box, "kept")
	relay(t, db, b, box)()
	unsent, err := outbox.Unsent(t.Context(), db)
	require.NoError(t, err)
	assert.EqualValues(t, 1, unsent, "it is sent after the next start")
}

func TestBulkRowsOfASubjectGoTogether(t *testing.T) {
	row := func(id int64, subject string, bulk bool) outbox.Row {
		m := message.Message{ID: fmt.Sprintf("x-%d", id), Subject: subject, Data: []byte(fmt.Sprint(id))}
		return outbox.Row{ID: id, Bulk: bulk, Message: m}
	}
	parcels := outbox.Parcels([]outbox.Row{row(1, "a", true), row(2, "s", false), row(3, "b", true), row(4, "a", true), row(5, "s", false)})
	var got []string
	for _, p := range parcels {
		got = append(got, fmt.Sprintf("%s %s %q %d", p.ID, p.Subject, p.Data, len(p.Rows)))
	}
	assert.Equal(t, []string{`x-2 s "2" 1`, `x-5 s "5" 1`, `x-1..4 a "1\n4" 2`, `x-3..3 b "3" 1`}, got)
}
