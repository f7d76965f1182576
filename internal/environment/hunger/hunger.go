// Package hunger takes the memory that is left of a container: a process that is started beside a component fills what they share. It grows itself
// by nothing, so that the kernel, looking for somebody to kill, finds the component. No privilege is needed.
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
