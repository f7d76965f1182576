package containers_test

import (
	"context"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	"github.com/jackc/pgx/v5"
	"github.com/moby/moby/client"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/internal/environment"
	"github.com/wreckon/wreckon/internal/environment/containers"
)

// An image of somebody else's: what it stores outlives a crash, and it is told to end by the signal that it asks for.
func TestAServerOfAnotherImage(t *testing.T) {
	cli := engine(t)
	const image = "wreckon/postgres:15"
	if _, err := cli.ImageInspect(t.Context(), image); err != nil {
		if os.Getenv("WRECKON_REQUIRE_DOCKER") == "1" {
			require.NoError(t, err, "make images makes it")
		}
		t.Skip("make images makes it: ", err)
	}
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
