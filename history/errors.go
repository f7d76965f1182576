package history

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// ErrNotHistory tells that a file is neither a recorded history nor JSON Lines.
var ErrNotHistory = errors.New("not a history")

// ErrStalled is why recording failed when the disk took too long: the events that wait to be written have a bound, and it was
// reached. The workload is never made to wait instead.
var ErrStalled = errors.New("the disk does not keep up")

// VersionError tells that a history was written by a newer version than this one can read.
type VersionError struct {
	Path  string // empty where it was read from a stream
	Found int
	Known int // the newest version that can be read
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("%s has format version %d, and this version of the program reads up to %d: "+
		"use the program that recorded it, or a newer one", named(e.Path), e.Found, e.Known)
}

// CorruptError tells that the bytes of a history are not what was written. What stands before Offset is readable, and is what the
// history returned beside the error holds.
type CorruptError struct {
	Path   string
	Offset int64 // of the block that is corrupt, in bytes
	Reason string
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("%s is corrupt at byte %d: %s", named(e.Path), e.Offset, e.Reason)
}

func named(path string) string {
	if path == "" {
		return "history"
	}
	return "history " + path
}

// LineError is what is wrong with one line of a text history.
type LineError struct {
	Line    int    // from 1
	Column  int    // from 1, in bytes; 0 where it is the line as a whole
	Reason  string // what is wrong, and what would be right
	Excerpt string // of the line, around the column
}

func (e LineError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "line %d", e.Line)
	if e.Column > 0 {
		fmt.Fprintf(&b, ", column %d", e.Column)
	}
	fmt.Fprintf(&b, ": %s", e.Reason)
	if e.Excerpt != "" {
		fmt.Fprintf(&b, "\n    %s", e.Excerpt)
	}
	return b.String()
}

// TextError holds what is wrong with a text history, all lines at once, up to a bound.
type TextError struct {
	Lines []LineError
	More  bool // there are lines after the last one reported, which were not read
}

func (e *TextError) Error() string {
	lines := make([]string, 0, len(e.Lines)+1)
	for _, l := range e.Lines {
		lines = append(lines, l.Error())
	}
	if e.More {
		lines = append(lines, fmt.Sprintf("stopped reading after %d bad lines", len(e.Lines)))
	}
	return strings.Join(lines, "\n")
}

// counted is a number with its noun, in the plural where it is not one.
func counted(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return strconv.Itoa(n) + " " + noun
}

// excerpt cuts a long text to what fits on a terminal line, around byte at.
func excerpt(s string, at int) string {
	const width = 96
	if len(s) <= width {
		return printable(s)
	}
	from := max(0, min(at-width/2, len(s)-width))
	to := from + width
	for from > 0 && !utf8.RuneStart(s[from]) {
		from--
	}
	for to < len(s) && !utf8.RuneStart(s[to]) {
		to++
	}
	cut := printable(s[from:to])
	if from > 0 {
		cut = "…" + cut
	}
	if to < len(s) {
		cut += "…"
	}
	return cut
}

// printable keeps control characters of foreign input off the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || (r >= 0x80 && r < 0xa0) {
			return '·'
		}
		return r
	}, s)
}
