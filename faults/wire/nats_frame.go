package wire

import (
	"bytes"
	"strconv"
	"strings"
)

// natsLine is the longest line of the protocol: the INFO of a large cluster, a CONNECT with a long token.
const natsLine = 64 << 10

type natsKind int

const (
	natsOther natsKind = iota
	natsPub
	natsMsg
	natsSub
	natsUnsub
)

type natsVerb struct {
	name     string
	kind     natsKind
	min, max int  // arguments; of a line of another kind they are not looked at
	header   bool // the payload begins with a header, whose size is an argument
}

var natsVerbs = [2][]natsVerb{
	Up: {
		{name: "PUB", kind: natsPub, min: 2, max: 3},
		{name: "HPUB", kind: natsPub, min: 3, max: 4, header: true},
		{name: "SUB", kind: natsSub, min: 2, max: 3},
		{name: "UNSUB", kind: natsUnsub, min: 1, max: 2},
		{name: "PING"}, {name: "PONG"}, {name: "CONNECT"}, {name: "+OK"}, {name: "-ERR"},
	},
	Down: {
		{name: "MSG", kind: natsMsg, min: 3, max: 4},
		{name: "HMSG", kind: natsMsg, min: 4, max: 5, header: true},
		{name: "PING"}, {name: "PONG"}, {name: "INFO"}, {name: "+OK"}, {name: "-ERR"},
	},
}

// natsFrame is a line, and the size of the payload that follows it.
type natsFrame struct {
	whole   bool // the line is complete
	verb    *natsVerb
	args    [5][]byte
	n       int // of args
	line    int // bytes of the line, its end included
	header  int // bytes of the payload that are a header
	payload int // bytes of the payload; -1: none follows
}

func (f *natsFrame) size() int {
	if f.payload < 0 {
		return f.line
	}
	return f.line + f.payload + 2
}

// ended tells that the payload of a whole frame is followed by the end of a line.
func (f *natsFrame) ended(b []byte) bool { return f.payload < 0 || string(b[len(b)-2:]) == "\r\n" }

// reply is the reply subject, empty for none: the argument before the sizes, where there is one more than there must be.
func (f *natsFrame) reply() []byte {
	if !f.whole || f.n < f.verb.max {
		return nil
	}
	if f.verb.header {
		return f.args[f.n-3]
	}
	return f.args[f.n-2]
}

func (f *natsFrame) sid() []byte { return f.args[1] }

// natsRead reads the line at the beginning of b. With a reason, it is not of the protocol.
func natsRead(w Way, b []byte) (f natsFrame, why string) {
	verb, at, why := natsVerbOf(w, b)
	if why != "" {
		return f, why
	}
	end := bytes.IndexByte(b[:min(len(b), natsLine)], '\n')
	if end < 0 {
		if len(b) >= natsLine {
			return f, "not NATS: a line has no end"
		}
		return f, ""
	}
	f = natsFrame{whole: true, verb: verb, line: end + 1, payload: -1}
	if verb.kind == natsOther {
		return f, ""
	}
	if end > 0 && b[end-1] == '\r' {
		end--
	}
	if !f.split(b[at:end]) || f.n < verb.min || f.n > verb.max {
		return f, "not NATS: arguments of " + verb.name
	}
	if verb.kind == natsPub || verb.kind == natsMsg {
		var ok bool
		if f.payload, ok = natsNumber(f.args[f.n-1]); ok && verb.header {
			f.header, ok = natsNumber(f.args[f.n-2])
		}
		if !ok || f.header > f.payload {
			return f, "not NATS: size of " + verb.name
		}
	}
	return f, ""
}

// natsVerbOf finds the verb that b begins with, and where it ends. What can become no verb is refused with its first byte, so that
// nothing of a foreign protocol is ever kept back.
func natsVerbOf(w Way, b []byte) (verb *natsVerb, end int, why string) {
	for end < len(b) && b[end] > ' ' && end < len("CONNECT")+1 {
		end++
	}
	word := b[:end]
	for i := range natsVerbs[w] {
		v := &natsVerbs[w][i]
		if string(word) == v.name || end < len(b) && strings.EqualFold(string(word), v.name) {
			return v, end, ""
		}
		if end == len(b) && end <= len(v.name) && strings.EqualFold(string(word), v.name[:end]) {
			verb = v
		}
	}
	switch {
	case verb != nil: // so far
		return verb, end, ""
	case b[0] == 0x16:
		return nil, 0, "TLS"
	case w == Up && b[0] == 'G':
		return nil, 0, "WebSocket"
	}
	return nil, 0, "not NATS: " + strconv.Quote(string(b[:min(len(b), 8)]))
}

// split cuts the arguments apart. It reports whether there is room for all.
func (f *natsFrame) split(b []byte) bool {
	for i := 0; i < len(b); {
		if b[i] == ' ' || b[i] == '\t' {
			i++
			continue
		}
		if f.n == len(f.args) {
			return false
		}
		from := i
		for i < len(b) && b[i] != ' ' && b[i] != '\t' {
			i++
		}
		f.args[f.n] = b[from:i]
		f.n++
	}
	return true
}

// natsNumber reads a decimal number of at most nine digits, as the server does.
func natsNumber(b []byte) (n int, ok bool) {
	if len(b) == 0 || len(b) > 9 {
		return 0, false
	}
	for _, d := range b {
		if d < '0' || d > '9' {
			return 0, false
		}
		n = n*10 + int(d-'0')
	}
	return n, true
}
