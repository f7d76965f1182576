// Package hunger takes the memory that is left of a container: a process that is started beside a component fills what they share, until the kernel
// ends the component. It needs no privilege, but to be the same user.
//
// It must never run outside of a container with a limit.
package hunger

import (
	"fmt"
	"os"
)

// path lies in memory that belongs to the container and to none of its processes. It is gone with the container.
const path = "/dev/shm/wreckon-hunger"

// Eat does not return unless the container has more memory than can be taken: what ends it is the end of the component.
func Eat() error {
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
