package undo

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// boot names this boot of the machine: start times count from it.
var boot = sync.OnceValue(func() string {
	b, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(b))
})

// started is when a living process started, such that process id and start together are never given out twice; "" if there is no
// such process. A zombie counts as gone: it does nothing any more, and it is not ours to reap.
func started(pid int) string {
	dir := "/proc/" + strconv.Itoa(pid)
	b, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return ""
	}
	// Fields are counted from behind the name, which is in parentheses and may hold anything. state is field 3, start 22.
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(fields) < 20 || fields[0] == "X" {
		return ""
	}
	if fields[0] == "Z" {
		// The first thread of a killed process may be a zombie while others still end, with every file and port open.
		if threads, err := os.ReadDir(dir + "/task"); err != nil || len(threads) < 2 {
			return ""
		}
	}
	return boot() + "/" + fields[19]
}

// marked finds the living processes that have the entry in the environment they were started with.
func marked(entry string) []int {
	paths, _ := filepath.Glob("/proc/[0-9]*/environ")
	var pids []int
	for _, path := range paths {
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			continue
		}
		env, err := os.ReadFile(path) // fails for processes of others, and for those that are gone
		if err == nil && slices.Contains(strings.Split(string(env), "\x00"), entry) && started(pid) != "" {
			pids = append(pids, pid)
		}
	}
	return pids
}
