package environment

import (
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"unsafe"
)

// attributes make a process the leader of its own group. There is no parent-death signal here: what a killed harness leaves is
// in the undo log.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// awaitExit returns when a child has ended, without reaping it.
func awaitExit(pid int) {
	const pPID, wExited, wNoWait = 1, 0x4, 0x20
	var info [128]byte // a siginfo_t, which is smaller; it must not be nil here
	for {
		_, _, errno := syscall.Syscall6(syscall.SYS_WAITID, pPID, uintptr(pid), uintptr(unsafe.Pointer(&info)), wExited|wNoWait, 0, 0)
		if errno != syscall.EINTR {
			return
		}
	}
}

func groupStopped(group int) (bool, error) {
	return everyProcess(group, func(state string) bool { return strings.HasPrefix(state, "T") })
}

func groupContinued(group int) (bool, error) {
	return everyProcess(group, func(state string) bool { return !strings.HasPrefix(state, "T") })
}

// everyProcess tells whether the state of every living process of a group is as wanted.
func everyProcess(group int, wanted func(state string) bool) (bool, error) {
	out, err := exec.Command("ps", "-A", "-o", "pgid=,stat=").Output()
	if err != nil {
		return false, fmt.Errorf("read process states: %w", err)
	}
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		if len(f) == 2 && f[0] == strconv.Itoa(group) && !strings.HasPrefix(f[1], "Z") && !wanted(f[1]) {
			return false, nil
		}
	}
	return true, nil
}
