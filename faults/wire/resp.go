package wire

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

// RESP is the protocol of Redis, versions 2 and 3. A command asks, an array of strings or inline; the answers come in the order of the
// commands, one each, but for these:
//
//   - SUBSCRIBE and its kin are answered once for each channel they name. UNSUBSCRIBE without a channel is answered as often as the
//     server pleases: its last answer is the one after which nothing is subscribed to, or else the next answer to another command ends it.
//   - Messages of channels are asks on the way down, "MESSAGE orders", which are never answered. Version 3 marks them as pushes. In
//     version 2 they are arrays, and are taken for messages while the connection subscribes to something: the server then lets no command
//     through whose answer looks like one. Other pushes are Plain.
//   - After CLIENT REPLY OFF or SKIP the commands that the server does not answer are asks without an answer.
//   - An error that nobody asked for, such as too many clients, is Plain.
//
// What cannot be followed makes the connection opaque: MONITOR, replication, SUBSCRIBE or CLIENT REPLY inside MULTI, an answer to
// nothing, a million unanswered commands (of 16 bytes each, the one bound that matters), TLS.
//
// A second delivery is the same bytes again, and its answer must be swallowed. A refusal is an error of the kind ERR.
var RESP = Protocol{
	Name:   "resp",
	New:    func() Conn { return &respConn{version: 2} },
	Repeat: respRepeat,
	Refuse: respRefuse,
}

// respPending is how many commands may await their answers.
const respPending = 1 << 20

type respConn struct {
	ways       [2]respWay
	asked      respQueue
	exchanges  uint64
	signatures respSignatures
	opacity    opacity

	version   int      // of the protocol, as the server answered HELLO
	channels  int      // and patterns that are subscribed to
	shards    int      // shard channels that are
	queueing  bool     // between MULTI and EXEC
	mute      bool     // after CLIENT REPLY OFF
	muteOnce  bool     // after CLIENT REPLY SKIP
	ended     []uint64 // exchanges to be named by the next last answer
	arguments [respArguments][]byte
}

type respWay struct {
	unread unread
	scan   respScan
	seen   int     // unread bytes that were scanned
	begun  bool    // parts of the message were given out
	part   Message // what each of them is
}

func (c *respConn) Feed(w Way, b []byte) []Message {
	if len(b) == 0 {
		return nil
	}
	s := &c.ways[w]
	b = s.unread.take(b)
	n, out := 0, s.unread.messages() // bytes given out
	for n < len(b) && c.opacity.why == "" {
		m := c.message(w, b[n:])
		if len(m.Bytes) == 0 {
			break
		}
		n += len(m.Bytes)
		out = append(out, m)
	}
	if c.opacity.why != "" {
		out = append(out, c.opacity.pass(b[n:])...)
		n = len(b)
	}
	s.unread.keep(b, n)
	return s.unread.give(out)
}

// message gives the message at the beginning of b, or a part of it, with no bytes while it is not complete.
func (c *respConn) message(w Way, b []byte) (m Message) {
	s := &c.ways[w]
	n, done, why := s.scan.scan(w, b, s.seen)
	s.seen = n
	switch {
	case why != "":
		c.opacity.why = why
		return m
	case n == 0 || !done && !s.begun && n <= whole:
		return m
	case s.begun:
		m = s.part
	case w == Up:
		m = c.asks(b[:n])
	default:
		m = c.answers(s.scan.kind, b[:n])
	}
	if c.opacity.why != "" {
		return Message{}
	}
	if s.begun, s.seen = !done, 0; s.begun {
		s.part = m
		if m.Role == Ask {
			s.part = Message{Exchange: m.Exchange}
		}
	} else {
		s.scan.reset()
	}
	m.Bytes, m.More = b[:n:n], s.begun
	if m.Role == Answer && m.More {
		m.Last, m.Also = false, nil
	}
	return m
}

func (c *respConn) End(w Way) []Message {
	s := &c.ways[w]
	b := s.unread.take(nil)
	*s = respWay{}
	if len(b) == 0 {
		return nil
	}
	return []Message{{Bytes: b}}
}

func (c *respConn) Opaque() (int64, string) { return c.opacity.bytes, c.opacity.why }

