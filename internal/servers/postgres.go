package servers

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

const postgresPassword = "not a secret"

// Postgres starts a PostgreSQL that asks for a password (SCRAM) and gives its address.
func Postgres(t testing.TB) (addr string) {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		missing(t, "postgresql")
	}
	bin := filepath.Dir(found[len(found)-1])
	who := accountOf(t, "postgres")
	dir := who.home(t)
	secret := filepath.Join(dir, "password")
	require.NoError(t, os.WriteFile(secret, []byte(postgresPassword), 0o600))
	require.NoError(t, os.Chown(secret, who.uid, who.gid))
	data := filepath.Join(dir, "data")
	out, err := who.command(dir, bin+"/initdb", "-D", data, "-U", "wreckon", "-A", "scram-sha-256", "--pwfile", secret, "--no-sync", "-E", "UTF8",
		"--locale", "C").CombinedOutput()
	require.NoError(t, err, "%s", out)
	port := freePort(t)
	addr = fmt.Sprintf("127.0.0.1:%d", port)
	start(t, who.command(dir, bin+"/postgres", "-D", data, "-p", fmt.Sprint(port), "-c", "listen_addresses=127.0.0.1",
		"-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "wal_level=logical"), syscall.SIGINT, 60*time.Second, func() bool {
		c, err := pgx.Connect(context.Background(), PostgresURL(addr))
		if err != nil {
			return false
		}
		return c.Close(context.Background()) == nil
	})
	return addr
}

// PostgresURL is how a client reaches such a server, or one through a proxy at addr.
func PostgresURL(addr string) string {
	return fmt.Sprintf("postgres://wreckon:%s@%s/postgres?connect_timeout=10&sslmode=disable", strings.ReplaceAll(postgresPassword, " ", "%20"), addr)
}
