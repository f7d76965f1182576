package history

import (
	"errors"
	"fmt"
	"io"
)

// A Writer writes events that are there already in block form, as a Recorder does those that happen: an import, or what a generator
// makes up. What it holds grows only with the number of different strings.
type Writer struct {
	w     io.Writer
	enc   *encoder
	batch *batch
	seq   uint64
	last  int64 // time of the event before
	err   error
}

// NewWriter begins a history.
func NewWriter(w io.Writer, h Header) (*Writer, error) { return newWriter(w, blockHeader{Header: h}) }

func newWriter(w io.Writer, h blockHeader) (*Writer, error) {
	h.Format = FormatVersion
	prelude, err := appendPrelude(nil, h)
	if err != nil {
		return nil, fmt.Errorf("write history: %w", err)
	}
	if _, err := w.Write(prelude); err != nil {
		return nil, fmt.Errorf("write history: %w", err)
	}
	return &Writer{w: w, enc: newEncoder(), batch: newBatch()}, nil
}

// Append adds an event at the end. Its Seq is ignored: the position decides. Its T must not be below zero. What is wrong with an event, or
// with the writing, is said once and for all by Seal.
func (w *Writer) Append(e Event) {
	switch {
	case w.err != nil:
		return
	case !valid(e.Kind, e.Outcome):
		w.err = fmt.Errorf("event %d: kind %d with outcome %d does not exist", w.seq, e.Kind, e.Outcome)
		return
	case e.T < 0:
		w.err = fmt.Errorf("event %d: it happened %v before the run began, and the block form has no such time", w.seq, -e.T)
		return
	}
	text := textSize(&e)
	if text > maxPayload/2 {
		w.err = fmt.Errorf("event %d: it has %d bytes of text, and a block takes %d", w.seq, text, maxPayload/2)
		return
	}
	if len(w.batch.rows) > 0 && (!w.batch.fits(text) || int64(e.T) < w.last) { // within a block time does not go back
		w.flush()
	}
	w.batch.add(&e, e.T)
	w.last = int64(e.T)
	w.seq++
}

func (w *Writer) flush() {
	if w.err == nil && len(w.batch.rows) > 0 {
		_, w.err = w.w.Write(w.enc.block(w.batch))
	}
	w.batch.reset()
	w.batch.first = w.seq
}

// Seal ends the history. Its error is the first thing that went wrong since the beginning: what was written is then cut short.
func (w *Writer) Seal() error {
	w.flush()
	if w.err == nil {
		_, w.err = w.w.Write(w.enc.seal())
	}
	if w.err != nil {
		return fmt.Errorf("write history: %w", w.err)
	}
	w.err = errSealed
	return nil
}

var errSealed = errors.New("it is sealed already")

// WriteBlocks writes the block form of a whole history, as Open reads it back. One that is neither sealed nor says why is sealed.
func (h *History) WriteBlocks(dst io.Writer) error {
	w, err := newWriter(dst, blockHeader{Header: h.Header, Units: h.UnitNames, Lost: h.Lost, Warnings: h.Warnings})
	if err != nil {
		return err
	}
	for i := range h.Len() {
		w.Append(h.Event(i))
	}
	return w.Seal()
}
