package environment

import (
	"bufio"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestAFamilyIsFoundWhetherOrNotThereAreChildren: the shortcut for a process without children must not lose one that has some, in its group or
// in one of its own.
func TestAFamilyIsFoundWhetherOrNotThereAreChildren(t *testing.T) {
	for script, want := range map[string]int{
		`echo 0; exec sleep 60`:                               1,
		`sleep 60 & echo $!; wait`:                            2,
		`setsid sleep 60 & echo $!; wait`:                     2,
		`sh -c 'setsid sleep 60 & echo $!; wait' & wait`:      3,
		`sleep 60 & echo $!; exec sleep 60`:                   2,
		`setsid sh -c 'sleep 60 & echo $!; wait' & wait`:      3,
		`(sleep 60 & echo $!) & wait; exec sleep 60 # orphan`: 0, // its parent is gone: it is in the group, and ends with it
	} {
		if _, err := exec.LookPath("setsid"); err != nil && strings.Contains(script, "setsid") {
			continue // not every system has it; the kernel's part is the same
		}
		c := exec.Command("sh", "-c", script)
		c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		out, err := c.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, c.Start())
		line, err := bufio.NewReader(out).ReadString('\n')
		require.NoError(t, err, script)
		child, err := strconv.Atoi(strings.TrimSpace(line))
		require.NoError(t, err)
		members, err := family(c.Process.Pid)
		require.NoError(t, err)
		if want > 0 {
			assert.Len(t, members, want, script)
		}
		require.NoError(t, signalFamily(c.Process.Pid, syscall.SIGKILL))
		_ = c.Wait()
		if child > 0 {
			assert.Eventually(t, func() bool {
				e, err := os.ReadFile("/proc/" + strconv.Itoa(child) + "/stat")
				return err != nil || strings.Contains(string(e), ") Z ")
			}, 5e9, 1e6, "%s: %d lives", script, child)
		}
	}
}
