package region

import (
	"context"
	"errors"
	"log/slog"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/reference/audit"
	"github.com/wreckon/wreckon/reference/idempotency"
	"github.com/wreckon/wreckon/reference/lease"
	"github.com/wreckon/wreckon/reference/store"
)

const held = 50 * time.Millisecond // a lease

func open(t *testing.T, name string, schemas ...store.Schema) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), name+".db"), store.Off, schemas...)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	return db
}

func newCoordinator(t *testing.T) *Coordinator {
	t.Helper()
	return &Coordinator{DB: open(t, "coordinator", SeatSchema, lease.Schema), Lease: held}
}

// newRegion is a region whose other one is at peer, and its address.
func newRegion(t *testing.T, name, peer, seat string) (*Region, string) {
	t.Helper()
	db := open(t, name, Schema, audit.Schema, idempotency.Schema)
	r := &Region{Name: name, Owner: name + "-1", DB: db, Trail: audit.Transactional(Source, db, nil, nil), Lease: time.Minute,
		Peer: NewClient(peer, time.Second), Seat: NewClient(seat, time.Second), Log: slog.New(slog.DiscardHandler)}
	r.Send = BeforeCommit(r.Hand)
	s := httptest.NewServer(Handler(r, r.Log))
	t.Cleanup(func() { s.Close(); r.Peer.Close(); r.Seat.Close() })
	return r, s.URL
}

// pair is an active region with a copy.
func pair(t *testing.T) (east, west *Region, c *Coordinator) {
	t.Helper()
	c = newCoordinator(t)
	seat := httptest.NewServer(SeatHandler(c, slog.New(slog.DiscardHandler)))
	t.Cleanup(seat.Close)
	west, at := newRegion(t, "west", "http://127.0.0.1:1", seat.URL)
	east, back := newRegion(t, "east", at, seat.URL)
	west.Peer = NewClient(back, time.Second)
	require.NoError(t, east.renew(t.Context()))
	require.NoError(t, east.accompany(t.Context()))
	require.True(t, east.Settled())
	return east, west, c
}

func accept(r *Region, id string) error {
	_, err := r.Accept(context.Background(), "key of "+id, "", Transfer{TransferID: id, Account: "a", Amount: 5})
	return err
}

func TestTheSeatGoesToWhoHasEverythingWithANewEpoch(t *testing.T) {
	c := newCoordinator(t)
	c.Lease = 0 // each is over at once
	east, west := Renewal{"east", "east-1"}, Renewal{"west", "west-1"}
	s, err := c.Renew(t.Context(), west)
	require.NoError(t, err)
	assert.Empty(t, s.Owner, "it begins with east")
	s, err = c.Renew(t.Context(), east)
	require.NoError(t, err)
	assert.Equal(t, Seat{Region: "east", Owner: "east-1", Epoch: 1}, s)

	s, err = c.Renew(t.Context(), west)
	require.NoError(t, err)
	assert.Equal(t, "east-1", s.Owner, "west does not have everything")
	s, err = c.Renew(t.Context(), east)
	require.NoError(t, err)
	assert.EqualValues(t, 1, s.Epoch, "nobody was active in between")

	require.NoError(t, c.Joined(t.Context(), Report{Owner: "east-1", Epoch: 1, Turn: 4}))
	s, err = c.Renew(t.Context(), west)
	require.NoError(t, err)
	assert.Equal(t, Seat{Region: "west", Owner: "west-1", Epoch: 2}, s)
	assert.ErrorIs(t, c.Alone(t.Context(), Report{Owner: "east-1", Epoch: 1, Turn: 5}), ErrOld)

	s, err = c.Renew(t.Context(), Renewal{"west", "west-2"})
	require.NoError(t, err)
	assert.EqualValues(t, 3, s.Epoch, "another process is another holder")
}

func TestWhatWasSaidEarlierAndComesLaterChangesNothing(t *testing.T) {
	c := newCoordinator(t)
	_, err := c.Renew(t.Context(), Renewal{"east", "east-1"})
	require.NoError(t, err)
	require.NoError(t, c.Alone(t.Context(), Report{Owner: "east-1", Epoch: 1, Turn: 9}))
	require.ErrorIs(t, c.Joined(t.Context(), Report{Owner: "east-1", Epoch: 1, Turn: 8}), ErrOld)
	s, err := c.Renew(t.Context(), Renewal{"east", "east-1"})
	require.NoError(t, err)
	assert.False(t, s.Joined)
}

func TestWhatIsAcknowledgedIsInBothRegions(t *testing.T) {
	east, west, _ := pair(t)
	for _, id := range []string{"t-1", "t-2", "t-2"} {
		require.NoError(t, accept(east, id))
	}
	assert.ErrorIs(t, accept(west, "t-3"), ErrElsewhere)
	for _, r := range []*Region{east, west} {
		n, err := r.Open(t.Context())
		require.NoError(t, err)
		assert.EqualValues(t, 2, n, r.Name)
	}
	seq, hash, err := audit.Head(t.Context(), east.DB)
	require.NoError(t, err)
	copied, same, err := audit.Head(t.Context(), west.DB)
	require.NoError(t, err)
	assert.Equal(t, seq, copied)
	assert.Equal(t, hash, same)
}

