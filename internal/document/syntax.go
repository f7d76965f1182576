package document

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// maxSize bounds a file. A person wrote it; a hundredth of this is a long one.
const maxSize = 1 << 20

// ReadFile reads the text of a file, at most one byte more than Read takes.
func ReadFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read file: %w", err)
	}
	defer f.Close()
	src, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err != nil {
		return nil, fmt.Errorf("read file: %w", err)
	}
	return src, nil
}

// Read reads the one YAML document of a file, nil after a problem. name stands in front of every problem.
func (r *Reader) Read(name string, src []byte) *Node {
	r.source = newSource(name, nil)
	if len(src) > maxSize {
		r.At(0, 0, 0, "", "the file is larger than 1 MB: that is no "+r.Kind)
		return nil
	}
	r.source = newSource(name, src)
	if !r.readable(src) {
		return nil
	}
	loader, err := yaml.NewLoader(bytes.NewReader(src))
	if err != nil {
		r.At(0, 0, 0, "", fmt.Sprintf("open YAML: %v", err))
		return nil
	}
	var first, second Node
	if err := loader.Load(&first); err != nil && !errors.Is(err, io.EOF) {
		r.syntax(err)
		return nil
	}
	if first.Kind != yaml.DocumentNode || first.Content[0].ShortTag() == "!!null" {
		r.At(1, 1, 1, "", "the file is empty: "+r.Begins)
		return nil
	}
	if err := loader.Load(&second); !errors.Is(err, io.EOF) {
		r.At(max(second.Line, 1), max(second.Column, 1), 3, "", "the file goes on after its first document: a file holds one "+r.Kind)
		return nil
	}
	return first.Content[0]
}

// readable tells whether the bytes are text. YAML's own reader refuses the same bytes, without saying where they are.
func (r *Reader) readable(src []byte) bool {
	line, column := 1, 1
	for len(src) > 0 {
		c, size := utf8.DecodeRune(src)
		switch {
		case c == utf8.RuneError && size == 1:
			r.At(line, column, 1, "", fmt.Sprintf("byte 0x%02x is not UTF-8: save the file as UTF-8", src[0]))
			return false
		case c < ' ' && c != '\t' && c != '\n' && c != '\r', c >= 0x7f && c < 0xa0 && c != 0x85, c == 0xfffe, c == 0xffff:
			r.At(line, column, 1, "", fmt.Sprintf("character U+%04X may not stand in a YAML file", c))
			return false
		case c == '\n':
			line, column = line+1, 0
		}
		column++
		src = src[size:]
	}
	return true
}

// syntax reports what YAML could not read: its message, without the name of the library, at the place that a person must change.
func (r *Reader) syntax(err error) {
	var load *yaml.LoadError
	if !errors.As(err, &load) {
		r.At(0, 0, 0, "", fmt.Sprintf("read YAML: %v", err))
		return
	}
	line, column, message, hint := load.Mark.Line, load.Mark.Column, load.Message, ""
	text, _ := r.line(line)
	indent := text[:len(text)-len(strings.TrimLeft(text, " \t"))]
	switch {
	case strings.Contains(indent, "\t"):
		column = strings.Index(indent, "\t") + 1
		message = "a tab indents this line: YAML indents with spaces"
	case strings.Contains(message, "unexpected end of stream"), strings.Contains(message, "did not find expected ',' or"):
		line, column = load.ContextMark.Line, load.ContextMark.Column
		message = "what begins here does not end: a quote or a bracket is open"
	case strings.Contains(message, "mapping values are not allowed"):
		message = "a colon does not belong here"
		hint = `check the indentation; a value that holds ": " must stand in quotes`
	case strings.Contains(message, "cannot start any token"):
		message = "a value may not begin with this character"
		hint = "put the value in quotes"
	case strings.Contains(message, "expected '-' indicator"):
		message = "this line belongs to no entry of the list"
		hint = "each entry begins with - and its keys stand below one another"
	}
	if line < 1 {
		line, column = 1, 1
	}
	r.At(line, max(column, 1), 1, hint, "not valid YAML: "+message)
}
