package postgres_test

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/internal/postgres"
)

func find(t testing.TB) postgres.Installation {
	t.Helper()
	in, err := postgres.Find()
	if err != nil && os.Getenv("WRECKON_REQUIRE_SERVERS") != "1" {
		t.Skip(err)
	}
	require.NoError(t, err)
	return in
}

func prepare(t testing.TB, in postgres.Installation) postgres.Server {
	t.Helper()
	room, err := in.Room(t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, os.RemoveAll(room)) })
	s, err := in.Prepare(t.Context(), filepath.Join(room, "data"))
	require.NoError(t, err)
	return s
}

// run starts a server until the end of the test.
func run(t testing.TB, s postgres.Server) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr = l.Addr().String()
	require.NoError(t, l.Close())
	path, args := s.Command(addr)
	c := exec.Command(path, args...)
	require.NoError(t, c.Start())
	t.Cleanup(func() {
		_ = c.Process.Signal(syscall.SIGINT)
		_ = c.Wait()
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for err = s.Answers(ctx, addr); err != nil && ctx.Err() == nil; err = s.Answers(ctx, addr) {
	}
	require.NoError(t, err)
	return addr
}

func TestEachServerIsItsOwn(t *testing.T) {
	in := find(t)
	one, two := prepare(t, in), prepare(t, in)
	assert.NotEqual(t, one.Dir, two.Dir)
	connect := func(addr, password string) (*pgx.Conn, error) {
		cfg, err := pgx.ParseConfig(postgres.URL(addr))
		require.NoError(t, err)
		cfg.Password = password
		return pgx.ConnectConfig(t.Context(), cfg)
	}
	c, err := connect(run(t, one), one.Password)
	require.NoError(t, err)
	defer c.Close(context.Background())
	_, err = c.Exec(t.Context(), "CREATE TABLE mine (n int)")
	require.NoError(t, err)

	addr := run(t, two)
	other, err := connect(addr, two.Password)
	require.NoError(t, err)
	defer other.Close(context.Background())
	var tables int
	require.NoError(t, other.QueryRow(t.Context(), "SELECT count(*) FROM pg_tables WHERE tablename = 'mine'").Scan(&tables))
	assert.Zero(t, tables)

	_, err = connect(addr, "guessed")
	assert.ErrorContains(t, err, "password authentication failed")
}

func TestWhatIsInTheWayIsNotOverwritten(t *testing.T) {
	in := find(t)
	s := prepare(t, in)
	_, err := in.Prepare(t.Context(), s.Dir)
	require.ErrorIs(t, err, os.ErrExist)
}

func TestSessionsOfClientsEndAndNoOthers(t *testing.T) {
	s := prepare(t, find(t))
	addr := run(t, s)
	session := func(name string) *pgx.Conn {
		cfg, err := pgx.ParseConfig(postgres.URL(addr))
		require.NoError(t, err)
		cfg.Password = s.Password
		cfg.RuntimeParams["application_name"] = name
		c, err := pgx.ConnectConfig(t.Context(), cfg)
		require.NoError(t, err)
		t.Cleanup(func() { _ = c.Close(context.Background()) })
		return c
	}
	ended, err := s.EndSessions(t.Context(), addr)
	require.NoError(t, err)
	assert.Zero(t, ended, "nobody was there")

	one, two, ours := session("api"), session(""), session(postgres.Harness)
	_, err = two.Exec(t.Context(), "BEGIN")
	require.NoError(t, err)
	ended, err = s.EndSessions(t.Context(), addr)
	require.NoError(t, err)
	assert.Equal(t, 2, ended)
	for _, c := range []*pgx.Conn{one, two} {
		_, err = c.Exec(t.Context(), "SELECT 1")
		assert.Error(t, err)
	}
	_, err = ours.Exec(t.Context(), "SELECT 1")
	assert.NoError(t, err)
}

// BenchmarkPrepare says what a run pays for a server of its own, beside its start.
func BenchmarkPrepare(b *testing.B) {
	in := find(b)
	prepare(b, in) // and the template
	for b.Loop() {
		prepare(b, in)
	}
}

// BenchmarkStart is from prepared to answering.
func BenchmarkStart(b *testing.B) {
	in := find(b)
	for b.Loop() {
		b.StopTimer()
		s := prepare(b, in)
		b.StartTimer()
		run(b, s)
	}
}
