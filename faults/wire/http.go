package wire

import (
	"bytes"
	"errors"
	"fmt"
)

// HTTP is HTTP/1.1, and 1.0. TLS and HTTP/2 are recognised and pass as opaque, and so does a connection after an upgrade or CONNECT.
//
// An ask is given out whole, up to maxAsk bytes; a larger one in parts as it comes, and one that expects 100-continue as its head and
// then its body. An answer is given out as it comes, for a server may take its time between the parts of one. Interim answers (1xx)
// are Plain. A connection keeps maxAsk bytes of an ask, or one head, on each way.
//
// What a caller can see of the buffering: the body of a chunked request smaller than maxAsk reaches the other side when it is complete.
var HTTP = Protocol{
	Name:   "http",
	New:    func() Conn { return &httpConn{signatures: map[string]string{}} },
	Repeat: repeatHTTP,
	Refuse: refuseHTTP,
}

const (
	maxAsk   = 256 << 10 // of an ask that is given out whole
	maxHead  = 64 << 10  // of a head; more is not HTTP
	maxNames = 256       // signatures that a connection need not make anew
	maxAhead = 1 << 12   // requests that wait for their answer on one connection; more is not HTTP
)

// httpConn decodes one connection.
type httpConn struct {
	ways       [2]httpWay
	asked      []httpAsk // not answered yet, in order
	last       uint64    // the latest exchange
	signatures map[string]string
	scratch    []byte
	opaque     int64
	why        string
}

// httpAsk is what must be known of a request to find the end of its answer.
type httpAsk struct {
	exchange uint64
	head     bool // HEAD: no body
	tunnel   bool // CONNECT: no HTTP any more behind a 2xx
}

// httpWay is one way of a connection. Its message is a head, then a body.
type httpWay struct {
	kept    []byte
	scanned int // of kept: it holds no end of a head, and no complete message
	inBody  bool
	head    httpHead
	body    body
	message Message // whose body it is
	given   bool    // the first part of it was given out
	out     []Message
}

func (c *httpConn) Opaque() (int64, string) { return c.opaque, c.why }

func (c *httpConn) Feed(w Way, b []byte) []Message {
	y := &c.ways[w]
	clear(y.out)
	y.out = y.out[:0]
	ours := len(y.kept) > 0
	if ours {
		b = append(y.kept, b...)
		y.kept = nil
	}
	for len(b) > 0 {
		n, err := c.next(w, b)
		if err != nil {
			c.why = err.Error()
		}
		if c.why != "" && n == 0 {
			n = c.pass(w, b)
		}
		if n == 0 {
			if y.kept = b; !ours {
				y.kept = bytes.Clone(b)
			}
			break
		}
		b = b[n:]
	}
	return y.out
}

// pass gives out what is not understood.
func (c *httpConn) pass(w Way, b []byte) int {
	c.opaque += int64(len(b))
	c.ways[w].give(Message{Bytes: b})
	return len(b)
}

// End gives what was kept. A body that lasted until the end of the connection is complete now.
func (c *httpConn) End(w Way) []Message {
	y := &c.ways[w]
	clear(y.out)
	y.out = y.out[:0]
	if len(y.kept) > 0 {
		y.give(Message{Bytes: y.kept})
		y.kept = nil
	}
	if c.why == "" && y.inBody && y.body.kind == untilEnd && y.message.Role == Answer {
		y.give(Message{Role: Answer, Exchange: y.message.Exchange, Last: true})
		y.inBody = false
	}
	return y.out
}

func (y *httpWay) give(m Message) { y.out = append(y.out, m) }

// next takes a message, or a part of one, from the start of b and says how long it is; 0: it needs more.
func (c *httpConn) next(w Way, b []byte) (int, error) {
	if c.why != "" {
		return 0, nil
	}
	y := &c.ways[w]
	begun := 0 // of b that is understood already
	if !y.inBody {
		if err := recognise(w, b); err != nil {
			return 0, err
		}
		n := headLength(b, y.scanned)
		if n == 0 {
			switch {
			case len(b) > maxHead:
				return 0, fmt.Errorf("not HTTP: a head of more than %d bytes", maxHead)
			case bareEnd(b[y.scanned:]):
				return 0, errBareLine
			}
			y.scanned = max(0, len(b)-3)
			return 0, nil
		}
		y.scanned = 0
		if err := c.begin(w, b[:n]); err != nil {
			return 0, err
		}
		y.inBody, begun = true, n
	} else if !y.given {
		begun = y.scanned
	}
	n, done, err := y.body.advance(b[begun:])
	if err != nil {
		return 0, err
	}
	n += begun
	whole := done || w == Down || n > maxAsk || y.head.expects || y.body.kind == sized && y.body.left > maxAsk
	switch {
	case !whole && !y.given:
		y.scanned = n
		return 0, nil
	case n == 0:
		return 0, nil
	}
	c.give(w, b[:n], done)
	return n, nil
}

