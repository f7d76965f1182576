package wire

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

// httpHead is what a head says of its message.
type httpHead struct {
	method, target   []byte // of a request
	isHead, tunnel   bool   // HEAD, CONNECT
	expects          bool   // 100-continue
	upgrades, closes bool
	status           int    // of an answer
	leaves           string // why there is no HTTP behind it
	body             body
}

var (
	crlf    = []byte("\r\n")
	preface = []byte("PRI * HTTP/2.0\r\n")
	version = []byte("HTTP/1.")

	errBareLine = errors.New("not HTTP: lines without a carriage return")
)

// bareEnd tells whether some servers would see the end of a head here, although its lines do not end as they must.
func bareEnd(b []byte) bool {
	return bytes.Contains(b, []byte("\n\n")) || bytes.Contains(b, []byte("\n\r\n"))
}

// recognise tells from the first bytes of a message whether it can be HTTP/1. It says so as soon as it cannot: what is not HTTP must not
// be kept waiting for an end that never comes.
func recognise(w Way, b []byte) error {
	switch {
	case b[0] == 0x16 && (len(b) == 1 || b[1] == 3):
		if len(b) == 1 {
			return nil
		}
		return errors.New("TLS")
	case w == Up && len(b) >= len(preface) && bytes.HasPrefix(b, preface):
		return errors.New("HTTP/2")
	case w == Down:
		if n := min(len(b), len(version)); !bytes.Equal(b[:n], version[:n]) {
			return errors.New("not HTTP: an answer without a status line")
		}
		return nil
	}
	b = trimLines(b)
	for i, ch := range b {
		if ch == ' ' && i > 0 {
			break
		}
		if !token(ch) || i > 32 {
			if ch == '\r' && i == 0 && len(b) == 1 {
				return nil // half an empty line
			}
			return errors.New("not HTTP: a request without a method")
		}
	}
	if end := bytes.IndexByte(b, '\n'); end >= 0 {
		if end == 0 || b[end-1] != '\r' {
			return errBareLine
		}
		_, _, err := requestLine(b[:end-1])
		return err
	}
	return nil
}

// trimLines takes away empty lines, which some clients send behind a body.
func trimLines(b []byte) []byte {
	for bytes.HasPrefix(b, crlf) {
		b = b[2:]
	}
	return b
}

// headLength is how long the head at the start of b is, with the empty line; 0: it does not end here. The first bytes of b, so many
// as from says, are known not to hold the end.
func headLength(b []byte, from int) int {
	empty := len(b) - len(trimLines(b))
	from = max(from, empty)
	if from > len(b) {
		return 0
	}
	i := bytes.Index(b[from:], []byte("\r\n\r\n"))
	if i < 0 {
		return 0
	}
	return from + i + 4
}

func requestLine(line []byte) (method, target []byte, err error) {
	method, rest, ok := bytes.Cut(line, []byte(" "))
	i := bytes.LastIndexByte(rest, ' ')
	if !ok || i <= 0 || len(rest) != i+1+len(version)+1 || !bytes.HasPrefix(rest[i+1:], version) {
		return nil, nil, errors.New("not HTTP: a line that is no request")
	}
	return method, rest[:i], nil
}

func readRequest(head []byte) (h httpHead, err error) {
	head = trimLines(head)
	line, fields, _ := bytes.Cut(head, crlf)
	if h.method, h.target, err = requestLine(line); err != nil {
		return h, err
	}
	h.isHead, h.tunnel = string(h.method) == "HEAD", string(h.method) == "CONNECT"
	h.closes = line[len(line)-1] == '0'
	return h, h.read(fields)
}

func readAnswer(head []byte) (h httpHead, err error) {
	line, fields, _ := bytes.Cut(head, crlf)
	if len(line) < 12 || !bytes.HasPrefix(line, version) || line[8] != ' ' {
		return h, errors.New("not HTTP: a line that is no status")
	}
	if h.status, err = strconv.Atoi(string(line[9:12])); err != nil || h.status < 100 {
		return h, errors.New("not HTTP: a status that is no number")
	}
	h.body.kind = untilEnd
	return h, h.read(fields)
}

