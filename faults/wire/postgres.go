package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Postgres is the PostgreSQL frontend/backend protocol, version 3.
//
// An exchange is a simple query, a function call, or what an extended query says up to a Sync (or a Flush), answered by everything
// up to and including ReadyForQuery (or, after a Flush, the last reply that is due). Its signature is that of the statements it executes; where it
// executes none, of those it prepares ("PARSE SELECT FROM orders"). What a client sends into a COPY is plain, and part of the exchange; so is what
// follows the first 256 KiB of an exchange.
//
// TLS and GSS encryption, once the server accepts them, and streaming replication are opaque.
//
// An ask cannot be repeated: a statement belongs to the state of its session, to the transaction above all, and a second COMMIT is
// no second delivery of the first.
//
// The refusal is an error 08007, "transaction resolution unknown", and a ReadyForQuery that says "idle". After a COMMIT that is true. Within
// a transaction it is not: the caller takes the transaction to be over, and the server does not.
var Postgres = Protocol{Name: "postgres", New: func() Conn { return newPostgresConn() }, Refuse: refusePostgres}

const (
	pgMaxStartup  = 10_000  // bytes of a startup packet: the server's limit
	pgMaxMessage  = 1 << 30 // bytes of a message: the server's limit
	pgMaxPending  = 1 << 16 // exchanges that wait for their answers
	pgMaxPrepared = 1 << 12 // statements whose names are remembered; a further one is an EXECUTE
	pgMaxPortals  = 1 << 8
	pgVersion3    = 3 << 16
	pgCancel      = 1234<<16 | 5678
	pgEncryptTLS  = 1234<<16 | 5679
	pgEncryptGSS  = 1234<<16 | 5680
	pgEnough      = 8 << 10 // bytes that say what a message asks: so much of one that is given out in parts is awaited
	pgHeader      = 5       // bytes: a type, and a length that counts itself
	pgMisread     = "not PostgreSQL: "
)

// pgConn decodes one connection. What it keeps of its ways is bounded by twice 512 KiB, of names and pending exchanges by 3 MiB.
type pgConn struct {
	opacity
	ways [2]pgWay

	started  bool // the client has said which version it speaks: from here on messages have types
	ready    bool // the server has said that it is ready, for the first time
	encrypts byte // what the one byte that is due from the server would accept: 'S' for TLS, 'G' for GSS; 0: none is due
	skipping bool // after an error in an extended query the server skips what is said until a Sync

	exchanges uint64
	pending   []pgExchange
	run       pgRun
	prepared  map[string]string // names of statements, to signatures
	portals   map[string]string
}

// pgWay is one way.
type pgWay struct {
	unread
	at   int     // of what is unread, so much has been looked at, and is held as a run
	rest int     // so much of a message in parts is still to come
	part Message // what such a part is
}

// pgRun is what a client has said since the last Sync or Flush.
type pgRun struct {
	exchange uint64 // once its first part has been given out
	replies  int    // that are due
	executed signatures
	bound    string // a statement with parameters that is still to be executed
	other    string // what it does instead
}

// pgExchange is an exchange that waits for its answer.
type pgExchange struct {
	id      uint64
	until   byte // what ends it: 'Z', or 'H' for the last of the replies that are due; 0 while the client has not said
	due     int
	simple  bool
	copying bool // the server is taking rows
	failed  bool
}

func newPostgresConn() *pgConn {
	return &pgConn{prepared: map[string]string{}, portals: map[string]string{}}
}

// Feed implements Conn.
func (c *pgConn) Feed(w Way, b []byte) []Message {
	way := &c.ways[w]
	data := way.take(b)
	out := pgOutput{data: data, messages: way.messages()}
	if n := min(way.rest, len(data)); n > 0 {
		way.rest -= n
		part := way.part
		part.Last = part.Last && way.rest == 0
		part.More = part.More || way.rest > 0
		part.Bytes = data[:n:n]
		out.messages, out.given, way.at = append(out.messages, part), n, n
	}
	for c.why == "" && way.rest == 0 {
		before := way.at
		switch {
		case w == Up && !c.started:
			c.opening(way, &out)
		case w == Up:
			c.ask(way, &out)
		case c.encrypts != 0:
			c.accepted(way, &out)
		default:
			c.answer(way, &out)
		}
		if way.at == before {
			break
		}
	}
	if w == Down {
		out.flush(way.at) // answers are not held
	}
	if c.why != "" {
		out.messages = append(out.messages, c.pass(data[out.given:])...)
		out.given = len(data)
	}
	way.keep(data, out.given)
	way.at -= out.given
	if c.why != "" {
		way.at = 0
	}
	return way.give(out.messages)
}

