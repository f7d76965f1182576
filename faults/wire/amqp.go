package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// AMQP is AMQP 0-9-1, with RabbitMQ's publisher confirms.
//
// Exchanges are:
//
//   - a publish, "PUBLISH exchange/routing.key": method, header and body are one ask. On a channel in confirm mode the broker's ack or
//     nack answers it, on others nobody does;
//   - a delivery, "DELIVER queue/routing.key", which the broker asks for and the consumer's ack, nack or reject answers, unless it consumes
//     without acks. The queue is that of the consumer, or else the exchange stands for it. What a get brings is a delivery too;
//   - any other method that has a reply, under its name: "queue.declare". A close of the channel by the broker refuses what waits for one.
//
// An ack of many (the flag "multiple") is the last answer of all of them: it carries the youngest exchange's number, and the others in
// Also. Withholding it withholds it from all.
//
// Contents of several channels may come interleaved. Such a content is given out in parts: the ask is what comes before the first frame of another
// channel, the rest is plain and carries the exchange's number. So is what follows the first 256 KiB.
//
// Neither a publish nor a delivery can be repeated on its channel. A second publish would be counted by the broker, and the tags of all
// confirms after it would be off by one. A second delivery has a tag that was acked before, and the second ack of a tag closes the channel.
//
// The refusal is of publishes on a channel in confirm mode: a nack.
var AMQP = Protocol{Name: "amqp", New: func() Conn { return newAMQPConn() }, Refuse: refuseAMQP}

const (
	amqpHeader  = 7 // bytes of a frame before its payload: type, channel, size
	amqpEnd     = 0xCE
	amqpMaxSize = 1 << 30 // bytes of a payload
	amqpEnough  = 8 << 10 // bytes that say what a frame means: so much of one that is given out in parts is awaited
	amqpPending = 1 << 17 // exchanges that wait for their answers, of all channels
)

// The types of frames.
const (
	amqpMethod    = 1
	amqpContent   = 2
	amqpBody      = 3
	amqpHeartbeat = 8
)

// amqpConn decodes one connection. What it keeps of its ways is bounded by twice 512 KiB; a pending exchange takes 16 bytes, or less than 64 if it is
// not a publish or a delivery.
type amqpConn struct {
	opacity
	ways      [2]amqpWay
	channels  map[uint16]*amqpChannel
	exchanges uint64
	pending   int
	consumers int
}

// amqpWay is one way.
type amqpWay struct {
	unread
	at      int // of what is unread, so much has been looked at, and is held as the beginning of a content
	begun   bool
	rest    int     // so much of a frame in parts is still to come
	part    Message // what such a part is
	content *amqpContents
}

// amqpFrame is a frame, or the beginning of a large one.
type amqpFrame struct {
	kind    byte
	channel uint16
	payload []byte
	size    int // of the payload
}

func newAMQPConn() *amqpConn { return &amqpConn{channels: map[uint16]*amqpChannel{}} }

// Opaque implements Conn.
func (c *amqpConn) Opaque() (bytes int64, why string) { return c.bytes, c.why }

func (c *amqpConn) misread(format string, args ...any) {
	c.why = "not AMQP 0-9-1: " + fmt.Sprintf(format, args...)
}

// Feed implements Conn.
func (c *amqpConn) Feed(w Way, b []byte) []Message {
	way := &c.ways[w]
	out := amqpOutput{data: way.take(b), messages: way.messages()}
	if n := min(way.rest, len(out.data)); n > 0 {
		way.rest -= n
		way.at = n
		part := way.part
		part.More = way.rest > 0
		part.Last = part.Last && !part.More
		if !part.More && out.data[n-1] != amqpEnd {
			c.misread("a frame without its end")
		}
		out.give(n, part)
	}
	for c.why == "" && way.rest == 0 {
		if !way.begun {
			if !c.begin(w, &out) {
				break
			}
			continue
		}
		f, total := c.frame(out.data[way.at:])
		if total == 0 {
			break
		}
		c.read(w, f, total, &out)
	}
	if c.why != "" {
		out.messages = append(out.messages, c.pass(out.data[out.given:])...)
		out.given = len(out.data)
	}
	way.keep(out.data, out.given)
	way.at = max(0, way.at-out.given)
	return way.give(out.messages)
}

// End implements Conn.
func (c *amqpConn) End(w Way) []Message {
	way := &c.ways[w]
	rest := way.take(nil)
	way.keep(rest, len(rest))
	way.at = 0
	if c.why != "" {
		return c.pass(rest)
	}
	if len(rest) == 0 {
		return nil
	}
	return []Message{{Bytes: rest}}
}

// begin reads the client's protocol header, or the server's, who sends one only to say that it speaks another version.
func (c *amqpConn) begin(w Way, out *amqpOutput) bool {
	way, data := &c.ways[w], out.data
	const magic = "AMQP"
	switch {
	case len(data) == 0:
	case w == Down && data[0] != magic[0]:
		way.begun = true
	case data[0] == 0x16:
		c.why = "TLS"
	case data[0] != magic[0]:
		c.misread("it begins with %#02x", data[0])
	case len(data) < 8:
	case string(data[:8]) == magic+"\x00\x00\x09\x01", w == Down && string(data[:4]) == magic:
		way.begun = true
		way.at = 8
		out.give(8, Message{})
	default:
		c.misread("it begins with %q", data[:8])
	}
	return way.begun && c.why == ""
}

// frame reads the next frame. A total of 0: it has to wait for more.
func (c *amqpConn) frame(data []byte) (f amqpFrame, total int) {
	if len(data) == 0 {
		return f, 0
	}
	switch data[0] {
	case amqpMethod, amqpContent, amqpBody, amqpHeartbeat:
	default:
		c.misread("a frame of type %#02x", data[0])
		return f, 0
	}
	if len(data) < amqpHeader {
		return f, 0
	}
	size := binary.BigEndian.Uint32(data[3:])
	if size > amqpMaxSize {
		c.misread("a frame of %d bytes", size)
		return f, 0
	}
	total = amqpHeader + int(size) + 1
	if len(data) < total && (total <= whole || len(data) < amqpEnough) {
		return f, 0
	}
	if len(data) >= total && data[total-1] != amqpEnd {
		c.misread("a frame without its end")
		return f, 0
	}
	f = amqpFrame{kind: data[0], channel: binary.BigEndian.Uint16(data[1:]), size: int(size)}
	f.payload = data[amqpHeader:min(len(data), amqpHeader+f.size)]
	return f, total
}

// amqpOutput is what one Feed gives out.
type amqpOutput struct {
	data     []byte
	given    int
	messages []Message
}

// give ends a message here.
func (o *amqpOutput) give(end int, m Message) {
	if end > o.given {
		m.Bytes = o.data[o.given:end:end]
		o.messages = append(o.messages, m)
		o.given = end
	}
}

func refuseAMQP(ask Message) ([]byte, error) {
	if ask.Tag == 0 || len(ask.Bytes) < amqpHeader {
		return nil, errors.New("refuse an amqp request: only a publish on a channel in confirm mode can be refused")
	}
	b := []byte{amqpMethod, ask.Bytes[1], ask.Bytes[2], 0, 0, 0, 13}
	b = binary.BigEndian.AppendUint32(b, amqpNack)
	b = binary.BigEndian.AppendUint64(b, ask.Tag)
	return append(b, 0, amqpEnd), nil
}
