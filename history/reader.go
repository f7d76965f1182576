package history

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sort"
	"time"
)

// Reader reads a history in block form one block at a time, as often as it is asked to, in memory that does not grow with the history. It is
// for one goroutine.
type Reader struct {
	blockHeader

	path   string
	src    io.ReaderAt
	size   int64
	close  func() error
	blocks []located
	events int
	last   int64 // time of the last event; -1: not read yet
	sealed bool
	lost   string        // why it is not sealed
	err    *CorruptError // or why reading ended
	buf    []byte
	block  Block
	kept   []*Block // all blocks, where they are kept
}

// located is a block in its file.
type located struct {
	frame
	offset  int64
	strings Ref // before it; known once the block before it was read
}

// OpenReader opens a history that a Recorder or a Writer wrote. What it says of files that are damaged, newer, or something else, is what
// Open says; damage inside a block is found when the block is read.
func OpenReader(path string) (*Reader, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open history: %w", err)
	}
	r, err := newFileReader(f)
	if err != nil {
		return nil, errors.Join(at(path, err), f.Close())
	}
	r.path = path
	if r.err != nil {
		r.err.Path = path
	}
	return r, nil
}

// newFileReader reads from a file, or from what is left of a pipe.
func newFileReader(f *os.File) (*Reader, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Mode().IsRegular() {
		r, err := NewReader(f, info.Size())
		if err == nil {
			r.close = f.Close
		}
		return r, err
	}
	b, err := io.ReadAll(f)
	if err != nil {
		return nil, err
	}
	r, err := NewReader(bytes.NewReader(b), int64(len(b)))
	if err == nil {
		r.close = f.Close
	}
	return r, err
}

// NewReader reads a history from anywhere that can be read at any place, as OpenReader does from a file.
func NewReader(src io.ReaderAt, size int64) (*Reader, error) {
	r := &Reader{src: src, size: size, last: -1, close: func() error { return nil }}
	offset, err := r.prelude()
	if err != nil {
		return nil, err
	}
	if err := r.index(offset); err != nil {
		return nil, err
	}
	return r, nil
}

// Close gives the file back.
func (r *Reader) Close() error { return r.close() }

// Len is the number of events, as far as the file can be read.
func (r *Reader) Len() int { return r.events }

// Each gives the blocks in order. The block is valid until the function returns, which ends the reading where it gives an error. Where
// a block turns out to be corrupt the history ends before it, now and ever after: Damage then says so, and there is no error.
func (r *Reader) Each(f func(*Block) error) error { return r.each(nil, f) }

// each leaves out those blocks that in does not want, if they were read before.
func (r *Reader) each(in func(block int) bool, f func(*Block) error) error {
	if r.kept != nil {
		for k, b := range r.kept {
			if in != nil && !in(k) {
				continue
			}
			if err := f(b); err != nil {
				return err
			}
		}
		return nil
	}
	strings := Ref(1)
	for k := range r.blocks {
		if next := r.stringsBefore(k + 1); in != nil && next > 0 && !in(k) {
			strings = next
			continue
		}
		r.blocks[k].strings = strings
		err := r.read(k)
		var corrupt *CorruptError
		if errors.As(err, &corrupt) {
			r.truncate(k, corrupt)
			return nil
		}
		if err != nil {
			return err
		}
		if n := r.block.Len(); k == len(r.blocks)-1 {
			r.last = r.block.T[n-1]
		}
		if err := f(&r.block); err != nil {
			return err
		}
		strings = Ref(r.block.Strings())
	}
	return nil
}

// stringsBefore is how many strings there are before a block; 0 where that is not known yet, and after the last one.
func (r *Reader) stringsBefore(block int) Ref {
	if block < len(r.blocks) {
		return r.blocks[block].strings
	}
	return 0
}

// Keep holds all blocks in memory from here on, for one who reads them many times.
func (r *Reader) Keep() error {
	kept := make([]*Block, 0, len(r.blocks))
	err := r.Each(func(b *Block) error {
		kept = append(kept, b.Clone())
		return nil
	})
	if err == nil {
		r.kept = kept
	}
	return err
}

// read decodes block k. Its error is a *CorruptError where the bytes are wrong, and not where they cannot be had.
func (r *Reader) read(k int) error {
	b := &r.blocks[k]
	payload, err := r.bytes(b.offset+frameSize, int64(b.length))
	if err != nil {
		return err
	}
	if checksum(payload) != b.sum {
		return &CorruptError{Path: r.path, Offset: b.offset, Reason: "the checksum of a block does not match"}
	}
	if err := r.block.decode(payload, b.first, int(b.count), b.strings); err != nil {
		return &CorruptError{Path: r.path, Offset: b.offset, Reason: err.Error()}
	}
	return nil
}

// bytes reads a part of the file into the buffer.
func (r *Reader) bytes(offset, n int64) ([]byte, error) {
	r.buf = slices.Grow(r.buf[:0], int(n))[:n]
	if got, err := r.src.ReadAt(r.buf, offset); int64(got) < n {
		return nil, fmt.Errorf("read history %s: %w", r.path, err)
	}
	return r.buf, nil
}

