package document

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Problem is one thing that is wrong with a file.
type Problem struct {
	File    string // as the caller named it
	Line    int    // from 1; 0: the file as a whole
	Column  int    // from 1, in characters
	Message string // "unknown fault kind "partitoin" (did you mean "partition"?)"
	Hint    string // what would be right: "known: crash, partition, ..."; may be empty
	Excerpt string // the line with carets below it, and its neighbours; empty when there is no line to show
}

// Error is the problem as a person reads it: position, message, excerpt, hint.
func (p Problem) Error() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", p.Line, p.Column)
	}
	b.WriteString(": error: " + p.Message + "\n" + p.Excerpt)
	if p.Hint != "" {
		b.WriteString("  " + p.Hint + "\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// Problems is everything that is wrong with a file, in the order of the file. Empty means that nothing is. It is an error
// whose text is the whole list.
type Problems []Problem

// MaxShown bounds how many problems Error prints.
const MaxShown = 100

func (ps Problems) Error() string {
	var b strings.Builder
	for i, p := range ps {
		if i == MaxShown {
			fmt.Fprintf(&b, "... and %d more\n", len(ps)-MaxShown)
			break
		}
		b.WriteString(p.Error() + "\n")
	}
	b.WriteString(Plural(len(ps), "error") + "; nothing was started")
	return b.String()
}

// Sort orders by file and position; problems of one place keep the order in which they were found. What several aliases of one place have in
// common is said once.
func (ps *Problems) Sort() {
	slices.SortStableFunc(*ps, func(a, b Problem) int {
		if a.File != b.File {
			return strings.Compare(a.File, b.File)
		}
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	*ps = slices.Compact(*ps)
}

// Plural counts something: 1 error, 2 errors.
func Plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

// source is a file's text by lines, to quote from.
type source struct {
	name  string
	lines []string
}

func newSource(name string, src []byte) source {
	text := strings.ReplaceAll(string(src), "\r\n", "\n")
	return source{name: name, lines: strings.Split(strings.TrimSuffix(text, "\n"), "\n")}
}

// Name is what the file is called.
func (s source) Name() string { return s.name }

// line returns a line by its number, from 1.
func (s source) line(n int) (string, bool) {
	if n < 1 || n > len(s.lines) {
		return "", false
	}
	return s.lines[n-1], true
}

// excerpt quotes a line between its neighbours, with carets under width characters from column on.
func (s source) excerpt(line, column, width int) string {
	if _, ok := s.line(line); !ok || len(s.lines) == 1 && s.lines[0] == "" {
		return ""
	}
	from := 0 // a long line is shown from near the column on
	if column > maxColumns*3/4 {
		from = column - maxColumns/2
	}
	var b strings.Builder
	for n := line - 1; n <= line+1; n++ {
		text, ok := s.line(n)
		if !ok || from > 0 && n != line {
			continue
		}
		fmt.Fprintf(&b, "%4d | %s\n", n, strings.TrimRight(window(text, from), " "))
		if n == line {
			room := maxColumns - (column - 1 - from)
			fmt.Fprintf(&b, "     | %s%s\n", strings.Repeat(" ", max(column-1-from, 0)), strings.Repeat("^", max(min(width, room), 1)))
		}
	}
	return b.String()
}

// maxColumns is how much of a line an excerpt shows.
const maxColumns = 120

// window cuts maxColumns characters out of a line. What could move the cursor of a terminal is shown as a placeholder of width one, so
// that carets stay below what they mean.
func window(line string, from int) string {
	var b strings.Builder
	n := 0
	for _, r := range line {
		if n >= from+maxColumns {
			break
		}
		if n >= from {
			b.WriteRune(visible(r))
		}
		n++
	}
	return b.String()
}

func visible(r rune) rune {
	switch {
	case r == '\t':
		return ' '
	case r == utf8.RuneError || !unicode.IsPrint(r):
		return '·'
	}
	return r
}

// Quote shows a value of the file inside a message, shortened.
func Quote(text string) string {
	const most = 60
	if r := []rune(text); len(r) > most {
		text = string(r[:most]) + "..."
	}
	return fmt.Sprintf("%q", text)
}

// OneLine is the text of an error that may be several errors joined.
func OneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }
