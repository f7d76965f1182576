package wire

import "bytes"

var pgAsks, pgAnswers = pgTypes("BCDEFHPQSXcdfp"), pgTypes("123ACDEGHIKNRSTVWZcdnstv")

// ask reads one message of the client.
func (c *pgConn) ask(way *pgWay, out *pgOutput) {
	kind, body, total := c.message(out.data[way.at:], pgAsks)
	if total == 0 {
		return
	}
	if (kind == 'S' || kind == 'H') && total != pgHeader {
		c.misread("a message %q of %d bytes", kind, total-1)
		return
	}
	switch kind {
	case 'P', 'B', 'E', 'D', 'C':
		c.hear(kind, body)
	case 'Q':
		query, _ := cstring(body)
		c.run.executed.add(sqlSignature(query))
		c.forget()
	case 'F':
		c.run.other = "FUNCTION CALL"
	case 'S', 'H':
	default: // into a COPY, a password, the end
		c.cut(way.at, out)
		c.hold(way, out, total, Message{})
		out.give(min(way.at, len(out.data)), Message{More: way.rest > 0})
		return
	}
	if (kind == 'Q' || kind == 'F') && c.extended(way.at > out.given) {
		c.misread("a simple query in an extended one")
		return
	}
	if kind == 'S' && c.copied() {
		c.cut(way.at, out)
		c.hold(way, out, total, Message{})
		out.give(way.at, Message{Exchange: c.pending[0].id})
		return
	}
	ends := kind == 'Q' || kind == 'F' || kind == 'S' || kind == 'H'
	c.hold(way, out, total, Message{More: !ends})
	switch {
	case way.rest > 0:
		c.begin(out, len(out.data), true)
		way.part.Exchange = c.run.exchange
	case ends:
		c.begin(out, way.at, false)
	case way.at-out.given > whole:
		c.begin(out, way.at, true)
	}
	if ends && c.why == "" {
		c.ended(kind)
	}
}

// hold passes a message, the rest of which, if it is in parts, will be given out as part.
func (c *pgConn) hold(way *pgWay, out *pgOutput, total int, part Message) {
	have := min(total, len(out.data)-way.at)
	way.at += have
	way.rest, way.part = total-have, part
}

// begin gives out the run up to here: as an ask, or, if its beginning was, as a part of that.
func (c *pgConn) begin(out *pgOutput, end int, more bool) {
	if c.run.exchange != 0 {
		out.give(end, Message{Exchange: c.run.exchange, More: more})
		return
	}
	if len(c.pending) == pgMaxPending {
		c.misread("more than %d exchanges without an answer", pgMaxPending)
		return
	}
	c.exchanges++
	c.run.exchange = c.exchanges
	c.pending = append(c.pending, pgExchange{id: c.exchanges})
	out.give(end, Message{Role: Ask, Exchange: c.exchanges, Signature: c.run.signature(), More: more})
}

// ended says by what the answer of the run will end.
func (c *pgConn) ended(kind byte) {
	for i := len(c.pending) - 1; i >= 0; i-- {
		x := &c.pending[i]
		if x.id != c.run.exchange {
			continue
		}
		x.until, x.simple, x.due = 'Z', kind == 'Q' || kind == 'F', x.due+c.run.replies
		if kind == 'H' {
			x.until = 'H'
		}
		break
	}
	c.run = pgRun{executed: c.run.executed[:0]}
}

// cut gives out what is held of an unfinished run, because something comes that belongs to none.
func (c *pgConn) cut(end int, out *pgOutput) {
	if end > out.given {
		c.begin(out, end, false)
	}
}

// extended tells whether the server may be skipping, or may yet come to skip, what is said until a Sync.
func (c *pgConn) extended(held bool) bool {
	if n := len(c.pending); n > 0 && c.pending[n-1].until != 'Z' {
		return true
	} else if n > 0 {
		return held
	}
	return held || c.skipping
}

// copied tells whether a Sync ends the COPY of an extended query: while it takes rows, the server has read over the one before.
func (c *pgConn) copied() bool {
	if len(c.pending) == 0 || !c.pending[0].copying || c.pending[0].simple {
		return false
	}
	c.pending[0].copying, c.pending[0].until = false, 'Z'
	return true
}

