package scenarios

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// document reads the one YAML document of a file, nil after a problem.
func (p *parser) document(src []byte) *yaml.Node {
	if !p.readable(src) {
		return nil
	}
	loader, err := yaml.NewLoader(bytes.NewReader(src))
	if err != nil {
		p.at(0, 0, 0, "", fmt.Sprintf("open YAML: %v", err))
		return nil
	}
	var first, second yaml.Node
	if err := loader.Load(&first); err != nil && !errors.Is(err, io.EOF) {
		p.syntax(err)
		return nil
	}
	if first.Kind != yaml.DocumentNode || first.Content[0].ShortTag() == "!!null" {
		p.at(1, 1, 1, "", "the file is empty: a scenario begins with its name, as in scenario: crash-of-the-relay")
		return nil
	}
	if err := loader.Load(&second); !errors.Is(err, io.EOF) {
		p.at(max(second.Line, 1), max(second.Column, 1), 3, "", "the file goes on after its first document: a file holds one scenario")
		return nil
	}
	return first.Content[0]
}

// readable tells whether the bytes are text. YAML's own reader refuses the same bytes, without saying where they are.
func (p *parser) readable(src []byte) bool {
	line, column := 1, 1
	for len(src) > 0 {
		r, size := utf8.DecodeRune(src)
		switch {
		case r == utf8.RuneError && size == 1:
			p.at(line, column, 1, "", fmt.Sprintf("byte 0x%02x is not UTF-8: save the file as UTF-8", src[0]))
			return false
		case r < ' ' && r != '\t' && r != '\n' && r != '\r', r >= 0x7f && r < 0xa0 && r != 0x85, r == 0xfffe, r == 0xffff:
			p.at(line, column, 1, "", fmt.Sprintf("character U+%04X may not stand in a YAML file", r))
			return false
		case r == '\n':
			line, column = line+1, 0
		}
		column++
		src = src[size:]
	}
	return true
}

// syntax reports what YAML could not read: its message, without the name of the library, at the place that a person must change.
func (p *parser) syntax(err error) {
	var load *yaml.LoadError
	if !errors.As(err, &load) {
		p.at(0, 0, 0, "", fmt.Sprintf("read YAML: %v", err))
		return
	}
	line, column, message, hint := load.Mark.Line, load.Mark.Column, load.Message, ""
	text, _ := p.line(line)
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
	p.at(line, max(column, 1), 1, hint, "not valid YAML: "+message)
}
