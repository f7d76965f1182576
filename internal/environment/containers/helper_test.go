package containers_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moby/moby/client"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/wreckon/wreckon/history"
	"github.com/wreckon/wreckon/internal/environment"
	"github.com/wreckon/wreckon/internal/environment/containers"
)

// binary is the program of every component in these tests: testdata/component, built for an image that holds nothing else.
var binary string

func TestMain(m *testing.M) {
	if dir := os.Getenv("TEST_HARNESS"); dir != "" {
		harness(dir)
		return
	}
	dir, err := os.MkdirTemp("", "wreckon-containers-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	binary = filepath.Join(dir, "component")
	build := exec.Command("go", "build", "-o", binary, "./testdata/component")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build component: %v\n%s", err, out)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(dir)
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// engine is a client of the engine that these tests need: without one they are skipped, unless WRECKON_REQUIRE_DOCKER=1 says that there is
// one.
func engine(t testing.TB) *client.Client {
	t.Helper()
	cli, err := client.New(client.FromEnv)
	require.NoError(t, err)
	t.Cleanup(func() { cli.Close() })
	if _, err := cli.Ping(t.Context(), client.PingOptions{}); err != nil {
		if os.Getenv("WRECKON_REQUIRE_DOCKER") == "1" {
			require.NoError(t, err)
		}
		t.Skip("a container engine is needed: ", err)
	}
	return cli
}

// hold is how testdata/component waits.
var hold = []string{"hold"}

// run is a run of components in containers, which is closed with the test.
type run struct {
	*environment.Components
	*recorder
	site   environment.Site
	places map[string]environment.Place
	logs   string
}

// start starts components of the given kinds, which are their names, too.
func start(t testing.TB, opts environment.Options, kinds ...string) *run {
	t.Helper()
	engine(t)
	r := place(t, opts, containers.Options{}, kinds...)
	for _, kind := range kinds {
		r.Add(r.component(kind))
	}
	require.NoError(t, r.StartAll(t.Context()))
	return r
}

// place gives components their networks, and starts none.
func place(t testing.TB, opts environment.Options, of containers.Options, names ...string) *run {
	t.Helper()
	return placeWanting(t, opts, of, wants(names...))
}

func placeWanting(t testing.TB, opts environment.Options, of containers.Options, wants []environment.Want) *run {
	t.Helper()
	r := &run{recorder: &recorder{}, logs: t.TempDir(), site: environment.Site{Run: t.Name(), Data: t.TempDir(), Binary: binary}}
	of.Hold, of.Eat = hold, []string{"eat"}
	h, err := containers.New(t.Context(), of, r.site)
	require.NoError(t, err)
	opts.Host, opts.Record, opts.LogDir = h, r.recorder, r.logs
	r.Components = environment.New(opts)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		require.NoError(t, r.Close(ctx))
	})
	r.places, err = r.Place(t.Context(), wants)
	require.NoError(t, err)
	return r
}

// wants are those of components that are told where to serve and whom to dial.
func wants(names ...string) (all []environment.Want) {
	for _, name := range names {
		all = append(all, environment.Want{Name: name})
	}
	return all
}

func (r *run) component(kind string) environment.Process {
	at := r.places[kind].Listen
	return environment.Process{
		Name: kind, Path: binary, Args: []string{kind, at}, Env: []string{"OF=" + kind}, Dir: r.site.Data,
		Ready: func(ctx context.Context) error { _, err := get(ctx, at, "/ready"); return err },
	}
}

// ask asks a component for something.
func (r *run) ask(t testing.TB, component, path string, args ...string) string {
	t.Helper()
	form := url.Values{}
	for i := 0; i < len(args); i += 2 {
		form.Set(args[i], args[i+1])
	}
	said, err := get(t.Context(), r.places[component].Listen, path+"?"+form.Encode())
	require.NoError(t, err)
	return said
}

func (r *run) log(t testing.TB, component string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(r.logs, component+".log"))
	require.NoError(t, err)
	return string(b)
}

// get asks on a connection of its own, which ends with ctx: a transport would go on dialling a container that is gone.
func get(ctx context.Context, addr, path string) (string, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return "", err
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	if _, err := fmt.Fprintf(c, "GET %s HTTP/1.0\r\n\r\n", path); err != nil {
		return "", err
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return "", errors.Join(err, ctx.Err())
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return string(b), err
}

// recorder keeps what happened to components.
type recorder struct {
	mu  sync.Mutex
	all []history.Event
}

func (r *recorder) Record(e history.Event) uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, e)
	return uint64(len(r.all) - 1)
}

// story is what happened, one word for each event.
func (r *recorder) story() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var story []string
	for _, e := range r.all {
		story = append(story, e.Outcome.String())
	}
	return strings.Join(story, " ")
}

func (r *recorder) last() history.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.all[len(r.all)-1]
}

// eventually waits for a condition, with a deadline that only a broken program needs.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			require.Fail(t, "still not so: "+what)
		}
	}
}
