// Package hunger takes the memory that is left of a container: a process that is started beside a component fills what they share, until the kernel
// ends the component. It needs no privilege, but to be the same user.
//
// It must never run outside of a container with a limit: it refuses where the first process is not of the same program.
package hunger

import (
	"errors"
	"fmt"
	"os"
)

// path lies in memory that belongs to the container and to none of its processes. It is gone with the container.
const path = "/dev/shm/wreckon-hunger"

// Eat does not return unless the container has more memory than can be taken: what ends it is the end of the component.
func Eat() error {
	if !besideItself() {
		return errors.New("take memory: the first process here is no component of this program")
	}
	// Whom the kernel ends is then no matter of size.
	if err := os.WriteFile("/proc/1/oom_score_adj", []byte("1000"), 0); err != nil {
		return fmt.Errorf("put the component forward: %w", err)
	}
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("take memory: %w", err)
	}
	defer os.Remove(path)
	defer f.Close()
	bite := make([]byte, 64<<10)
	for {
		if _, err := f.Write(bite); err != nil {
			return fmt.Errorf("take memory: %w", err)
		}
	}
}

// besideItself tells that the first process that can be seen runs the same program: it is a container of the program's own.
func besideItself() bool {
	first, err := os.Stat("/proc/1/exe")
	if err != nil {
		return false
	}
	self, err := os.Stat("/proc/self/exe")
	return err == nil && os.Getpid() != 1 && os.SameFile(first, self)
}
