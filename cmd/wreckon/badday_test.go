package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/wreckon/wreckon/history"
	"github.com/wreckon/wreckon/internal/rundir"
)

// small is a scenario that leaves time to interfere with it.
const small = `scenario: small
about: A short load and one crash.
hypothesis: Nothing is lost.
workload:
  orders: {rate: 40/s, for: 3s, reads: 0.5, amends: 0.2, late: 2s}
faults:
  - crash: relay
    at: 1s
    restart: 100ms
`

// harness is a wreckon run in a process of its own.
type harness struct {
	t   *testing.T
	cmd *exec.Cmd
	dir string // working directory; the runs are in dir/runs

	mu    sync.Mutex
	lines []string
	news  chan struct{}
	ended chan struct{}
}

// begin starts wreckon in dir.
func begin(t *testing.T, dir string, args ...string) *harness {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "small.yaml"), []byte(small), 0o644))
	h := &harness{t: t, cmd: exec.Command("wreckon", args...), dir: dir, news: make(chan struct{}, 1), ended: make(chan struct{})}
	h.cmd.Dir = dir
	h.cmd.Env = append(os.Environ(), "CI=1")
	r, w := io.Pipe()
	h.cmd.Stdout, h.cmd.Stderr = w, w
	require.NoError(t, h.cmd.Start())
	go func() {
		sc := bufio.NewScanner(r)
		for sc.Scan() {
			h.mu.Lock()
			h.lines = append(h.lines, sc.Text())
			h.mu.Unlock()
			select {
			case h.news <- struct{}{}:
			default:
			}
		}
	}()
	go func() {
		_ = h.cmd.Wait() // its exit code is looked at by wait
		_ = w.Close()
		close(h.ended)
	}()
	t.Cleanup(func() {
		_ = h.cmd.Process.Kill()
		<-h.ended
		if t.Failed() {
			t.Logf("wreckon %s said:\n%s", strings.Join(args, " "), h.said())
		}
	})
	return h
}

func (h *harness) said() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.Join(h.lines, "\n")
}

// await waits for a line that says so, after its time.
func (h *harness) await(what string) {
	h.t.Helper()
	deadline := time.After(30 * time.Second)
	for {
		for _, l := range strings.Split(h.said(), "\n") {
			if _, said, timed := strings.Cut(l, "  "); timed && strings.HasPrefix(said, what) {
				return
			}
		}
		select {
		case <-h.news:
		case <-h.ended:
			require.FailNow(h.t, "wreckon ended before it said "+what, h.said())
		case <-deadline:
			require.FailNow(h.t, "wreckon never said "+what, h.said())
		}
	}
}

// wait gives the exit code; -1 for a signal.
func (h *harness) wait() int {
	h.t.Helper()
	select {
	case <-h.ended:
	case <-time.After(60 * time.Second):
		require.FailNow(h.t, "wreckon does not end", h.said())
	}
	return h.cmd.ProcessState.ExitCode()
}

func (h *harness) run() string { return filepath.Join(h.dir, "runs", rundir.Latest) }

// components are the processes that run with a path below dir among their arguments.
func components(dir string) (pids []int, argv map[int][]string) {
	argv = map[int][]string{}
	procs, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, p := range procs {
		b, err := os.ReadFile(p)
		if err != nil || !bytes.Contains(b, []byte(dir)) || !bytes.Contains(b, []byte("reference")) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(p)))
		if err == nil {
			pids = append(pids, pid)
			argv[pid] = strings.Split(string(b), "\x00")
		}
	}
	return pids, argv
}

func requireNothingLeft(t *testing.T, dir string) {
	t.Helper()
	require.Eventually(t, func() bool { pids, _ := components(dir); return len(pids) == 0 }, 5*time.Second, 20*time.Millisecond,
		"components outlive the run")
}

func TestInterruptInEveryPhase(t *testing.T) {
	for _, phase := range []string{"start", "baseline", "chaos", "heal", "quiesce"} {
		t.Run(phase, func(t *testing.T) {
			t.Parallel()
			h := begin(t, t.TempDir(), "run", "small.yaml", "--seed", "1")
			h.await(phase)
			require.NoError(t, h.cmd.Process.Signal(os.Interrupt))
			code := h.wait()
			// The last phases take milliseconds: the run may be over before the signal is taken.
			if phase == "start" || phase == "baseline" || phase == "chaos" {
				assert.Equal(t, 5, code)
				assert.Contains(t, h.said(), "aborted")
			} else {
				assert.Contains(t, []int{0, 5}, code)
			}
			requireNothingLeft(t, h.dir)
			hist, err := history.Open(filepath.Join(h.run(), rundir.HistoryFile))
			require.NoError(t, err)
			assert.True(t, hist.Sealed, "the history was not sealed")
			assert.FileExists(t, filepath.Join(h.run(), rundir.ReportFile))
			assert.NoFileExists(t, filepath.Join(h.run(), rundir.UndoFile))
		})
	}
}