// hear takes a message of an extended query into the run.
func (c *pgConn) hear(kind byte, body []byte) {
	r := &c.run
	r.replies++
	switch kind {
	case 'P':
		statement, rest := cstring(body)
		query, _ := cstring(rest)
		s := sqlSignature(query)
		remember(c.prepared, statement, s, pgMaxPrepared)
		r.does("PARSE " + s)
	case 'B':
		portal, rest := cstring(body)
		statement, _ := cstring(rest)
		r.bound = c.statement(statement)
		if portal != "" && len(c.portals) == pgMaxPortals {
			clear(c.portals)
		}
		remember(c.portals, portal, r.bound, pgMaxPortals)
	case 'E':
		portal, _ := cstring(body)
		s, ok := c.portals[named(portal)]
		if !ok {
			s = "EXECUTE"
		}
		r.executed.add(s)
		r.bound = ""
	case 'D', 'C':
		what, of := "DESCRIBE ", c.prepared
		if kind == 'C' {
			what = "CLOSE "
		}
		if len(body) > 0 && body[0] == 'P' {
			of = c.portals
		}
		id, _ := cstring(body[min(1, len(body)):])
		s, ok := of[named(id)]
		if !ok {
			s = "EXECUTE"
		}
		r.does(what + s)
		if kind == 'C' {
			delete(of, named(id))
		}
	}
}

func (r *pgRun) does(what string) {
	if r.other == "" {
		r.other = what
	}
}

func (r *pgRun) signature() string {
	switch all := r.executed; {
	case r.bound != "":
		all.add(r.bound)
		return all.String()
	case len(all) > 0:
		return all.String()
	case r.other != "":
		return clipped(r.other)
	}
	return "SYNC"
}

// statement is the signature of a prepared statement.
func (c *pgConn) statement(id string) string {
	if s, ok := c.prepared[named(id)]; ok {
		return s
	}
	return "EXECUTE"
}

// forget forgets what a simple query makes the server forget.
func (c *pgConn) forget() {
	if s := c.run.executed[len(c.run.executed)-1]; s == "DISCARD" || s == "DEALLOCATE" {
		clear(c.prepared)
	}
}

// remember keeps a signature under a name, if it is known or there is room.
func remember(names map[string]string, id, signature string, room int) {
	if _, ok := names[named(id)]; ok || len(names) < room {
		names[string([]byte(named(id)))] = signature
	}
}

// named is how much of a name the server keeps.
func named(id string) string { return id[:min(len(id), sqlName)] }

// cstring cuts a string that ends with a zero.
func cstring(b []byte) (s string, rest []byte) {
	i := bytes.IndexByte(b, 0)
	if i < 0 {
		return string(b), nil
	}
	return string(b[:i]), b[i+1:]
}

// answer reads one message of the server.
func (c *pgConn) answer(way *pgWay, out *pgOutput) {
	kind, _, total := c.message(out.data[way.at:], pgAnswers)
	if total == 0 {
		return
	}
	m := Message{}
	if c.ready && len(c.pending) > 0 {
		m = Message{Role: Answer, Exchange: c.pending[0].id}
	}
	if kind == 'Z' && m.Role == Answer {
		if n := c.synced(); n > 0 {
			m.Exchange = c.pending[n-1].id
			for _, x := range c.pending[:n-1] {
				m.Also = append(m.Also, x.id)
			}
			c.pending = c.pending[n:]
			m.Last = true
		}
		c.skipping = false
	}
	out.with(way.at, m)
	out.open.Also = m.Also
	c.hold(way, out, total, m)
	if kind == 'Z' {
		c.ready = true
	}
	if m.Role == Answer && !m.Last {
		m.Last = c.replied(kind)
		out.open.Refused = out.open.Refused || kind == 'E'
	}
	switch {
	case m.Last:
		out.open.Last = way.rest == 0
		out.open.More = way.rest > 0
		way.part.Last = way.rest > 0
		out.flush(way.at)
	case way.rest > 0:
		out.open.More = true
		out.flush(way.at)
	}
	if kind == 'W' {
		out.flush(way.at)
		c.why = "replication"
	}
}

// synced is how many exchanges a ReadyForQuery ends: the first that waits for one, and those before it that the server skipped.
func (c *pgConn) synced() int {
	for i, x := range c.pending {
		if x.until == 'Z' {
			return i + 1
		}
	}
	return 0
}

// replied counts a reply to the first pending exchange, and tells whether it was the last.
func (c *pgConn) replied(kind byte) (last bool) {
	x := &c.pending[0]
	switch kind {
	case 'G':
		x.copying = true
	case '1', '2', '3', 'C', 'I', 'n', 's', 'T':
		x.due--
	case 'E':
		x.failed = true
		c.skipping = c.skipping || !x.simple
	}
	if x.until != 'H' || x.due > 0 && !x.failed {
		return false
	}
	c.pending = c.pending[1:]
	return true
}
