package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// NATS is the client protocol of NATS, core and JetStream. What is asked and what answers it:
//
//   - PUB and HPUB with a reply subject ask; the first message that comes down on that subject answers: an acknowledgement of
//     JetStream, or the answer of a service. What comes there later is Plain.
//   - PUB and HPUB without a reply subject are never answered.
//   - A pull ($JS.API.CONSUMER.MSG.NEXT) is an ask that is never answered either. What it brings are deliveries, each an ask of its own, and the
//     status messages on its inbox are Plain: an inbox serves many pulls, and says of no message which of them it is for.
//   - MSG and HMSG with a reply subject ask on the way down: the client answers by publishing to it. For a delivery of JetStream this is the
//     acknowledgement: +WPI is an answer but not the last, -NAK and +TERM refuse. If the acknowledgement itself wants an answer (a double
//     acknowledgement), that one is Plain.
//   - MSG and HMSG without a reply subject are never answered. Heartbeats and flow control are Plain, in both directions.
//
// Reply subjects are remembered for the last 4096 asks of each way; an answer that is later than that passes as a message of its own.
// They take at most 4 MiB a way, and 1 MiB with subjects of the usual length. Inside TLS and websockets nothing is understood.
//
// A second delivery is the same bytes again. The second answer goes to the same inbox, where nobody waits any more: clients ignore it.
var NATS = Protocol{
	Name:      "nats",
	New:       func() Conn { return newNATSConn() },
	Repeat:    natsRepeat,
	Refuse:    natsRefuse,
	Unordered: true,
}

type natsConn struct {
	ways      [2]natsWay
	asked     [2]natsInboxes // by the way of the ask: where its answer goes
	subs      natsSubs
	exchanges uint64
	opacity   opacity
}

type natsWay struct {
	unread     unread
	need       int     // no message is complete in fewer bytes
	rest       int     // of a message that is given out in parts: the bytes to come
	part       Message // what each of them is
	signatures natsSignatures
}

func newNATSConn() *natsConn {
	c := &natsConn{}
	c.ways[Up].signatures.verb, c.ways[Down].signatures.verb = "PUB ", "MSG "
	return c
}