// give gives out a part of the message of a way; done tells that it is the last.
func (c *httpConn) give(w Way, b []byte, done bool) {
	y := &c.ways[w]
	m := y.message
	m.Bytes, m.More = b, !done
	switch {
	case w == Up && y.given:
		m = Message{Bytes: b, More: !done}
	case w == Up:
		c.last++
		m.Exchange = c.last
		c.asked = append(c.asked, httpAsk{c.last, y.head.isHead, y.head.tunnel})
	case m.Role == Answer:
		m.Last = done
		m.Refused = m.Refused && !y.given
	}
	y.give(m)
	y.given, y.scanned = true, 0
	if !done {
		return
	}
	y.inBody, y.given = false, false
	if y.head.leaves != "" && w == Down {
		c.why = y.head.leaves
	}
}

// begin reads the head of a message.
func (c *httpConn) begin(w Way, head []byte) (err error) {
	y := &c.ways[w]
	if w == Up {
		if len(c.asked) >= maxAhead {
			return fmt.Errorf("not HTTP: %d requests without an answer", len(c.asked))
		}
		if y.head, err = readRequest(head); err != nil {
			return err
		}
		y.body = y.head.body
		y.message = Message{Role: Ask, Signature: c.signature(y.head.method, y.head.target)}
		return nil
	}
	if y.head, err = readAnswer(head); err != nil {
		return err
	}
	status := y.head.status
	y.message = Message{Refused: status >= 400, Role: Answer}
	var ask httpAsk
	switch {
	case status/100 == 1 && status != 101 || len(c.asked) == 0: // interim, or an answer that nobody asked for
		y.message = Message{}
	default:
		ask = c.asked[0]
		if c.asked = c.asked[1:]; len(c.asked) == 0 {
			c.asked = nil
		}
		y.message.Exchange = ask.exchange
	}
	y.body = y.head.body
	switch {
	case status == 101:
		y.head.leaves = "upgrade"
		y.body = body{}
	case ask.tunnel && status/100 == 2:
		y.head.leaves = "CONNECT"
		y.body = body{}
	case ask.head, status/100 == 1, status == 204, status == 304:
		y.body = body{}
	}
	return nil
}

// signature names a request, and remembers its name.
func (c *httpConn) signature(method, target []byte) string {
	c.scratch = appendSignature(c.scratch[:0], method, target)
	if s, ok := c.signatures[string(c.scratch)]; ok {
		return s
	}
	s := string(c.scratch)
	if len(c.signatures) < maxNames {
		c.signatures[s] = s
	}
	return s
}

// repeatHTTP gives the same bytes once more: the server answers twice, in order.
func repeatHTTP(ask Message) ([]byte, bool, error) {
	n := headLength(ask.Bytes, 0)
	if n == 0 {
		return nil, false, errors.New("the request is not kept")
	}
	h, err := readRequest(ask.Bytes[:n])
	switch {
	case err != nil:
		return nil, false, err
	case ask.More || h.expects:
		return nil, false, errors.New("the request came in parts")
	case h.tunnel || h.upgrades:
		return nil, false, errors.New("the request leaves HTTP")
	case h.closes:
		return nil, false, errors.New("the request ends its connection")
	}
	return ask.Bytes, true, nil
}

const refusal = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 20\r\nConnection: keep-alive\r\n\r\n"

// refuseHTTP answers 503.
func refuseHTTP(ask Message) ([]byte, error) {
	switch method, _, _ := bytes.Cut([]byte(ask.Signature), []byte(" ")); string(method) {
	case "CONNECT":
		return nil, errors.New("the request leaves HTTP")
	case "HEAD":
		return []byte(refusal), nil
	}
	return []byte(refusal + "service unavailable\n"), nil
}
