// Package servers runs real servers for tests, each on a port and in a directory of its own, until the test ends: PostgreSQL, Redis and
// RabbitMQ, as Debian packages them. It must never know what a test does with them, and nothing but tests may import it.
//
// A server that is not installed skips the test, or fails it where WRECKON_REQUIRE_SERVERS=1 says that it must be there.
package servers

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// missing ends a test for which a server is not installed: with an error where it is required.
func missing(t testing.TB, what string) {
	t.Helper()
	message := what + " is needed: install Debian's package"
	if os.Getenv("WRECKON_REQUIRE_SERVERS") == "1" {
		require.FailNow(t, message)
	}
	t.Skip(message)
}

// account is who a server is run as: not root, which they refuse.
type account struct {
	credential *syscall.Credential
	uid, gid   int
}

func accountOf(t testing.TB, name string) account {
	t.Helper()
	if os.Getuid() != 0 {
		return account{uid: os.Getuid(), gid: os.Getgid()}
	}
	u, err := user.Lookup(name)
	require.NoError(t, err)
	uid, err := strconv.Atoi(u.Uid)
	require.NoError(t, err)
	gid, err := strconv.Atoi(u.Gid)
	require.NoError(t, err)
	return account{&syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, uid, gid}
}

// home makes a directory of the account that goes away with the test.
func (a account) home(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "wreckon-server-") // t.TempDir's parents are closed to other accounts
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, os.RemoveAll(dir)) })
	require.NoError(t, os.Chown(dir, a.uid, a.gid))
	return dir
}

func (a account) command(dir, name string, args ...string) *exec.Cmd {
	c := exec.Command(name, args...)
	c.Dir = dir
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: a.credential}
	return c
}

// start runs a server until the end of the test, and waits until it answers. It shows what the server said if that does not come about,
// or if it must be killed.
func start(t testing.TB, c *exec.Cmd, stop syscall.Signal, patience time.Duration, answers func() bool) {
	t.Helper()
	var output bytes.Buffer
	c.Stdout, c.Stderr = &output, &output
	require.NoError(t, c.Start())
	ended := make(chan struct{})
	go func() { _ = c.Wait(); close(ended) }()
	t.Cleanup(func() {
		_ = syscall.Kill(c.Process.Pid, stop)
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
			_ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL)
			<-ended
			t.Errorf("%s had to be killed:\n%s", c.Path, output.Bytes())
		}
		_ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL) // what is left of its group
	})
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for deadline := time.After(patience); !answers(); {
		select {
		case <-ended:
			require.FailNow(t, c.Path+" ended", "%s", output.Bytes())
		case <-deadline:
			require.FailNow(t, c.Path+" does not answer")
		case <-again.C:
		}
	}
}

// freePort finds a port that nobody listens on now.
func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
