package wire

import (
	"encoding/binary"
	"strings"
)

// Methods, by class and number.
const (
	amqpChannelOpen    = 20<<16 | 10
	amqpChannelClose   = 20<<16 | 40
	amqpChannelCloseOK = 20<<16 | 41
	amqpConsume        = 60<<16 | 20
	amqpConsumeOK      = 60<<16 | 21
	amqpCancel         = 60<<16 | 30
	amqpPublish        = 60<<16 | 40
	amqpReturn         = 60<<16 | 50
	amqpDeliver        = 60<<16 | 60
	amqpGet            = 60<<16 | 70
	amqpGetOK          = 60<<16 | 71
	amqpGetEmpty       = 60<<16 | 72
	amqpAck            = 60<<16 | 80
	amqpReject         = 60<<16 | 90
	amqpRecoverAsync   = 60<<16 | 100
	amqpRecover        = 60<<16 | 110
	amqpNack           = 60<<16 | 120
	amqpConfirm        = 85<<16 | 10
)

// amqpCall is a method that has a reply, whose number is the next.
type amqpCall struct {
	name  string
	skip  string // the arguments before its flags: s for a short integer, t for a short text
	quiet int    // which of the flags forgoes the reply; -1: none does
}

var amqpCalls = map[uint32]amqpCall{
	amqpChannelOpen:  {"channel.open", "", -1},
	20<<16 | 20:      {"channel.flow", "", -1},
	amqpChannelClose: {"channel.close", "", -1},
	40<<16 | 10:      {"exchange.declare", "stt", 4},
	40<<16 | 20:      {"exchange.delete", "st", 1},
	40<<16 | 30:      {"exchange.bind", "sttt", 0},
	50<<16 | 10:      {"queue.declare", "st", 4},
	50<<16 | 20:      {"queue.bind", "sttt", 0},
	50<<16 | 30:      {"queue.purge", "st", 0},
	50<<16 | 40:      {"queue.delete", "st", 2},
	50<<16 | 50:      {"queue.unbind", "", -1},
	60<<16 | 10:      {"basic.qos", "", -1},
	amqpConsume:      {"basic.consume", "stt", 3},
	amqpCancel:       {"basic.cancel", "t", 0},
	amqpRecover:      {"basic.recover", "", -1},
	amqpConfirm:      {"confirm.select", "", 0},
	90<<16 | 10:      {"tx.select", "", -1},
	90<<16 | 20:      {"tx.commit", "", -1},
	90<<16 | 30:      {"tx.rollback", "", -1},
	// The reply to an unbind of exchanges is numbered out of order.
	40<<16 | 40: {"exchange.unbind", "sttt", 0},
}

const (
	amqpExchangeUnbind   = 40<<16 | 40
	amqpExchangeUnbindOK = 40<<16 | 51
)

// reply is the method that answers a call.
func amqpReply(method uint32) uint32 {
	if method == amqpExchangeUnbind {
		return amqpExchangeUnbindOK
	}
	return method + 1
}

// amqpArguments reads the arguments of a method. What is missing is zero.
type amqpArguments []byte

func (a *amqpArguments) bytes(n int) []byte {
	b := (*a)[:min(n, len(*a))]
	*a = (*a)[len(b):]
	return b
}

func (a *amqpArguments) octet() byte {
	if b := a.bytes(1); len(b) == 1 {
		return b[0]
	}
	return 0
}

func (a *amqpArguments) text() string { return string(a.bytes(int(a.octet()))) }

func (a *amqpArguments) long() uint64 {
	if b := a.bytes(8); len(b) == 8 {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func (a *amqpArguments) skip(what string) {
	for _, k := range what {
		if k == 's' {
			a.bytes(2)
		} else {
			a.text()
		}
	}
}

// consumer reads the arguments of a consume.
func (a amqpArguments) consumer() (from amqpConsumer) {
	a.skip("s")
	from.queue = a.text()
	from.tag = a.text()
	from.acked = a.octet()&2 == 0
	return from
}

// peek reads a text that is read again.
func (a amqpArguments) peek() string { return a.text() }

// amqpAddress is how a signature writes an exchange or a queue, and a routing key: ids and numbers become stars.
func amqpAddress(where, key string) string {
	segments := strings.Split(key, ".")
	for i, s := range segments {
		segments[i] = amqpName(s)
	}
	return clipped(amqpName(where) + "/" + strings.Join(segments, "."))
}

// amqpName writes a name that the broker or a client made up as a star, and puts a star for each number in others.
func amqpName(s string) string {
	for _, made := range []string{"amq.gen-", "amq.rabbitmq.reply-to."} {
		if strings.HasPrefix(s, made) {
			return made + "*"
		}
	}
	if hex(s) {
		return "*"
	}
	return starred(s, 1)
}

// hex tells whether a text is an id of hexadecimal digits, with or without hyphens: a UUID, a hash, a trace.
func hex(s string) bool {
	digits, numerals := 0, 0
	for i := range len(s) {
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			numerals++
			digits++
		case c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F':
			digits++
		case c != '-':
			return false
		}
	}
	return digits >= 12 && numerals > 0
}
