package wire

import (
	"bytes"
	"strconv"
)

const (
	respLine  = 64 << 10 // the longest line, an inline command: the server's own limit
	respDepth = 128      // of values inside values
)

// respScan finds where a message ends, however its bytes are cut.
type respScan struct {
	kind   byte // the first byte of the message, behind its attributes; 0 before it is known
	inside []respLevel
	bulk   int // bytes to come of a string, the end of its line included
}

// respLevel is a value that consists of others.
type respLevel struct {
	left      int  // to come; respAny: up to an end mark
	attribute bool // it says something about the value behind it, and is none itself
	text      bool // its parts are pieces of one string
}

func (s *respScan) reset() { *s = respScan{inside: s.inside[:0]} }

// scan goes on behind the first n bytes of b. It gives how many are now known to belong to the message, and whether it ends there.
func (s *respScan) scan(w Way, b []byte, n int) (to int, done bool, why string) {
	for n < len(b) {
		if s.bulk > 0 {
			k := min(s.bulk, len(b)-n)
			n += k
			if s.bulk -= k; s.bulk > 0 {
				return n, false, ""
			}
			if n >= 2 && string(b[n-2:n]) != "\r\n" {
				return n, false, "not RESP: a string is not followed by the end of a line"
			}
			if s.value() {
				return n, true, ""
			}
			continue
		}
		first := len(s.inside) == 0
		if why = respStrange(w, first, b[n]); why != "" {
			return n, false, why
		}
		inline := w == Up && first && b[n] != '*'
		end := bytes.IndexByte(b[n:min(len(b), n+respLine)], '\n')
		if end < 0 {
			if len(b)-n >= respLine {
				why = "not RESP: a line has no end"
			} else if inline {
				why = respBinary(b[n:])
			}
			return n, false, why
		}
		line := b[n : n+end]
		if inline {
			why = respBinary(line)
			return n + end + 1, why == "", why
		}
		n += end + 1
		if !bytes.HasSuffix(line, []byte("\r")) || !s.line(w, line[0], line[1:len(line)-1]) {
			return n, false, "not RESP: " + strconv.Quote(string(line[:min(len(line), 16)]))
		}
		if s.bulk < 0 {
			s.bulk = 0
			if s.value() {
				return n, true, ""
			}
		}
	}
	return n, false, ""
}

// respStrange says why no value can begin with a byte.
func respStrange(w Way, first bool, c byte) string {
	switch {
	case first && c == 0x16:
		return "TLS"
	case w == Up && first && (c >= ' ' && c < 0x7f || c == '\r' || c == '\n' || c == '\t'):
		return ""
	case w == Up && !first && c == '$':
		return ""
	case w == Down && bytes.IndexByte([]byte("+-:$*_,#!=(%~>|;."), c) >= 0:
		return ""
	}
	return "not RESP: " + strconv.Quote(string([]byte{c}))
}

// respBinary says why a command cannot be inline. It keeps a foreign protocol that sends no lines from being waited for.
func respBinary(b []byte) string {
	if bytes.IndexByte(b, 0) >= 0 {
		return "not RESP: a line with a zero byte"
	}
	return ""
}

// line takes the first line of a value. It leaves a negative bulk if the value is complete with it, and reports whether it is well formed.
func (s *respScan) line(w Way, kind byte, rest []byte) bool {
	top := respLevel{}
	if len(s.inside) > 0 {
		top = s.inside[len(s.inside)-1]
	} else if kind != '|' && s.kind == 0 {
		s.kind = kind
	}
	if top.text != (kind == ';') {
		return false
	}
	switch kind {
	case '+', '-', ':', '_', ',', '#', '(':
		s.bulk = -1
		return true
	case '.':
		if top.left != respAny {
			return false
		}
		s.inside = s.inside[:len(s.inside)-1]
		s.bulk = -1
		return true
	}
	if string(rest) == "?" && w == Down && kind != '=' && kind != '!' && kind != ';' && kind != '|' {
		return s.open(respLevel{left: respAny, text: kind == '$'})
	}
	n, err := strconv.Atoi(string(rest))
	if err != nil || n > 1<<30 || n < -1 {
		return false
	}
	switch kind {
	case '$', '=', '!', ';':
		switch {
		case kind == ';' && n == 0:
			s.inside = s.inside[:len(s.inside)-1]
			s.bulk = -1
		case n >= 0:
			s.bulk = n + len("\r\n")
		case kind == '$' && w == Down:
			s.bulk = -1 // no string at all
		default:
			return false
		}
		return true
	case '>':
		if len(s.inside) > 0 {
			return false
		}
	case '%', '|':
		n *= 2
	}
	switch {
	case n > 0:
		return s.open(respLevel{left: n, attribute: kind == '|'})
	case n == 0 && kind == '|':
		return true
	case n < 0 && kind != '*':
		return false
	}
	s.bulk = -1
	return true
}

func (s *respScan) open(l respLevel) bool {
	s.inside = append(s.inside, l)
	return len(s.inside) <= respDepth
}

// value counts a value that is complete, and those that it completes. It reports whether the message is.
func (s *respScan) value() bool {
	for len(s.inside) > 0 {
		top := &s.inside[len(s.inside)-1]
		if top.left == respAny {
			return false
		}
		if top.left--; top.left > 0 {
			return false
		}
		attribute := top.attribute
		s.inside = s.inside[:len(s.inside)-1]
		if attribute {
			return false
		}
	}
	return true
}