func (c *natsConn) Feed(w Way, b []byte) []Message {
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
func (c *natsConn) message(w Way, b []byte) Message {
	s := &c.ways[w]
	if s.rest > 0 {
		return s.next(b)
	}
	if len(b) < s.need {
		return Message{}
	}
	f, why := natsRead(w, b)
	if why != "" {
		c.opacity.why = why
		return Message{}
	}
	if !f.whole {
		return Message{}
	}
	size := f.size()
	if size > whole {
		if s.need = f.line + f.header; len(b) < s.need && s.need <= whole {
			return Message{}
		}
		s.need, s.rest = 0, size
		s.part = c.understand(w, &f, b[f.line:])
		first := s.next(b)
		if s.part.Role == Ask {
			s.part = Message{Exchange: s.part.Exchange}
		}
		return first
	}
	if s.need = size; len(b) < size {
		return Message{}
	}
	s.need = 0
	if !f.ended(b[:size]) {
		c.opacity.why = "not NATS: a payload is not followed by the end of a line"
		return Message{}
	}
	m := c.understand(w, &f, b[f.line:size])
	m.Bytes = b[:size:size]
	return m
}

// next is the next part of a message.
func (s *natsWay) next(b []byte) Message {
	m, n := s.part, min(s.rest, len(b))
	s.rest -= n
	m.Bytes, m.More = b[:n:n], s.rest > 0
	if m.Role == Answer {
		m.Last = m.Last && !m.More
	}
	return m
}

func (c *natsConn) End(w Way) []Message {
	s := &c.ways[w]
	b := s.unread.take(nil)
	*s = natsWay{}
	if len(b) == 0 {
		return nil
	}
	return []Message{{Bytes: b}}
}

func (c *natsConn) Opaque() (int64, string) { return c.opacity.bytes, c.opacity.why }

// understand tells what a frame is to an exchange. Of a large one, the end of the payload is not at hand.
func (c *natsConn) understand(w Way, f *natsFrame, payload []byte) Message {
	switch f.verb.kind {
	case natsSub:
		c.subs.add(f.args[0], f.args[f.n-1])
	case natsUnsub:
		left := 0
		if f.n == 2 {
			left, _ = natsNumber(f.args[1])
		}
		c.subs.remove(f.args[0], left)
	case natsPub:
		return c.published(f, payload)
	case natsMsg:
		c.subs.count(f.sid())
		return c.delivered(f, payload)
	}
	return Message{}
}

func (c *natsConn) published(f *natsFrame, payload []byte) Message {
	subject, reply := f.args[0], f.reply()
	if to, known := c.asked[Down].find(subject); known {
		if len(reply) > 0 {
			c.asked[Up].close(reply)
		}
		if to == 0 {
			return Message{}
		}
		m := Message{Role: Answer, Exchange: to, Last: true}
		if bytes.HasPrefix(subject, []byte("$JS.ACK.")) {
			m.Last, m.Refused = natsVerdict(payload[min(f.header, len(payload)):])
		}
		if m.Last {
			c.asked[Down].answered(subject)
		}
		return m
	}
	if bytes.HasPrefix(subject, []byte("$JS.FC.")) {
		return Message{}
	}
	m := c.ask(Up, subject)
	switch {
	case len(reply) == 0:
		m.Last = true
	case natsPull(subject):
		m.Last, m.sid = true, c.subs.find(reply)
		c.asked[Up].close(reply)
	default:
		m.sid = c.subs.find(reply)
		c.asked[Up].add(reply, m.Exchange)
	}
	return m
}

func (c *natsConn) delivered(f *natsFrame, payload []byte) Message {
	subject, reply := f.args[0], f.reply()
	header := payload[:min(f.header, len(payload))]
	if to, known := c.asked[Up].find(subject); known {
		if to == 0 {
			return Message{}
		}
		c.asked[Up].answered(subject)
		return Message{Role: Answer, Exchange: to, Last: true, Refused: natsFailed(header, payload[len(header):])}
	}
	if natsStatus(header) != 0 {
		return Message{}
	}
	m := c.ask(Down, subject)
	if len(reply) == 0 {
		m.Last = true
	} else {
		c.asked[Down].add(reply, m.Exchange)
	}
	return m
}

func (c *natsConn) ask(w Way, subject []byte) Message {
	c.exchanges++
	return Message{Role: Ask, Exchange: c.exchanges, Signature: c.ways[w].signatures.of(subject)}
}

// natsPull tells a pull request by its subject, which may name a domain: $JS.hub.API.CONSUMER.MSG.NEXT.
func natsPull(subject []byte) bool {
	return bytes.HasPrefix(subject, []byte("$JS.")) && bytes.Contains(subject, []byte(".CONSUMER.MSG.NEXT."))
}

// natsVerdict reads what a consumer says of a delivery.
func natsVerdict(payload []byte) (last, refused bool) {
	if bytes.HasPrefix(payload, []byte("+WPI")) {
		return false, false
	}
	return true, bytes.HasPrefix(payload, []byte("-NAK")) || bytes.HasPrefix(payload, []byte("+TERM"))
}

// natsFailed tells that an answer is an error: a status such as 503, no responders, or an error in the JSON of JetStream.
func natsFailed(header, body []byte) bool {
	if natsStatus(header) >= 400 {
		return true
	}
	if len(body) == 0 || body[0] != '{' || !bytes.Contains(body, []byte(`"error"`)) {
		return false
	}
	var answer struct {
		Error *struct {
			Code int `json:"code"`
		} `json:"error"`
	}
	return json.Unmarshal(body, &answer) == nil && answer.Error != nil && answer.Error.Code != 0
}

// natsStatus is the number in the first line of a header, 0 for none.
func natsStatus(header []byte) int {
	const version = "NATS/1.0 "
	if len(header) < len(version)+3 || string(header[:len(version)]) != version {
		return 0
	}
	n, err := strconv.Atoi(string(header[len(version) : len(version)+3]))
	if err != nil {
		return 0
	}
	return n
}

// natsAsk reads an ask again, and on which way it goes.
func natsAsk(ask Message) (Way, natsFrame, error) {
	for _, w := range []Way{Up, Down} {
		f, why := natsRead(w, ask.Bytes)
		if why != "" || !f.whole || f.payload < 0 {
			continue
		}
		if ask.More || f.size() != len(ask.Bytes) {
			return w, f, errors.New("it is too large to be kept whole")
		}
		return w, f, nil
	}
	return Up, natsFrame{}, errors.New("it carries no message")
}

func natsRepeat(ask Message) ([]byte, bool, error) {
	if _, _, err := natsAsk(ask); err != nil {
		return nil, false, fmt.Errorf("repeat %s: %w", ask.Signature, err)
	}
	return bytes.Clone(ask.Bytes), false, nil
}

// natsUnavailable is what JetStream says when it has no leader.
const natsUnavailable = `{"error":{"code":503,"err_code":10008,"description":"JetStream system temporarily unavailable"}}`

// natsNobody says that nobody serves a subject.
const natsNobody = "NATS/1.0 503\r\n\r\n"

func natsRefuse(ask Message) ([]byte, error) {
	w, f, err := natsAsk(ask)
	reply := f.reply()
	switch {
	case !f.whole:
		return nil, fmt.Errorf("refuse %s: %w", ask.Signature, err)
	case len(reply) == 0:
		return nil, fmt.Errorf("refuse %s: it wants no answer", ask.Signature)
	case w == Down && bytes.HasPrefix(reply, []byte("$JS.ACK.")):
		return fmt.Appendf(nil, "PUB %s 4\r\n-NAK\r\n", reply), nil
	case w == Down:
		return nil, fmt.Errorf("refuse %s: a request of core NATS has no answer that says so", ask.Signature)
	case ask.sid == "":
		return nil, fmt.Errorf("refuse %s: no subscription was seen for its answer", ask.Signature)
	case natsPull(f.args[0]):
		return fmt.Appendf(nil, "HMSG %s %s %d %[3]d\r\n%s\r\n", reply, ask.sid, len(natsNobody), natsNobody), nil
	}
	return fmt.Appendf(nil, "MSG %s %s %d\r\n%s\r\n", reply, ask.sid, len(natsUnavailable), natsUnavailable), nil
}
