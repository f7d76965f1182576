package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/wreckon/wreckon/reference/audit"
	"github.com/wreckon/wreckon/reference/gateway"
	"github.com/wreckon/wreckon/reference/inbox"
	"github.com/wreckon/wreckon/reference/intent"
	"github.com/wreckon/wreckon/reference/message"
	"github.com/wreckon/wreckon/reference/outbox"
	"github.com/wreckon/wreckon/reference/quarantine"
	"github.com/wreckon/wreckon/reference/reconcile"
	"github.com/wreckon/wreckon/reference/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// carrier is the other side: it has what is in there, and may not be in the mood to say so.
type carrier struct {
	there map[string]bool
	away  atomic.Bool
	asked atomic.Int64
}

func (c *carrier) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.asked.Add(1)
	if c.away.Load() || r.Method != http.MethodGet {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintf(w, `{"done":%t}`, c.there[r.URL.Path+" "+r.URL.Query().Get("order_id")])
}

// service is a shipping that has given the commands of some orders up.
type service struct {
	*reconcile.Reconciler
	t *testing.T
}

func open(t *testing.T, c *carrier, rest time.Duration, orders ...string) service {
	t.Helper()
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "x.db"), store.Off, inbox.Schema, outbox.Schema, audit.Schema, intent.Schema, quarantine.Schema)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	g := gateway.New(server.URL, "token", "shipping", nil)
	t.Cleanup(g.Close)
	box := outbox.NewBox("shipping")
	desk := quarantine.Desk{Service: "shipping", DB: db, Box: box, Trail: audit.Transactional("shipping", db, box, nil), Rule: quarantine.FourEyes}
	s := service{&reconcile.Reconciler{DB: db, Tools: reconcile.Tools{Gateway: g, Desk: desk}, Repair: reconcile.AskTheOtherSide,
		Rest: rest, Timeout: time.Second, Log: slog.New(slog.DiscardHandler)}, t}
	for _, id := range orders {
		s.giveUp("m-"+id, id)
	}
	return s
}

// giveUp sets a command aside that was asked of the carrier.
func (s service) giveUp(letter, order string) {
	in := &inbox.Inbox{DB: s.DB, Dead: quarantine.Answer("shipping", s.Tools.Desk.Box, s.Tools.Desk.Trail)}
	require.NoError(s.t, s.DB.Write(s.t.Context(), func(tx *store.Tx) error {
		_, err := tx.Exec(`INSERT INTO intents (order_id, step, key, message) VALUES (?1, 'ship', ?1, ?2) ON CONFLICT (order_id, step) DO UPDATE SET message = ?2`, order, letter)
		return err
	}))
	d := message.Delivery{Number: 1, Message: message.Message{ID: letter, Subject: "commands.shipping.ship", Trace: "trace",
		Data: []byte(`{"order_id":"` + order + `","amount":9900}`)}}
	for range inbox.MaxFailures {
		_ = in.Failed(s.t.Context(), d, inbox.Permanent(errors.New("no answer")))
	}
}

// run lets it work until done says so.
func (s service) run(done func() bool) {
	told, stop := context.WithCancel(s.t.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- s.Run(told, s.t.Context()) }()
	require.Eventually(s.t, done, 10*time.Second, time.Millisecond)
	stop()
	require.NoError(s.t, <-ended)
}

func (s service) waiting() int64 {
	n, err := s.Waiting(s.t.Context())
	require.NoError(s.t, err)
	return n
}

// count counts rows.
func (s service) count(query string, args ...any) int {
	n, err := s.DB.Count(s.t.Context(), query, args...)
	require.NoError(s.t, err)
	return int(n)
}

const takenUp = `SELECT count(*) FROM audit WHERE body LIKE '%"order_id":"' || ? || '","transition":"reconciled"%"actor":"reconciler"%'`

func TestWhatTheOtherSideHasIsTakenUpOnceAndTheRestIsLeft(t *testing.T) {
	c := &carrier{there: map[string]bool{"/shipments o-1": true, "/charges o-2": true}}
	s := open(t, c, 8*time.Millisecond, "o-1", "o-2")
	s.run(func() bool { return s.waiting() == 0 })
	assert.Equal(t, 1, s.count(takenUp, "o-1"))
	assert.Equal(t, 1, s.count(`SELECT count(*) FROM outbox WHERE CAST(data AS TEXT) LIKE '%"o-1"%"outcome":"retry"%'`))
	assert.Zero(t, s.count(takenUp, "o-2"))
	letters, err := inbox.Letters(t.Context(), s.DB)
	require.NoError(t, err)
	require.Len(t, letters, 1, "it is for a person")
	assert.Equal(t, "o-2", letters[0].OrderID)
}

func TestADoubtRemainsUntilTheOtherSideAnswers(t *testing.T) {
	c := &carrier{there: map[string]bool{"/shipments o-1": true}}
	c.away.Store(true)
	s := open(t, c, 8*time.Millisecond, "o-1")
	s.run(func() bool { return c.asked.Load() > 3 })
	assert.EqualValues(t, 1, s.waiting())
	c.away.Store(false)
	s.run(func() bool { return s.waiting() == 0 })
	assert.Equal(t, 1, s.count(takenUp, "o-1"))
}

// What was set aside just now may be in flight; and who comes back again and again waits longer each time.
func TestAYoungDoubtIsLeftAlone(t *testing.T) {
	c := &carrier{there: map[string]bool{"/shipments old": true, "/shipments young": true, "/shipments again": true}}
	s := open(t, c, 4*time.Second, "old", "young", "again")
	age := func(letter string, by time.Duration) {
		require.NoError(t, s.DB.Write(t.Context(), func(tx *store.Tx) error {
			_, err := tx.Exec(`UPDATE dead_letters SET dead_at = dead_at - ? WHERE id = ?`, by.Milliseconds(), letter)
			return err
		}))
	}
	require.NoError(t, s.Tools.Desk.TakeUp(t.Context(), "somebody", "again"))
	s.giveUp("m-again-2", "again")
	age("m-old", time.Hour)
	age("m-again-2", 5*time.Second) // more than once the rest, and less than twice
	s.run(func() bool { return s.count(takenUp, "old") == 1 })
	assert.EqualValues(t, 2, s.waiting())
}

// An order that is known to be done, or was set aside for another reason, is no doubt.
func TestWhatIsKnownIsNoDoubt(t *testing.T) {
	s := open(t, &carrier{}, time.Millisecond, "o-1")
	assert.EqualValues(t, 1, s.waiting())
	require.NoError(t, s.DB.Write(t.Context(), func(tx *store.Tx) error {
		_, err := tx.Exec(`UPDATE intents SET outcome = 'shipped'`)
		return err
	}))
	assert.Zero(t, s.waiting())
}
