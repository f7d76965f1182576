package history

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"
)

// A lineScanner takes one JSON object apart, without a map and without an allocation for what is not escaped. It knows where it
// is, so that an error can name the column.
type lineScanner struct {
	b []byte
	i int
}

// token is one JSON value as it stands in the line.
type token struct {
	kind byte   // 's'tring, 'n'umber, 'b'oolean, nul'l', '{' object, '[' array
	raw  []byte // with its quotes
	at   int    // where it begins
}

// problem is what is wrong with a line; at is the byte it is wrong at, -1 where it is the line as a whole.
type problem struct {
	at     int
	reason string
}

// object calls field for each member of the object that the line must be, and stops at the first problem.
func (s *lineScanner) object(field func(name []byte, at int, value token) *problem) *problem {
	if s.next() != '{' {
		return s.want("a JSON object that begins with {")
	}
	s.i++
	for first := true; ; first = false {
		c := s.next()
		if c == '}' && first {
			break
		}
		if c != '"' {
			return s.want("a field name in double quotes")
		}
		at := s.i
		name, bad := s.string()
		if bad != nil {
			return bad
		}
		if s.next() != ':' {
			return s.want("a colon after the field's name")
		}
		s.i++
		value, bad := s.value()
		if bad != nil {
			return bad
		}
		if bad := field(unquote(name), at, value); bad != nil {
			return bad
		}
		c = s.next()
		if c == '}' {
			break
		}
		if c != ',' {
			return s.want("a comma, or } at the end")
		}
		s.i++
	}
	s.i++
	if s.next(); s.i < len(s.b) {
		return s.want("one object on a line and nothing after it")
	}
	return nil
}

func (s *lineScanner) want(what string) *problem {
	if s.i >= len(s.b) {
		return &problem{s.i, "the line ends too early: want " + what}
	}
	return &problem{s.i, "want " + what}
}

// next skips spaces and gives the byte it stops at, 0 at the end.
func (s *lineScanner) next() byte {
	for s.i < len(s.b) {
		switch c := s.b[s.i]; c {
		case ' ', '\t', '\r', '\n':
			s.i++
		default:
			return c
		}
	}
	return 0
}

// string gives the string that begins here, with its quotes.
func (s *lineScanner) string() ([]byte, *problem) {
	from, escaped := s.i, false
	for s.i++; s.i < len(s.b); s.i++ {
		switch c := s.b[s.i]; {
		case c == '"':
			s.i++
			raw := s.b[from:s.i]
			if escaped && !json.Valid(raw) {
				return nil, &problem{from, "the string that begins here has a backslash that escapes nothing"}
			}
			return raw, nil
		case c == '\\':
			s.i++
			escaped = true
		case c < ' ':
			return nil, &problem{s.i, "a control character in a string must be escaped"}
		}
	}
	return nil, &problem{from, "the string that begins here has no end"}
}

func (s *lineScanner) value() (token, *problem) {
	c, from := s.next(), s.i
	t := token{kind: c, at: from}
	switch {
	case c == '"':
		t.kind = 's'
		raw, bad := s.string()
		t.raw = raw
		return t, bad
	case c == '{' || c == '[':
		if bad := s.nested(); bad != nil {
			return t, bad
		}
	case c == '-' || c >= '0' && c <= '9':
		t.kind = 'n'
		s.word()
	case c == 't' || c == 'f':
		t.kind = 'b'
		s.word()
	case c == 'n':
		t.kind = 'l'
		s.word()
	default:
		return t, s.want("a JSON value")
	}
	t.raw = s.b[from:s.i]
	if !plainInteger(t.raw) && !json.Valid(t.raw) {
		return t, &problem{from, "want a JSON value"}
	}
	return t, nil
}

// plainInteger tells what needs no closer look, for speed: a few digits that do not begin with 0.
func plainInteger(b []byte) bool {
	if len(b) > 1 && b[0] == '0' {
		return false
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// word skips a number or a literal; whether it is one is checked by the caller.
func (s *lineScanner) word() {
	for ; s.i < len(s.b); s.i++ {
		switch s.b[s.i] {
		case ',', '}', ']', ' ', '\t', '\r', '\n', '"', ':', '{', '[':
			return
		}
	}
}

// nested skips an object or an array up to the bracket that closes it; whether it is well formed inside is checked by the caller.
func (s *lineScanner) nested() *problem {
	from, depth := s.i, 0
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case '"':
			if _, bad := s.string(); bad != nil {
				return bad
			}
			continue
		}
		s.i++
		if depth == 0 {
			return nil
		}
	}
	return &problem{from, "the bracket that opens here is not closed"}
}

// unquote gives the text of a JSON string that is known to be valid. Bytes that are not UTF-8 become U+FFFD.
func unquote(raw []byte) []byte {
	inner := raw[1 : len(raw)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		if utf8.Valid(inner) {
			return inner
		}
		return bytes.ToValidUTF8(inner, []byte("\uFFFD"))
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return inner
	}
	return []byte(s)
}
