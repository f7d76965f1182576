package wire

// call reads a method of the client.
func (c *amqpConn) call(id uint16, ch *amqpChannel, method uint32, a amqpArguments) Message {
	if method == amqpGet {
		return c.get(ch, &a)
	}
	if method == amqpRecover || method == amqpRecoverAsync {
		c.wait(-ch.open[Down].clear()) // they will be delivered again, under other tags
	}
	if method == amqpChannelCloseOK {
		c.forget(id)
	}
	call, ok := amqpCalls[method]
	if !ok {
		return Message{}
	}
	waiting := amqpWaiting{reply: amqpReply(method)}
	switch method {
	case amqpConsume:
		waiting.consumer = a.consumer()
		c.consume(ch, waiting.consumer)
	case amqpCancel:
		c.cancel(ch, a.peek())
	case amqpConfirm:
		ch.confirms = true
	}
	m := c.ask(call.name)
	a.skip(call.skip)
	if m.Last = call.quiet >= 0 && a.octet()&(1<<call.quiet) != 0; !m.Last {
		waiting.exchange = m.Exchange
		c.wait(1)
		ch.calls = append(ch.calls, waiting)
	}
	return m
}

func (c *amqpConn) get(ch *amqpChannel, a *amqpArguments) (m Message) {
	a.skip("s")
	w := amqpWaiting{reply: amqpGetOK, consumer: amqpConsumer{queue: a.text()}}
	if unacked := a.octet()&1 != 0; unacked {
		m = c.ask("basic.get")
		w.exchange = m.Exchange
	}
	c.wait(1)
	ch.calls = append(ch.calls, w)
	return m
}

func (c *amqpConn) consume(ch *amqpChannel, from amqpConsumer) {
	if _, known := ch.consumers[from.tag]; from.tag != "" && !known && c.consumers < amqpConsumers {
		ch.consumers[from.tag] = from
		c.consumers++
	}
}

func (c *amqpConn) cancel(ch *amqpChannel, tag string) {
	if _, known := ch.consumers[tag]; known {
		delete(ch.consumers, tag)
		c.consumers--
	}
}

// reply reads a method of the broker.
func (c *amqpConn) reply(id uint16, ch *amqpChannel, method uint32, a *amqpArguments) Message {
	if method == amqpChannelClose && len(ch.calls) > 0 {
		return c.refused(ch)
	}
	if len(ch.calls) == 0 || ch.calls[0].reply != method && (ch.calls[0].reply != amqpGetOK || method != amqpGetEmpty) {
		return Message{}
	}
	x := ch.calls[0]
	ch.calls = ch.calls[1:]
	c.wait(-1)
	switch {
	case method == amqpConsumeOK:
		x.consumer.tag = a.text()
		c.consume(ch, x.consumer)
	case method == amqpChannelCloseOK:
		c.forget(id)
	}
	if x.exchange == 0 {
		return Message{}
	}
	return Message{Role: Answer, Exchange: x.exchange, Last: true}
}

// refused ends all calls of a channel that the broker closes.
func (c *amqpConn) refused(ch *amqpChannel) (m Message) {
	for _, x := range ch.calls {
		if x.exchange != 0 {
			m.Also = append(m.Also, x.exchange)
		}
	}
	c.wait(-len(ch.calls))
	ch.calls = nil
	n := len(m.Also)
	if n == 0 {
		return Message{}
	}
	return Message{Role: Answer, Exchange: m.Also[n-1], Also: m.Also[:n-1], Last: true, Refused: true}
}

// forget forgets a channel that is closed.
func (c *amqpConn) forget(id uint16) {
	if ch := c.channels[id]; ch != nil {
		c.wait(-len(ch.calls) - ch.open[Up].clear() - ch.open[Down].clear())
		c.consumers -= len(ch.consumers)
		delete(c.channels, id)
	}
}
