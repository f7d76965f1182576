package file

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// dialNATS makes a connection that is not renewed: when it ends, somebody must say what may have gone by meanwhile.
func dialNATS(url string, more ...nats.Option) (*nats.Conn, error) {
	return nats.Connect(url, append(more, nats.Name("wreckon"), nats.NoReconnect(), nats.Timeout(2*time.Second))...)
}

func natsDelivery(matches func(source) bool, data []byte, header nats.Header, subject, id string) delivery {
	h := map[string]any{}
	for name, values := range header {
		h[name] = values[0]
	}
	return newDelivery(matches, decode(data), string(data), h, subject, id)
}

// jetStream reads the messages that a stream stores, by their numbers, without a consumer at the server: that nobody sees, and it holds nothing
// back. A number that is missing was deleted before it was read.
type jetStream struct {
	url, stream string

	conn    *nats.Conn
	s       jetstream.Stream
	last    uint64 // number of the message that was read last
	created time.Time
}

func (j *jetStream) close() {
	if j.conn != nil {
		j.conn.Close()
	}
}

func (j *jetStream) connect(ctx context.Context, to taker) error {
	j.close()
	var err error
	if j.conn, err = dialNATS(j.url); err != nil {
		return err
	}
	js, err := jetstream.New(j.conn)
	if err != nil {
		return err
	}
	if j.s, err = js.Stream(ctx, j.stream); err != nil {
		if errors.Is(err, jetstream.ErrStreamNotFound) && j.created.IsZero() { // one that was there is gone, with what was not read of it
			err = fmt.Errorf("stream %s: %w", j.stream, errAbsent)
		}
		return err
	}
	j.know(j.s.CachedInfo(), to)
	return nil
}

// know compares the stream with what was read of it.
func (j *jetStream) know(info *jetstream.StreamInfo, to taker) {
	was := j.created
	j.created = info.Created
	if info.Config.Retention != jetstream.LimitsPolicy {
		to.missed(fmt.Sprintf("stream %s keeps a message only until it was consumed: read its subject, without the stream", j.stream))
	}
	switch {
	case !was.IsZero() && !was.Equal(info.Created):
		j.last = 0
		to.missed(fmt.Sprintf("stream %s began anew", j.stream))
	case j.last > info.State.LastSeq: // the same one: what it has left was read
		to.missed(fmt.Sprintf("stream %s went back from message %d to %d", j.stream, j.last, info.State.LastSeq))
		j.last = info.State.LastSeq
	}
}

// next reads one message; ok is false where there is none.
func (j *jetStream) next(ctx context.Context, to taker) (ok bool, err error) {
	m, err := j.s.GetMsg(ctx, j.last+1, jetstream.WithGetMsgSubject(">"))
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return false, nil
	case err != nil:
		return false, err
	case m.Sequence != j.last+1:
		to.missed(fmt.Sprintf("messages %d to %d of stream %s were deleted before they were read", j.last+1, m.Sequence-1, j.stream))
	}
	j.last = m.Sequence
	to.each(natsDelivery(func(s source) bool { return s.Subject == "" || subjectMatches(s.Subject, m.Subject) }, m.Data, m.Header, m.Subject,
		strconv.FormatUint(m.Sequence, 10)))
	return true, nil
}

func (j *jetStream) take(ctx context.Context, to taker) error {
	tick := time.NewTicker(again)
	defer tick.Stop()
	for {
		ok, err := j.next(ctx, to)
		if err != nil {
			return err
		}
		if ok {
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

func (j *jetStream) rest(ctx context.Context, to taker) error {
	for ok := true; ok; {
		var err error
		if ok, err = j.next(ctx, to); err != nil {
			return err
		}
	}
	info, err := j.s.Info(ctx)
	if err != nil {
		return err
	}
	if info.State.LastSeq > j.last && info.Created.Equal(j.created) {
		to.missed(fmt.Sprintf("the last messages of stream %s were deleted before they were read", j.stream))
	}
	j.know(info, to)
	return nil
}

// subjects listens to subjects. The server knows nothing of a message that it has sent: what comes while there is no connection is gone.
type subjects struct {
	url  string
	from []source

	conn   *nats.Conn
	came   chan *nats.Msg
	ended  chan struct{}
	behind atomic.Bool // messages came faster than they were taken, and some were dropped
	before bool        // there was a connection before
}

// backlog is how many messages may wait to be taken.
const backlog = 1 << 16

func (s *subjects) close() {
	if s.conn != nil {
		s.conn.Close()
	}
}

func (s *subjects) connect(ctx context.Context, to taker) error {
	s.close()
	ended := make(chan struct{})
	conn, err := dialNATS(s.url, nats.ClosedHandler(func(*nats.Conn) { close(ended) }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			if errors.Is(err, nats.ErrSlowConsumer) {
				s.behind.Store(true)
			}
		}))
	if err != nil {
		return err
	}
	s.conn, s.came, s.ended = conn, make(chan *nats.Msg, backlog), ended
	for _, from := range s.from {
		if _, err := conn.ChanSubscribe(from.Subject, s.came); err != nil {
			return err
		}
	}
	if err := conn.FlushWithContext(ctx); err != nil { // the server has them
		return err
	}
	if s.before {
		to.missed("the connection was gone for a while, and a subject keeps nothing for who does not listen")
	}
	s.before = true
	return nil
}

func (s *subjects) hand(m *nats.Msg, to taker) {
	to.each(natsDelivery(func(from source) bool { return from.Subject == m.Sub.Subject }, m.Data, m.Header, m.Subject, ""))
}

func (s *subjects) take(ctx context.Context, to taker) error {
	for {
		select {
		case m := <-s.came:
			s.hand(m, to)
		case <-s.ended:
			s.waiting(to)
			return errors.New("the connection ended")
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// waiting hands over what has come already.
func (s *subjects) waiting(to taker) {
	for {
		select {
		case m := <-s.came:
			s.hand(m, to)
		default:
			return
		}
	}
}

// rest asks for an answer, which comes behind everything that the server had.
func (s *subjects) rest(ctx context.Context, to taker) error {
	err := s.conn.FlushWithContext(ctx)
	s.waiting(to)
	if err == nil && s.behind.Load() {
		to.doubt("messages came faster than they were taken, and some were dropped")
	}
	return err
}
