package environment

import (
	"fmt"
	"os/exec"
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

// table lists the processes of this machine.
func table() ([]entry, error) {
	out, err := exec.Command("ps", "-A", "-o", "pid=,ppid=,pgid=,stat=").Output()
	if err != nil {
		return nil, fmt.Errorf("read processes: %w", err)
	}
	var all []entry
	for line := range strings.Lines(string(out)) {
		var e entry
		if n, _ := fmt.Sscan(line, &e.pid, &e.parent, &e.group, &e.state); n == 4 {
			e.state = e.state[:1]
			all = append(all, e)
		}
	}
	return all, nil
}

// alone would need a program of its own, like the table.
func alone(int) bool { return false }

// states has one for all threads.
func (e entry) states() ([]string, error) { return []string{e.state}, nil }
