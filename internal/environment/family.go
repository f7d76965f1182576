package environment

import (
	"errors"
	"fmt"
	"syscall"
)

// entry is one process of this machine, as the kernel lists it.
type entry struct {
	pid, parent, group int
	state              string // one letter
}

// family is a process group and everything that its members started, also in groups of their own: PostgreSQL makes one of each of its processes.
//
// Most leaders have no children, which the kernel says at once. All processes of the machine are looked at only where there are some. What the
// leader did not start itself is then found only where it is in the group.
func family(group int) ([]entry, error) {
	if alone(group) {
		return []entry{{pid: group, group: group}}, nil
	}
	all, err := table()
	if err != nil {
		return nil, err
	}
	var found []entry
	in := map[int]bool{}
	for grows := true; grows; {
		grows = false
		for _, e := range all {
			if !in[e.pid] && (e.group == group || in[e.parent]) {
				in[e.pid], grows = true, true
				found = append(found, e)
			}
		}
	}
	return found, nil
}

// signalFamily sends a signal to a process group first, so that it begins nothing new, and then to all that it started. One who was started by somebody who
// has ended since is not found: what a process leaves behind is ended with its group.
func signalFamily(group int, sig syscall.Signal) error {
	members, err := family(group) // before it: who has lost his parent is not found any more
	if err != nil {
		return err
	}
	if err := syscall.Kill(-group, sig); err != nil {
		return fmt.Errorf("signal process group %d: %w", group, err)
	}
	if sig == syscall.SIGSTOP { // it stands still and is still the parent of all that it started meanwhile
		if members, err = family(group); err != nil {
			return err
		}
	}
	for _, e := range members {
		if now, err := syscall.Getpgid(e.pid); err != nil || now == group { // some leave the group between the two looks
			continue
		}
		if err := syscall.Kill(e.pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("signal process %d of group %d: %w", e.pid, group, err)
		}
	}
	return nil
}

// everyThread tells whether the state of every living thread of a family is as wanted.
func everyThread(group int, wanted func(state string) bool) (bool, error) {
	members, err := family(group)
	if err != nil {
		return false, err
	}
	for _, e := range members {
		states, err := e.states()
		if err != nil {
			return false, err
		}
		for _, state := range states {
			if state != "Z" && state != "X" && !wanted(state) {
				return false, nil
			}
		}
	}
	return true, nil
}
