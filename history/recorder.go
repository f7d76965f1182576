package history

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// NoSeq is what Record answers when it did not record: after Seal or Close, or once recording has failed.
const NoSeq = ^uint64(0)

// maxPending bounds what a Recorder keeps in memory for a disk that does not take it: so many full batches, each of 16,384 events or
// 1 MiB of strings, together less than 200 MiB. Past it recording fails with ErrStalled, loudly and for good; the workload goes on.
const maxPending = 64

// A Recorder writes a history to a file while a run goes on. Record, Now, Counts, Err, Failed and Flush may be called from any
// number of goroutines at any time, also after the end.
//
// Recording costs a lock, a look at the clock and a copy. A goroutine of the recorder's own encodes and writes, four times a
// second or when a batch is full, so that a SIGKILL of the process loses less than the last second. Writes are not synced to the disk
// before Seal: a power failure loses what the operating system had not written.
type Recorder struct {
	start time.Time

	mu      sync.Mutex
	open    bool // Record records
	seq     uint64
	current *batch
	full    []*batch // waiting to be written, oldest first
	free    []*batch // to be used again
	counts  Counts
	err     error

	failed chan struct{} // closed with the first failure
	wake   chan struct{} // a batch is full
	flush  chan chan struct{}
	quit   chan struct{}
	done   chan struct{} // the writer has ended

	end    sync.Once
	endErr error
	writer writer
}

// Create begins a history in a new file. A file that exists is an error: a record is never overwritten. The header's Format and
// Start are set here.
func Create(path string, h Header) (*Recorder, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, fmt.Errorf("create history: %w", err)
	}
	r, err := newRecorder(f, h)
	if err != nil {
		return nil, fmt.Errorf("create history: %w", errors.Join(err, f.Close(), os.Remove(path)))
	}
	return r, nil
}

func newRecorder(f file, h Header) (*Recorder, error) {
	start := time.Now()
	h.Format, h.Start = FormatVersion, start.UTC().Round(0)
	r := &Recorder{
		start:   start,
		open:    true,
		current: newBatch(),
		free:    []*batch{newBatch()}, // a disk that keeps up needs no more
		failed:  make(chan struct{}),
		wake:    make(chan struct{}, 1),
		flush:   make(chan chan struct{}),
		quit:    make(chan struct{}),
		done:    make(chan struct{}),
		writer:  writer{f: f, enc: newEncoder()},
	}
	prelude, err := appendPrelude(nil, blockHeader{Header: h})
	if err != nil {
		return nil, err
	}
	if err := r.writer.write(prelude); err != nil {
		return nil, err
	}
	go r.run()
	return r, nil
}

// Start is the moment of T = 0, on the wall clock and on the monotonic one.
func (r *Recorder) Start() time.Time { return r.start }

// Now is the time since the start of the recording, on the clock that stamps events.
func (r *Recorder) Now() time.Duration { return time.Since(r.start) }

// Record appends an event, sets its Seq and T, and gives its Seq; NoSeq where it was dropped. It never waits for the disk.
// Bytes that are not UTF-8 are replaced by U+FFFD; a Value above 1 MiB and any other string above 4 KiB is cut, and says so.
// An event whose Kind or Outcome does not exist is a mistake of the program: it is dropped, and recording has failed.
func (r *Recorder) Record(e Event) (seq uint64) {
	text := textSize(&e)
	if text > maxText {
		bound(&e)
		text = textSize(&e)
	}
	r.mu.Lock()
	if !r.open {
		r.counts.Dropped++
		r.mu.Unlock()
		return NoSeq
	}
	if !valid(e.Kind, e.Outcome) {
		r.failLocked(fmt.Errorf("record event: kind %d with outcome %d does not exist", e.Kind, e.Outcome))
		r.counts.Dropped++
		r.mu.Unlock()
		return NoSeq
	}
	if !r.current.fits(text) && !r.rotate() {
		r.counts.Dropped++
		r.mu.Unlock()
		return NoSeq
	}
	seq = r.seq
	r.seq++
	// The clock is read under the lock, so that T never goes back where Seq goes forward.
	r.current.add(&e, time.Since(r.start))
	r.counts.table[e.Kind][e.Outcome]++
	r.mu.Unlock()
	return seq
}

