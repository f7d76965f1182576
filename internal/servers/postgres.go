package servers

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/internal/postgres"
)

// postgresPassword is that of all servers on this machine, once there has been one.
var postgresPassword atomic.Value

// Postgres starts a PostgreSQL that asks for a password (SCRAM) and gives its address.
func Postgres(t testing.TB) (addr string) {
	t.Helper()
	in, err := postgres.Find()
	if errors.Is(err, postgres.ErrMissing) {
		missing(t, "postgresql")
	}
	require.NoError(t, err)
	room, err := in.Room(t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, os.RemoveAll(room)) })
	s, err := in.Prepare(t.Context(), filepath.Join(room, "data"))
	require.NoError(t, err)
	postgresPassword.Store(s.Password)
	addr = fmt.Sprintf("127.0.0.1:%d", freePort(t))
	path, args := s.Command(addr)
	start(t, account{uid: os.Getuid(), gid: os.Getgid()}.command(room, path, args...), syscall.SIGINT, 60*time.Second, func() bool {
		return s.Answers(t.Context(), addr) == nil
	})
	return addr
}

// PostgresURL is how a client reaches such a server, or one through a proxy at addr.
func PostgresURL(addr string) string {
	u, err := url.Parse(postgres.URL(addr))
	if err != nil {
		return ""
	}
	u.User = url.UserPassword(postgres.User, postgresPassword.Load().(string))
	return u.String() + "&connect_timeout=10"
}
