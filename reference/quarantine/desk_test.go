package quarantine_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/reference/audit"
	"github.com/wreckon/wreckon/reference/inbox"
	"github.com/wreckon/wreckon/reference/message"
	"github.com/wreckon/wreckon/reference/orders"
	"github.com/wreckon/wreckon/reference/outbox"
	"github.com/wreckon/wreckon/reference/quarantine"
	"github.com/wreckon/wreckon/reference/store"
)

var people = []quarantine.Person{
	{Name: "ann", Token: "a", Rights: []string{quarantine.Resolve, quarantine.Approve}},
	{Name: "ben", Token: "b", Rights: []string{quarantine.Approve}},
	{Name: "carl", Token: "c"},
	{Name: "nobody"},
}

// open is a service in which the commands of a few orders have become letters.
func open(t *testing.T, subject string, amounts map[string]string) (*store.DB, http.Handler) {
	t.Helper()
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "x.db"), store.Off, inbox.Schema, outbox.Schema, audit.Schema, quarantine.Schema)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	box := outbox.NewBox("inventory")
	trail := audit.Transactional("inventory", db, box, nil)
	in := &inbox.Inbox{DB: db, Dead: quarantine.Answer("inventory", box, trail)}
	for id, amount := range amounts {
		d := message.Delivery{Number: 1, Message: message.Message{ID: "m-" + id, Subject: subject, Trace: "trace",
			Data: []byte(`{"order_id":"` + id + `","amount":` + amount + `}`)}}
		for range inbox.MaxFailures {
			_ = in.Failed(t.Context(), d, inbox.Permanent(errors.New("damaged")))
		}
	}
	return db, quarantine.Handler(quarantine.Desk{Service: "inventory", DB: db, Box: box, Trail: trail, Rule: quarantine.FourEyes}, people)
}

func ask(h http.Handler, token, order, verb, how string) int {
	r := httptest.NewRequest(http.MethodPost, "/quarantine/"+order+"/"+verb, strings.NewReader(`{"how":"`+how+`"}`))
	r.Header.Set("Operator-Token", token)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code
}

func TestWhoMayDecideWhat(t *testing.T) {
	db, h := open(t, "commands.inventory.reserve", map[string]string{"cheap": "4999", "dear": "5000"})
	for _, c := range []struct {
		token, order, verb, how string
		want                    int
	}{
		{"", "cheap", "resolve", orders.GiveUp, 401},
		{"x", "cheap", "resolve", orders.GiveUp, 401},
		{"c", "cheap", "resolve", orders.GiveUp, 403},
		{"b", "cheap", "resolve", orders.GiveUp, 403},
		{"c", "dear", "approve", "", 403},
		{"a", "cheap", "resolve", "forget", 400},
		{"a", "other", "resolve", orders.GiveUp, 404},
		{"a", "cheap", "resolve", orders.GiveUp, 200},
		{"a", "cheap", "resolve", orders.GiveUp, 404}, // it is settled
		{"a", "dear", "resolve", orders.GiveUp, 409},
		{"a", "dear", "approve", "", 200},
		{"a", "dear", "resolve", orders.GiveUp, 409}, // nobody is a second person to himself
		{"b", "dear", "approve", "", 200},
		{"b", "dear", "resolve", orders.GiveUp, 403},
		{"a", "dear", "resolve", orders.GiveUp, 200},
	} {
		assert.Equal(t, c.want, ask(h, c.token, c.order, c.verb, c.how), c)
	}
	rows, err := db.Query(t.Context(), `SELECT json_extract(body, '$.transition') || ' ' || coalesce(json_extract(body, '$.actor'), '') FROM audit ORDER BY seq`)
	require.NoError(t, err)
	defer rows.Close()
	var trail []string
	for rows.Next() {
		var s string
		require.NoError(t, rows.Scan(&s))
		trail = append(trail, s)
	}
	require.NoError(t, rows.Err())
	assert.Equal(t, []string{"turned-down carl", "turned-down ben", "turned-down carl", "resolved ann", "turned-down ann",
		"approved ann", "turned-down ann", "approved ben", "turned-down ben", "resolved ann"}, trail[2:], "everything is on record")
	n, err := db.Count(t.Context(), `SELECT count(*) FROM outbox WHERE subject = 'replies.inventory' AND CAST(data AS TEXT) LIKE '%give-up%'`)
	require.NoError(t, err)
	assert.EqualValues(t, 2, n)
	letters, err := inbox.Letters(t.Context(), db)
	require.NoError(t, err)
	assert.Empty(t, letters)
}

func TestWhatWasAskedOutsideIsNotGivenUp(t *testing.T) {
	_, h := open(t, "commands.payments.charge", map[string]string{"o-1": "1"})
	assert.Equal(t, 409, ask(h, "a", "o-1", "resolve", orders.GiveUp))
	assert.Equal(t, 200, ask(h, "a", "o-1", "resolve", orders.Retry))
}
