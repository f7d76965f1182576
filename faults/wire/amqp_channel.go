package wire

import "encoding/binary"

// amqpChannel is one channel.
type amqpChannel struct {
	contents  [2]amqpContents // under way
	calls     []amqpWaiting   // of the client, in order
	open      [2]amqpTagged   // publishes (of Up) and deliveries (of Down) that wait for an ack
	confirms  bool            // publishes are acked
	published uint64          // since they are: the tag of the last one
	consumers map[string]amqpConsumer
}

// amqpContents is a content under way: a method, a header, and a body in any number of frames.
type amqpContents struct {
	message  Message // without its bytes
	active   bool
	given    bool // its beginning was
	headless bool // its header has not come
	left     uint64
}

// amqpWaiting is a call that waits for its reply.
type amqpWaiting struct {
	exchange uint64 // 0: a get, whose answer is an ask itself
	reply    uint32
	consumer amqpConsumer
}

// amqpConsumer says where deliveries come from.
type amqpConsumer struct {
	tag, queue string
	acked      bool // deliveries await acks
}

const amqpConsumers = 1 << 12 // of a connection, whose queues are remembered

func (c *amqpConn) channel(id uint16) *amqpChannel {
	ch := c.channels[id]
	if ch == nil {
		ch = &amqpChannel{consumers: map[string]amqpConsumer{}}
		c.channels[id] = ch
	}
	return ch
}

// read takes one frame of so many bytes in total.
func (c *amqpConn) read(w Way, f amqpFrame, total int, out *amqpOutput) {
	way := &c.ways[w]
	have := min(total, len(out.data)-way.at)
	var m Message
	content := (*amqpContents)(nil)
	if f.channel != 0 && f.kind != amqpHeartbeat {
		ch := c.channel(f.channel)
		content = &ch.contents[w]
		switch {
		case f.kind == amqpMethod:
			c.cut(way, out) // of this channel too: a method in the middle of a content ends it
			*content = amqpContents{}
			m = c.method(w, f, ch, content)
		case !content.active:
			content = nil
		case f.kind == amqpContent && content.headless:
			content.headless = false
			content.left = bodySize(f.payload)
			content.active = content.left > 0
		default:
			content.left -= min(content.left, uint64(f.size))
			content.active = content.left > 0
		}
	}
	if content != nil && (content.active || f.kind != amqpMethod) {
		c.carry(way, content, have, total, out)
		return
	}
	c.cut(way, out)
	way.at += have
	way.rest, way.part = total-have, Message{}
	m.More = way.rest > 0
	out.give(way.at, m)
}

func bodySize(header []byte) uint64 {
	if len(header) < 12 {
		return 0
	}
	return binary.BigEndian.Uint64(header[4:])
}

// carry takes a frame of a content, and gives the content out once it is whole, or too large.
func (c *amqpConn) carry(way *amqpWay, content *amqpContents, have, total int, out *amqpOutput) {
	if way.content != content {
		c.cut(way, out)
	}
	way.at += have
	way.rest, way.part = total-have, Message{Exchange: content.message.Exchange}
	if content.message.Role == Answer {
		way.part.Role, way.part.Last = Answer, !content.active
	}
	if content.active && way.rest == 0 && way.at-out.given <= whole && !content.given {
		way.content = content
		return
	}
	c.part(way, content, way.rest > 0, out)
}

// part gives out what there is of a content.
func (c *amqpConn) part(way *amqpWay, content *amqpContents, more bool, out *amqpOutput) {
	m := content.message
	if content.given && m.Role == Ask {
		m = Message{Exchange: m.Exchange}
	}
	m.More = more
	if m.Role == Answer {
		m.Last = !content.active && !more
	}
	content.given = true
	out.give(way.at, m)
	way.content = nil
}

// cut gives out what is held of a content, because something else comes.
func (c *amqpConn) cut(way *amqpWay, out *amqpOutput) {
	if way.content != nil {
		c.part(way, way.content, false, out)
	}
}

// method reads a method: what it is to an exchange, and whether a content follows.
func (c *amqpConn) method(w Way, f amqpFrame, ch *amqpChannel, content *amqpContents) Message {
	if len(f.payload) < 4 {
		return Message{}
	}
	method := binary.BigEndian.Uint32(f.payload)
	a := amqpArguments(f.payload[4:])
	var m Message
	switch {
	case method == amqpPublish && w == Up:
		m = c.publish(ch, &a)
	case method == amqpDeliver && w == Down:
		consumer, ok := ch.consumers[a.text()]
		m = c.deliver(ch, &a, consumer, !ok || consumer.acked)
	case method == amqpGetOK && w == Down:
		m = c.got(ch, &a)
	case method == amqpReturn && w == Down:
	case method == amqpAck || method == amqpNack || method == amqpReject && w == Up:
		return c.settle(ch, 1-w, method, &a)
	case w == Up:
		return c.call(f.channel, ch, method, a)
	default:
		return c.reply(f.channel, ch, method, &a)
	}
	*content = amqpContents{message: m, active: true, headless: true}
	return m
}

func (c *amqpConn) publish(ch *amqpChannel, a *amqpArguments) Message {
	a.skip("s")
	where := a.text()
	m := c.ask("PUBLISH " + amqpAddress(where, a.text()))
	if m.Last = !ch.confirms; m.Last {
		return m
	}
	ch.published++
	m.Tag = ch.published
	ch.open[Up].add(m.Tag, m.Exchange)
	c.wait(1)
	return m
}

// deliver reads what a delivery and the answer to a get begin with.
func (c *amqpConn) deliver(ch *amqpChannel, a *amqpArguments, from amqpConsumer, acked bool) Message {
	tag := a.long()
	a.octet() // whether it was delivered before
	where := a.text()
	if from.queue != "" {
		where = from.queue
	}
	m := c.ask("DELIVER " + amqpAddress(where, a.text()))
	if m.Last = !acked || !ch.open[Down].add(tag, m.Exchange); !m.Last {
		c.wait(1)
	}
	return m
}

// got reads the answer to a get: itself an ask, unless no ack is awaited.
func (c *amqpConn) got(ch *amqpChannel, a *amqpArguments) Message {
	if len(ch.calls) == 0 || ch.calls[0].reply != amqpGetOK {
		return Message{}
	}
	get := ch.calls[0]
	ch.calls = ch.calls[1:]
	c.wait(-1)
	if get.exchange != 0 {
		return Message{Role: Answer, Exchange: get.exchange, Last: true}
	}
	return c.deliver(ch, a, get.consumer, true)
}

func (c *amqpConn) ask(signature string) Message {
	c.exchanges++
	return Message{Role: Ask, Exchange: c.exchanges, Signature: signature}
}

// wait counts exchanges that begin, or no longer wait.
func (c *amqpConn) wait(n int) {
	if c.pending += n; c.pending > amqpPending {
		c.misread("more than %d exchanges without an answer", amqpPending)
	}
}

// settle reads an ack, a nack or a reject of what was asked on a way.
func (c *amqpConn) settle(ch *amqpChannel, asked Way, method uint32, a *amqpArguments) Message {
	tag := a.long()
	settled := ch.open[asked].settle(tag, method != amqpReject && a.octet()&1 != 0)
	c.wait(-len(settled))
	n := len(settled)
	if n == 0 {
		return Message{}
	}
	return Message{Role: Answer, Exchange: settled[n-1], Also: settled[: n-1 : n-1], Last: true, Refused: method != amqpAck}
}
