package containers_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/moby/moby/client"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/internal/container"
	"github.com/wreckon/wreckon/internal/environment"
	"github.com/wreckon/wreckon/internal/environment/containers"
)

// context is a directory to build an image from, with the component in it.
func buildContext(t *testing.T) *container.Build {
	t.Helper()
	dir := t.TempDir()
	program, err := os.ReadFile(binary)
	require.NoError(t, err)
	for name, text := range map[string]string{
		"component": string(program), "seed": "from the image", "secret": "not to be seen", ".dockerignore": "secret\n",
		"Containerfile": "FROM scratch AS base\nCOPY component /\nCOPY . /all\nCOPY seed /data/seed\nENTRYPOINT [\"/component\"]\nARG KIND\nENV KIND=$KIND\n" +
			"FROM base\nENTRYPOINT [\"/none\"]\n",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755))
	}
	kind := "built"
	return &container.Build{Context: dir, Dockerfile: "Containerfile", Target: "base", Args: map[string]*string{"KIND": &kind}}
}

// All that a compose file may ask of a container, asked of a real engine.
func TestAContainerIsAsItIsAskedFor(t *testing.T) {
	cli := engine(t)
	mine := t.TempDir()
	for name, text := range map[string]string{"read/conf": "as it is", "written/conf": "as it was"} {
		require.NoError(t, os.MkdirAll(filepath.Join(mine, filepath.Dir(name)), 0o777))
		require.NoError(t, os.Chmod(filepath.Join(mine, filepath.Dir(name)), 0o777)) // whatever is masked
		require.NoError(t, os.WriteFile(filepath.Join(mine, name), []byte(text), 0o666))
		require.NoError(t, os.Chmod(filepath.Join(mine, name), 0o666))
	}
	build := buildContext(t)
	r := placeWanting(t, environment.Options{}, containers.Options{}, wants("server", "job"))
	server, job := r.component("server"), r.component("job")
	data := container.Mount{Path: "/data", Volume: "data"}
	server.Container = &container.Spec{
		Build: build, Args: []string{"server", r.places["server"].Listen}, Env: []string{"A=b"}, User: "1234:1235", Dir: "/all", ReadOnly: true, Init: true,
		CapDrop: []string{"ALL"}, Memory: 64 << 20, CPUs: 0.9, Shared: 1 << 20, Tmpfs: []string{"/tmp:size=1m,mode=1777"},
		Mounts: []container.Mount{data, {Path: "/read", Source: filepath.Join(mine, "read"), ReadOnly: true}, {Path: "/written", Source: filepath.Join(mine, "written")}},
		Health: &container.Health{Command: []string{"/component", "exists", "/data/done"}, Within: 20 * time.Second},
		After:  []container.After{{Component: "job", When: container.Ended}},
	}
	job.Container = &container.Spec{Build: build, Entrypoint: []string{"/component", "job"}, Args: []string{"/data/done"}, Mounts: []container.Mount{data}, Once: true}
	r.Add(server)
	r.Add(job)
	require.NoError(t, r.StartAll(t.Context()))
	t.Cleanup(func() { // the next run of the same would find it: there is none
		_, err := cli.ImageRemove(context.Background(), r.Images()["server"], client.ImageRemoveOptions{Force: true, PruneChildren: true})
		require.NoError(t, err)
	})

	assert.Equal(t, "1234 1235 /all<nil>", r.ask(t, "server", "/who"))
	env := r.ask(t, "server", "/env")
	assert.Contains(t, env, "A=b")
	assert.Contains(t, env, "KIND=built")
	assert.Equal(t, "done<nil>", r.ask(t, "server", "/read", "file", "/data/done"), "the volume is shared")
	assert.Equal(t, "from the image<nil>", r.ask(t, "server", "/read", "file", "/data/seed"), "and begins with what the image has there")
	assert.Contains(t, r.ask(t, "server", "/read", "file", "/all/secret"), "no such file", "what .dockerignore names is not in the image")
	assert.Contains(t, r.ask(t, "server", "/write", "file", "/new"), "read-only file system")
	assert.Equal(t, "<nil>", r.ask(t, "server", "/write", "file", "/tmp/new"))
	assert.Equal(t, "as it is<nil>", r.ask(t, "server", "/read", "file", "/read/conf"))
	assert.Contains(t, r.ask(t, "server", "/write", "file", "/read/conf"), "read-only file system")
	assert.Equal(t, "as it was<nil>", r.ask(t, "server", "/read", "file", "/written/conf"))
	assert.Equal(t, "<nil>", r.ask(t, "server", "/write", "file", "/written/conf"))
	assert.Equal(t, "written<nil>", r.ask(t, "server", "/read", "file", "/written/conf"))
	kept, err := os.ReadFile(filepath.Join(mine, "written", "conf"))
	require.NoError(t, err)
	assert.Equal(t, "as it was", string(kept), "nobody's file is changed")
	require.NoError(t, r.Probe(t.Context(), "server"))
	require.NoError(t, r.Kill(t.Context(), "server"))
	require.NoError(t, r.Start(t.Context(), "server"))
	assert.Equal(t, "written<nil>", r.ask(t, "server", "/read", "file", "/written/conf"))

	volumes := func() int {
		all, err := cli.VolumeList(t.Context(), client.VolumeListOptions{Filters: client.Filters{}.Add("label", "wreckon.run="+t.Name())})
		require.NoError(t, err)
		return len(all.Items)
	}
	assert.Equal(t, 1, volumes())
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	require.NoError(t, r.Close(ctx))
	assert.Zero(t, volumes())
}

func TestWhatCannotBeMadeIsSaid(t *testing.T) {
	cli := engine(t)
	_, err := cli.ImageInspect(t.Context(), "no-such-image")
	require.Error(t, err)
	build := buildContext(t)
	for text, says := range map[string]string{
		"FROM no-such-image\n":                           "image no-such-image is not on this engine",
		"FROM scratch\nCOPY nowhere /\n":                 "nowhere",
		"FROM scratch AS a\nCOPY seed /\nFROM a\nWHAT\n": "unknown instruction: WHAT",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(build.Context, "Containerfile"), []byte(text), 0o644))
		r := placeWanting(t, environment.Options{}, containers.Options{}, nil)
		r.Add(environment.Process{Name: "a", Container: &container.Spec{Build: &container.Build{Context: build.Context, Dockerfile: "Containerfile"}}})
		err := r.StartAll(t.Context())
		require.ErrorContains(t, err, "prepare a: build image of "+build.Context)
		require.ErrorContains(t, err, says)
	}
	require.NoError(t, os.WriteFile(filepath.Join(build.Context, "Containerfile"), []byte("FROM scratch\n"), 0o644))
	a := environment.Process{Name: "a", Container: &container.Spec{Image: "no-such-image"}}
	b := environment.Process{Name: "b", Container: &container.Spec{Build: build}}
	images, err := containers.Look(t.Context(), containers.Options{}, []environment.Process{a, b})
	assert.Equal(t, []string{"what " + build.Context + " builds"}, images)
	assert.ErrorContains(t, err, "a: image no-such-image is not on this engine")
}
