package undo

import (
	"errors"
	"os"
	"syscall"
)

// tryLock takes the lock of an open file if nobody else holds it. It is let go of when the file is closed, by us or by our death;
// processes that we start do not inherit the file.
func tryLock(f *os.File) (bool, error) {
	err := flock(f, syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}

// waitLock takes the lock of an open file, and waits for it if somebody else holds it.
func waitLock(f *os.File) error { return flock(f, syscall.LOCK_EX) }

func flock(f *os.File, how int) error {
	for {
		if err := syscall.Flock(int(f.Fd()), how); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// at tells whether an open file is still the one at its path: a file that was removed can be locked as well.
func at(f *os.File, path string) bool {
	a, err := f.Stat()
	if err != nil {
		return false
	}
	b, err := os.Stat(path)
	return err == nil && os.SameFile(a, b)
}