func TestKilledHarnessLeavesNothingAfterTheNextStart(t *testing.T) {
	h := begin(t, t.TempDir(), "run", "small.yaml", "--seed", "1")
	h.await("chaos")
	require.Eventually(t, func() bool { return strings.Contains(h.said(), "confirmed") }, 20*time.Second, 10*time.Millisecond)
	require.NoError(t, h.cmd.Process.Kill())
	h.wait()
	assert.FileExists(t, filepath.Join(h.run(), rundir.UndoFile))

	out, code := wreckon(t, h.dir, "cleanup")
	assert.Equal(t, 0, code, out)
	requireNothingLeft(t, h.dir)
	assert.NoFileExists(t, filepath.Join(h.run(), rundir.UndoFile))

	// What was recorded up to the last second is there, and is judged: an error at best, never a pass.
	hist, err := history.Open(filepath.Join(h.run(), rundir.HistoryFile))
	require.NoError(t, err)
	assert.False(t, hist.Sealed)
	assert.Greater(t, hist.Len(), 20)
	out, code = wreckon(t, h.dir, "check", "runs/latest")
	assert.Equal(t, 4, code, out)
	assert.Contains(t, out, "the harness ended before the run did")
	out, code = wreckon(t, h.dir, "history", "runs/latest")
	assert.Equal(t, 0, code)
	assert.Contains(t, out, `"kind":"phase"`)
}

func TestTwoRunsAtOnceInOneTree(t *testing.T) {
	dir := t.TempDir()
	a := begin(t, dir, "run", "small.yaml", "--seed", "1")
	b := begin(t, dir, "run", "small.yaml", "--seed", "2")
	assert.Equal(t, 0, a.wait(), a.said())
	assert.Equal(t, 0, b.wait(), b.said())
	runs, err := filepath.Glob(filepath.Join(dir, "runs", "2*"))
	require.NoError(t, err)
	assert.Len(t, runs, 2)
	requireNothingLeft(t, dir)
}

// TestDiskFullWhileRecording limits the size of the harness's own files once it records: the write fails as on a full disk.
func TestDiskFullWhileRecording(t *testing.T) {
	h := begin(t, t.TempDir(), "run", "small.yaml", "--seed", "1")
	h.await("chaos")
	path := filepath.Join(h.run(), rundir.HistoryFile)
	info, err := os.Stat(path)
	require.NoError(t, err)
	limit := uint64(info.Size()) + 2000
	require.NoError(t, unix.Prlimit(h.cmd.Process.Pid, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: limit, Max: unix.RLIM_INFINITY}, nil))
	h.await("heal")
	require.NoError(t, unix.Prlimit(h.cmd.Process.Pid, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY}, nil))
	assert.Equal(t, 4, h.wait())
	assert.Contains(t, h.said(), "record history")
	hist, err := history.Open(path)
	require.NoError(t, err, "what was recorded stays readable")
	assert.Greater(t, hist.Len(), 10)
	requireNothingLeft(t, h.dir)
}

var controlFlag = regexp.MustCompile(`^127\.0\.0\.1:\d+$`)

// TestEndpointsWantTheRunsToken reaches for every address that the components were given, as somebody else on this host would.
func TestEndpointsWantTheRunsToken(t *testing.T) {
	h := begin(t, t.TempDir(), "run", "small.yaml", "--seed", "1")
	h.await("chaos")
	_, argv := components(h.dir)
	asked := 0
	for _, args := range argv {
		for i, a := range args {
			var url string
			switch {
			case a == "--control" && controlFlag.MatchString(args[i+1]):
				url = "http://" + args[i+1] + "/observe"
			case a == "--gateway":
				url = args[i+1] + "/charges"
			default:
				continue
			}
			for _, token := range []string{"", "Bearer wrong"} {
				asked++
				assert.Equal(t, http.StatusUnauthorized, ask(t, url, token), url)
			}
		}
	}
	assert.Equal(t, 2*(8+2), asked, "eight control servers, and the gateway by two ways")
	assert.Equal(t, 0, h.wait())
}

func ask(t *testing.T, url, authorization string) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(`{"order_id":"o-1","amount":1}`))
	require.NoError(t, err)
	req.Header.Set("Idempotency-Key", "stranger")
	req.Header.Set("Authorization", authorization)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	return resp.StatusCode
}

// wreckon runs a command to its end.
func wreckon(t *testing.T, dir string, args ...string) (out string, code int) {
	t.Helper()
	cmd := exec.Command("wreckon", args...)
	cmd.Dir = dir
	b, err := cmd.CombinedOutput()
	var ex *exec.ExitError
	if errors.As(err, &ex) {
		return string(b), ex.ExitCode()
	}
	require.NoError(t, err, fmt.Sprint(args))
	return string(b), 0
}