func TestWhoIsNotActiveAnyMoreCommitsNothing(t *testing.T) {
	east, west, _ := pair(t)
	require.NoError(t, accept(east, "t-1"))
	require.Eventually(t, func() bool { return west.renew(t.Context()) == nil && west.Active() }, 5*time.Second, time.Millisecond)
	_, leads := east.leads()
	require.True(t, leads, "by its own clock, it is")
	require.ErrorIs(t, accept(east, "t-2"), ErrElsewhere)
	_, err := east.Status(t.Context(), "t-1")
	require.ErrorIs(t, err, ErrElsewhere, "it was told")
	require.NoError(t, accept(west, "t-2"), "under the same key: nothing of it was left")
	require.NoError(t, west.accompany(t.Context()))
	n, err := east.Open(t.Context())
	require.NoError(t, err)
	assert.EqualValues(t, 2, n, "it is the copy now")
}

// A region that hears in the middle of a transaction that it is not active any more, as one that was frozen there does, has nobody that takes
// its entry, and must not take that for a permission to go on alone.
func TestWhoLearnsOfItInTheMiddleCommitsNothing(t *testing.T) {
	east, _, _ := pair(t)
	err := east.write(t.Context(), func(*store.Tx) (*Entry, error) {
		east.stepDown(1, ErrOld)
		e := entry(t, 1, "", "t-1")
		return &e, nil
	})
	require.ErrorIs(t, err, ErrElsewhere)
	n, err := east.Open(t.Context())
	require.NoError(t, err)
	assert.Zero(t, n)
}

func TestWithoutTheOtherItGoesOnAloneAndCopiesAnew(t *testing.T) {
	east, west, c := pair(t)
	peer := east.Peer
	east.Peer = NewClient("http://127.0.0.1:1", time.Second)
	require.NoError(t, accept(east, "t-1"))
	s, err := c.Renew(t.Context(), Renewal{"east", "east-1"})
	require.NoError(t, err)
	assert.False(t, s.Joined, "west must not be promoted")
	assert.False(t, east.Settled())

	// West has an entry that east does not: of a transaction whose end east never heard of.
	require.NoError(t, west.Mirror(t.Context(), Page{Epoch: 1, Turn: 2, Entries: []Entry{entry(t, 1, "", "t-9")}}))
	east.Peer = peer
	for n := range pageSize {
		require.NoError(t, accept(east, "t-1"+string(rune('a'+n))))
	}
	require.NoError(t, east.accompany(t.Context()))
	require.True(t, east.Settled())
	n, err := west.Open(t.Context())
	require.NoError(t, err)
	assert.EqualValues(t, pageSize+1, n)
	_, err = scan(func(into ...any) error {
		return west.DB.Row(t.Context(), selectTransfer+` WHERE transfer_id = 't-9'`, nil, into...)
	})
	assert.ErrorIs(t, err, ErrUnknown)
}

func TestIsolatedItCommitsNothing(t *testing.T) {
	east, _, _ := pair(t)
	east.Peer, east.Seat = NewClient("http://127.0.0.1:1", time.Second), NewClient("http://127.0.0.1:1", time.Second)
	err := accept(east, "t-1")
	require.Error(t, err)
	assert.False(t, errors.Is(err, ErrElsewhere), "nobody knows what became of it")
	n, err := east.Open(t.Context())
	require.NoError(t, err)
	assert.Zero(t, n)
}

// entry makes an entry of a journal.
func entry(t *testing.T, seq uint64, prev, id string) Entry {
	t.Helper()
	body := `{"order_id":"` + id + `"}`
	return Entry{Line: audit.Line{Source: Source, Seq: seq, Hash: audit.Hash(prev, body), Body: body},
		Status: Status{Transfer: Transfer{TransferID: id, Account: "a", Amount: 1}, State: Pending, Version: 1}}
}

func TestMirrorRefusesWhatDoesNotFit(t *testing.T) {
	first := entry(t, 1, "", "t-1")
	second := entry(t, 2, first.Line.Hash, "t-2")
	other := entry(t, 2, first.Line.Hash, "t-3")
	for name, c := range map[string]struct {
		page Page
		want error
	}{
		"the next":         {Page{Epoch: 3, Turn: 8, Entries: []Entry{entry(t, 3, second.Line.Hash, "t-4")}}, nil},
		"the same again":   {Page{Epoch: 3, Turn: 7, Entries: []Entry{second}}, nil},
		"another epoch":    {Page{Epoch: 4, Turn: 1, Anew: true, Entries: []Entry{first}}, nil},
		"an older epoch":   {Page{Epoch: 2, Turn: 9, Entries: []Entry{entry(t, 3, second.Line.Hash, "t-4")}}, ErrOld},
		"an earlier page":  {Page{Epoch: 3, Turn: 6, Anew: true, Entries: []Entry{first}}, ErrDiverged},
		"a gap":            {Page{Epoch: 3, Turn: 8, Entries: []Entry{entry(t, 4, "", "t-4")}}, ErrDiverged},
		"something else":   {Page{Epoch: 3, Turn: 8, Entries: []Entry{other}}, ErrDiverged},
		"another chain":    {Page{Epoch: 3, Turn: 8, Entries: []Entry{entry(t, 3, "x", "t-4")}}, ErrDiverged},
		"one of two wrong": {Page{Epoch: 3, Turn: 8, Entries: []Entry{entry(t, 3, second.Line.Hash, "t-4"), entry(t, 5, "", "t-5")}}, ErrDiverged},
	} {
		t.Run(name, func(t *testing.T) {
			west, _ := newRegion(t, "west", "http://127.0.0.1:1", "http://127.0.0.1:1")
			require.NoError(t, west.Mirror(t.Context(), Page{Epoch: 3, Turn: 7, Entries: []Entry{first, second}}))
			err := west.Mirror(t.Context(), c.page)
			require.ErrorIs(t, err, c.want)
			n, err := west.Open(t.Context())
			require.NoError(t, err)
			if c.want != nil {
				assert.EqualValues(t, 2, n, "it is as it was")
			}
		})
	}
}
