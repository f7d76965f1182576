package wire

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/internal/servers"
)

func amqpURL(port int) string { return servers.AMQPURL(fmt.Sprintf("127.0.0.1:%d", port)) }

func amqpDial(t testing.TB, port int) *amqp091.Connection {
	c, err := amqp091.Dial(amqpURL(port))
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func amqpOpen(t testing.TB, c *amqp091.Connection) *amqp091.Channel {
	ch, err := c.Channel()
	require.NoError(t, err)
	return ch
}

// A real client and a real broker, with the decoder between them.
func TestRabbitMQServer(t *testing.T) {
	upstream := servers.RabbitMQ(t)
	port := portOf(t, upstream)
	for cut, pieces := range chunkings() {
		t.Run("as direct, "+cut, func(t *testing.T) {
			r := newRelay(t, AMQP, upstream, pieces)
			through := amqpDial(t, r.port())
			require.Equal(t, amqpWork(t, amqpDial(t, port)), amqpWork(t, through))
			require.NoError(t, through.Close())
			r.stop()
			r.understood()
		})
	}
	asItComes := func() int { return 1 << 20 }
	t.Run("signatures", func(t *testing.T) { amqpSignatures(t, newRelay(t, AMQP, upstream, asItComes)) })
	t.Run("many channels at once", func(t *testing.T) { amqpManyChannels(t, newRelay(t, AMQP, upstream, asItComes)) })
	t.Run("lost confirms", func(t *testing.T) { amqpLostConfirms(t, port, upstream) })
	t.Run("error after", func(t *testing.T) { amqpErrorAfter(t, port, newRelay(t, AMQP, upstream, asItComes)) })
}

// amqpWork does what a client does, and tells what it got.
func amqpWork(t *testing.T, c *amqp091.Connection) (saw []string) {
	ctx := t.Context()
	note := func(what ...any) { saw = append(saw, fmt.Sprintln(what...)) }
	ch := amqpOpen(t, c)
	require.NoError(t, ch.ExchangeDeclare("work", "topic", false, false, false, false, nil))
	q, err := ch.QueueDeclare("work.all", false, false, false, false, nil)
	note(q, err)
	require.NoError(t, ch.QueueBind(q.Name, "#", "work", false, nil))
	require.NoError(t, ch.Qos(10, 0, false))
	require.NoError(t, ch.Confirm(false))
	confirms := ch.NotifyPublish(make(chan amqp091.Confirmation, 100))
	returns := ch.NotifyReturn(make(chan amqp091.Return, 1))
	sizes := []int{0, 1, 100, 131_064, 131_065, 300_000, 700_000, 5}
	for i, size := range sizes {
		require.NoError(t, ch.PublishWithContext(ctx, "work", fmt.Sprintf("order.%d", i), false, false, amqp091.Publishing{
			MessageId: fmt.Sprint(i), Body: []byte(strings.Repeat("b", size))}))
	}
	require.NoError(t, ch.PublishWithContext(ctx, "", "nobody", true, false, amqp091.Publishing{Body: []byte("returned")}))
	note(string((<-returns).Body))
	for range len(sizes) + 1 {
		note(<-confirms)
	}
	deliveries, err := ch.ConsumeWithContext(ctx, q.Name, "me", false, false, false, false, nil)
	require.NoError(t, err)
	for i := range sizes {
		d := <-deliveries
		note(d.MessageId, d.RoutingKey, d.DeliveryTag, len(d.Body))
		switch {
		case i == 2:
			require.NoError(t, d.Nack(false, false))
		case i == 3:
			require.NoError(t, d.Reject(false))
		case i%2 == 1:
			require.NoError(t, d.Ack(true))
		}
	}
	require.NoError(t, ch.Ack(0, true), "all that are left")
	require.NoError(t, ch.Cancel("me", false))
	require.NoError(t, ch.PublishWithContext(ctx, "", q.Name, false, false, amqp091.Publishing{Body: []byte("got")}))
	note(<-confirms)
	got, ok, err := ch.Get(q.Name, false)
	note(string(got.Body), ok, err)
	require.NoError(t, got.Ack(false))
	_, ok, err = ch.Get(q.Name, true)
	note(ok, err)
	_, err = amqpOpen(t, c).QueueDeclarePassive("there is none", false, false, false, false, nil)
	note(err)
	n, err := ch.QueueDelete(q.Name, false, false, false)
	note(n, err)
	require.NoError(t, ch.ExchangeDelete("work", false, false))
	require.NoError(t, ch.Close())
	return saw
}

func amqpSignatures(t *testing.T, r *decodingRelay) {
	ctx := t.Context()
	c := amqpDial(t, r.port())
	ch := amqpOpen(t, c)
	q, err := ch.QueueDeclare("outbox", false, true, true, false, nil)
	require.NoError(t, err)
	require.NoError(t, ch.PublishWithContext(ctx, "", q.Name, false, false, amqp091.Publishing{})) // unconfirmed
	require.NoError(t, ch.Confirm(false))
	confirmed, err := ch.PublishWithDeferredConfirmWithContext(ctx, "amq.topic", "order.17.created", false, false, amqp091.Publishing{})
	require.NoError(t, err)
	require.True(t, confirmed.Wait())
	deliveries, err := ch.ConsumeWithContext(ctx, q.Name, "", false, false, false, false, nil)
	require.NoError(t, err)
	d := <-deliveries
	require.NoError(t, d.Ack(false))
	_, err = ch.QueueDeclarePassive("there is none", false, false, false, false, nil)
	require.Error(t, err)
	require.NoError(t, c.Close())
	r.stop()
	r.understood()
	require.Equal(t, []string{"channel.open", "queue.declare", "PUBLISH /outbox", "confirm.select", "PUBLISH amq.topic/order.*.created", "basic.consume",
		"DELIVER outbox/outbox", "queue.declare"}, r.asked())
	var refused []string
	for _, m := range r.conns[0].messages {
		if m.Refused {
			refused = append(refused, m.of)
		}
	}
	require.Equal(t, []string{"queue.declare"}, refused)
}

// Publishers on channels of one connection: contents come interleaved, and confirms for many at once.
func amqpManyChannels(t *testing.T, r *decodingRelay) {
	const channels, each = 8, 150
	c := amqpDial(t, r.port())
	var wg sync.WaitGroup
	for i := range channels {
		ch := amqpOpen(t, c)
		q, err := ch.QueueDeclare(fmt.Sprintf("many.%d", i), false, true, false, false, nil)
		require.NoError(t, err)
		require.NoError(t, ch.Confirm(false))
		deliveries, err := ch.ConsumeWithContext(t.Context(), q.Name, "", false, false, false, false, nil)
		require.NoError(t, err)
		wg.Go(func() {
			var confirms []*amqp091.DeferredConfirmation
			for n := range each {
				confirm, err := ch.PublishWithDeferredConfirmWithContext(t.Context(), "", q.Name, false, false, amqp091.Publishing{Body: make([]byte, n*37)})
				if !assert.NoError(t, err) {
					return
				}
				confirms = append(confirms, confirm)
			}
			for _, confirm := range confirms {
				assert.True(t, confirm.Wait())
			}
		})
		wg.Go(func() {
			for n := range each {
				d := <-deliveries
				assert.Equal(t, n*37, len(d.Body))
				assert.NoError(t, d.Ack(n%10 == 0))
			}
		})
	}
	wg.Wait()
	require.NoError(t, c.Close())
	r.stop()
	r.understood()
	publishes, deliveries := 0, 0
	for _, s := range r.asked() {
		switch s {
		case "PUBLISH /many.*":
			publishes++
		case "DELIVER many.*/many.*":
			deliveries++
		}
	}
	require.Equal(t, channels*each, publishes)
	require.Equal(t, channels*each, deliveries)
	many := slices.ContainsFunc(r.conns[0].messages, func(m relayed) bool { return m.way == Down && len(m.Also) > 0 })
	parts := slices.ContainsFunc(r.conns[0].messages, func(m relayed) bool { return m.way == Up && m.Role == Plain && m.Exchange > 0 })
	t.Logf("confirms of many: %v, contents in parts: %v", many, parts)
}

// A lost publish and a lost confirm look alike to the publisher.
func amqpLostConfirms(t *testing.T, port int, upstream string) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	kinds := map[Role]string{}
	for role, messages := range map[Role]int{Ask: 0, Answer: 1} {
		direct := amqpOpen(t, amqpDial(t, port))
		q, err := direct.QueueDeclare(fmt.Sprintf("lost.%d", role), false, false, false, false, nil)
		require.NoError(t, err)
		r := newRelay(t, AMQP, upstream, func() int { return 1 << 20 })
		r.meet(func(m relayed) fate { return fate{cut: m.of == "PUBLISH /lost.*" && m.Role == role} })
		c := amqpDial(t, r.port())
		closed := c.NotifyClose(make(chan *amqp091.Error, 1))
		ch := amqpOpen(t, c)
		require.NoError(t, ch.Confirm(false))
		confirm, err := ch.PublishWithDeferredConfirmWithContext(ctx, "", q.Name, false, false, amqp091.Publishing{Body: []byte("one")})
		require.NoError(t, err)
		ok, err := confirm.WaitContext(ctx)
		require.False(t, ok && err == nil, "nobody confirms it")
		reason := <-closed
		require.NotNil(t, reason)
		kinds[role] = fmt.Sprint(reason.Code)
		if messages > 0 {
			within(t, 20*time.Second, "the message is there", func() bool {
				q, err := direct.QueueDeclarePassive(q.Name, false, false, false, false, nil)
				return err == nil && q.Messages == messages
			})
		}
		n, err := direct.QueueDelete(q.Name, false, false, false)
		require.NoError(t, err)
		require.Equal(t, messages, n, "messages after the %v was lost", role)
	}
	require.Equal(t, kinds[Ask], kinds[Answer], "the publisher cannot tell")
}

// The broker has it, and the publisher is told that it has not; the channel goes on.
func amqpErrorAfter(t *testing.T, port int, r *decodingRelay) {
	ctx := t.Context()
	ch := amqpOpen(t, amqpDial(t, r.port()))
	q, err := ch.QueueDeclare("after", false, false, false, false, nil)
	require.NoError(t, err)
	require.NoError(t, ch.Confirm(false))
	publish := func() bool {
		confirm, err := ch.PublishWithDeferredConfirmWithContext(ctx, "", q.Name, false, false, amqp091.Publishing{Body: []byte("one")})
		require.NoError(t, err)
		return confirm.Wait()
	}
	require.True(t, publish())
	var refusal []byte
	r.meet(func(m relayed) fate {
		switch {
		case m.Role == Ask && m.way == Up:
			refusal, err = AMQP.Refuse(m.Message)
			assert.NoError(t, err)
		case m.Role == Answer && m.way == Down:
			return fate{replace: true, instead: refusal}
		}
		return fate{}
	})
	require.False(t, publish())
	r.meet(nil)
	require.True(t, publish())
	n, err := amqpOpen(t, amqpDial(t, port)).QueueDelete(q.Name, false, false, false)
	require.NoError(t, err)
	require.Equal(t, 3, n)
}
