package containers_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/moby/moby/client"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/internal/environment"
	"github.com/wreckon/wreckon/internal/environment/containers"
	"github.com/wreckon/wreckon/internal/undo"
)

// harness is a harness of its own process: it starts a component in a container, pauses it, says so and waits to be killed.
func harness(dir string) {
	log, err := undo.Open(dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	r := &run{site: environment.Site{Run: filepath.Base(dir), Data: dir, Binary: os.Getenv("TEST_BINARY"), Undo: log}}
	binary = r.site.Binary
	h, err := containers.New(context.Background(), containers.Options{Hold: hold}, r.site)
	if err != nil {
		fmt.Println(err)
		return
	}
	r.Components = environment.New(environment.Options{Host: h})
	if r.places, err = r.Place(context.Background(), wants("server", "never")); err != nil {
		fmt.Println(err)
		return
	}
	r.Add(r.component("server"))
	if err := r.StartAll(context.Background()); err != nil {
		fmt.Println(err)
		return
	}
	if err := r.Pause(context.Background(), "server"); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("up")
	select {}
}

func TestCleaningRemovesWhatAKilledHarnessLeft(t *testing.T) {
	cli := engine(t)
	decoy, err := cli.NetworkCreate(t.Context(), "wreckon-decoy-"+filepath.Base(t.TempDir()), client.NetworkCreateOptions{Labels: map[string]string{"wreckon": "somebody-else"}})
	require.NoError(t, err)
	t.Cleanup(func() {
		_, err := cli.NetworkRemove(context.Background(), decoy.ID, client.NetworkRemoveOptions{})
		require.NoError(t, err, "what is not the run's is still there")
	})
	dir := filepath.Join(t.TempDir(), "run-"+fmt.Sprint(os.Getpid()))
	require.NoError(t, os.Mkdir(dir, 0o755))
	h := exec.Command(os.Args[0])
	h.Env = append(os.Environ(), "TEST_HARNESS="+dir, "TEST_BINARY="+binary)
	out, err := h.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, h.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "up\n", line)

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	removers := undo.Removers{containers.Kind: containers.Remove}
	report, err := undo.CleanTree(ctx, dir, removers)
	require.NoError(t, err)
	assert.Empty(t, report, "a run that goes on is left alone")
	assert.Len(t, ours(t, cli, filepath.Base(dir)), 5, "two networks, who holds their addresses, and a component")

	require.NoError(t, h.Process.Signal(syscall.SIGKILL))
	require.Error(t, h.Wait())
	_, err = undo.CleanTree(ctx, dir, nil)
	require.ErrorContains(t, err, "nobody here knows how", "what cannot be removed is not forgotten")
	report, err = undo.CleanTree(ctx, dir, removers)
	require.NoError(t, err)
	assert.Equal(t, 5, strings.Count(strings.Join(report, "\n"), "removed "), report)
	assert.Empty(t, ours(t, cli, filepath.Base(dir)))
	report, err = undo.CleanTree(ctx, dir, removers)
	require.NoError(t, err)
	assert.Empty(t, report, "there is nothing left to do")
}

// BenchmarkRestart is SIGKILL until started and ready, of a component that does next to nothing.
func BenchmarkRestart(b *testing.B) {
	r := start(b, environment.Options{}, "server")
	for b.Loop() {
		require.NoError(b, r.Kill(b.Context(), "server"))
		require.NoError(b, r.Start(b.Context(), "server"))
	}
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "restart-ms")
}

// BenchmarkEight is eight components, as many as the reference has: networks made, containers started and ready, and all of it removed.
func BenchmarkEight(b *testing.B) {
	engine(b)
	names := strings.Fields("a b c d e f g h")
	var placed, ready, closed time.Duration
	for b.Loop() {
		began := time.Now()
		r := place(b, environment.Options{}, containers.Options{}, names...)
		placed += time.Since(began)
		for _, name := range names {
			r.Add(r.component(name))
		}
		began = time.Now()
		require.NoError(b, r.StartAll(b.Context()))
		ready += time.Since(began)
		began = time.Now()
		require.NoError(b, r.Close(b.Context()))
		closed += time.Since(began)
	}
	for name, took := range map[string]time.Duration{"place-ms": placed, "ready-ms": ready, "close-ms": closed} {
		b.ReportMetric(float64(took.Milliseconds())/float64(b.N), name)
	}
}
