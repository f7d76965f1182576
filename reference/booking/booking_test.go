package booking_test

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/wreckon/wreckon/reference/audit"
	"github.com/wreckon/wreckon/reference/booking"
	"github.com/wreckon/wreckon/reference/idempotency"
	"github.com/wreckon/wreckon/reference/lease"
	"github.com/wreckon/wreckon/reference/store"
)

// newOffice is an office whose holds and leases last so long.
func newOffice(t *testing.T, hold, ttl time.Duration) *booking.Office {
	t.Helper()
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "bookings.db"), store.Off,
		booking.Schema, lease.Schema, idempotency.Schema, audit.Schema)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	return &booking.Office{DB: db, Trail: audit.Transactional("bookings", db, nil, nil), Hold: hold, Lease: ttl,
		Settle: booking.MoveSeat, Over: booking.HeldTooLong}
}

func take(t *testing.T, o *booking.Office, w booking.Wish) {
	t.Helper()
	_, err := o.Take(t.Context(), "key-"+w.BookingID, "trace", w)
	require.NoError(t, err)
}

func economy(id string) booking.Wish { return booking.Wish{BookingID: id, Class: "economy"} }

func claim(t *testing.T, o *booking.Office, owner string) *booking.Grant {
	t.Helper()
	g, err := o.Claim(t.Context(), owner)
	require.NoError(t, err)
	return g
}

func state(t *testing.T, o *booking.Office, id string) string {
	t.Helper()
	b, err := o.Status(t.Context(), id)
	require.NoError(t, err)
	return b.State
}

// seats is free, held and sold of a class.
func seats(t require.TestingT, o *booking.Office, class string) (n [3]int) {
	err := o.DB.Row(bg, `SELECT free, held, sold FROM seats WHERE class = ?`, []any{class}, &n[0], &n[1], &n[2])
	require.NoError(t, err)
	return n
}

func report(g *booking.Grant, owner string) booking.Report {
	return booking.Report{BookingID: g.BookingID, Owner: owner, Token: g.Token}
}

func TestASeatIsHeldOnceForItsKey(t *testing.T) {
	o := newOffice(t, time.Minute, time.Minute)
	first, err := o.Take(t.Context(), "k", "", economy("b-1"))
	require.NoError(t, err)
	again, err := o.Take(t.Context(), "k", "", economy("b-1"))
	require.NoError(t, err)
	assert.Equal(t, string(first), string(again), "the end of the hold included")
	_, err = o.Take(t.Context(), "other", "", economy("b-1"))
	require.ErrorIs(t, err, booking.ErrTaken)
	_, err = o.Take(t.Context(), "k", "", economy("b-2"))
	require.ErrorIs(t, err, idempotency.ErrMismatch)
	assert.Equal(t, 1, seats(t, o, "economy")[1])
}

func TestWhatIsSoldOutIsRefusedAndLeavesNothing(t *testing.T) {
	o := newOffice(t, time.Millisecond, time.Minute)
	all := seats(t, o, "suite")[0]
	var taken sync.WaitGroup
	var mu sync.Mutex
	refused := 0
	for n := range all + 5 {
		taken.Go(func() {
			_, err := o.Take(t.Context(), fmt.Sprint(n), "", booking.Wish{BookingID: fmt.Sprint("b-", n), Class: "suite"})
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				assert.ErrorIs(t, err, booking.ErrSoldOut)
				refused++
				_, err = o.Status(t.Context(), fmt.Sprint("b-", n))
				assert.ErrorIs(t, err, booking.ErrUnknown)
			}
		})
	}
	taken.Wait()
	assert.Equal(t, 5, refused)
	assert.Equal(t, [3]int{0, all, 0}, seats(t, o, "suite"))
	_, err := o.Take(t.Context(), "k", "", booking.Wish{BookingID: "b-x", Class: "garden"})
	require.ErrorIs(t, err, booking.ErrSoldOut)

	expire(t, o)
	_, err = o.Take(t.Context(), "k", "", booking.Wish{BookingID: "b-x", Class: "suite"})
	require.NoError(t, err, "a refusal is not kept under its key: there may be a seat later")
}

