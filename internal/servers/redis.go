package servers

import (
	"context"
	"fmt"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// Redis starts a Redis that keeps nothing on disk and gives its address.
func Redis(t testing.TB) (addr string) {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		missing(t, "redis-server")
	}
	port := freePort(t)
	addr = fmt.Sprintf("127.0.0.1:%d", port)
	who := accountOf(t, "redis")
	dir := who.home(t)
	c := who.command(dir, path, "--port", fmt.Sprint(port), "--bind", "127.0.0.1", "--dir", dir, "--save", "", "--daemonize", "no")
	client := redis.NewClient(&redis.Options{Addr: addr, DisableIdentity: true})
	defer client.Close()
	start(t, c, syscall.SIGTERM, 30*time.Second, func() bool { return client.Ping(context.Background()).Err() == nil })
	return addr
}
