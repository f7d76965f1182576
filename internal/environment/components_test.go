package environment_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/faults"
	"github.com/wreckon/wreckon/history"
	"github.com/wreckon/wreckon/internal/environment"
)

// What process faults need of an environment.
var _ faults.Processes = (*environment.Components)(nil)

func TestStartAllReturnsWhenEveryComponentIsReady(t *testing.T) {
	a, b := serving(t, "a", "server"), serving(t, "b", "server")
	p, rec := setup(t, environment.Options{}, a, b)
	require.NoError(t, p.StartAll(t.Context()))
	for _, name := range []string{"a", "b"} {
		assert.True(t, p.Alive(name))
		assert.NoError(t, p.Probe(t.Context(), name))
	}
	each := map[string]string{}
	for _, e := range rec.events() {
		assert.Equal(t, history.KindProcess, e.Kind)
		assert.Equal(t, history.NoUnit, e.Unit)
		assert.NotZero(t, e.Token)
		each[e.Component] += words[e.Outcome] + " "
	}
	assert.Equal(t, map[string]string{"a": "started ready ", "b": "started ready "}, each)
}

func TestKillReapsAndTheComponentCanBeStartedAgain(t *testing.T) {
	p, rec := setup(t, environment.Options{}, serving(t, "a", "server"))
	require.NoError(t, p.Start(t.Context(), "a"))
	pid := rec.pid()
	require.NoError(t, p.Kill(t.Context(), "a"))
	assert.Empty(t, state(pid), "not even a zombie is left")
	assert.False(t, p.Alive("a"))
	assert.Error(t, p.Probe(t.Context(), "a"))
	assert.Equal(t, "signal: killed", rec.last().Value)
	assert.ErrorContains(t, p.Kill(t.Context(), "a"), "kill a: not running")

	require.NoError(t, p.Start(t.Context(), "a"))
	assert.NotEqual(t, pid, rec.pid())
	assert.Equal(t, "started ready killed started ready", rec.story())
}

func TestStartingWhatRunsWaitsUntilItIsReady(t *testing.T) {
	p, rec := setup(t, environment.Options{}, serving(t, "a", "server"))
	require.NoError(t, p.Start(t.Context(), "a"))
	require.NoError(t, p.Start(t.Context(), "a"))
	assert.Equal(t, "started ready", rec.story())
}

func TestPauseReturnsWhenTheKernelShowsItStopped(t *testing.T) {
	p, rec := setup(t, environment.Options{}, serving(t, "a", "server"))
	require.NoError(t, p.Start(t.Context(), "a"))
	pid := rec.pid()
	require.NoError(t, p.Pause(t.Context(), "a"))
	assert.Equal(t, "T", state(pid))
	assert.True(t, p.Alive("a"))
	require.NoError(t, p.Resume(t.Context(), "a"))
	assert.NotEqual(t, "T", state(pid))
	assert.NoError(t, p.Probe(t.Context(), "a"))
	assert.Equal(t, "started ready paused resumed", rec.story())
}

func TestAPausedComponentCanBeKilled(t *testing.T) {
	p, rec := setup(t, environment.Options{}, serving(t, "a", "server"))
	require.NoError(t, p.Start(t.Context(), "a"))
	require.NoError(t, p.Pause(t.Context(), "a"))
	require.NoError(t, p.Kill(t.Context(), "a"))
	assert.Equal(t, "started ready paused killed", rec.story())
}

func TestTerminateLetsAComponentDrain(t *testing.T) {
	logs := t.TempDir()
	p, rec := setup(t, environment.Options{LogDir: logs}, serving(t, "a", "server"))
	require.NoError(t, p.Start(t.Context(), "a"))
	require.NoError(t, p.Terminate(t.Context(), "a", 10*time.Second))
	assert.Equal(t, "started ready terminated exited", rec.story())
	assert.Regexp(t, `^exit status 0, \d+(\.\d+)?(ms|s) after SIGTERM$`, rec.last().Value)
	b, err := os.ReadFile(filepath.Join(logs, "a.log"))
	require.NoError(t, err)
	assert.Contains(t, string(b), "drained")
}

