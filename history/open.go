package history

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// Open reads a history that a Recorder wrote.
//
// One that was not sealed, because its recorder died or could not write, is read up to the last whole block: Sealed is false, Lost says
// why and how much came back, and there is no error. Where bytes were changed the error is a *CorruptError, and the history beside
// it holds everything before them; it is nil only if the header itself cannot be read. A file of a newer version is a
// *VersionError; one that is something else is ErrNotHistory.
func Open(path string) (*History, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("open history: %w", err)
	}
	h, err := decode(b)
	return h, at(path, err)
}

// OpenAny reads a history in either form, told apart by what is in the file: what a Recorder wrote, as Open, or JSON Lines, as
// ReadJSONL.
func OpenAny(path string) (*History, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open history: %w", err)
	}
	defer f.Close()
	r := bufio.NewReader(f) // the file may be a pipe, which can be read only once
	head, err := r.Peek(1024)
	if len(head) == 0 && err != io.EOF {
		return nil, at(path, err)
	}
	text := bytes.TrimLeft(bytes.TrimPrefix(head, []byte(byteOrderMark)), " \t\r\n")
	switch {
	case bytes.HasPrefix(head, []byte(magic)):
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			return Open(path)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			return nil, at(path, err)
		}
		h, err := decode(b)
		return h, at(path, err)
	case len(text) > 0 && text[0] == '{':
		h, err := ReadJSONL(r)
		return h, at(path, err)
	case len(head) == 0:
		return nil, at(path, fmt.Errorf("%w: the file is empty", ErrNotHistory))
	}
	return nil, at(path, fmt.Errorf("%w: it begins neither as a recorded history nor with a JSON object", ErrNotHistory))
}

// at names the file in an error.
func at(path string, err error) error {
	var corrupt *CorruptError
	var version *VersionError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &corrupt):
		corrupt.Path = path
		return err
	case errors.As(err, &version):
		version.Path = path
		return err
	}
	return fmt.Errorf("open history %s: %w", path, err)
}

// decode reads a whole file in block form.
func decode(b []byte) (*History, error) {
	h, offset, err := decodePrelude(b)
	if err != nil {
		return nil, err
	}
	s := scan(b, offset)
	d := newDecoder(h, s.events)
	from := 0
	for _, block := range s.blocks {
		payload := b[block.offset+frameSize:][:block.length]
		words := len(h.Strings)
		err := errors.New("the checksum of a block does not match")
		if checksum(payload) == block.sum {
			err = d.block(payload, from, int(block.count))
		}
		if err != nil {
			h.truncate(from)
			h.Strings = h.Strings[:words]
			s.sealed, s.lost, s.err = false, "", &CorruptError{Offset: int64(block.offset), Reason: err.Error()}
			break
		}
		from += int(block.count)
	}
	h.Sealed = s.sealed
	switch {
	case s.err != nil:
		s.err.Reason += "; " + cameBack(h)
		h.Lost = fmt.Sprintf("corrupt at byte %d: %s", s.err.Offset, s.err.Reason)
		return h, s.err
	case s.lost != "":
		h.Lost = s.lost + "; " + cameBack(h)
	}
	return h, nil
}

func cameBack(h *History) string {
	if h.Len() == 0 {
		return "no event came back"
	}
	last := time.Duration(h.T[h.Len()-1])
	return fmt.Sprintf("%s came back, the last at %s", counted(h.Len(), "event"), last.Round(time.Millisecond))
}

