package servers

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"
)

// RabbitMQ starts a RabbitMQ without plugins and gives its address.
func RabbitMQ(t testing.TB) (addr string) {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmq-server")
	epmd, err := exec.LookPath("epmd")
	if len(found) == 0 || err != nil {
		missing(t, "rabbitmq-server")
	}
	who := accountOf(t, "rabbitmq")
	dir := who.home(t)
	port, names := freePort(t), freePort(t)
	addr = fmt.Sprintf("127.0.0.1:%d", port)
	// Erlang's name server is started here, and not by the broker, who would leave it behind.
	start(t, who.command(dir, epmd, "-address", "127.0.0.1", "-port", fmt.Sprint(names)), syscall.SIGTERM, 30*time.Second, func() bool {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", names))
		if err != nil {
			return false
		}
		return c.Close() == nil
	})
	config := filepath.Join(dir, "rabbitmq.conf")
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, "listeners.tcp.default = 127.0.0.1:%d\nlog.console = true\nlog.console.level = warning\n", port), 0o644))
	c := who.command(dir, found[len(found)-1])
	c.Env = append(os.Environ(), "HOME="+dir, fmt.Sprintf("ERL_EPMD_PORT=%d", names), "ERL_EPMD_ADDRESS=127.0.0.1",
		fmt.Sprintf("RABBITMQ_NODENAME=wreckon-%d@localhost", port), fmt.Sprintf("RABBITMQ_DIST_PORT=%d", freePort(t)),
		"RABBITMQ_BASE="+dir, "RABBITMQ_MNESIA_BASE="+dir+"/mnesia", "RABBITMQ_LOG_BASE="+dir+"/log", "RABBITMQ_PID_FILE="+dir+"/pid",
		"RABBITMQ_GENERATED_CONFIG_DIR="+dir+"/generated", "RABBITMQ_SCHEMA_DIR="+dir+"/schema", "RABBITMQ_CONFIG_FILE="+config,
		"RABBITMQ_ENABLED_PLUGINS_FILE="+dir+"/plugins", "RABBITMQ_CONF_ENV_FILE=/dev/null", "RABBITMQ_ADVANCED_CONFIG_FILE="+dir+"/none")
	start(t, c, syscall.SIGTERM, 90*time.Second, func() bool {
		c, err := amqp091.Dial(AMQPURL(addr))
		if err != nil {
			return false
		}
		return c.Close() == nil
	})
	return addr
}

// AMQPURL is how a client reaches such a broker, or one through a proxy at addr.
func AMQPURL(addr string) string { return "amqp://guest:guest@" + addr + "/" }