// End implements Conn.
func (c *pgConn) End(w Way) []Message {
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

// Opaque implements Conn.
func (c *pgConn) Opaque() (bytes int64, why string) { return c.bytes, c.why }

func (c *pgConn) misread(format string, args ...any) {
	c.why = pgMisread + fmt.Sprintf(format, args...)
}

// opening reads a packet without a type.
func (c *pgConn) opening(way *pgWay, out *pgOutput) {
	data := out.data[way.at:]
	switch {
	case len(data) == 0:
		return
	case data[0] == 0x16:
		c.why = "TLS"
		return
	case data[0] != 0:
		c.misread("it begins with %#02x", data[0])
		return
	case len(data) < 8:
		return
	}
	n, code := binary.BigEndian.Uint32(data), binary.BigEndian.Uint32(data[4:])
	switch {
	case n < 8 || n > pgMaxStartup:
		c.misread("a startup packet of %d bytes", n)
		return
	case len(data) < int(n):
		return
	case code == pgEncryptTLS || code == pgEncryptGSS:
		if c.encrypts != 0 {
			c.misread("encryption is asked for twice")
			return
		}
		c.encrypts = 'S'
		if code == pgEncryptGSS {
			c.encrypts = 'G'
		}
	case code>>16 == pgVersion3>>16:
		c.started = true
	case code != pgCancel:
		c.misread("version %d.%d", code>>16, code&0xffff)
		return
	}
	way.at += int(n)
	out.give(way.at, Message{})
}

// accepted reads the one byte that says whether the connection is to be encrypted. An old server may send an error instead.
func (c *pgConn) accepted(way *pgWay, out *pgOutput) {
	data := out.data[way.at:]
	if len(data) == 0 {
		return
	}
	asked := c.encrypts
	c.encrypts = 0
	if data[0] == 'E' {
		c.answer(way, out)
		return
	}
	way.at++
	out.give(way.at, Message{})
	switch {
	case data[0] == 'N':
	case data[0] == asked && asked == 'S':
		c.why = "TLS"
	case data[0] == asked:
		c.why = "GSS encryption"
	default:
		c.misread("encryption is answered by %#02x", data[0])
	}
}

// message finds the next typed message: its type, as much of its body as there is, and its length with the header. 0: it has to wait for more.
func (c *pgConn) message(data []byte, types *[256]bool) (kind byte, body []byte, total int) {
	if len(data) == 0 {
		return 0, nil, 0
	}
	if kind = data[0]; !types[kind] {
		c.misread("a message of type %#02x", kind)
		return 0, nil, 0
	}
	if len(data) < pgHeader {
		return 0, nil, 0
	}
	n := binary.BigEndian.Uint32(data[1:])
	if n < 4 || n > pgMaxMessage || kind == 'Z' && n != 5 {
		c.misread("a message %q of %d bytes", kind, n)
		return 0, nil, 0
	}
	total = int(n) + 1
	if len(data) < total && (total <= whole || len(data) < pgEnough) {
		return 0, nil, 0
	}
	return kind, data[pgHeader:min(len(data), total)], total
}

func pgTypes(s string) *[256]bool {
	var t [256]bool
	for i := range len(s) {
		t[s[i]] = true
	}
	return &t
}

// pgOutput is what one Feed gives out: runs of data, in order.
type pgOutput struct {
	data     []byte
	given    int
	messages []Message
	open     Message // of what was not given out yet; its Bytes come last
}

// give ends a message here.
func (o *pgOutput) give(end int, m Message) {
	if end > o.given {
		m.Bytes = o.data[o.given:end:end]
		o.messages = append(o.messages, m)
		o.given = end
	}
}

// flush gives out what is open, up to here.
func (o *pgOutput) flush(end int) {
	o.give(end, o.open)
	o.open = Message{}
}

// with makes what follows part of the open message, if it is of the same role and exchange; otherwise that one ends here.
func (o *pgOutput) with(at int, m Message) {
	if at > o.given && o.open.Role == m.Role && o.open.Exchange == m.Exchange {
		return
	}
	o.flush(at)
	o.open = m
}

func refusePostgres(ask Message) ([]byte, error) {
	if n := len(ask.Bytes); n >= pgHeader && string(ask.Bytes[n-pgHeader:]) == "H\x00\x00\x00\x04" {
		return nil, errors.New("refuse a postgres request: it ends with a Flush, and a refusal is due at the Sync")
	}
	b := []byte{'E', 0, 0, 0, 0}
	for _, field := range []string{"SERROR", "VERROR", "C08007", "Mtransaction resolution unknown"} {
		b = append(append(b, field...), 0)
	}
	b = append(b, 0)
	binary.BigEndian.PutUint32(b[1:], uint32(len(b)-1))
	return append(b, 'Z', 0, 0, 0, 5, 'I'), nil
}
