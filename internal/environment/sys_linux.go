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

func groupStopped(group int) (bool, error) {
	return everyThread(group, func(state string) bool { return state == "T" })
}

func groupContinued(group int) (bool, error) {
	return everyThread(group, func(state string) bool { return state != "T" })
}

// everyThread tells whether the state of every living thread of a process group is as wanted.
func everyThread(group int, wanted func(state string) bool) (bool, error) {
	processes, err := os.ReadDir("/proc")
	if err != nil {
		return false, fmt.Errorf("read process states: %w", err)
	}
	for _, d := range processes {
		if _, err := strconv.Atoi(d.Name()); err != nil {
			continue
		}
		dir := filepath.Join("/proc", d.Name())
		if _, of, err := readStat(dir); err != nil || of != group {
			continue // of others, or gone since
		}
		threads, err := os.ReadDir(filepath.Join(dir, "task"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false, fmt.Errorf("read thread states: %w", err)
		}
		for _, t := range threads {
			state, _, err := readStat(filepath.Join(dir, "task", t.Name()))
			if err == nil && state != "Z" && state != "X" && !wanted(state) {
				return false, nil
			}
		}
	}
	return true, nil
}

// readStat reads state and process group of a process or a thread.
func readStat(dir string) (state string, group int, err error) {
	b, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return "", 0, err
	}
	// state ppid pgrp, behind the name, which is in parentheses and may hold anything
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(fields) < 3 {
		return "", 0, fmt.Errorf("read %s/stat: too short", dir)
	}
	group, err = strconv.Atoi(fields[2])
	return fields[0], group, err
}
