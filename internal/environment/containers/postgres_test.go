package containers_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	"github.com/jackc/pgx/v5"
	"github.com/moby/moby/client"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/internal/environment"
	"github.com/wreckon/wreckon/internal/environment/containers"
)

// An image of somebody else's: what it stores outlives a crash, and it is told to end by the signal that it asks for.
func TestAServerOfAnotherImage(t *testing.T) {
	cli := engine(t)
	const image = "wreckon/postgres:15"
	needImages(t, cli, image)
	r := place(t, environment.Options{ReadyWithin: time.Minute}, containers.Options{}, "postgres")
	_, port, err := net.SplitHostPort(r.places["postgres"].Listen)
	require.NoError(t, err)
	url := "postgres://postgres:secret@" + r.places["postgres"].Listen + "/shop?connect_timeout=5"
	query := func(ctx context.Context, sql string) error {
		c, err := pgx.Connect(ctx, url)
		if err != nil {
			return err
		}
		defer c.Close(ctx)
		_, err = c.Exec(ctx, sql)
		return err
	}
	r.Add(environment.Process{
		Name: "postgres", Path: "/usr/lib/postgresql/15/bin/postgres",
		Container: &environment.Container{Image: image, Args: []string{"-p", port}, Env: []string{"POSTGRES_PASSWORD=secret", "POSTGRES_DB=shop"}},
		Ready:     func(ctx context.Context) error { return query(ctx, "SELECT 1") },
	})
	require.NoError(t, r.StartAll(t.Context()))
	require.NoError(t, query(t.Context(), "CREATE TABLE kept (n int)"))
	require.NoError(t, r.Kill(t.Context(), "postgres"))
	require.NoError(t, r.Start(t.Context(), "postgres"))
	require.NoError(t, query(t.Context(), "INSERT INTO kept VALUES (1)"))
	require.NoError(t, r.Terminate(t.Context(), "postgres", 30*time.Second))
	assert.Contains(t, r.log(t, "postgres"), "received fast shutdown request", "SIGINT, which its image names: at SIGTERM it waits for its clients")
	assert.True(t, strings.HasPrefix(r.last().Value, "exit status 0"), r.last().Value)
	stored := volumes(t, cli, t.Name())
	require.NotEmpty(t, stored)
	require.NoError(t, r.Close(t.Context()))
	assert.Empty(t, ours(t, cli, t.Name()))
	for _, volume := range stored {
		_, err := cli.VolumeInspect(t.Context(), volume, client.VolumeInspectOptions{})
		assert.True(t, errdefs.IsNotFound(err), "%s: %v", volume, err)
	}
}

// The images that make images makes serve where the public ones would, for the same arguments and settings.
func TestServersOfImagesThatAreMadeHere(t *testing.T) {
	cli := engine(t)
	servers := map[string]struct {
		environment.Container
		answers func(ctx context.Context, addr string) error
	}{
		"nats": {environment.Container{Image: "wreckon/nats:2", Args: []string{"--port", "7000"}}, func(ctx context.Context, addr string) error {
			return says(ctx, addr, "CONNECT {\"verbose\":false}\r\nPING\r\n", "PONG\r\n")
		}},
		"redis": {environment.Container{Image: "wreckon/redis:7", Args: []string{"--port", "7000", "--save", ""}}, func(ctx context.Context, addr string) error {
			return says(ctx, addr, "PING\r\n", "+PONG\r\n")
		}},
		"rabbitmq": {environment.Container{Image: "wreckon/rabbitmq:3", Env: []string{"RABBITMQ_NODE_PORT=7000", "RABBITMQ_DEFAULT_USER=shop", "RABBITMQ_DEFAULT_PASS=secret"}},
			func(_ context.Context, addr string) error {
				c, err := amqp.Dial("amqp://shop:secret@" + addr + "/")
				if err != nil {
					return err
				}
				return c.Close()
			}},
		"postgres": {environment.Container{Image: "wreckon/postgres:15", Args: []string{"-p", "7000"}, // with no database that was made ahead
			Env: []string{"POSTGRES_USER=shop", "POSTGRES_PASSWORD=it's secret", "POSTGRES_INITDB_ARGS=--no-sync -E LATIN1 --locale C"}},
			func(ctx context.Context, addr string) error {
				c, err := pgx.Connect(ctx, "postgres://shop:it%27s%20secret@"+addr+"/shop")
				if err != nil {
					return err
				}
				defer c.Close(ctx)
				var encoding string
				if err := c.QueryRow(ctx, "SHOW server_encoding").Scan(&encoding); err != nil || encoding != "LATIN1" {
					return fmt.Errorf("its encoding is %s: %w", encoding, err)
				}
				return nil
			}},
	}
	var names []string
	for name, s := range servers {
		needImages(t, cli, s.Image)
		names = append(names, name)
	}
	r := place(t, environment.Options{ReadyWithin: time.Minute}, containers.Options{}, names...)
	for name, s := range servers {
		addr := r.places[name].Listen
		r.Add(environment.Process{Name: name, Container: &s.Container, Ready: func(ctx context.Context) error { return s.answers(ctx, addr) }})
	}
	require.NoError(t, r.StartAll(t.Context()))
	for name := range servers {
		require.NoError(t, r.Terminate(t.Context(), name, 30*time.Second), name)
	}
}

// says asks a server something in its own words.
func says(ctx context.Context, addr, ask, want string) error {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	if _, err := io.WriteString(c, ask); err != nil {
		return err
	}
	var said []byte
	for one := make([]byte, 1); !bytes.HasSuffix(said, []byte(want)); said = append(said, one...) {
		if _, err := c.Read(one); err != nil {
			return fmt.Errorf("it said %q: %w", said, err)
		}
	}
	return nil
}

// needImages skips a test for whose images nobody has run make images, where that is allowed.
func needImages(t testing.TB, cli *client.Client, images ...string) {
	t.Helper()
	for _, image := range images {
		if _, err := cli.ImageInspect(t.Context(), image); err != nil {
			if os.Getenv("WRECKON_REQUIRE_DOCKER") == "1" {
				require.NoError(t, err, "make images makes it")
			}
			t.Skip("make images makes it: ", err)
		}
	}
}

// volumes names the volumes of the containers of a run.
func volumes(t testing.TB, cli *client.Client, name string) (all []string) {
	t.Helper()
	cs, err := cli.ContainerList(t.Context(), client.ContainerListOptions{All: true, Filters: client.Filters{}.Add("label", "wreckon.run="+name)})
	require.NoError(t, err)
	for _, c := range cs.Items {
		for _, m := range c.Mounts {
			if m.Name != "" {
				all = append(all, m.Name)
			}
		}
	}
	return all
}