func TestTerminateKillsAfterTheGraceAndSaysSo(t *testing.T) {
	p, rec := setup(t, environment.Options{}, serving(t, "a", "stubborn"))
	require.NoError(t, p.Start(t.Context(), "a"))
	err := p.Terminate(t.Context(), "a", 50*time.Millisecond)
	require.ErrorIs(t, err, environment.ErrGraceExceeded)
	assert.ErrorContains(t, err, "terminate a: grace exceeded: still running after 50ms, killed")
	assert.False(t, p.Alive("a"))
	assert.Equal(t, "started ready terminated killed", rec.story())
}

func TestStopEndsEverythingAtOnce(t *testing.T) {
	p, _ := setup(t, environment.Options{}, serving(t, "a", "server"), serving(t, "b", "stubborn"), serving(t, "c", "server"))
	require.NoError(t, p.StartAll(t.Context()))
	require.NoError(t, p.Kill(t.Context(), "c"))
	err := p.Stop(t.Context(), time.Second)
	require.ErrorIs(t, err, environment.ErrGraceExceeded)
	assert.ErrorContains(t, err, "terminate b")
	assert.NotContains(t, err.Error(), "terminate a")
	for _, name := range []string{"a", "b", "c"} {
		assert.False(t, p.Alive(name))
	}
}

func TestAComponentThatDiesAtStartIsNamedWithTheEndOfItsLog(t *testing.T) {
	died := make(chan string, 1)
	failing := component("relay", "failing", "4", "30")
	failing.Ready = func(context.Context) error { return errors.New("no answer") }
	p, rec := setup(t, environment.Options{OnExit: func(name string, _ error) { died <- name }}, serving(t, "a", "server"), failing)
	began := time.Now()
	err := p.StartAll(t.Context())
	assert.Less(t, time.Since(began), 5*time.Second, "nobody waits until it gets ready")
	require.ErrorContains(t, err, "start relay: ended before it was ready: exit status 4")
	assert.ErrorContains(t, err, "\tline 21\n")
	assert.ErrorContains(t, err, "\tline 30")
	assert.NotContains(t, err.Error(), "line 20\n", "the last ten lines are enough")
	assert.Contains(t, rec.story(), "exited")
	assert.Empty(t, died, "the error of StartAll has said it")
}

func TestAComponentThatNeverGetsReadyIsNamed(t *testing.T) {
	mute := component("relay", "mute")
	mute.Ready = func(context.Context) error { return errors.New("no answer") }
	p, _ := setup(t, environment.Options{ReadyWithin: 300 * time.Millisecond}, mute)
	err := p.StartAll(t.Context())
	require.ErrorIs(t, err, context.DeadlineExceeded)
	assert.Regexp(t, `^start relay: not ready after \d+(\.\d+)?m?s: `, err.Error())
	assert.ErrorContains(t, err, "last probe: no answer; the end of its log:\n\tthinking")
	assert.True(t, p.Alive("relay"), "what was started stays for Close")
}

func TestAProbeThatHangsDoesNotHideADeath(t *testing.T) {
	failing := component("relay", "failing", "1", "0")
	var ended error
	failing.Ready = func(ctx context.Context) error { <-ctx.Done(); ended = ctx.Err(); return ended }
	p, _ := setup(t, environment.Options{}, failing)
	assert.ErrorContains(t, p.Start(t.Context(), "relay"), "exit status 1; it printed nothing")
	assert.ErrorIs(t, ended, context.Canceled, "the probe was ended by the death, not by its time")
}

func TestStartStopsWaitingWhenItIsCancelled(t *testing.T) {
	mute := component("relay", "mute")
	ctx, cancel := context.WithCancel(t.Context())
	mute.Ready = func(context.Context) error { cancel(); return errors.New("no answer") }
	p, _ := setup(t, environment.Options{}, mute)
	assert.ErrorIs(t, p.Start(ctx, "relay"), context.Canceled)
}

func TestABinaryThatDoesNotExist(t *testing.T) {
	p, _ := setup(t, environment.Options{}, environment.Process{Name: "relay", Path: "/no/such/binary"})
	assert.ErrorContains(t, p.StartAll(t.Context()), "start relay: fork/exec /no/such/binary: no such file")
	assert.False(t, p.Alive("relay"))
}

