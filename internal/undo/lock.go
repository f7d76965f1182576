package undo

import (
	"errors"
	"os"
	"syscall"
)

// lock takes the lock of an open file if nobody else holds it. It is let go of when the file is closed, by us or by our death;
// processes that we start do not inherit the file.
func lock(f *os.File) (bool, error) {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EWOULDBLOCK):
			return false, nil
		default:
			return err == nil, err
		}
	}
}
