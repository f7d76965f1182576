package containers_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/moby/moby/client"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/internal/environment"
	"github.com/wreckon/wreckon/internal/environment/containers"
)

func TestAContainerIsKilledAndComesBack(t *testing.T) {
	r := start(t, environment.Options{}, "server")
	first := r.last().Token
	assert.NotZero(t, first, "the process id on this machine")
	require.NoError(t, r.Kill(t.Context(), "server"))
	assert.False(t, r.Alive("server"))
	_, err := get(t.Context(), r.places["server"].Listen, "/ready")
	assert.ErrorIs(t, err, syscall.ECONNREFUSED, "its address is still there, as that of a process is")
	assert.Equal(t, "exit status 137: killed", r.last().Value)
	assert.Equal(t, first, r.last().Token)
	require.NoError(t, r.Start(t.Context(), "server"))
	assert.True(t, r.Alive("server"))
	assert.NotEqual(t, first, r.last().Token)
	assert.Equal(t, "started ready killed started ready", r.story())
	assert.Equal(t, 2, strings.Count(r.log(t, "server"), "hello from server"), r.log(t, "server"))
}

func TestAContainerIsTerminated(t *testing.T) {
	r := start(t, environment.Options{}, "server", "stubborn")
	require.NoError(t, r.Terminate(t.Context(), "server", 20*time.Second))
	assert.Regexp(t, `^exit status 0, .* after SIGTERM$`, r.last().Value)
	assert.Contains(t, r.log(t, "server"), "drained\n")
	require.ErrorIs(t, r.Terminate(t.Context(), "stubborn", 50*time.Millisecond), environment.ErrGraceExceeded)
	assert.False(t, r.Alive("stubborn"))
	assert.Equal(t, "exit status 137: killed", r.last().Value)
}

func TestAContainerIsPaused(t *testing.T) {
	r := start(t, environment.Options{}, "server")
	silent := func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		return errors.Is(r.Probe(ctx, "server"), context.DeadlineExceeded)
	}
	for range 2 { // pausing what is paused is pausing, as it is with SIGSTOP
		require.NoError(t, r.Pause(t.Context(), "server"))
		assert.True(t, r.Alive("server"))
		assert.True(t, silent())
	}
	for range 2 {
		require.NoError(t, r.Resume(t.Context(), "server"))
		assert.NoError(t, r.Probe(t.Context(), "server"))
	}
	require.NoError(t, r.Pause(t.Context(), "server"))
	require.NoError(t, r.Kill(t.Context(), "server"), "what is paused dies as well")
	assert.False(t, r.Alive("server"))
	assert.Equal(t, "started ready paused paused resumed resumed paused killed", r.story())
	require.NoError(t, r.Start(t.Context(), "server"))
}

func TestADeathThatNobodyAskedForIsReported(t *testing.T) {
	died := make(chan error, 1)
	r := start(t, environment.Options{OnExit: func(_ string, how error) { died <- how }}, "server")
	_, err := get(t.Context(), r.places["server"].Listen, "/die?code=7")
	require.Error(t, err)
	select {
	case how := <-died:
		assert.ErrorContains(t, how, "exit status 7; the end of its log:\n\thello from server")
	case <-time.After(30 * time.Second):
		require.Fail(t, "nobody was told")
	}
	assert.Equal(t, "started ready exited", r.story())
	assert.Equal(t, "exit status 7, not asked for", r.last().Value)
	assert.False(t, r.Alive("server"))
}

func TestAContainerThatEndsAtOnceSaysWhy(t *testing.T) {
	engine(t)
	r := place(t, environment.Options{}, containers.Options{}, "failing")
	r.Add(r.component("failing"))
	err := r.StartAll(t.Context())
	assert.ErrorContains(t, err, "start failing: ended before it was ready: exit status 3; the end of its log:")
	assert.ErrorContains(t, err, "hello from failing") // in which order the engine passes on what came from two pipes is its own affair
	assert.ErrorContains(t, err, "cannot go on")
}