func TestATakenPortIsSaidByTheComponent(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	p := servingAt("relay", "server", l.Addr().String())
	p.Ready = func(context.Context) error { return errors.New("no answer") }
	procs, _ := setup(t, environment.Options{}, p)
	assert.ErrorContains(t, procs.StartAll(t.Context()), "address already in use")
}

func TestADeathThatNobodyAskedForIsReported(t *testing.T) {
	type death struct {
		name string
		how  error
	}
	died := make(chan death, 1)
	brittle := serving(t, "relay", "brittle")
	p, rec := setup(t, environment.Options{OnExit: func(name string, how error) { died <- death{name, how} }}, brittle)
	require.NoError(t, p.StartAll(t.Context()))
	require.NoError(t, call(t.Context(), brittle.Args[0]))
	select {
	case d := <-died:
		assert.Equal(t, "relay", d.name)
		assert.ErrorContains(t, d.how, "exit status 3; the end of its log:\n\tfatal: called")
	case <-time.After(10 * time.Second):
		require.Fail(t, "nobody was told")
	}
	assert.Equal(t, "started ready exited", rec.story())
	assert.Equal(t, "exit status 3, not asked for", rec.last().Value)
	assert.False(t, p.Alive("relay"))
}

func TestTenMegabytesInOneLineMakeAShortError(t *testing.T) {
	logs := t.TempDir()
	loud := component("relay", "loud", "10")
	loud.Ready = func(context.Context) error { return errors.New("no answer") }
	p, _ := setup(t, environment.Options{LogDir: logs, LogLimit: 1 << 20}, loud)
	err := p.StartAll(t.Context())
	require.ErrorContains(t, err, "exit status 7")
	assert.Less(t, len(err.Error()), 5000)
	info, err := os.Stat(filepath.Join(logs, "relay.log"))
	require.NoError(t, err)
	assert.Less(t, info.Size(), int64(1<<20+200), "the log on disk is cut")
	b, err := os.ReadFile(filepath.Join(logs, "relay.log"))
	require.NoError(t, err)
	assert.True(t, strings.HasSuffix(string(b), "\n--- cut: the log is longer than 1048576 bytes\n"), "%s", b[len(b)-100:])
}

func TestLogsGoOnOverRestarts(t *testing.T) {
	logs := t.TempDir()
	p, _ := setup(t, environment.Options{LogDir: logs}, serving(t, "a", "server"))
	for range 2 {
		require.NoError(t, p.Start(t.Context(), "a"))
		require.NoError(t, p.Kill(t.Context(), "a"))
	}
	b, err := os.ReadFile(filepath.Join(logs, "a.log"))
	require.NoError(t, err)
	assert.Equal(t, 2, strings.Count(string(b), "hello from the server\n"))
	assert.Regexp(t, `(?m)^--- process \d+ started 20\d\d-`, string(b))
}

func TestALogThatCannotBeWrittenStopsNothing(t *testing.T) {
	notADir := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(notADir, nil, 0o644))
	p := environment.New(environment.Options{LogDir: notADir})
	p.Add(serving(t, "a", "server"))
	require.NoError(t, p.StartAll(t.Context()))
	assert.ErrorContains(t, p.Close(t.Context()), "log of a")
}

func TestSignalsReachTheWholeGroup(t *testing.T) {
	parent := serving(t, "a", "parent")
	p, rec := setup(t, environment.Options{}, parent)
	require.NoError(t, p.Start(t.Context(), "a"))
	require.NoError(t, p.Pause(t.Context(), "a"))
	assert.Equal(t, "T", state(rec.pid()))
	require.NoError(t, p.Resume(t.Context(), "a"))
	require.NoError(t, p.Kill(t.Context(), "a"))
	eventually(t, "the child that served is gone", func() bool { return call(t.Context(), parent.Args[0]) != nil })
}