// expire waits until everything that is due has expired.
func expire(t *testing.T, o *booking.Office) {
	t.Helper()
	require.Eventually(t, func() bool {
		ids, err := o.Due(t.Context())
		require.NoError(t, err)
		for _, id := range ids {
			require.NoError(t, o.Expire(t.Context(), id))
			require.NoError(t, o.Expire(t.Context(), id), "again: nothing more happens")
		}
		open, err := o.DB.Count(t.Context(), `SELECT count(*) FROM bookings WHERE state = 'held'`)
		require.NoError(t, err)
		return open == 0
	}, 10*time.Second, time.Millisecond)
}

func TestAHoldThatIsBeingConfirmedDoesNotExpire(t *testing.T) {
	o := newOffice(t, 20*time.Millisecond, time.Minute)
	all := seats(t, o, "economy")[0]
	var g *booking.Grant
	for n := 0; g == nil; n++ { // the hold is short, and the machine may be slow
		take(t, o, economy(fmt.Sprint("b-", n)))
		g = claim(t, o, "w")
	}
	expire(t, o)
	require.Eventually(t, func() bool { return !time.Now().Before(g.ValidUntil) }, time.Second, time.Millisecond)
	require.NoError(t, o.Expire(t.Context(), g.BookingID))
	assert.Equal(t, booking.Confirming, state(t, o, g.BookingID))
	require.NoError(t, o.Confirm(t.Context(), report(g, "w")), "it was done in time, and is only known now")
	assert.Equal(t, booking.Confirmed, state(t, o, g.BookingID))
	assert.Equal(t, [3]int{all - 1, 0, 1}, seats(t, o, "economy"))
}

func TestWhatExpiresIsNotConfirmed(t *testing.T) {
	o := newOffice(t, time.Second, time.Minute)
	all := seats(t, o, "economy")[0]
	o.Call = time.Minute
	take(t, o, economy("b-1"))
	assert.Nil(t, claim(t, o, "w"), "no call would end in time")
	take(t, o, booking.Wish{BookingID: "b-2", Class: "economy", Abandoned: true})
	o.Call = -time.Minute
	g := claim(t, o, "w")
	require.NotNil(t, g)
	assert.Equal(t, "b-1", g.BookingID)
	assert.Nil(t, claim(t, o, "w"), "its customer has gone elsewhere")
	expire(t, o)
	assert.Equal(t, booking.Expired, state(t, o, "b-2"))
	require.NoError(t, o.Refuse(t.Context(), report(g, "w")))
	assert.Equal(t, booking.Expired, state(t, o, "b-1"))
	assert.Equal(t, [3]int{all, 0, 0}, seats(t, o, "economy"))
}

func TestAZombieMayNotSpeak(t *testing.T) {
	o := newOffice(t, time.Minute, time.Millisecond)
	take(t, o, economy("b-1"))
	old := claim(t, o, "w")
	var young *booking.Grant
	require.Eventually(t, func() bool { young = claim(t, o, "w"); return young != nil }, 5*time.Second, time.Millisecond)
	assert.Greater(t, young.Token, old.Token)
	assert.Equal(t, 2, young.Attempt)
	assert.Equal(t, old.Version, young.Version, "clients see no difference")
	require.ErrorIs(t, o.Refuse(t.Context(), report(old, "w")), booking.ErrLost)
	require.NoError(t, o.Confirm(t.Context(), report(young, "w")))
	require.ErrorIs(t, o.Confirm(t.Context(), report(young, "w")), booking.ErrLost, "it has ended")
	assert.Equal(t, []string{"held", "confirming", "asked-again", "confirmed", "released"}, said(t, o))
}

func said(t *testing.T, o *booking.Office) (transitions []string) {
	t.Helper()
	lines, err := audit.After(t.Context(), o.DB, "bookings", 0, 100)
	require.NoError(t, err)
	prev := ""
	for _, l := range lines {
		assert.Equal(t, audit.Hash(prev, l.Body), l.Hash)
		prev = l.Hash
		_, rest, _ := strings.Cut(l.Body, `"transition":"`)
		what, _, _ := strings.Cut(rest, `"`)
		transitions = append(transitions, what)
	}
	return transitions
}