// read reads the fields of a head, as far as they say where the message ends.
func (h *httpHead) read(fields []byte) error {
	chunked, coded, length := false, false, int64(-1)
	for len(fields) > 0 {
		line, rest, _ := bytes.Cut(fields, crlf)
		fields = rest
		if len(line) == 0 {
			break
		}
		if line[0] == ' ' || line[0] == '\t' {
			continue // the field above goes on
		}
		colon := bytes.IndexByte(line, ':')
		if colon <= 0 || line[colon-1] == ' ' {
			return errors.New("not HTTP: a field without a name")
		}
		if bytes.IndexByte(line, '\n') >= 0 {
			return errBareLine
		}
		name, value := line[:colon], bytes.TrimSpace(line[colon+1:])
		switch len(name) {
		case len("Expect"):
			h.expects = h.expects || is(name, "Expect") && is(value, "100-continue")
		case len("Upgrade"):
			h.upgrades = h.upgrades || is(name, "Upgrade")
		case len("Connection"):
			h.closes = h.closes || is(name, "Connection") && is(value, "close")
		case len("Content-Length"):
			if !is(name, "Content-Length") {
				continue
			}
			n, err := strconv.ParseUint(string(value), 10, 63)
			if err != nil || length >= 0 && length != int64(n) {
				return fmt.Errorf("not HTTP: a length of %.40q", value)
			}
			length = int64(n)
		case len("Transfer-Encoding"):
			if !is(name, "Transfer-Encoding") {
				continue
			}
			last := value
			if i := bytes.LastIndexByte(value, ','); i >= 0 {
				last = bytes.TrimSpace(value[i+1:])
			}
			if chunked = is(last, "chunked"); !chunked && h.status == 0 {
				return fmt.Errorf("not HTTP: a request encoded as %.40q", value)
			}
			coded = true
		}
	}
	switch {
	case chunked:
		h.body = body{kind: inChunks}
	case length >= 0 && !coded:
		h.body = body{kind: sized, left: length}
	}
	return nil
}

func is(b []byte, s string) bool { return len(b) == len(s) && bytes.EqualFold(b, []byte(s)) }

func token(ch byte) bool {
	return ch >= 'A' && ch <= 'Z' || ch >= 'a' && ch <= 'z' || ch >= '0' && ch <= '9' || ch == '-' || ch == '_' || ch == '!' || ch == '.'
}

// appendSignature makes "GET /orders/{id}" of "GET" and "/orders/17?full=1".
func appendSignature(dst, method, target []byte) []byte {
	dst = append(append(dst, method...), ' ')
	if string(method) == "CONNECT" {
		return append(dst, target...)
	}
	if i := bytes.Index(target, []byte("://")); i > 0 { // as to a forward proxy
		target = target[i+3:]
		if i = bytes.IndexByte(target, '/'); i < 0 {
			target = []byte("/")
		} else {
			target = target[i:]
		}
	}
	if i := bytes.IndexAny(target, "?#"); i >= 0 {
		target = target[:i]
	}
	for len(target) > 0 {
		segment, slash := target, false
		if i := bytes.IndexByte(target, '/'); i >= 0 {
			segment, target, slash = target[:i], target[i+1:], true
		} else {
			target = nil
		}
		if identifies(segment) {
			dst = append(dst, "{id}"...)
		} else {
			dst = append(dst, segment...)
		}
		if slash {
			dst = append(dst, '/')
		}
	}
	return dst
}

// identifies tells whether a segment of a path names one of many things: it holds a digit and is no version of an API (v1), or it is long.
func identifies(segment []byte) bool {
	if len(segment) >= 32 {
		return true
	}
	version := len(segment) > 1 && segment[0] == 'v'
	digits := false
	for i, ch := range segment {
		digit := ch >= '0' && ch <= '9'
		digits = digits || digit
		version = version && (digit || i == 0)
	}
	return digits && !version
}
