package wire

import "strings"

// The kinds of tokens.
const (
	sqlWord    = 'w' // a keyword or an unquoted name
	sqlQuoted  = '"' // a quoted name
	sqlLiteral = '?' // or a number, or a parameter
)

// sqlToken is a word, a name, or a character of punctuation, which is its own kind.
type sqlToken struct {
	kind  byte
	text  string
	depth int // of parentheses around it
}

// is tells whether a token is one of the keywords, which are upper-case.
func (t sqlToken) is(keywords ...string) bool {
	if t.kind != sqlWord {
		return false
	}
	for _, k := range keywords {
		if len(k) == len(t.text) && strings.EqualFold(k, t.text) {
			return true
		}
	}
	return false
}

// named tells whether a token can be a name.
func (t sqlToken) named() bool { return t.kind == sqlWord || t.kind == sqlQuoted }

type sqlScanner struct {
	text  string
	depth int
}

// statement gives the tokens up to the next semicolon. more tells that there was one.
func (s *sqlScanner) statement() (tokens []sqlToken, more bool) {
	s.depth = 0
	for {
		t, ok := s.next()
		switch {
		case !ok:
			return tokens, false
		case t.kind == ';':
			return tokens, true
		case len(tokens) < sqlTokens:
			tokens = append(tokens, t)
		}
	}
}

func (s *sqlScanner) next() (sqlToken, bool) {
	for len(s.text) > 0 {
		c := s.text[0]
		switch {
		case c == ' ' || c >= '\t' && c <= '\r':
			s.text = s.text[1:]
		case strings.HasPrefix(s.text, "--"):
			s.skip(strings.IndexByte(s.text, '\n') + 1)
		case strings.HasPrefix(s.text, "/*"):
			s.skip(sqlComment(s.text))
		case c == '\'':
			s.skip(sqlUntil(s.text, 1, false))
			return sqlToken{sqlLiteral, "", s.depth}, true
		case (c == 'e' || c == 'E') && len(s.text) > 1 && s.text[1] == '\'':
			s.skip(sqlUntil(s.text, 2, true))
			return sqlToken{sqlLiteral, "", s.depth}, true
		case c == '"':
			return s.take(sqlQuoted, sqlUntil(s.text, 1, false)), true
		case c == '$':
			s.skip(sqlDollar(s.text))
			return sqlToken{sqlLiteral, "", s.depth}, true
		case c >= '0' && c <= '9':
			s.skip(sqlRun(s.text))
			return sqlToken{sqlLiteral, "", s.depth}, true
		case sqlWordy(c):
			return s.take(sqlWord, sqlRun(s.text)), true
		default:
			s.text = s.text[1:]
			if c == ')' {
				s.depth--
			}
			t := sqlToken{c, "", s.depth}
			if c == '(' {
				s.depth++
			}
			return t, true
		}
	}
	return sqlToken{}, false
}

// skip passes n bytes; 0: the end is missing, so all of it.
func (s *sqlScanner) skip(n int) {
	if n == 0 {
		n = len(s.text)
	}
	s.text = s.text[n:]
}

func (s *sqlScanner) take(kind byte, n int) sqlToken {
	if n == 0 {
		n = len(s.text)
	}
	t := sqlToken{kind, s.text[:n], s.depth}
	if kind == sqlQuoted {
		t.text = strings.Trim(t.text, `"`)
	}
	s.text = s.text[n:]
	return t
}

func sqlWordy(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

// sqlRun is the length of a word or a number.
func sqlRun(s string) int {
	for i := range len(s) {
		if c := s[i]; !sqlWordy(c) && c != '$' && (c < '0' || c > '9') {
			return i
		}
	}
	return len(s)
}

// sqlUntil is the length of a string or name whose opening takes n bytes, 0 if it does not end.
func sqlUntil(s string, n int, escapes bool) int {
	quote := s[n-1]
	for i := n; i < len(s); i++ {
		switch {
		case escapes && s[i] == '\\':
			i++
		case s[i] == quote && i+1 < len(s) && s[i+1] == quote:
			i++
		case s[i] == quote:
			return i + 1
		}
	}
	return 0
}

// sqlDollar is the length of a parameter, $1, or of a string between dollars, $tag$ ... $tag$; 0 if it does not end.
func sqlDollar(s string) int {
	n := 1
	for n < len(s) && s[n] != '$' && sqlRun(s[n:n+1]) == 1 {
		n++
	}
	if n == len(s) || s[n] != '$' || s[1] >= '0' && s[1] <= '9' {
		return n
	}
	tag := s[:n+1]
	if end := strings.Index(s[len(tag):], tag); end >= 0 {
		return 2*len(tag) + end
	}
	return 0
}

// sqlComment is the length of a comment, which may hold others; 0 if it does not end.
func sqlComment(s string) int {
	depth := 0
	for i := 0; i+1 < len(s); i++ {
		switch s[i : i+2] {
		case "/*":
			depth++
			i++
		case "*/":
			depth--
			i++
			if depth == 0 {
				return i + 1
			}
		}
	}
	return 0
}
