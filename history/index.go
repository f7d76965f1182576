package history

import (
	"encoding/binary"
	"fmt"
)

// index reads the frames of a file, before any payload is looked at: where the blocks are, and whether the file ends as it should.
func (r *Reader) index(offset int64) error {
	var all sums
	for {
		left := r.size - offset
		switch {
		case left == 0:
			r.lost = "it was never sealed: its recording was cut short"
			return nil
		case left < frameSize:
			r.lost = fmt.Sprintf("its end is cut off at byte %d", r.size)
			return nil
		}
		b, err := r.bytes(offset, frameSize)
		if err != nil {
			return err
		}
		f, err := readFrame(b)
		if err == nil {
			err = r.check(f)
		}
		if err != nil {
			r.err = &CorruptError{Path: r.path, Offset: offset, Reason: err.Error()}
			return nil
		}
		if int64(f.length) > left-frameSize {
			r.lost = fmt.Sprintf("its end is cut off at byte %d", r.size)
			return nil
		}
		end := offset + frameSize + int64(f.length)
		if f.tag == tagSeal {
			return r.seal(f, all, offset, end)
		}
		all.add(f.own)
		r.blocks = append(r.blocks, located{frame: f, offset: offset})
		r.events += int(f.count)
		offset = end
	}
}

// check says what is wrong with a frame whose own checksum is right.
func (r *Reader) check(f frame) error {
	switch {
	case f.tag == tagSeal && f.length == 4:
		return nil
	case f.tag != tagBlock:
		return fmt.Errorf("there is no block of type %q", f.tag[:])
	case f.length > maxPayload || f.count == 0 || f.count > maxRows || f.count > f.length:
		return fmt.Errorf("a block cannot have %d events in %d bytes", f.count, f.length)
	case f.first != uint64(r.events):
		return fmt.Errorf("a block begins with event %d where event %d is next", f.first, r.events)
	}
	return nil
}

// seal compares the seal with what came before it.
func (r *Reader) seal(f frame, all sums, offset, end int64) error {
	payload, err := r.bytes(offset+frameSize, int64(f.length))
	if err != nil {
		return err
	}
	corrupt := func(offset int64, format string, args ...any) {
		r.err = &CorruptError{Path: r.path, Offset: offset, Reason: fmt.Sprintf(format, args...)}
	}
	switch {
	case checksum(payload) != f.sum || binary.LittleEndian.Uint32(payload) != uint32(all):
		corrupt(offset, "the checksum over all blocks does not match")
	case f.first != uint64(r.events) || int(f.count) != len(r.blocks):
		corrupt(offset, "its seal counts %d events in %d blocks, there are %d in %d", f.first, f.count, r.events, len(r.blocks))
	case end < r.size:
		corrupt(end, "%s after its seal", counted(int(r.size-end), "byte"))
	default:
		r.sealed = true
	}
	return nil
}