// What a component can reach is this machine, and so the harness where it listens for the component; no other component, and nothing beyond.
func TestNoConnectionGoesPastTheHarness(t *testing.T) {
	r := start(t, environment.Options{}, "a", "b")
	l, err := net.Listen("tcp", net.JoinHostPort(r.places["a"].Near, "0"))
	require.NoError(t, err)
	var served sync.WaitGroup
	served.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte("the harness"))
			c.Close()
		}
	})
	t.Cleanup(func() { l.Close(); served.Wait() })
	assert.Equal(t, "the harness<nil>", r.ask(t, "a", "/dial", "addr", l.Addr().String()))
	assert.NoError(t, r.Probe(t.Context(), "b"))
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	for _, other := range []string{r.places["b"].Listen, net.JoinHostPort(r.places["b"].Near, port), "192.0.2.1:53"} {
		assert.NotContains(t, r.ask(t, "a", "/dial", "addr", other), "<nil>", "a reaches %s", other)
	}
}

func TestDataIsOursAndTheEnvironmentIsNot(t *testing.T) {
	t.Setenv("SECRET_OF_THE_HARNESS", "1")
	r := start(t, environment.Options{}, "server")
	file := filepath.Join(r.site.Data, "file")
	assert.Equal(t, "<nil>", r.ask(t, "server", "/write", "file", file))
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, "written", string(b))
	info, err := os.Stat(file)
	require.NoError(t, err)
	assert.EqualValues(t, os.Getuid(), info.Sys().(*syscall.Stat_t).Uid)
	env := r.ask(t, "server", "/env")
	assert.Contains(t, env, "OF=server")
	assert.NotContains(t, env, "SECRET")
	assert.Regexp(t, "^sha256:", r.Images()["server"])
}

func TestABinaryThatNeedsLibrariesIsRefused(t *testing.T) {
	engine(t)
	h, err := containers.New(t.Context(), containers.Options{Hold: hold}, environment.Site{Binary: "/bin/true", Data: t.TempDir()})
	require.NoError(t, err)
	r := environment.New(environment.Options{Host: h})
	t.Cleanup(func() { require.NoError(t, r.Close(context.Background())) })
	_, err = r.Place(t.Context(), wants("a"))
	assert.ErrorContains(t, err, "it is linked dynamically")
}

func TestSubnetsThatAreTaken(t *testing.T) {
	engine(t)
	two := containers.Options{Hold: hold, Subnets: netip.MustParsePrefix("10.214.77.0/28")}
	r := place(t, environment.Options{}, two, "a")
	h, err := containers.New(t.Context(), two, environment.Site{Binary: binary})
	require.NoError(t, err)
	other := environment.New(environment.Options{Host: h})
	t.Cleanup(func() { require.NoError(t, other.Close(context.Background())) })
	_, err = other.Place(t.Context(), wants("a", "b"))
	require.ErrorContains(t, err, "no free subnet found in 10.214.77.0/28")
	require.NoError(t, r.Close(t.Context()))

	for _, wrong := range []string{"10.0.0.0/30", "fd00::/64"} {
		_, err := containers.New(t.Context(), containers.Options{Subnets: netip.MustParsePrefix(wrong)}, environment.Site{})
		assert.ErrorContains(t, err, "want a range of IPv4 addresses")
	}
}

func TestTwoRunsAtOnce(t *testing.T) {
	one, two := start(t, environment.Options{}, "server"), start(t, environment.Options{}, "server")
	assert.NotEqual(t, one.places, two.places)
	require.NoError(t, one.Close(t.Context()))
	require.NoError(t, one.Close(t.Context()), "closing twice is closing")
	assert.NoError(t, two.Probe(t.Context(), "server"))
	assert.ErrorIs(t, one.Start(t.Context(), "server"), environment.ErrClosed)
}

func TestCloseLeavesNothing(t *testing.T) {
	cli := engine(t)
	r := start(t, environment.Options{}, "server", "stubborn")
	require.NoError(t, r.Pause(t.Context(), "server"))
	story := r.story()
	require.NoError(t, r.Close(t.Context()))
	assert.Equal(t, story, r.story(), "closing records nothing")
	assert.Empty(t, ours(t, cli, t.Name()))
}

// ours lists the containers and networks of a run that the engine still has.
func ours(t testing.TB, cli *client.Client, name string) (left []string) {
	t.Helper()
	of := client.Filters{}.Add("label", "wreckon.run="+name)
	cs, err := cli.ContainerList(t.Context(), client.ContainerListOptions{All: true, Filters: of})
	require.NoError(t, err)
	for _, c := range cs.Items {
		left = append(left, "container "+c.ID)
	}
	ns, err := cli.NetworkList(t.Context(), client.NetworkListOptions{Filters: of})
	require.NoError(t, err)
	for _, n := range ns.Items {
		left = append(left, "network "+n.ID)
	}
	return left
}
