package history

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
)

// Open reads a history that a Recorder wrote.
//
// One that was not sealed, because its recorder died or could not write, is read up to the last whole block: Sealed is false, Lost says
// why and how much came back, and there is no error. Where bytes were changed the error is a *CorruptError, and the history beside
// it holds everything before them; it is nil only if the header itself cannot be read. A file of a newer version is a
// *VersionError; one that is something else is ErrNotHistory.
func Open(path string) (*History, error) {
	r, err := OpenReader(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return r.History()
}

// OpenAny reads a history in either form, told apart by what is in the file: what a Recorder wrote, as Open, or JSON Lines, as
// ReadJSONL.
func OpenAny(path string) (*History, error) { return Import{}.Open(path) }

// Open reads a history as OpenAny does, and a log that the mapping makes one of. A recorded history takes neither a mapping nor
// claims: it holds its own.
func (im Import) Open(path string) (*History, error) {
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
	case bytes.HasPrefix(head, []byte(magic)) && im.foreign() != nil:
		return nil, at(path, im.foreign())
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
	case len(text) > 0 && (text[0] == '{' || im.Mapping != nil): // a mapping may leave out what is no JSON
		h, err := im.Read(r)
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
	r, err := NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return nil, err
	}
	return r.History()
}