func decodePrelude(b []byte) (h *History, size int, err error) {
	if len(b) == 0 {
		return nil, 0, fmt.Errorf("%w: the file is empty", ErrNotHistory)
	}
	if !bytes.HasPrefix(b, []byte(magic)) {
		return nil, 0, fmt.Errorf("%w: it does not begin as one", ErrNotHistory)
	}
	cutOff := &CorruptError{Reason: "it ends inside its header"}
	if len(b) < preludeFixed {
		return nil, 0, cutOff
	}
	version := binary.LittleEndian.Uint32(b[len(magic):])
	length := uint64(binary.LittleEndian.Uint32(b[len(magic)+4:]))
	if length > maxHeader {
		return nil, 0, &CorruptError{Reason: fmt.Sprintf("its header claims to have %d bytes", length)}
	}
	end := preludeFixed + int(length)
	if len(b) < end+4 {
		return nil, 0, cutOff
	}
	if binary.LittleEndian.Uint32(b[end:]) != checksum(b[:end]) {
		return nil, 0, &CorruptError{Reason: "the checksum of its header does not match"}
	}
	switch {
	case version > FormatVersion:
		return nil, 0, &VersionError{Found: int(version), Known: FormatVersion}
	case version == 0:
		return nil, 0, &CorruptError{Reason: "there is no version 0"}
	}
	h = &History{Strings: []string{""}}
	if err := json.Unmarshal(b[preludeFixed:end], &h.Header); err != nil {
		return nil, 0, &CorruptError{Reason: fmt.Sprintf("its header: %v", err)}
	}
	return h, end + 4, nil
}

// scanned is what the frames of a file say, before any payload is looked at.
type scanned struct {
	blocks []located
	events int
	sealed bool
	lost   string        // why it is not sealed
	err    *CorruptError // or why reading ended
}

type located struct {
	frame
	offset int
}

func scan(b []byte, offset int) (s scanned) {
	var all sums
	for {
		rest := b[offset:]
		switch {
		case len(rest) == 0:
			s.lost = "it was never sealed: its recording was cut short"
			return s
		case len(rest) < frameSize:
			s.lost = fmt.Sprintf("its end is cut off at byte %d", len(b))
			return s
		}
		f, err := readFrame(rest)
		if err == nil {
			err = s.check(f)
		}
		if err != nil {
			s.err = &CorruptError{Offset: int64(offset), Reason: err.Error()}
			return s
		}
		if uint64(f.length) > uint64(len(rest)-frameSize) {
			s.lost = fmt.Sprintf("its end is cut off at byte %d", len(b))
			return s
		}
		end := offset + frameSize + int(f.length)
		if f.tag == tagSeal {
			s.seal(f, b[offset+frameSize:end], all, offset)
			if s.err == nil && end < len(b) {
				s.err = &CorruptError{Offset: int64(end), Reason: counted(len(b)-end, "byte") + " after its seal"}
			}
			s.sealed = s.err == nil
			return s
		}
		all.add(f.own)
		s.blocks = append(s.blocks, located{f, offset})
		s.events += int(f.count)
		offset = end
	}
}

// check says what is wrong with a frame whose own checksum is right.
func (s *scanned) check(f frame) error {
	switch {
	case f.tag == tagSeal && f.length == 4:
		return nil
	case f.tag != tagBlock:
		return fmt.Errorf("there is no block of type %q", f.tag[:])
	case f.length > maxPayload || f.count == 0 || f.count > maxRows || f.count > f.length:
		return fmt.Errorf("a block cannot have %d events in %d bytes", f.count, f.length)
	case f.first != uint64(s.events):
		return fmt.Errorf("a block begins with event %d where event %d is next", f.first, s.events)
	}
	return nil
}

func (s *scanned) seal(f frame, payload []byte, all sums, offset int) {
	switch {
	case checksum(payload) != f.sum || binary.LittleEndian.Uint32(payload) != uint32(all):
		s.err = &CorruptError{Offset: int64(offset), Reason: "the checksum over all blocks does not match"}
	case f.first != uint64(s.events) || int(f.count) != len(s.blocks):
		s.err = &CorruptError{Offset: int64(offset), Reason: fmt.Sprintf("its seal counts %d events in %d blocks, there are %d in %d",
			f.first, f.count, s.events, len(s.blocks))}
	}
}
