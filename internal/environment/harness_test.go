package environment_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/internal/environment"
	"github.com/wreckon/wreckon/internal/undo"
)

// harness is a harness of its own process: it starts two components, says their ids and waits to be killed.
// Arguments: run directory, address of a server, address of the child of a parent.
func harness(args []string) {
	log, err := undo.Open(args[0])
	if err != nil {
		fmt.Println("error", err)
		return
	}
	rec := &recorder{}
	p := environment.New(environment.Options{Host: machine(log), Record: rec})
	p.Add(servingAt("server", "server", args[1]))
	p.Add(servingAt("parent", "parent", args[2]))
	if err := p.StartAll(context.Background()); err != nil {
		fmt.Println("error", err)
		return
	}
	if err := p.Pause(context.Background(), "server"); err != nil {
		fmt.Println("error", err)
		return
	}
	// The runtime may end threads when it has too many: none of them may be the one that the components were started from.
	done := make(chan bool)
	for range 20 {
		go func() {
			runtime.LockOSThread()
			done <- true
		}()
	}
	for range 20 {
		<-done
	}
	for _, name := range []string{"server", "parent"} {
		if !p.Alive(name) {
			fmt.Println("error", name, "died with a thread")
			return
		}
	}
	fmt.Println("up")
	select {}
}

func TestNothingOutlivesAHarnessThatIsKilled(t *testing.T) {
	dir := t.TempDir()
	ports, err := environment.Ports(2)
	require.NoError(t, err)
	require.NoError(t, ports.Release())
	h := exec.Command(os.Args[0], dir, ports.Addr(0), ports.Addr(1))
	h.Env = append(os.Environ(), "TEST_COMPONENT=harness")
	out, err := h.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, h.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "up\n", line)

	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, err = undo.Clean(ctx, dir, nil)
	require.ErrorIs(t, err, undo.ErrRunning, "two runs at once do not clean each other")
	report, err := undo.CleanTree(ctx, dir, nil)
	require.NoError(t, err)
	require.Empty(t, report)
	left, err := undo.Leftover(dir)
	require.NoError(t, err)
	require.Len(t, left, 2)

	require.NoError(t, h.Process.Signal(syscall.SIGKILL))
	require.Error(t, h.Wait())
	for _, r := range left {
		eventually(t, r.Name+" died with the harness", func() bool { s := state(r.PID); return s == "" || s == "Z" })
	}
	// The parent-death signal is not inherited: the parent's child is still there, an orphan.
	require.NoError(t, call(ctx, ports.Addr(1)))

	report, err = undo.CleanTree(ctx, dir, nil)
	require.NoError(t, err)
	assert.Contains(t, strings.Join(report, "\n"), "left by a harness that is gone")
	assert.Error(t, call(ctx, ports.Addr(1)))
	left, err = undo.Leftover(dir)
	require.NoError(t, err)
	assert.Empty(t, left)
	report, err = undo.CleanTree(ctx, dir, nil)
	require.NoError(t, err)
	assert.Empty(t, report, "there is nothing left to do")
}

// BenchmarkRestart is SIGKILL until restarted and ready, of a component that does next to nothing; beside it, what the system
// needs to run /bin/true.
func BenchmarkRestart(b *testing.B) {
	p, _ := setup(b, environment.Options{}, serving(b, "a", "server"))
	require.NoError(b, p.StartAll(b.Context()))
	var restart, bare time.Duration
	n := 0
	for b.Loop() {
		began := time.Now()
		require.NoError(b, p.Kill(b.Context(), "a"))
		require.NoError(b, p.Start(b.Context(), "a"))
		restart += time.Since(began)
		began = time.Now()
		require.NoError(b, exec.Command("/bin/true").Run())
		bare += time.Since(began)
		n++
	}
	b.ReportMetric(float64(restart.Microseconds())/float64(n)/1e3, "restart-ms")
	b.ReportMetric(float64(bare.Microseconds())/float64(n)/1e3, "true-ms")
}

// BenchmarkStartAll starts eight components at once.
func BenchmarkStartAll(b *testing.B) {
	for b.Loop() {
		p := environment.New(environment.Options{LogDir: b.TempDir()})
		for i := range 8 {
			p.Add(serving(b, fmt.Sprint(i), "server"))
		}
		require.NoError(b, p.StartAll(b.Context()))
		b.StopTimer()
		require.NoError(b, p.Close(b.Context()))
		b.StartTimer()
	}
}
