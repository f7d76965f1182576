package wire

import (
	"strconv"
	"time"

	"github.com/wreckon/wreckon/history"
)

// exchange is one request and its response on a connection. Its tap's lock guards it.
type exchange struct {
	id        uint64
	way       Way // of the ask
	signature string
	nth       uint64
	unit      history.Unit
	fault     string

	asked, delivered, answered, returned time.Duration // the four instants; zero: not reached, but for asked
	deliveries                           int
	refused                              bool // an answer says that the request failed
	reached                              bool // it is in deliveries
	answering                            bool // an answer has arrived
	answeredAll                          bool // the last one has
	givenBack                            bool // it was delivered
	late                                 bool // the ask was held: the end of its way waits for the answer

	also    []*exchange // what the last answer ends with it
	silent  bool        // it is never answered
	gate    *Gate       // what keeps it back now
	ask     Message     // kept while a trap may want it; without Bytes otherwise
	armed   *Armed      // what repeats or refuses it
	refuse  bool        // its answer is to be replaced
	replace bool        // its answer was, and what is left of it is thrown away
	again   bool        // it is repeated once its answer was delivered
	copy    []byte      // what is delivered then
	swallow bool        // and answered, though nobody asked
	promise *promise    // that it is
	repeats int         // still to be delivered, or to be answered
	of      *exchange   // set on a repeat: the exchange it repeats

	isOpen     bool
	next, prev *exchange // of those that are open

	numbers   []number // for the traps that count for themselves
	touched   []*Armed // what did something to it
	overtaken bool     // another ask was delivered before it
}

// open are the exchanges of a connection that are not over, in the order they were asked.
type open struct {
	asked       map[uint64]*exchange // by id: those that are answered
	first, last *exchange
	n           int
}

func (o *open) add(x *exchange) {
	x.isOpen, x.prev = true, o.last
	if o.last == nil {
		o.first = x
	} else {
		o.last.next = x
	}
	o.last = x
	o.n++
	if !x.silent {
		o.asked[x.id] = x
	}
}

func (o *open) remove(x *exchange) {
	if x.prev == nil {
		o.first = x.next
	} else {
		x.prev.next = x.next
	}
	if x.next == nil {
		o.last = x.prev
	} else {
		x.next.prev = x.prev
	}
	x.isOpen, x.prev, x.next = false, nil, nil
	o.n--
	if !x.silent {
		delete(o.asked, x.id)
	}
}

// number is that of an exchange as a trap counts.
type number struct {
	by *Armed
	n  uint64
}

// number is 0 if the trap did not count the exchange.
func (x *exchange) number(by *Armed) uint64 {
	for _, n := range x.numbers {
		if n.by == by {
			return n.n
		}
	}
	return 0
}

// tell tells the traps that did something to the exchange how it ended.
func (x *exchange) tell(edge string) {
	for _, a := range x.touched {
		if a.trap.Over != nil {
			a.over(Outcome{Exchange{edge, x.signature, x.nth, x.unit, x.asked}, x.deliveries, x.answering, x.givenBack, x.refused, x.overtaken})
		}
	}
}

func (x *exchange) over() bool {
	answered := x.answeredAll && x.givenBack || x.silent && x.deliveries > 0
	return answered && x.repeats == 0 && !x.again
}

// event is what remains of an exchange.
func (x *exchange) event(s *Session, buf []byte) (history.Event, []byte) {
	b := append(buf[:0], s.value...)
	b = strconv.AppendInt(b, int64(x.asked), 10)
	if x.deliveries > 0 {
		b = strconv.AppendInt(append(b, `,"delivered_ns":`...), int64(x.delivered), 10)
	}
	if x.answering {
		b = strconv.AppendInt(append(b, `,"answered_ns":`...), int64(x.answered), 10)
	}
	if x.givenBack {
		b = strconv.AppendInt(append(b, `,"returned_ns":`...), int64(x.returned), 10)
	}
	b = strconv.AppendInt(append(b, `,"deliveries":`...), int64(x.deliveries), 10)
	b = strconv.AppendBool(append(b, `,"returned":`...), x.givenBack)
	b = strconv.AppendBool(append(b, `,"refused":`...), x.refused)
	if x.fault != "" {
		b = strconv.AppendQuote(append(b, `,"fault":`...), x.fault)
	}
	b = append(b, '}')
	return history.Event{Kind: history.KindExchange, Unit: x.unit, Op: x.signature, Component: s.edge, Token: x.nth, Value: string(b)}, b
}
