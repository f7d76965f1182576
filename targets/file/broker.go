package file

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/wreckon/wreckon/history"
	"github.com/wreckon/wreckon/targets"
)

// Messages of a broker are read by a consumer of the harness's own, past every proxy, from before the first operation: nothing is taken away
// from the target's consumers. What was sent while that consumer could not listen may be gone for good. It says so, and the history has a hole
// there: what was not seen proves nothing.

// delivery is one message as it came.
type delivery struct {
	matches func(source) bool // tells whether a feed reads it
	row     row
}

// newDelivery makes a row of a message, with the fields body, header, subject and id.
func newDelivery(matches func(source) bool, body any, text string, header map[string]any, subject, id string) delivery {
	return delivery{matches, row{map[string]any{"body": body, "header": header, "subject": subject, "id": id}, text}}
}

// consumer is one connection to a broker. It is used by one goroutine at a time.
type consumer interface {
	// connect goes on where the connection before it ended.
	connect(ctx context.Context, to taker) error
	// take hands over what comes, until ctx ends or the connection does.
	take(ctx context.Context, to taker) error
	// rest hands over what the broker had when it was called.
	rest(ctx context.Context, to taker) error
	close()
}

// taker is handed messages in their order, and told in between where something may have gone by unseen.
type taker interface {
	each(d delivery)
	missed(why string)
	doubt(why string) // it may have been anywhere up to now
}

// errAbsent says that there is no such stream yet. It is read from its beginning once there is.
var errAbsent = errors.New("it does not exist")

// line is a place of a broker that messages come from in one order, and the feeds that are read from there.
type line struct {
	*instance
	broker string
	consumer
	feeds     []feed
	connected bool
	absent    bool // nobody has made it yet
}

// feed is who reads messages, and of what kind they are to the history.
type feed struct {
	kind string // history.FeedEffects, ...
	from source
	take func(row) error
}

// lineOf names the line that a source belongs to: within one, there is an order.
func (d *definition) lineOf(s source) string {
	switch d.protocol(s.Broker) {
	case targets.NATS, targets.RESP:
		return s.Broker + " " + s.Stream
	}
	return s.Broker
}

// protocol is what a broker speaks, by its URL.
func (d *definition) protocol(component string) targets.Protocol {
	scheme, _, _ := strings.Cut(d.Components[component].Broker, "://")
	return map[string]targets.Protocol{"nats": targets.NATS, "redis": targets.RESP, "amqp": targets.AMQP}[scheme]
}

// listen finds or makes the line of a feed.
func (i *instance) listen(lines map[string]*line, f feed) {
	name := i.lineOf(f.from)
	l := lines[name]
	if l == nil {
		l = &line{instance: i, broker: f.from.Broker}
		lines[name] = l
		i.lines = append(i.lines, l)
	}
	l.feeds = append(l.feeds, f)
}

// open makes the line's consumer, once all of its feeds are known.
func (l *line) open() {
	var from []source
	for _, f := range l.feeds {
		if !slices.ContainsFunc(from, func(s source) bool { return s.messages() == f.from.messages() }) {
			from = append(from, f.from)
		}
	}
	at := l.expander(l.broker)(l.Components[l.broker].Broker)
	switch p := l.protocol(l.broker); {
	case p == targets.NATS && from[0].Stream != "":
		l.consumer = &jetStream{url: at, stream: from[0].Stream}
	case p == targets.NATS:
		l.consumer = &subjects{url: at, from: from}
	case p == targets.RESP && from[0].Stream != "":
		l.consumer = &redisStream{url: at, stream: from[0].Stream, last: "0"}
	case p == targets.RESP:
		l.consumer = &channels{url: at, from: from}
	default:
		l.consumer = &queue{url: at, from: from, name: "wreckon-" + l.w.Token}
	}
}

// messages is what of a source says which messages are meant.
func (s source) messages() [6]string {
	return [6]string{s.Broker, s.Stream, s.Subject, s.Channel, s.Exchange, s.Routing}
}

// each hands a message to the feeds that read it.
func (l *line) each(d delivery) {
	for _, f := range l.feeds {
		if d.matches(f.from) {
			if err := f.take(d.row); err != nil {
				l.hole(f.kind, err.Error(), 0)
			}
		}
	}
	l.activity.touch()
}

// hole notes that something of a feed may have gone by unseen: here, or anywhere up to here.
func (l *line) hole(kind, why string, anywhere uint64) {
	l.w.Recorder.Record(history.Event{Kind: history.KindObserve, Unit: history.NoUnit, Op: "missed", Component: l.broker, Key: kind, Token: anywhere,
		Value: clip(why, 300)})
}

func (l *line) missed(why string) { l.holes(why, 0) }

func (l *line) doubt(why string) { l.holes(why, 1) }

// holes notes a hole in all that is read here.
func (l *line) holes(why string, anywhere uint64) {
	var kinds []string
	for _, f := range l.feeds {
		if !slices.Contains(kinds, f.kind) {
			kinds = append(kinds, f.kind)
			l.hole(f.kind, why, anywhere)
		}
	}
}

// ensure connects, if there is no connection.
func (l *line) ensure(ctx context.Context) error {
	if l.connected {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, connectWithin)
	defer cancel()
	err := l.connect(ctx, l)
	if l.absent = errors.Is(err, errAbsent); err != nil {
		return fmt.Errorf("consume messages of %s: %w", l.broker, err)
	}
	l.connected = true
	return nil
}

// connectWithin is how long one try to connect may take.
const connectWithin = 3 * time.Second

// again is how long it takes to ask a broker again that is not there.
const again = 20 * time.Millisecond

// subscribe connects before the first operation. A stream that nobody has made yet is read from its beginning later.
func (l *line) subscribe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, restWithin)
	defer cancel()
	tick := time.NewTicker(again)
	defer tick.Stop()
	for {
		err := l.ensure(ctx)
		if err == nil || l.absent {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
}

// follow takes messages until ctx ends, over as many connections as that needs.
func (l *line) follow(ctx context.Context) {
	tick := time.NewTicker(again)
	defer tick.Stop()
	for ctx.Err() == nil {
		if l.ensure(ctx) == nil && l.take(ctx, l) != nil && ctx.Err() == nil {
			l.connected = false
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// restWithin is how long a broker may take to hand over what it has at the end.
const restWithin = 5 * time.Second

// finish takes what is left. A broker that cannot be asked leaves a hole.
func (l *line) finish(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, restWithin)
	defer cancel()
	tick := time.NewTicker(again)
	defer tick.Stop()
	for {
		err := l.ensure(ctx)
		if err == nil {
			if err = l.rest(ctx, l); err == nil {
				return
			}
			l.connected, l.absent = false, errors.Is(err, errAbsent)
		}
		if l.absent {
			l.neverWas()
			return
		}
		select {
		case <-ctx.Done():
			l.missed("its messages could not be read to their end: " + err.Error())
			return
		case <-tick.C:
		}
	}
}

// neverWas is for a stream that nobody has made: that there is no dead letter in it is as it should be, and anything else is a name that is not
// the stream's, as likely as not.
func (l *line) neverWas() {
	for _, f := range l.feeds {
		if f.kind != history.FeedLetters {
			l.hole(f.kind, fmt.Sprintf("there never was a stream %s", f.from.Stream), 1)
		}
	}
}
