package environment

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// attributes make a process the leader of its own group, and let it die with the harness.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// awaitExit returns when a child has ended, without reaping it.
func awaitExit(pid int) {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

// table lists the processes of this machine.
func table() ([]entry, error) {
	dirs, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("read processes: %w", err)
	}
	var all []entry
	for _, d := range dirs {
		pid, err := strconv.Atoi(d.Name())
		if err != nil {
			continue
		}
		if e, err := readStat(filepath.Join("/proc", d.Name())); err == nil { // or it is gone since
			e.pid = pid
			all = append(all, e)
		}
	}
	return all, nil
}

// alone tells that a process has certainly no children. Each thread has those that it started itself.
func alone(pid int) bool {
	dir := filepath.Join("/proc", strconv.Itoa(pid), "task")
	threads, err := os.ReadDir(dir)
	if err != nil {
		return false
	}
	for _, t := range threads {
		if children, err := os.ReadFile(filepath.Join(dir, t.Name(), "children")); err != nil || len(children) > 0 {
			return false // also where the kernel does not list them
		}
	}
	return len(threads) > 0
}

// states are those of the threads of a process.
func (e entry) states() ([]string, error) {
	dir := filepath.Join("/proc", strconv.Itoa(e.pid), "task")
	threads, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read thread states: %w", err)
	}
	var states []string
	for _, t := range threads {
		if of, err := readStat(filepath.Join(dir, t.Name())); err == nil {
			states = append(states, of.state)
		}
	}
	return states, nil
}

// readStat reads what there is to know of a process or a thread.
func readStat(dir string) (e entry, err error) {
	b, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return e, err
	}
	// state ppid pgrp, behind the name, which is in parentheses and may hold anything
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(fields) < 3 {
		return e, fmt.Errorf("read %s/stat: too short", dir)
	}
	e.state = fields[0]
	if e.parent, err = strconv.Atoi(fields[1]); err == nil {
		e.group, err = strconv.Atoi(fields[2])
	}
	return e, err
}
