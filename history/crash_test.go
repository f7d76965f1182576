package history

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// The test binary records as a child of itself, into the file that this variable names, with what the other one says.
const (
	childVariable = "HISTORY_TEST_RECORD"
	limitVariable = "HISTORY_TEST_LIMIT"
)

// child records, and prints the seq and the time of each event, until it is killed, or until the recording fails.
func child(path string) int {
	if limit, err := strconv.ParseUint(os.Getenv(limitVariable), 10, 64); err == nil {
		signal.Ignore(syscall.SIGXFSZ) // then a write beyond the limit is an error, as on a full disk
		if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: limit, Max: limit}); err != nil {
			fmt.Println(err)
			return 1
		}
	}
	r, err := Create(path, Header{Run: "child"})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	tick := time.NewTicker(time.Millisecond)
	for i := 0; ; i++ {
		select {
		case <-r.Failed():
			fmt.Println("failed:", r.Err())
			fmt.Println("sealed:", r.Seal())
			return 0
		case <-tick.C:
			for range 20 {
				seq := r.Record(Event{Kind: KindNote, Unit: Unit(i), Value: "event " + strconv.Itoa(i) + " of a child that dies"})
				fmt.Println(seq, int64(r.Now()))
			}
		}
	}
}

func startChild(t *testing.T, environment ...string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), environment...)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	return cmd, bufio.NewScanner(out)
}

func TestSIGKILLLosesAtMostTheLastSecond(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history")
	cmd, lines := startChild(t, childVariable+"="+path)
	safe, last := -1, time.Duration(0) // the newest event that is a second old, and the time of the newest one
	var times []time.Duration
	for last < 1500*time.Millisecond && lines.Scan() {
		var seq, at int64
		_, err := fmt.Sscan(lines.Text(), &seq, &at)
		require.NoError(t, err, lines.Text())
		require.Equal(t, len(times), int(seq))
		last = time.Duration(at)
		times = append(times, last)
	}
	require.NoError(t, cmd.Process.Kill())
	require.Error(t, cmd.Wait())
	for safe+1 < len(times) && times[safe+1] <= last-time.Second {
		safe++
	}
	require.Positive(t, safe)

	h, err := Open(path)
	require.NoError(t, err)
	require.False(t, h.Sealed)
	require.Contains(t, h.Lost, fmt.Sprintf("%d events came back", h.Len()))
	require.Greater(t, h.Len(), safe)
	for i := range h.Len() {
		require.Equal(t, fmt.Sprintf("event %d of a child that dies", h.Unit[i]), h.Event(i).Value)
	}
}

func TestAFullDiskEndsTheRecordingAndWhatWasRecordedIsReadable(t *testing.T) {
	const limit = 100_000 // of about 30,000 for each flush
	path := filepath.Join(t.TempDir(), "history")
	cmd, lines := startChild(t, childVariable+"="+path, limitVariable+"="+strconv.Itoa(limit))
	var end []string
	for lines.Scan() {
		if strings.Contains(lines.Text(), "ed:") {
			end = append(end, lines.Text())
		}
	}
	require.NoError(t, cmd.Wait())
	require.Len(t, end, 2)
	require.Contains(t, end[0], "failed: write history:")
	require.Contains(t, end[1], "sealed: write history:", "a recording that failed is not sealed")

	info, err := os.Stat(path)
	require.NoError(t, err)
	require.LessOrEqual(t, info.Size(), int64(limit))
	h, err := Open(path)
	require.NoError(t, err)
	require.False(t, h.Sealed)
	require.Positive(t, h.Len())
	for i := range h.Len() {
		require.Equal(t, fmt.Sprintf("event %d of a child that dies", h.Unit[i]), h.Event(i).Value)
	}
}
