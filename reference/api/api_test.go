package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/reference/api"
	"github.com/wreckon/wreckon/reference/audit"
	"github.com/wreckon/wreckon/reference/idempotency"
	"github.com/wreckon/wreckon/reference/inbox"
	"github.com/wreckon/wreckon/reference/message"
	"github.com/wreckon/wreckon/reference/orders"
	"github.com/wreckon/wreckon/reference/outbox"
	"github.com/wreckon/wreckon/reference/policy"
	"github.com/wreckon/wreckon/reference/store"
)

type shop struct {
	*testing.T
	db      *store.DB
	service *api.Service
	http    http.Handler
}

func open(t *testing.T) shop {
	t.Helper()
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "x.db"), store.Off,
		api.Schema, idempotency.Schema, outbox.Schema, audit.Schema, inbox.Schema)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	box := outbox.NewBox("api")
	service := &api.Service{DB: db, Trail: audit.Transactional("api", db, box, nil), Enter: api.ByKey, Admit: api.AskFirst, Announce: api.ThroughOutbox(db, box, nil),
		Read: api.FromTable, Print: idempotency.Fingerprint, Unsure: http.StatusServiceUnavailable}
	return shop{t, db, service, api.Handler(service, slog.New(slog.DiscardHandler))}
}

func (s shop) ask(method, path, body string, headers ...string) (int, string) {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	s.http.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

func (s shop) count(query string) int64 {
	n, err := s.db.Count(s.Context(), query)
	require.NoError(s, err)
	return n
}

func (s shop) close(id, msg, state string) error {
	m, err := orders.Closed{OrderID: id, State: state}.Message("")
	require.NoError(s, err)
	m.ID = msg
	handle := api.CloseOnce(s.service, &inbox.Inbox{DB: s.db})
	return handle(s.Context(), message.Delivery{Message: m, Number: 1})
}

const good = `{"order_id":"o-1","customer":"c","sku":"s","quantity":1,"amount":100,"card":"x","address":"a"}`

func TestAnOrderIsAcceptedOnceForItsKey(t *testing.T) {
	s := open(t)
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			code, body := s.ask("POST", "/orders", good, "Idempotency-Key", "k")
			assert.Equal(t, 201, code)
			assert.JSONEq(t, `{"order_id":"o-1","state":"pending","version":1}`, body)
		})
	}
	all.Wait()
	assert.EqualValues(t, 1, s.count(`SELECT count(*) FROM orders`))
	assert.EqualValues(t, 1, s.count(`SELECT count(*) FROM outbox WHERE subject = 'orders.created' AND msg_id = 'created-o-1'`))
	assert.EqualValues(t, 1, s.count(`SELECT count(*) FROM audit`))

	require.NoError(t, s.close("o-1", "m-1", orders.Completed))
	code, body := s.ask("POST", "/orders", strings.ReplaceAll(good, ",", ", "), "Idempotency-Key", "k")
	assert.Equal(t, 201, code)
	assert.JSONEq(t, `{"order_id":"o-1","state":"pending","version":1}`, body, "the answer of then, not of now")
}

func TestRefusalsChangeNothing(t *testing.T) {
	s := open(t)
	code, _ := s.ask("POST", "/orders", good, "Idempotency-Key", "k")
	require.Equal(t, 201, code)
	for _, c := range []struct {
		name, body, key string
		want            int
	}{
		{"no key", good, "", 400},
		{"a key too long", good, strings.Repeat("k", 257), 400},
		{"no JSON", `{`, "k2", 400},
		{"too much JSON", `"` + strings.Repeat("x", 70_000) + `"`, "k2", 413},
		{"nothing in it", `{}`, "k2", 400},
		{"a slash in its id", strings.Replace(good, "o-1", "o/1", 1), "k2", 400},
		{"a line break in its id", strings.Replace(good, "o-1", `o\n1`, 1), "k2", 400},
		{"no quantity", strings.Replace(good, `"quantity":1`, `"quantity":0`, 1), "k2", 400},
		{"a negative amount", strings.Replace(good, "100", "-100", 1), "k2", 400},
		{"another payload", strings.Replace(good, "100", "200", 1), "k", 422},
		{"another key", good, "k2", 409},
	} {
		code, body := s.ask("POST", "/orders", c.body, "Idempotency-Key", c.key)
		assert.Equal(t, c.want, code, "%s: %s", c.name, body)
		assert.Contains(t, body, "error", c.name)
	}
	assert.EqualValues(t, 1, s.count(`SELECT count(*) FROM orders`))
	assert.EqualValues(t, 1, s.count(`SELECT count(*) FROM idempotency`))
	assert.EqualValues(t, 2, s.count(`SELECT count(*) FROM outbox`), "the event and the audit entry")
}