// PostgreSQL is built so: each of its processes leads a group of its own.
func TestSignalsReachChildrenInGroupsOfTheirOwn(t *testing.T) {
	patriarch := serving(t, "a", "patriarch")
	p, _ := setup(t, environment.Options{}, patriarch)
	require.NoError(t, p.Start(t.Context(), "a"))
	answers := func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		c, err := net.Dial("tcp", patriarch.Args[0])
		require.NoError(t, err) // the kernel takes it
		defer c.Close()
		stop := context.AfterFunc(ctx, func() { _ = c.Close() })
		defer stop()
		_, err = c.Read(make([]byte, 1)) // the server closes it, unless it stands still
		return errors.Is(err, io.EOF)
	}
	require.True(t, answers())
	require.NoError(t, p.Pause(t.Context(), "a"))
	assert.False(t, answers(), "the child that serves stands still, too")
	require.NoError(t, p.Resume(t.Context(), "a"))
	assert.True(t, answers())
	require.NoError(t, p.Kill(t.Context(), "a"))
	eventually(t, "the child that served is gone", func() bool { return call(t.Context(), patriarch.Args[0]) != nil })
}

func TestChildrenDoNotOutliveTheirComponent(t *testing.T) {
	parent := serving(t, "a", "parent")
	p, rec := setup(t, environment.Options{}, parent)
	require.NoError(t, p.Start(t.Context(), "a"))
	// The parent alone, as if it crashed.
	require.NoError(t, syscall.Kill(rec.pid(), syscall.SIGKILL))
	eventually(t, "the child that served is gone", func() bool { return call(t.Context(), parent.Args[0]) != nil })
	eventually(t, "its death is recorded", func() bool { return rec.story() == "started ready exited" })
	assert.Equal(t, "signal: killed, not asked for", rec.last().Value)
}

func TestUnknownComponents(t *testing.T) {
	p, _ := setup(t, environment.Options{})
	require.NoError(t, p.StartAll(t.Context()))
	assert.False(t, p.Alive("x"))
	for _, err := range []error{
		p.Start(t.Context(), "x"), p.Kill(t.Context(), "x"), p.Pause(t.Context(), "x"), p.Resume(t.Context(), "x"),
		p.Terminate(t.Context(), "x", 0), p.Probe(t.Context(), "x"),
	} {
		assert.ErrorContains(t, err, "component x is not known")
	}
}

func TestCloseKillsEverythingAndRecordsNothing(t *testing.T) {
	p, rec := setup(t, environment.Options{}, serving(t, "a", "server"), serving(t, "b", "stubborn"))
	require.NoError(t, p.StartAll(t.Context()))
	require.NoError(t, p.Pause(t.Context(), "a"))
	before := rec.events()
	require.NoError(t, p.Close(t.Context()))
	require.NoError(t, p.Close(t.Context()), "closing twice is closing")
	assert.Equal(t, before, rec.events())
	for _, e := range before {
		assert.Empty(t, state(int(e.Token)))
	}
	assert.ErrorIs(t, p.Start(t.Context(), "a"), environment.ErrClosed)
}

// failingUndo cannot write: a full disk.
type failingUndo struct{}

func (failingUndo) Mark() string              { return "MARK=1" }
func (failingUndo) Process(int, string) error { return errors.New("no space left") }
func (failingUndo) ProcessGone(int) error     { return nil }
func (failingUndo) Made(string, string) error { return nil }

func TestNothingRunsThatIsNotWrittenDown(t *testing.T) {
	p, rec := setup(t, environment.Options{Host: machine(failingUndo{})}, serving(t, "a", "server"))
	require.ErrorContains(t, p.StartAll(t.Context()), "start a: no space left")
	assert.False(t, p.Alive("a"))
	assert.Empty(t, rec.story())
}

func TestPortsAreDistinctAndHeldUntilReleased(t *testing.T) {
	r, err := environment.Ports(20)
	require.NoError(t, err)
	seen := map[string]bool{}
	for i := range 20 {
		addr := r.Addr(i)
		assert.False(t, seen[addr])
		seen[addr] = true
		assert.Equal(t, fmt.Sprintf("127.0.0.1:%d", r.Port(i)), addr)
		assert.Less(t, r.Port(i), 32768, "not a port that an outgoing connection may be given")
		_, err := net.Listen("tcp", addr)
		assert.ErrorIs(t, err, syscall.EADDRINUSE)
	}
	require.NoError(t, r.Release())
	l, err := net.Listen("tcp", r.Addr(0))
	require.NoError(t, err)
	require.NoError(t, l.Close())
	require.NoError(t, r.Release())
}
