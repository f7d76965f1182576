package file

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// quiet keeps what the client library would tell on its own: what matters comes as an error.
type quiet struct{}

func (quiet) Printf(context.Context, string, ...any) {}

var quieten = sync.OnceFunc(func() { redis.SetLogger(quiet{}) })

func dialRedis(ctx context.Context, url string) (*redis.Client, error) {
	quieten()
	o, err := redis.ParseURL(url)
	if err != nil {
		return nil, errors.New("it is no URL as in redis://${listen}/0")
	}
	o.DisableIdentity, o.MaxRetries, o.DialTimeout, o.DialerRetries, o.PoolSize = true, -1, 2*time.Second, 1, 2
	c := redis.NewClient(o)
	if err := c.Ping(ctx).Err(); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// redisStream reads a stream of Redis without a group. Whether nothing went by unseen is known at the end, from how many entries it ever had.
type redisStream struct {
	url, stream string

	client *redis.Client
	last   string // id of the entry that was read last
	read   int64
}

func (r *redisStream) close() {
	if r.client != nil {
		_ = r.client.Close()
	}
}

func (r *redisStream) connect(ctx context.Context, _ taker) (err error) {
	r.close()
	r.client, err = dialRedis(ctx, r.url)
	return err
}

// next reads what there is; with a wait, it waits for it for so long.
func (r *redisStream) next(ctx context.Context, wait time.Duration, to taker) (n int, err error) {
	found, err := r.client.XRead(ctx, &redis.XReadArgs{Streams: []string{r.stream, r.last}, Block: wait, Count: 1000}).Result()
	if errors.Is(err, redis.Nil) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	for _, s := range found {
		for _, m := range s.Messages {
			r.last = m.ID
			r.read++
			n++
			to.each(r.delivery(m))
		}
	}
	return n, nil
}

// delivery is an entry: its fields are the body. One that holds JSON can be looked into.
func (r *redisStream) delivery(m redis.XMessage) delivery {
	body := make(map[string]any, len(m.Values))
	for name, v := range m.Values {
		body[name] = v
		if text, ok := v.(string); ok && strings.HasPrefix(text, "{") {
			if whole := decode([]byte(text)); whole != nil {
				body[name] = whole
			}
		}
	}
	return newDelivery(func(source) bool { return true }, body, field(body, ""), nil, r.stream, m.ID)
}

func (r *redisStream) take(ctx context.Context, to taker) error {
	for ctx.Err() == nil {
		if _, err := r.next(ctx, 100*time.Millisecond, to); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (r *redisStream) rest(ctx context.Context, to taker) error {
	for n := 1; n > 0; {
		var err error
		if n, err = r.next(ctx, -1, to); err != nil {
			return err
		}
	}
	var ever int64
	switch info, err := r.client.XInfoStream(ctx, r.stream).Result(); {
	case err == nil:
		ever = max(info.EntriesAdded, info.Length) // a Redis before 7 counts only those that are there
	case !strings.Contains(err.Error(), "no such key"):
		return err
	case r.read == 0:
		return fmt.Errorf("stream %s: %w", r.stream, errAbsent)
	}
	if ever != r.read {
		to.doubt(fmt.Sprintf("%d entries of stream %s were read, and Redis knows of %d", r.read, r.stream, ever))
	}
	return nil
}

// channels listens to channels of Redis, which keeps nothing for who does not listen.
type channels struct {
	url  string
	from []source

	client *redis.Client
	sub    *redis.PubSub
	came   chan any
	ended  chan error
	before bool
}

func (c *channels) close() {
	if c.client == nil {
		return
	}
	if c.sub != nil {
		_ = c.sub.Close()
		for range c.came { // until its reader has ended
		}
	}
	_ = c.client.Close()
	c.client, c.sub = nil, nil
}

func isPattern(channel string) bool { return strings.ContainsAny(channel, "*?[") }

func (c *channels) connect(ctx context.Context, to taker) error {
	c.close()
	client, err := dialRedis(ctx, c.url)
	if err != nil {
		return err
	}
	c.client, c.came, c.ended = client, make(chan any, backlog), make(chan error, 1)
	sub := client.Subscribe(ctx)
	for _, f := range c.from {
		subscribe := sub.Subscribe
		if isPattern(f.Channel) {
			subscribe = sub.PSubscribe
		}
		if err := subscribe(ctx, f.Channel); err != nil {
			return errors.Join(err, sub.Close())
		}
		if _, err := sub.ReceiveTimeout(ctx, 2*time.Second); err != nil { // Redis has it
			return errors.Join(err, sub.Close())
		}
	}
	c.sub = sub
	go func(came chan<- any, ended chan<- error) {
		defer close(came)
		for {
			m, err := sub.Receive(context.Background()) // it ends because close closes it
			if err != nil {
				ended <- err
				return
			}
			came <- m
		}
	}(c.came, c.ended)
	if c.before {
		to.missed("the connection was gone for a while, and a channel keeps nothing for who does not listen")
	}
	c.before = true
	return nil
}

// one takes the next message; mark is the text of an answer to a question of ours.
func (c *channels) one(ctx context.Context, to taker) (mark string, err error) {
	select {
	case m, ok := <-c.came:
		if !ok {
			return "", <-c.ended
		}
		switch m := m.(type) {
		case *redis.Message:
			matches := func(s source) bool { return s.Channel == m.Channel && m.Pattern == "" || s.Channel == m.Pattern }
			to.each(newDelivery(matches, decode([]byte(m.Payload)), m.Payload, nil, m.Channel, ""))
		case *redis.Pong:
			return m.Payload, nil
		}
		return "", nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

func (c *channels) take(ctx context.Context, to taker) error {
	for {
		if _, err := c.one(ctx, to); err != nil {
			return err
		}
	}
}

const restMark = "rest"

// rest asks for an answer, which comes behind everything that Redis had.
func (c *channels) rest(ctx context.Context, to taker) error {
	if err := c.sub.Ping(ctx, restMark); err != nil {
		return err
	}
	for {
		switch mark, err := c.one(ctx, to); {
		case err != nil:
			return err
		case mark == restMark:
			return nil
		}
	}
}