// rotate puts a new batch in place of a full one; false if too many wait already. The lock is held.
func (r *Recorder) rotate() bool {
	if len(r.full) >= maxPending {
		r.failLocked(fmt.Errorf("record event %d: %w: %d events wait to be written", r.seq, ErrStalled, r.seq-r.full[0].first))
		return false
	}
	r.full = append(r.full, r.current)
	r.next()
	select {
	case r.wake <- struct{}{}:
	default: // it is awake
	}
	return true
}

// next begins an empty batch. The lock is held.
func (r *Recorder) next() {
	if n := len(r.free); n > 0 {
		r.current, r.free = r.free[n-1], r.free[:n-1]
	} else {
		r.current = newBatch()
	}
	r.current.first = r.seq
}

// Err is why recording failed, nil while it has not. What was written before stays readable.
func (r *Recorder) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// Failed is closed when recording fails, at the first failure; Err then says why.
func (r *Recorder) Failed() <-chan struct{} { return r.failed }

// failLocked ends the recording. The lock is held.
func (r *Recorder) failLocked(err error) {
	r.open = false
	if r.err == nil {
		r.err = err
		close(r.failed)
	}
}

// Counts says how many events there are so far. It is cheap enough to be asked many times a second.
func (r *Recorder) Counts() Counts {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.counts
}

// Counts is how many events of which kind and outcome were recorded.
type Counts struct {
	Dropped uint64 // events that came after the end or after a failure, and those that a failure lost
	table   [numKinds][numOutcomes]uint64
}

// Events is the number of all events.
func (c *Counts) Events() (n uint64) {
	for k := range c.table {
		n += c.Kind(Kind(k))
	}
	return n
}

// Kind is the number of events of a kind.
func (c *Counts) Kind(k Kind) (n uint64) {
	if int(k) < numKinds {
		for _, x := range c.table[k] {
			n += x
		}
	}
	return n
}

// Outcome is the number of events of a kind that have that outcome.
func (c *Counts) Outcome(k Kind, o Outcome) uint64 {
	if int(k) < numKinds && int(o) < numOutcomes {
		return c.table[k][o]
	}
	return 0
}

// Flush waits until all that was recorded before the call is handed to the operating system, or ctx is done. It gives Err, or why it
// did not wait.
func (r *Recorder) Flush(ctx context.Context) error {
	flushed := make(chan struct{})
	select {
	case r.flush <- flushed:
	case <-r.done:
		return r.Err()
	case <-ctx.Done():
		return fmt.Errorf("flush history: %w", context.Cause(ctx))
	}
	select {
	case <-flushed:
		return r.Err()
	case <-ctx.Done():
		return fmt.Errorf("flush history: %w", context.Cause(ctx))
	}
}

// Seal ends the recording: all events are written, then the seal that says that this was all, and the file is synced and closed.
// Events that come later are dropped and counted. A recording that failed is closed without a seal, and Seal gives Err. To call it
// again, or Close after it, does nothing and gives the same answer.
func (r *Recorder) Seal() error { return r.finish(true) }

// Close ends the recording as Seal does, but without the seal: for a run that did not come to its end.
func (r *Recorder) Close() error { return r.finish(false) }

func (r *Recorder) finish(seal bool) error {
	r.end.Do(func() {
		r.mu.Lock()
		r.open = false
		r.mu.Unlock()
		close(r.quit)
		<-r.done
		err := r.Err()
		if err == nil && seal {
			err = r.writer.seal()
		}
		if cerr := r.writer.f.Close(); err == nil && cerr != nil {
			err = fmt.Errorf("close history: %w", cerr)
		}
		r.mu.Lock()
		if err != nil {
			r.failLocked(err)
		}
		if r.current != nil { // nobody records any more, and what was recorded is written
			r.current.drop()
		}
		for _, b := range r.free {
			b.drop()
		}
		r.current, r.free = nil, nil
		r.mu.Unlock()
		r.endErr = err
	})
	return r.endErr
}