// Whatever happens in whatever order: no seat is lost or made up, what is held is open, and what is sold was confirmed.
func TestSeatsAreConserved(t *testing.T) {
	o := newOffice(t, time.Millisecond, time.Millisecond)
	all := seats(t, o, "suite")[0]
	number := 0
	rapid.Check(t, func(r *rapid.T) {
		var grants []*booking.Grant
		one := func() *booking.Grant { return grants[rapid.IntRange(0, len(grants)-1).Draw(r, "grant")] }
		r.Repeat(map[string]func(*rapid.T){
			"take": func(r *rapid.T) {
				number++
				w := booking.Wish{BookingID: fmt.Sprint("b-", number), Class: "suite", Abandoned: rapid.Bool().Draw(r, "abandoned")}
				if _, err := o.Take(bg, w.BookingID, "", w); err != nil {
					require.ErrorIs(r, err, booking.ErrSoldOut)
				}
			},
			"claim": func(r *rapid.T) {
				g, err := o.Claim(bg, "w")
				require.NoError(r, err)
				if g != nil {
					grants = append(grants, g)
				}
			},
			"confirm or refuse": func(r *rapid.T) {
				if len(grants) == 0 {
					return
				}
				end := o.Confirm
				if rapid.Bool().Draw(r, "refused") {
					end = o.Refuse
				}
				if err := end(bg, report(one(), "w")); err != nil {
					require.ErrorIs(r, err, booking.ErrLost)
				}
			},
			"reclaim": func(r *rapid.T) {
				ids, err := o.Due(bg)
				require.NoError(r, err)
				for _, id := range ids {
					require.NoError(r, o.Expire(bg, id))
				}
			},
			"expire at random": func(r *rapid.T) {
				if number > 0 {
					err := o.Expire(bg, fmt.Sprint("b-", rapid.IntRange(1, number).Draw(r, "booking")))
					if err != nil {
						require.ErrorIs(r, err, booking.ErrUnknown)
					}
				}
			},
			"": func(r *rapid.T) {
				n := seats(r, o, "suite")
				assert.Equal(r, all, n[0]+n[1]+n[2])
				assert.GreaterOrEqual(r, min(n[0], n[1], n[2]), 0)
				open, err := o.Open(bg)
				require.NoError(r, err)
				assert.EqualValues(r, open, n[1])
				confirmed, err := o.DB.Count(bg, `SELECT count(*) FROM bookings WHERE state = 'confirmed'`)
				require.NoError(r, err)
				assert.EqualValues(r, confirmed, n[2])
			},
		})
	})
}

func TestWhatTheOfficeAnswers(t *testing.T) {
	o := newOffice(t, time.Minute, time.Minute)
	h := booking.Handler(o, slog.New(slog.DiscardHandler))
	for _, c := range []struct {
		method, path, key, body string
		status                  int
	}{
		{"POST", "/bookings", "k", `{"booking_id":"b-1","class":"economy"}`, 200},
		{"POST", "/bookings", "", `{"booking_id":"b-2","class":"economy"}`, 400},
		{"POST", "/bookings", "k2", `{"booking_id":"","class":"economy"}`, 400},
		{"POST", "/bookings", "k2", `{"booking_id":"b-1","class":"economy"}`, 409},
		{"POST", "/bookings", "k2", `{"booking_id":"b-2","class":"garden"}`, 409},
		{"POST", "/bookings", "k", `{"booking_id":"b-1","class":"suite"}`, 422},
		{"POST", "/bookings", "k3", `{`, 400},
		{"GET", "/bookings/b-1", "", ``, 200},
		{"GET", "/bookings/b-9", "", ``, 404},
		{"POST", "/claim", "", `{}`, 400},
		{"POST", "/confirmed", "", `{"booking_id":"b-1","owner":"w","token":1}`, 412},
		{"POST", "/expire", "", `{"booking_id":"b-9"}`, 404},
		{"POST", "/expire", "", `{"booking_id":"b-1"}`, 200},
		{"POST", "/due", "", `{}`, 200},
		{"POST", "/refused", "", `no`, 400},
	} {
		r := httptest.NewRequest(c.method, c.path, strings.NewReader(c.body))
		r.Header.Set("Idempotency-Key", c.key)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		assert.Equal(t, c.status, w.Code, "%s %s %s: %s", c.method, c.path, c.body, w.Body)
		assert.Equal(t, http.Header{"Content-Type": {"application/json"}}, w.Header())
	}
	assert.Equal(t, booking.Held, state(t, o, "b-1"), "its time is not up")
}

func rng() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }
