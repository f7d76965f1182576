package store_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/internal/servers"
	"github.com/wreckon/wreckon/reference/store"
)

// relay stands between a store and its server. What it does with a COMMIT is decided by the test.
type relay struct {
	net.Listener
	commit atomic.Pointer[func(deliver func())] // nil: delivers. It is called with the COMMIT in hand; then the connection is closed
}

func newRelay(t testing.TB, upstream string) *relay {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	r := &relay{Listener: l}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			down, err := l.Accept()
			if err != nil {
				return
			}
			up, err := net.Dial("tcp", upstream)
			if err != nil {
				_ = down.Close()
				continue
			}
			answers := &muted{Conn: down}
			go r.pump(answers, up)
			go func() {
				_, _ = io.Copy(answers, up)
				_ = down.Close()
			}()
		}
	}()
	return r
}

// muted is a client that, once it is mute, is told nothing any more.
type muted struct {
	net.Conn
	mute atomic.Bool
}

func (m *muted) Write(b []byte) (int, error) {
	if m.mute.Load() {
		return 0, io.ErrClosedPipe
	}
	return m.Conn.Write(b)
}

func (r *relay) pump(down *muted, up net.Conn) {
	defer up.Close()
	defer down.Close()
	buf := make([]byte, 1<<16)
	for {
		n, err := down.Read(buf)
		if err != nil {
			return
		}
		deliver := func() { _, _ = up.Write(buf[:n]) }
		if do := r.commit.Load(); do != nil && bytes.Contains(buf[:n], []byte("COMMIT\x00")) {
			down.mute.Store(true)
			(*do)(deliver)
			return
		}
		deliver()
	}
}

// onPostgres opens a store behind a relay, and looks at what is in it past the relay.
func onPostgres(t *testing.T) (db *store.DB, r *relay, stored func() int64) {
	addr := servers.Postgres(t)
	r = newRelay(t, addr)
	direct := open(t, schema(servers.PostgresURL(addr), "s"), numbers)
	return open(t, schema(servers.PostgresURL(r.Addr().String()), "s"), numbers), r, func() int64 { return count(t, direct) }
}

func TestOfACommitWithoutAnswerNobodyKnows(t *testing.T) {
	db, r, stored := onPostgres(t)
	after := func(tx *store.Tx) { tx.After(func() { t.Error("called for a transaction of which nobody knows") }) }
	arrives := func(deliver func()) {
		deliver()
		for deadline := time.Now().Add(10 * time.Second); stored() == 0 && time.Now().Before(deadline); {
			time.Sleep(time.Millisecond)
		}
	}
	r.commit.Store(&arrives)
	err := db.Write(t.Context(), func(tx *store.Tx) error { after(tx); return insert(1)(tx) })
	require.ErrorIs(t, err, store.ErrUnsure)
	assert.EqualValues(t, 1, stored(), "it was done")

	lost := func(func()) {}
	r.commit.Store(&lost)
	err = db.Write(t.Context(), func(tx *store.Tx) error { after(tx); return insert(2)(tx) })
	require.ErrorIs(t, err, store.ErrUnsure)
	assert.EqualValues(t, 1, stored(), "it was not done, and it looks alike")

	r.commit.Store(nil)
	require.NoError(t, db.Write(t.Context(), insert(2)), "the next one has a connection that works, and its turn")
	assert.EqualValues(t, 2, stored())
}

func TestWhoIsSilentWithinATransactionLosesHisTurn(t *testing.T) {
	addr := servers.Postgres(t)
	one, two := open(t, schema(servers.PostgresURL(addr), "s"), numbers), open(t, schema(servers.PostgresURL(addr), "s"), numbers)
	silent, done := make(chan bool), make(chan error)
	go func() {
		done <- one.Write(t.Context(), func(tx *store.Tx) error {
			err := insert(1)(tx)
			silent <- true
			<-silent
			return err
		})
	}()
	<-silent
	require.Eventually(t, func() bool { return two.Write(t.Context(), insert(2)) == nil }, 20*time.Second, time.Millisecond)
	silent <- true
	assert.ErrorIs(t, <-done, store.ErrUnsure, "he takes nothing for granted")
	assert.EqualValues(t, 1, count(t, two))
	assert.NoError(t, one.Write(t.Context(), insert(1)))
}

func TestASchemaOnThatServerIsWaitedForAndMustBeNamed(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	nobody := l.Addr().String()
	require.NoError(t, l.Close())
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err = store.Open(ctx, "postgres://u@"+nobody+"/db?search_path=s", store.Off, numbers)
	assert.ErrorContains(t, err, "open store in PostgreSQL")
	_, err = store.Open(t.Context(), "postgres://u@"+nobody+"/db", store.Off, numbers)
	assert.ErrorContains(t, err, "search_path")
}

// A transaction that takes its turn late draws its ids before it: they are committed in another order, which is why nobody may rely on them then.
func TestLateTurnsCommitIdsOutOfOrder(t *testing.T) {
	rows := store.Schema{Name: "rows", SQL: `CREATE TABLE rows (id INTEGER PRIMARY KEY AUTOINCREMENT, n INTEGER NOT NULL)`}
	db := open(t, schema(servers.PostgresURL(servers.Postgres(t)), "s"), rows)
	db.Turn = store.Late
	add := func(tx *store.Tx, n int) error {
		_, err := tx.Exec(`INSERT INTO rows (n) VALUES (?)`, n)
		return err
	}
	require.NoError(t, db.Write(t.Context(), func(first *store.Tx) error {
		require.NoError(t, add(first, 1))
		require.NoError(t, db.Write(t.Context(), func(second *store.Tx) error {
			require.NoError(t, add(second, 2))
			return second.Turn()
		}))
		last, err := db.Count(t.Context(), `SELECT max(id) FROM rows`)
		require.NoError(t, err)
		assert.EqualValues(t, 2, last, "the first one is not there yet")
		return first.Turn()
	}))
	n, err := db.Count(t.Context(), `SELECT count(*) FROM rows`)
	require.NoError(t, err)
	assert.EqualValues(t, 2, n)
}

// BenchmarkWrite is a transaction of five statements, by one writer and by eight.
func BenchmarkWrite(b *testing.B) {
	places := map[string]func(b *testing.B) (string, store.Sync){
		"sqlite":      func(b *testing.B) (string, store.Sync) { return filepath.Join(b.TempDir(), "x.db"), store.Off },
		"sqlite-full": func(b *testing.B) (string, store.Sync) { return filepath.Join(b.TempDir(), "x.db"), store.Full },
		"postgres": func(b *testing.B) (string, store.Sync) {
			return schema(servers.PostgresURL(servers.Postgres(b)), "s"), store.Off
		},
	}
	for _, name := range []string{"sqlite", "sqlite-full", "postgres"} {
		for _, writers := range []int{1, 8} {
			b.Run(fmt.Sprintf("%s/%d", name, writers), func(b *testing.B) {
				place, mode := places[name](b)
				db, err := store.Open(b.Context(), place, mode, numbers)
				require.NoError(b, err)
				defer db.Close()
				var next atomic.Int64
				var all sync.WaitGroup
				b.ResetTimer()
				for range writers {
					all.Go(func() {
						for n := int(next.Add(1)); n <= b.N; n = int(next.Add(1)) {
							err := db.Write(b.Context(), func(tx *store.Tx) error {
								for i := range 5 {
									if err := insert(5*n + i)(tx); err != nil {
										return err
									}
								}
								return nil
							})
							if err != nil {
								b.Error(err)
							}
						}
					})
				}
				all.Wait()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "transactions/s")
			})
		}
	}
}

// BenchmarkSchema is what a service pays for a schema of its own on a server that is there.
func BenchmarkSchema(b *testing.B) {
	url := servers.PostgresURL(servers.Postgres(b))
	n := 0
	for b.Loop() {
		n++
		db, err := store.Open(b.Context(), schema(url, fmt.Sprint("s", n)), store.Off, numbers)
		require.NoError(b, err)
		require.NoError(b, db.Close())
	}
}
