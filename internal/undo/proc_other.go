//go:build !linux

package undo

import (
	"os/exec"
	"strconv"
	"strings"
)

// started is when a living process started, to the second, with its group; "" if there is no such process. Systems without /proc
// cannot tell more, so that a recycled process id is told apart unless it was recycled within the second.
func started(pid int) string {
	out, err := exec.Command("ps", "-o", "stat=,pgid=,lstart=", "-p", strconv.Itoa(pid)).Output()
	state, start, _ := strings.Cut(strings.TrimSpace(string(out)), " ")
	if err != nil || strings.HasPrefix(state, "Z") {
		return ""
	}
	return strings.TrimSpace(start)
}

// marked finds nothing: the environment of another process cannot be read here.
func marked(string) []int { return nil }
