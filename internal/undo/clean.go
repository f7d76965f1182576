package undo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/wreckon/wreckon/internal/rundir"
)

// ErrRunning tells that the harness of a run is alive: there is nothing to clean yet.
var ErrRunning = errors.New("run is still going on")

// Leftover lists what a run directory says has not been undone: processes that were not reaped, faults that were not healed. It is
// empty for a run that ended in order. It does not look whether the processes still exist, nor whether the run goes on.
func Leftover(dir string) ([]Record, error) {
	f, err := os.Open(filepath.Join(dir, rundir.UndoFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read undo log: %w", err)
	}
	defer f.Close()
	records, err := read(f)
	return open(records), err
}

// open keeps the processes and faults that were begun and not ended.
func open(records []Record) []Record {
	type thing struct {
		pid int
		id  string
	}
	ended := map[thing]bool{}
	var left []Record
	for i := len(records) - 1; i >= 0; i-- { // backwards: an id may be begun, ended and begun again
		switch r := records[i]; r.Type {
		case Gone, Done:
			ended[thing{r.PID, r.ID}] = true
		case Process, Begin:
			if t := (thing{r.PID, r.ID}); ended[t] {
				delete(ended, t)
			} else {
				left = append([]Record{r}, left...)
			}
		}
	}
	return left
}

// Removers remove, by kind, what was made and is no process. Each removes all that goes by the id, returns when it is gone, and says what
// it removed, a line each. Where there is nothing it says nothing.
type Removers map[string]func(ctx context.Context, id string) (report []string, err error)

// Clean finishes what a killed harness left in a run directory: it kills the processes that are certainly the run's, waits until
// they are gone, has removed what else was made, and removes the undo file. The report says what it did, a line each; it is empty when there was nothing. A run
// that goes on is left alone: ErrRunning. On any other error the file stays, so that cleaning can be tried again.
//
// A process is certainly the run's if it has the id and the start time that were written down, or if it carries the run's mark
// in its environment. A process that merely was given the same id later is never touched.
func Clean(ctx context.Context, dir string, removers Removers) (report []string, err error) {
	path := filepath.Join(dir, rundir.UndoFile)
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("clean %s: %w", dir, err)
	}
	defer f.Close() // and with it the lock: two cleaners do not work on the same run
	locked, err := tryLock(f)
	if err != nil {
		return nil, fmt.Errorf("clean %s: lock: %w", dir, err)
	}
	if !locked {
		return nil, fmt.Errorf("clean %s: %w", dir, ErrRunning)
	}
	if !at(f, path) {
		return nil, nil // its run ended in order just now; another one may have begun
	}
	records, err := read(f)
	if err != nil {
		return nil, fmt.Errorf("clean %s: %w", dir, err)
	}
	report, err = kill(ctx, records)
	if err != nil {
		return report, fmt.Errorf("clean %s: %w", dir, err)
	}
	removed, err := remove(ctx, records, removers)
	report = append(report, removed...)
	if err != nil {
		return report, fmt.Errorf("clean %s: %w", dir, err)
	}
	for _, r := range open(records) {
		if r.Type == Begin {
			report = append(report, fmt.Sprintf("fault %s (%s) was in force when the harness died; what it was done to is gone", r.ID, r.What))
		}
	}
	if err := os.Remove(path); err != nil {
		return report, fmt.Errorf("clean %s: %w", dir, err)
	}
	return report, nil
}

// remove has removed what was made.
func remove(ctx context.Context, records []Record, removers Removers) (report []string, err error) {
	for _, r := range records {
		if r.Type != Made {
			continue
		}
		remover := removers[r.Kind]
		if remover == nil {
			return report, fmt.Errorf("remove %s %s: nobody here knows how", r.Kind, r.ID)
		}
		removed, err := remover(ctx, r.ID)
		report = append(report, removed...)
		if err != nil {
			return report, fmt.Errorf("remove %s %s: %w", r.Kind, r.ID, err)
		}
	}
	return report, nil
}

// survivor is a process that is certainly the run's.
type survivor struct {
	pid   int
	start string
	name  string
}

// kill kills what is left of the processes in the records, and waits until it is gone.
func kill(ctx context.Context, records []Record) (report []string, err error) {
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	found := map[int]survivor{}
	for {
		for _, s := range survivors(records) { // again and again: a process may start others until it is killed
			if found[s.pid] != s {
				found[s.pid] = s
				report = append(report, fmt.Sprintf("killed %s (process %d), left by a harness that is gone", s.name, s.pid))
			}
		}
		left := 0
		for _, s := range found {
			if started(s.pid) != s.start {
				continue
			}
			left++
			// The whole group where the process leads one, stopped or not: a child may have dropped the mark.
			if syscall.Getpgrp() != s.pid {
				_ = syscall.Kill(-s.pid, syscall.SIGKILL)
			}
			if err := syscall.Kill(s.pid, syscall.SIGKILL); errors.Is(err, syscall.EPERM) {
				return report, fmt.Errorf("kill %s (process %d): %w", s.name, s.pid, err)
			}
		}
		if left == 0 {
			return report, nil
		}
		select {
		case <-ctx.Done():
			return report, fmt.Errorf("wait until %d killed processes are gone: %w", left, ctx.Err())
		case <-poll.C:
		}
	}
}

// survivors finds the processes that are certainly the run's and not gone yet: those written down, by name, then those that carry
// the mark.
func survivors(records []Record) []survivor {
	var all []survivor
	seen := map[int]bool{os.Getpid(): true}
	add := func(pid int, start, name string) {
		if !seen[pid] && start != "" && started(pid) == start {
			seen[pid] = true
			all = append(all, survivor{pid, start, name})
		}
	}
	for _, r := range open(records) {
		if r.Type == Process {
			add(r.PID, r.Start, r.Name)
		}
	}
	for _, r := range records {
		if r.Type == Harness && r.Mark != "" {
			for _, pid := range marked(r.Mark) {
				add(pid, started(pid), "a process of the run")
			}
		}
	}
	return all
}

// CleanTree cleans every run directory below root whose harness is gone; those that go on are left alone. It does what it can:
// the error is that of all runs that could not be cleaned.
func CleanTree(ctx context.Context, root string, removers Removers) (report []string, err error) {
	var errs []error
	walkErr := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil // another run tidies up while we look
		case err != nil:
			errs = append(errs, err)
			return fs.SkipDir
		case d.IsDir() && (d.Name() == rundir.LogsDir || d.Name() == rundir.DataDir || strings.HasPrefix(d.Name(), ".git")):
			return fs.SkipDir
		case d.Name() != rundir.UndoFile || !d.Type().IsRegular():
			return nil
		}
		lines, err := Clean(ctx, filepath.Dir(path), removers)
		for _, line := range lines {
			report = append(report, filepath.Base(filepath.Dir(path))+": "+line)
		}
		if err != nil && !errors.Is(err, ErrRunning) {
			errs = append(errs, err)
		}
		return ctx.Err()
	})
	if walkErr != nil {
		errs = append(errs, walkErr)
	}
	return report, errors.Join(errs...)
}
