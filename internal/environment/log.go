package environment

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// What of a log is quoted in an error.
const (
	quotedLines = 10
	quotedBytes = 4 << 10
)

// componentLog is what a component printed, over all its restarts: on disk up to a limit, and the end of the present incarnation in
// memory, for errors.
type componentLog struct {
	path  string // "": nothing on disk
	limit int64

	mu   sync.Mutex
	file *os.File
	size int64
	cut  bool  // the limit was reached
	err  error // the first failure: a full disk must not stop a component
	tail []byte
}

// begin marks the start of an incarnation.
func (l *componentLog) begin(pid int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tail = l.tail[:0]
	if l.path == "" || l.err != nil {
		return
	}
	if l.file == nil {
		l.err = l.open()
	}
	if l.err == nil {
		_, l.err = fmt.Fprintf(l.file, "--- process %d started %s\n", pid, time.Now().UTC().Format(time.RFC3339Nano))
	}
}

func (l *componentLog) open() error {
	if err := os.MkdirAll(filepath.Dir(l.path), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(l.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return errors.Join(err, f.Close())
	}
	l.file, l.size = f, info.Size()
	return nil
}

// copy takes everything from a component, whether or not it is kept: a component must never wait for its log.
func (l *componentLog) copy(from io.Reader) {
	buf := make([]byte, 16<<10)
	for {
		n, err := from.Read(buf)
		l.write(buf[:n])
		if err != nil {
			return
		}
	}
}

func (l *componentLog) write(b []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tail = append(l.tail, b...)
	if extra := len(l.tail) - quotedBytes; extra > 0 {
		l.tail = append(l.tail[:0], l.tail[extra:]...)
	}
	if l.file == nil || l.cut || l.err != nil {
		return
	}
	if room := l.limit - l.size; int64(len(b)) > room {
		b, l.cut = b[:max(0, room)], true
	}
	n, err := l.file.Write(b)
	l.size += int64(n)
	if err == nil && l.cut {
		_, err = fmt.Fprintf(l.file, "\n--- cut: the log is longer than %d bytes\n", l.limit)
	}
	l.err = err
}

// quote is the end of the log as the end of an error; empty if nothing was printed.
func (l *componentLog) quote() string {
	l.mu.Lock()
	text := string(bytes.TrimSpace(l.tail))
	l.mu.Unlock()
	if text == "" {
		return "; it printed nothing"
	}
	lines := strings.Split(strings.ToValidUTF8(text, "?"), "\n")
	if extra := len(lines) - quotedLines; extra > 0 {
		lines = lines[extra:]
	}
	return "; the end of its log:\n\t" + strings.Join(lines, "\n\t")
}

func (l *componentLog) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file != nil {
		l.err = errors.Join(l.err, l.file.Close())
		l.file = nil
	}
	return l.err
}
