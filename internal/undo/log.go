package undo

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/wreckon/wreckon/internal/rundir"
)

// What a record is about.
const (
	Harness = "harness" // first line: who runs; Mark is what its processes carry in their environment
	Process = "process" // a process was started
	Gone    = "gone"    // and has been reaped
	Begin   = "begin"   // a fault is about to begin
	Done    = "done"    // and is shown to be gone
	Made    = "made"    // something was made that is no process, and outlives the harness; it is gone when the run ends in order
)

// Record is one line.
type Record struct {
	Type  string    `json:"type"`
	Time  time.Time `json:"time"`
	PID   int       `json:"pid,omitempty"`   // process, gone, harness
	Group int       `json:"group,omitempty"` // process: its process group
	Start string    `json:"start,omitempty"` // process, harness: when it started, opaque; with PID it names one process for ever
	Name  string    `json:"name,omitempty"`  // process: the component
	Kind  string    `json:"kind,omitempty"`  // made: whose Remover removes it
	ID    string    `json:"id,omitempty"`    // begin, done: the fault; made: how the Remover finds it
	What  string    `json:"what,omitempty"`  // begin: the fault in words
	Mark  string    `json:"mark,omitempty"`  // harness
}

// ErrExists tells that a run directory holds an undo file already: of a run that goes on, or that was killed.
var ErrExists = errors.New("run directory has an undo file already")

// Log is the undo file of a run that goes on. Its methods are safe for concurrent use. An error means that the record is not on
// disk: what it announces must not begin.
type Log struct {
	mark string

	mu   sync.Mutex
	file *os.File
}

// Open creates the undo file of a run directory and locks it.
func Open(dir string) (*Log, error) {
	path := filepath.Join(dir, rundir.UndoFile)
	f, err := create(path)
	if err != nil {
		return nil, fmt.Errorf("open undo log: %w", err)
	}
	l := &Log{file: f, mark: "WRECKON_MARK=" + rand.Text()}
	if err := l.append(Record{Type: Harness, PID: os.Getpid(), Start: started(os.Getpid()), Mark: l.mark}); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return l, nil
}

// create makes a file that did not exist, and locks it.
func create(path string) (*os.File, error) {
	for {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o644)
		if errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("%s: %w", path, ErrExists)
		}
		if err != nil {
			return nil, err
		}
		if err := waitLock(f); err != nil {
			return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
		}
		if at(f, path) {
			return f, nil
		}
		f.Close() // a cleaner came by before it was locked, and took it for a leftover
	}
}

// Mark is an environment entry, NAME=value, that every process of the run must be started with. Children inherit it: it finds a
// process whose id was never written down, or whose parent is gone.
func (l *Log) Mark() string { return l.mark }

// Process records a process that was just started, as the leader of its own process group.
func (l *Log) Process(pid int, name string) error {
	return l.append(Record{Type: Process, PID: pid, Group: pid, Start: started(pid), Name: name})
}

// ProcessGone records that a process has been reaped.
func (l *Log) ProcessGone(pid int) error { return l.append(Record{Type: Gone, PID: pid}) }

// Made records something that is about to be made and has to be removed: kind says which Remover does that, and id what it looks for.
func (l *Log) Made(kind, id string) error { return l.append(Record{Type: Made, Kind: kind, ID: id}) }

// Begin records a fault that is about to begin.
func (l *Log) Begin(id, what string) error { return l.append(Record{Type: Begin, ID: id, What: what}) }

// Done records that a fault has been healed.
func (l *Log) Done(id string) error { return l.append(Record{Type: Done, ID: id}) }

// Close removes the file: everything it lists has been undone. Without Close the file stays for Clean.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	// Removed while it is locked, so that nobody takes it for a leftover in between.
	err := errors.Join(os.Remove(l.file.Name()), l.file.Close())
	l.file = nil
	if err != nil {
		return fmt.Errorf("close undo log: %w", err)
	}
	return nil
}

func (l *Log) append(r Record) error {
	r.Time = time.Now().UTC()
	b, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("write undo log: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return fmt.Errorf("write undo log: %w", fs.ErrClosed)
	}
	if _, err := l.file.Write(append(b, '\n')); err != nil {
		return fmt.Errorf("write undo log: %w", err)
	}
	return nil
}

// read reads the records of an undo file. The last line may be cut short: its harness died in the middle of it.
func read(from io.Reader) ([]Record, error) {
	b, err := io.ReadAll(from)
	if err != nil {
		return nil, fmt.Errorf("read undo log: %w", err)
	}
	var records []Record
	for n := 1; len(b) > 0; n++ {
		line, rest, whole := bytes.Cut(b, []byte("\n"))
		b = rest
		var r Record
		if err := json.Unmarshal(line, &r); err != nil {
			if !whole {
				break
			}
			return records, fmt.Errorf("read undo log: line %d: %w", n, err)
		}
		records = append(records, r)
	}
	return records, nil
}
