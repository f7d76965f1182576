package history

import (
	"errors"
	"fmt"
	"io"
	"time"
)

const (
	flushEvery = 250 * time.Millisecond
	maxFree    = 4 // batches kept for use; about 2 MiB each
)

// file is what a Recorder needs of an *os.File.
type file interface {
	io.Writer
	Truncate(size int64) error
	Sync() error
	Close() error
}

// run is the recorder's goroutine: it writes what was recorded until the end.
func (r *Recorder) run() {
	defer close(r.done)
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case <-r.wake:
			r.drain(false)
		case <-tick.C:
			r.drain(true)
		case flushed := <-r.flush:
			r.drain(true)
			close(flushed)
		case <-r.quit:
			r.drain(true)
			return
		}
	}
}

// drain writes the batches that are full and, if all, the one that is not.
func (r *Recorder) drain(all bool) {
	for {
		b := r.take(all)
		if b == nil {
			return
		}
		if err := r.writer.write(r.writer.enc.block(b)); err != nil {
			r.lose(b, err)
			return
		}
		r.giveBack(b)
	}
}

func (r *Recorder) take(all bool) *batch {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.full) > 0 {
		b := r.full[0]
		r.full = append(r.full[:0], r.full[1:]...)
		return b
	}
	if !all || len(r.current.rows) == 0 {
		return nil
	}
	b := r.current
	r.next()
	return b
}

func (r *Recorder) giveBack(b *batch) {
	if cap(b.arena) > batchArena {
		return // it held one huge event
	}
	b.reset()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.free) < maxFree {
		r.free = append(r.free, b)
	}
}

// lose ends the recording because a batch could not be written: it and all after it are lost.
func (r *Recorder) lose(b *batch, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failLocked(fmt.Errorf("write history: %w", err))
	for _, b := range append(r.full, b, r.current) {
		r.counts.Dropped += uint64(len(b.rows))
	}
	r.full = nil
	r.current.reset()
}

// A writer appends whole blocks to a file.
type writer struct {
	f    file
	enc  *encoder
	size int64 // what is written whole
}

// write appends b whole. After a failure it removes what was written in part, so that the file ends with a whole block.
func (w *writer) write(b []byte) error {
	if _, err := w.f.Write(b); err != nil {
		return errors.Join(err, w.f.Truncate(w.size))
	}
	w.size += int64(len(b))
	return nil
}

func (w *writer) seal() error {
	if err := w.write(w.enc.seal()); err != nil {
		return fmt.Errorf("seal history: %w", err)
	}
	if err := w.f.Sync(); err != nil {
		return fmt.Errorf("seal history: %w", err)
	}
	return nil
}
