package history

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math/bits"
	"unicode/utf8"
)

// A lineScanner takes one JSON object apart, without a map and without an allocation for what is not escaped. It knows where it
// is, so that an error can name the column.
type lineScanner struct {
	b            []byte
	i            int
	name, member token // at hand: handed on by reference, since copying them would take longer than finding them
}

// token is one JSON value as it stands in the line.
type token struct {
	kind  byte   // 's'tring, 'n'umber, 'b'oolean, nul'l', '{' object, '[' array
	plain bool   // a string that stands for itself, in ASCII and without a backslash; a number of digits alone
	raw   []byte // with its quotes
	at    int    // where it begins
}

// text is a value as it compares: a string without its quotes, anything else as it stands.
func (v *token) text() []byte {
	switch {
	case v.kind != 's':
		return v.raw
	case v.plain:
		return v.raw[1 : len(v.raw)-1]
	}
	return unquote(v.raw)
}

// problem is what is wrong with a line; at is the byte it is wrong at, -1 where it is the line as a whole.
type problem struct {
	at     int
	reason string
}

// object calls field for each member of the object that the line must be, and stops at the first problem. A value is the caller's until
// the call returns.
func (s *lineScanner) object(field func(name []byte, at int, value *token) *problem) *problem {
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
		if bad := s.string(&s.name); bad != nil {
			return bad
		}
		if s.next() != ':' {
			return s.want("a colon after the field's name")
		}
		s.i++
		if bad := s.value(&s.member); bad != nil {
			return bad
		}
		if bad := field(s.name.text(), s.name.at, &s.member); bad != nil {
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
	if s.i < len(s.b) && s.b[s.i] > ' ' {
		return s.b[s.i]
	}
	return s.space()
}

func (s *lineScanner) space() byte {
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

// string gives the string that begins here.
func (s *lineScanner) string(into *token) *problem {
	b, from := s.b, s.i
	valid, plain := true, true
	for i := from + 1; i < len(b); i++ {
		for i+8 <= len(b) {
			skip := ordinary(binary.LittleEndian.Uint64(b[i:]))
			if i += skip; skip < 8 {
				break
			}
		}
		if i == len(b) {
			break
		}
		switch c := b[i]; {
		case c == '"':
			s.i = i + 1
			into.kind, into.plain, into.raw, into.at = 's', plain, b[from:s.i], from
			if !valid && !json.Valid(into.raw) {
				return &problem{from, "the string that begins here has a backslash that escapes nothing"}
			}
			return nil
		case c == '\\':
			i++
			plain = false
			valid = valid && i < len(b) && escapes[b[i]] != 0
		case c < ' ':
			return &problem{i, "a control character in a string must be escaped"}
		case c >= utf8.RuneSelf:
			plain = false
		}
	}
	s.i = len(b)
	return &problem{from, "the string that begins here has no end"}
}

// escapes are the letters that may stand behind a backslash, and what they mean, but for u.
var escapes = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// ordinary counts the bytes, of eight, before the first that is a quote, a backslash, a control character or not ASCII.
// How that is found in all eight at once: Warren, Hacker's Delight, 6-1.
func ordinary(x uint64) int {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	quote, backslash := x^'"'*ones, x^'\\'*ones
	found := x | (x-' '*ones)&^x | (quote-ones)&^quote | (backslash-ones)&^backslash
	return bits.TrailingZeros64(found&tops) / 8
}

func (s *lineScanner) value(into *token) *problem {
	c, from := s.next(), s.i
	kind := c
	switch {
	case c == '"':
		return s.string(into)
	case c == '{' || c == '[':
		if bad := s.nested(); bad != nil {
			return bad
		}
	case c == '-' || c >= '0' && c <= '9':
		kind = 'n'
		s.word()
	case c == 't' || c == 'f':
		kind = 'b'
		s.word()
	case c == 'n':
		kind = 'l'
		s.word()
	default:
		return s.want("a JSON value")
	}
	raw := s.b[from:s.i]
	into.kind, into.plain, into.raw, into.at = kind, plainInteger(raw), raw, from
	if !into.plain && !json.Valid(raw) {
		return &problem{from, "want a JSON value"}
	}
	return nil
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
			var skipped token
			if bad := s.string(&skipped); bad != nil {
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

// unquote gives the text of a JSON string that is known to be valid. Each byte that is not UTF-8 becomes U+FFFD.
func unquote(raw []byte) []byte {
	inner := raw[1 : len(raw)-1]
	if bytes.IndexByte(inner, '\\') < 0 && utf8.Valid(inner) {
		return inner
	}
	out := make([]byte, 0, len(inner))
	for i := 0; i < len(inner); i++ {
		c := inner[i]
		if c == '\\' {
			i++
			c = escapes[inner[i]]
		}
		if c == 0 || c >= utf8.RuneSelf { // the library knows how
			var s string
			if err := json.Unmarshal(raw, &s); err != nil {
				return inner
			}
			return []byte(s)
		}
		out = append(out, c)
	}
	return out
}