// asks tells what a command is to an exchange, and what it changes on the connection.
func (c *respConn) asks(b []byte) Message {
	args := respArgs(c.arguments[:0], b)
	if len(args) == 0 {
		return Message{} // an empty line or array: the server says nothing to it
	}
	command := c.signatures.command(args[0])
	ask := respAsk{left: 1}
	answered := !c.mute && !c.muteOnce
	c.muteOnce = false
	switch command {
	case "MONITOR":
		c.opacity.why = "MONITOR"
	case "SYNC", "PSYNC":
		c.opacity.why = "replication"
	case "MULTI":
		c.queueing = true
	case "EXEC", "DISCARD":
		c.queueing = false
	case "HELLO":
		ask.kind = respHello
		if c.queueing {
			c.opacity.why = "HELLO inside MULTI"
		}
	case "RESET":
		ask.kind = respReset
		c.queueing, c.mute, answered = false, false, true
	case "SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE", "UNSUBSCRIBE", "PUNSUBSCRIBE", "SUNSUBSCRIBE":
		// The server confirms subscriptions to a client that is mute, too.
		ask.kind, answered = respSubscribing[command], true
		if ask.left = int32(respCount(b)) - 1; ask.left == 0 {
			ask.left = respAny
		}
		switch {
		case c.queueing:
			c.opacity.why = command + " inside MULTI"
		case b[0] != '*' && bytes.ContainsAny(b, "\"'"):
			c.opacity.why = command + " inline, with quotes"
		}
	case "CLIENT":
		answered = c.client(args, answered)
	}
	c.exchanges++
	m := Message{Role: Ask, Exchange: c.exchanges, Last: !answered, Signature: c.signatures.of(command, args)}
	if answered {
		ask.exchange = c.exchanges
		c.asked.push(ask)
		if c.asked.len() > respPending {
			c.opacity.why = "more than " + strconv.Itoa(respPending) + " commands without an answer"
		}
	}
	return m
}

// client follows CLIENT REPLY, and tells whether the command itself is answered.
func (c *respConn) client(args [][]byte, answered bool) bool {
	if len(args) != 3 || !bytes.EqualFold(args[1], []byte("REPLY")) {
		return answered
	}
	if c.queueing {
		c.opacity.why = "CLIENT REPLY inside MULTI"
	}
	switch string(bytes.ToUpper(args[2])) {
	case "ON":
		c.mute = false
		return true
	case "OFF":
		c.mute = true
		return false
	case "SKIP":
		c.muteOnce = !c.mute
		return false
	}
	return answered
}

// answers tells what a message of the server is to an exchange. kind is its first byte, behind attributes.
func (c *respConn) answers(kind byte, b []byte) Message {
	if kind == '>' || kind == '*' && c.version == 2 {
		if m, pushed := c.pushed(kind == '>', b); pushed {
			return m
		}
	}
	for c.asked.len() > 1 && c.asked.head().begun {
		c.ended = append(c.ended, c.asked.pop().exchange)
	}
	refused := kind == '-' || kind == '!'
	if c.asked.len() == 0 {
		if !refused {
			c.opacity.why = "an answer to nothing"
		}
		return Message{}
	}
	ask := c.asked.pop()
	switch {
	case refused:
	case ask.kind == respHello:
		if c.version = 2; kind == '%' {
			c.version = 3
		}
	case ask.kind == respReset:
		c.version, c.channels, c.shards = 2, 0, 0
	}
	return c.last(ask.exchange, refused)
}

// last is the last answer to an exchange. If it is good, it ends those, too, whose end could not be seen.
func (c *respConn) last(exchange uint64, refused bool) Message {
	m := Message{Role: Answer, Exchange: exchange, Last: true, Refused: refused}
	if !refused {
		m.Also, c.ended = c.ended, nil
	}
	return m
}

// pushed is of what comes without being asked for, and of what answers SUBSCRIBE and its kin, which looks alike.
func (c *respConn) pushed(certain bool, b []byte) (m Message, pushed bool) {
	args := respArgs(c.arguments[:0], b)
	if len(args) == 0 {
		return m, certain
	}
	name := c.signatures.command(args[0])
	kind, confirms := respSubscribing[name]
	if !confirms {
		if !certain && c.channels+c.shards == 0 || respMessages[name] != len(args) {
			return m, certain
		}
		c.exchanges++
		return Message{Role: Ask, Exchange: c.exchanges, Last: true, Signature: c.signatures.of("MESSAGE", [][]byte{nil, args[len(args)-2]})}, true
	}
	null := len(args) > 1 && args[1] == nil // nothing was subscribed to: the whole answer
	for c.asked.len() > 1 && c.asked.head().begun && (c.asked.head().kind != kind || null) {
		c.ended = append(c.ended, c.asked.pop().exchange)
	}
	expected := c.asked.len() > 0 && c.asked.head().kind == kind
	if !certain && !expected && c.channels+c.shards == 0 {
		return m, false // an ordinary answer that begins with this word
	}
	if len(args) == 3 {
		n, _ := strconv.Atoi(string(args[2]))
		if kind >= respSharded {
			c.shards = n
		} else {
			c.channels = n
		}
	}
	if !expected {
		return m, true
	}
	ask := c.asked.head()
	if ask.left--; ask.left == 0 || ask.left < 0 && (null || c.channels+c.shards == 0) {
		return c.last(c.asked.pop().exchange, false), true
	}
	if ask.left < 0 {
		ask.left, ask.begun = respAny, true
	}
	return Message{Role: Answer, Exchange: ask.exchange}, true
}

func respRepeat(ask Message) ([]byte, bool, error) {
	if ask.More {
		return nil, false, fmt.Errorf("repeat %s: %w", ask.Signature, errors.New("it is too large to be kept whole"))
	}
	return bytes.Clone(ask.Bytes), !ask.Last, nil
}

func respRefuse(ask Message) ([]byte, error) {
	if ask.Last {
		return nil, fmt.Errorf("refuse %s: it wants no answer", ask.Signature)
	}
	return []byte("-ERR the command failed\r\n"), nil
}
