package file

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rabbitmq/amqp091-go"
)

// unused is how long the broker keeps the queue when nobody reads it: it may go on after the run, on files that others use.
const unused = time.Hour

// queue reads copies of what is published to exchanges of RabbitMQ, from a queue of its own. The queue outlives a restart of the broker. What is
// in it then is what the broker keeps: messages that are persistent, of exchanges that are durable. Whether they are is for the file to say.
//
// RabbitMQ does not number messages. One that comes again because the broker did not hear that it was taken looks like a second one; it is
// marked as delivered again, and where one like it was taken before, nobody knows whether there were two.
type queue struct {
	url, name string
	from      []source

	conn      *amqp091.Connection
	ch        *amqp091.Channel
	came      <-chan amqp091.Delivery
	before    bool
	gap       string // why something may have been lost; "": nothing, or it has been said
	transient bool   // a message came that the broker does not keep
	taken     map[[sha256.Size]byte]bool
}

func (q *queue) close() {
	if q.conn != nil {
		_ = q.conn.Close()
	}
}

// durable tells that the file says of all that is read here that the broker keeps it.
func (q *queue) durable() bool {
	return !slices.ContainsFunc(q.from, func(s source) bool { return !s.Durable })
}

func (q *queue) connect(_ context.Context, to taker) (err error) {
	q.close()
	if q.conn, err = amqp091.DialConfig(q.url, amqp091.Config{Heartbeat: 10 * time.Second, Dial: amqp091.DefaultDial(2 * time.Second)}); err != nil {
		return err
	}
	if q.ch, err = q.conn.Channel(); err != nil {
		return err
	}
	if q.before {
		q.gap = cmp.Or(q.lost(), q.gap) // the try before may have made the queue again, and come no further
	}
	if _, err = q.ch.QueueDeclare(q.name, true, false, false, false, amqp091.Table{"x-expires": int32(unused.Milliseconds())}); err != nil {
		return err
	}
	for _, s := range q.from {
		if err := q.ch.QueueBind(q.name, s.routing(), s.Exchange, false, nil); err != nil {
			return fmt.Errorf("bind a queue to exchange %s: %w", s.Exchange, err)
		}
	}
	if q.came, err = q.ch.Consume(q.name, "", false, true, false, false, nil); err != nil {
		return err
	}
	q.before = true
	if q.gap != "" {
		to.missed(q.gap)
		q.gap = ""
	}
	return nil
}

// lost says why something may have been lost with a connection.
func (q *queue) lost() string {
	switch {
	case !q.durable():
		return "the connection was gone for a while, and the file does not say that the broker keeps these messages (durable: true)"
	case q.transient:
		return "the connection was gone for a while, and there are messages that are not persistent, which the broker does not keep"
	}
	if _, err := q.ch.QueueDeclarePassive(q.name, true, false, false, false, nil); err != nil {
		if ch, again := q.conn.Channel(); again == nil { // the error has closed the other
			q.ch = ch
		}
		return "the connection was gone for a while, and the queue of the harness with it"
	}
	return ""
}

// routing is what a queue is bound by; everything, where nothing is said.
func (s source) routing() string {
	if s.Routing == "" {
		return "#"
	}
	return s.Routing
}

func (q *queue) one(ctx context.Context, to taker) (mark string, err error) {
	select {
	case m, ok := <-q.came:
		if !ok {
			return "", errors.New("the connection ended")
		}
		if m.Exchange == "" && m.RoutingKey == q.name {
			return string(m.Body), m.Ack(false)
		}
		q.hand(m, to)
		return "", m.Ack(false)
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

func (q *queue) hand(m amqp091.Delivery, to taker) {
	q.transient = q.transient || m.DeliveryMode != amqp091.Persistent
	header := map[string]any{"message-id": m.MessageId, "correlation-id": m.CorrelationId, "type": m.Type}
	for name, v := range m.Headers {
		header[name] = v
	}
	print := sha256.Sum256(fmt.Appendf(nil, "%q %q %q %q", m.Exchange, m.RoutingKey, header, m.Body))
	if m.Redelivered && q.taken[print] {
		to.missed("RabbitMQ delivered a message again that looks like one that was taken before: whether there were two, nobody knows")
		return
	}
	if q.taken == nil {
		q.taken = map[[sha256.Size]byte]bool{}
	}
	q.taken[print] = true
	matches := func(s source) bool { return s.Exchange == m.Exchange && routingMatches(s.routing(), m.RoutingKey) }
	to.each(newDelivery(matches, decode(m.Body), string(m.Body), header, m.RoutingKey, ""))
}

func (q *queue) take(ctx context.Context, to taker) error {
	for {
		if _, err := q.one(ctx, to); err != nil {
			return err
		}
	}
}

// rest puts a mark into the queue, which comes behind everything that was there.
func (q *queue) rest(ctx context.Context, to taker) error {
	mark := fmt.Sprint(restMark, time.Now().UnixNano())
	if err := q.ch.PublishWithContext(ctx, "", q.name, false, false, amqp091.Publishing{Body: []byte(mark)}); err != nil {
		return err
	}
	for {
		switch came, err := q.one(ctx, to); {
		case err != nil:
			return err
		case came == mark:
			return nil
		}
	}
}
