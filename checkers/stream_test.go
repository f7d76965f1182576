package checkers

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/history"
)

// TestStream judges a long history from its file and tells the time and the memory that it takes; make stream. A process of its own
// writes the file, so that what that holds is not counted. With WRECKON_CLAIMS the target makes claims of its own.
func TestStream(t *testing.T) {
	if file := os.Getenv("WRECKON_WRITE"); file != "" {
		d := plain
		if os.Getenv("WRECKON_CLAIMS") != "" {
			d = everything()
		}
		require.NoError(t, writeLong(file, streamEvents(t), d))
		return
	}
	if os.Getenv("WRECKON_STREAM") == "" {
		t.SkipNow() // asked for by name only
	}
	file := filepath.Join(t.TempDir(), "history")
	write := exec.Command(os.Args[0], "-test.run", "^TestStream$", "-test.timeout", "24h")
	write.Env = append(os.Environ(), "WRECKON_WRITE="+file)
	out, err := write.CombinedOutput()
	require.NoError(t, err, string(out))
	info, err := os.Stat(file)
	require.NoError(t, err)

	before, begin := processorTime(t), time.Now()
	r, err := history.OpenReader(file)
	require.NoError(t, err)
	defer r.Close()
	result, err := JudgeReader(r, Spec{})
	require.NoError(t, err)
	require.Equal(t, Pass, result.Verdict, result.Reasons)
	require.Equal(t, (r.Len()-7)/5, result.Counts.Units)
	each := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / float64(r.Len()) }
	fmt.Printf("%d events, %.2f B each on disk: %.1f ns of processor time each, %.1f ns on the clock; at most %s in memory\n", r.Len(),
		float64(info.Size())/float64(r.Len()), each(processorTime(t)-before), each(time.Since(begin)), mostMemory(t))
}

func streamEvents(t *testing.T) int {
	n, err := strconv.Atoi(os.Getenv("WRECKON_STREAM"))
	require.NoError(t, err)
	return n
}

func writeLong(path string, events int, d dress) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := long(f, events, d); err != nil {
		return err
	}
	return f.Close()
}

func processorTime(tb testing.TB) time.Duration {
	var u syscall.Rusage
	require.NoError(tb, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// mostMemory is the most that the process has had in memory.
func mostMemory(t *testing.T) string {
	status, err := os.ReadFile("/proc/self/status")
	require.NoError(t, err)
	for line := range strings.Lines(string(status)) {
		if size, found := strings.CutPrefix(line, "VmHWM:"); found {
			return strings.TrimSpace(size)
		}
	}
	t.Fatal("the kernel does not say")
	return ""
}