// What is new is turned away while too much waits; what was accepted before is answered as ever.
func TestOrdersAreTurnedAwayWhileTheOutboxIsFull(t *testing.T) {
	s := open(t)
	s.service.Gate = &policy.Gate{Limit: 2, After: 1500 * time.Millisecond, Depth: func(ctx context.Context) (int64, error) { return outbox.Unsent(ctx, s.db) }}
	code, _ := s.ask("POST", "/orders", good, "Idempotency-Key", "k")
	require.Equal(t, 201, code)
	r := httptest.NewRequest("POST", "/orders", strings.NewReader(strings.Replace(good, "o-1", "o-2", 1)))
	r.Header.Set("Idempotency-Key", "k2")
	w := httptest.NewRecorder()
	s.http.ServeHTTP(w, r)
	assert.Equal(t, 429, w.Code, w.Body.String())
	assert.Equal(t, "2", w.Header().Get("Retry-After"))
	code, _ = s.ask("POST", "/orders", good, "Idempotency-Key", "k")
	assert.Equal(t, 201, code)
	assert.EqualValues(t, 1, s.count(`SELECT count(*) FROM orders`))
	assert.EqualValues(t, 1, s.count(`SELECT count(*) FROM idempotency`))
	require.NoError(t, s.db.Write(t.Context(), func(tx *store.Tx) error { // the relay is back
		_, err := tx.Exec(`UPDATE outbox SET sent_at = 1`)
		return err
	}))
	code, _ = s.ask("POST", "/orders", strings.Replace(good, "o-1", "o-2", 1), "Idempotency-Key", "k2")
	assert.Equal(t, 201, code)
}

func TestIdsAreText(t *testing.T) {
	s := open(t)
	o := strings.Replace(good, "o-1", "<script>ü%", 1)
	code, body := s.ask("POST", "/orders", o, "Idempotency-Key", "k")
	require.Equal(t, 201, code, body)
	code, _ = s.ask("GET", "/orders/%3Cscript%3E%C3%BC%25", "")
	assert.Equal(t, 200, code)
}

func TestANoteChangesOnlyFromTheVersionThatWasSeen(t *testing.T) {
	s := open(t)
	code, _ := s.ask("POST", "/orders", good, "Idempotency-Key", "k")
	require.Equal(t, 201, code)
	var mu sync.Mutex
	codes := map[int]int{}
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			code, _ := s.ask("PATCH", "/orders/o-1", fmt.Sprintf(`{"note":"n-%d"}`, n), "If-Match", `"1"`)
			mu.Lock()
			defer mu.Unlock()
			codes[code]++
		})
	}
	all.Wait()
	assert.Equal(t, map[int]int{200: 1, 412: 7}, codes)
	require.NoError(t, s.close("o-1", "m-1", orders.Compensated))
	code, body := s.ask("PATCH", "/orders/o-1", `{"note":"late"}`, "If-Match", `"2"`)
	assert.Equal(t, 412, code, "closing is a change, too")
	var now api.Status
	require.NoError(t, json.Unmarshal([]byte(body), &now))
	assert.EqualValues(t, 3, now.Version)
	assert.Equal(t, orders.Compensated, now.State)
	assert.EqualValues(t, 3, s.count(`SELECT count(*) FROM audit`), "accepted, amended, compensated")

	for want, header := range map[int]string{428: "", 400: `"x"`} {
		code, _ := s.ask("PATCH", "/orders/o-1", `{"note":"x"}`, "If-Match", header)
		assert.Equal(t, want, code)
	}
	code, _ = s.ask("PATCH", "/orders/o-2", `{"note":"x"}`, "If-Match", `"1"`)
	assert.Equal(t, 404, code)
	code, _ = s.ask("GET", "/orders/o-2", "")
	assert.Equal(t, 404, code)
}

func TestAnOrderEndsOnce(t *testing.T) {
	s := open(t)
	code, _ := s.ask("POST", "/orders", good, "Idempotency-Key", "k")
	require.Equal(t, 201, code)
	require.NoError(t, s.close("o-1", "m-1", orders.Completed))
	require.NoError(t, s.close("o-1", "m-1", orders.Completed))
	require.NoError(t, s.close("o-1", "m-2", orders.Compensated), "an end is an end")
	_, body := s.ask("GET", "/orders/o-1", "")
	assert.JSONEq(t, `{"order_id":"o-1","state":"completed","version":2,"note":""}`, body)
	for range inbox.MaxFailures - 1 {
		require.ErrorIs(t, s.close("o-9", "m-9", orders.Completed), api.ErrUnknown)
	}
	require.NoError(t, s.close("o-9", "m-9", orders.Completed), "now it is a dead letter")
}