func (r *Reader) truncate(k int, why *CorruptError) {
	r.events = int(r.blocks[k].first)
	r.blocks = r.blocks[:k]
	r.sealed, r.lost, r.err, r.last = false, "", why, -1
	if k == 0 {
		r.last = 0
	}
}

// Near gives the strings that were new in the block in which r was, for a reference that a block already read has used. Of the block that
// it gives only Fresh and its bounds are there to be used; it is the caller's own.
func (r *Reader) Near(ref Ref) (*Block, error) {
	k := sort.Search(len(r.blocks), func(i int) bool { return r.blocks[i].strings > ref || r.blocks[i].strings == 0 }) - 1
	b := &r.blocks[k]
	payload := make([]byte, b.length)
	if n, err := r.src.ReadAt(payload, b.offset+frameSize); n < len(payload) {
		return nil, fmt.Errorf("read history %s: %w", r.path, err)
	}
	c := &cursor{b: payload}
	part := &Block{strings: b.strings}
	if part.decodeStrings(c); c.err != nil {
		return nil, fmt.Errorf("read history %s: it has changed while it was read: %w", r.path, c.err)
	}
	return part, nil
}

// Texts gives the strings of references that blocks already read have used, in the order of the references, which must be ascending.
func (r *Reader) Texts(refs []Ref) ([]string, error) {
	texts := make([]string, len(refs))
	for k := 0; k < len(refs); {
		if refs[k] == 0 {
			k++
			continue
		}
		near, err := r.Near(refs[k])
		if err != nil {
			return nil, err
		}
		for ; k < len(refs) && int(refs[k]) < near.Strings(); k++ {
			s, _ := near.Fresh(refs[k])
			texts[k] = string(s)
		}
	}
	return texts, nil
}

// Sealed tells that the history was closed in order; lost why its end is missing where it was not. Both are certain once all blocks
// were read.
func (r *Reader) Sealed() (sealed bool, lost string) {
	switch {
	case r.err != nil:
		return false, fmt.Sprintf("corrupt at byte %d: %s; %s", r.err.Offset, r.err.Reason, r.cameBack())
	case r.lost != "":
		return false, r.lost + "; " + r.cameBack()
	case r.Lost != "":
		return false, r.Lost
	}
	return r.sealed, ""
}

// Damage is what is wrong with the bytes of the file, as a *CorruptError; nil where nothing is.
func (r *Reader) Damage() error {
	if r.err == nil {
		return nil
	}
	e := *r.err
	e.Reason += "; " + r.cameBack()
	return &e
}

func (r *Reader) cameBack() string {
	if r.events == 0 {
		return "no event came back"
	}
	if k := len(r.blocks) - 1; r.last < 0 && r.read(k) == nil {
		r.last = r.block.T[r.block.Len()-1]
	}
	return fmt.Sprintf("%s came back, the last at %s", counted(r.events, "event"), time.Duration(r.last).Round(time.Millisecond))
}

// History reads all of it into memory. The error beside it is Damage.
func (r *Reader) History() (*History, error) {
	h := &History{Header: r.Header, Warnings: r.Warnings, UnitNames: r.Units, Strings: []string{""}}
	h.widen(r.events)
	err := r.Each(func(b *Block) error {
		h.fill(b)
		return nil
	})
	if err != nil {
		return nil, err
	}
	h.truncate(r.events)
	h.Sealed, h.Lost = r.Sealed()
	return h, r.Damage()
}

// prelude reads what stands before the blocks.
func (r *Reader) prelude() (size int64, err error) {
	head, err := r.bytes(0, min(r.size, int64(preludeFixed)))
	switch {
	case err != nil:
		return 0, err
	case len(head) == 0:
		return 0, fmt.Errorf("%w: the file is empty", ErrNotHistory)
	case !bytes.HasPrefix(head, []byte(magic)):
		return 0, fmt.Errorf("%w: it does not begin as one", ErrNotHistory)
	}
	cutOff := &CorruptError{Reason: "it ends inside its header"}
	if len(head) < preludeFixed {
		return 0, cutOff
	}
	version := binary.LittleEndian.Uint32(head[len(magic):])
	length := binary.LittleEndian.Uint32(head[len(magic)+4:])
	if length > maxHeader {
		return 0, &CorruptError{Reason: fmt.Sprintf("its header claims to have %d bytes", length)}
	}
	end := int64(preludeFixed) + int64(length)
	if r.size < end+4 {
		return 0, cutOff
	}
	b, err := r.bytes(0, end+4)
	if err != nil {
		return 0, err
	}
	if binary.LittleEndian.Uint32(b[end:]) != checksum(b[:end]) {
		return 0, &CorruptError{Reason: "the checksum of its header does not match"}
	}
	switch {
	case version > FormatVersion:
		return 0, &VersionError{Found: int(version), Known: FormatVersion}
	case version == 0:
		return 0, &CorruptError{Reason: "there is no version 0"}
	}
	if err := json.Unmarshal(b[preludeFixed:end], &r.blockHeader); err != nil {
		return 0, &CorruptError{Reason: fmt.Sprintf("its header: %v", err)}
	}
	return end + 4, nil
}
