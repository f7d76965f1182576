package wire

import "bytes"

const (
	natsRemembered = 4096 // reply subjects of a way, and subscriptions
	natsLongest    = 1024 // bytes of a subject that is remembered
)

// natsInboxes are the subjects on which answers are awaited, or were given: the last natsRemembered of them.
type natsInboxes struct {
	known map[string]natsInbox
	order []string // of known; a ring once it is full
	next  int      // in order: the oldest
}

// natsInbox holds the exchanges that await an answer, the oldest first. A subject can be asked for again before it is answered.
type natsInbox struct {
	first uint64 // 0: none
	more  []uint64
}

// find gives the exchange that is answered next on a subject, 0 for none.
func (in *natsInboxes) find(subject []byte) (exchange uint64, known bool) {
	e, known := in.known[string(subject)]
	return e.first, known
}

func (in *natsInboxes) add(subject []byte, exchange uint64) {
	if len(subject) > natsLongest {
		return
	}
	e := in.known[string(subject)]
	switch {
	case e.first == 0:
		e.first = exchange
	case len(e.more) < 64:
		e.more = append(e.more, exchange)
	}
	in.put(subject, e)
}

// close makes whatever comes on a subject an answer to nothing.
func (in *natsInboxes) close(subject []byte) {
	if len(subject) <= natsLongest {
		in.put(subject, natsInbox{})
	}
}

// answered takes the exchange that was found on a subject away. The subject stays known.
func (in *natsInboxes) answered(subject []byte) {
	e := in.known[string(subject)]
	e.first = 0
	if len(e.more) > 0 {
		e.first, e.more = e.more[0], e.more[1:]
	}
	in.put(subject, e)
}

func (in *natsInboxes) put(subject []byte, e natsInbox) {
	if _, known := in.known[string(subject)]; known {
		in.known[string(subject)] = e
		return
	}
	if in.known == nil {
		in.known = map[string]natsInbox{}
	}
	key := string(subject)
	in.known[key] = e
	if len(in.order) < natsRemembered {
		in.order = append(in.order, key)
		return
	}
	delete(in.known, in.order[in.next])
	in.order[in.next] = key
	in.next = (in.next + 1) % natsRemembered
}

// natsSubs are the subscriptions of a connection. They tell under which number a client takes the answer to what it asks.
type natsSubs struct {
	bySID     map[string]*natsSubscription
	bySubject map[string]*natsSubscription // the last one of each subject
	buf       []byte
}

type natsSubscription struct {
	sid, subject  string
	messages, max int // delivered, and after how many it ends; 0: it does not
}

func (s *natsSubs) add(subject, sid []byte) {
	if len(s.bySID) >= natsRemembered || len(subject) > natsLongest || len(sid) > natsLongest {
		return
	}
	if s.bySID == nil {
		s.bySID, s.bySubject = map[string]*natsSubscription{}, map[string]*natsSubscription{}
	}
	s.remove(sid, 0) // a number that is used again
	sub := &natsSubscription{sid: string(sid), subject: string(subject)}
	s.bySID[sub.sid], s.bySubject[sub.subject] = sub, sub
}

// remove ends a subscription after so many messages in all.
func (s *natsSubs) remove(sid []byte, after int) {
	sub := s.bySID[string(sid)]
	if sub == nil {
		return
	}
	if sub.max = after; sub.messages < after {
		return
	}
	delete(s.bySID, sub.sid)
	if s.bySubject[sub.subject] == sub {
		delete(s.bySubject, sub.subject)
	}
}

func (s *natsSubs) count(sid []byte) {
	sub := s.bySID[string(sid)]
	if sub == nil {
		return
	}
	if sub.messages++; sub.max > 0 {
		s.remove(sid, sub.max)
	}
}

// find gives the number of a subscription that takes a subject: its own, or one whose wildcard stands at the end. "": none was seen.
func (s *natsSubs) find(subject []byte) string {
	if sub := s.bySubject[string(subject)]; sub != nil {
		return sub.sid
	}
	wildcard := byte('*')
	for at := bytes.LastIndexByte(subject, '.'); at >= 0; at = bytes.LastIndexByte(subject[:at], '.') {
		for _, w := range []byte{wildcard, '>'} {
			s.buf = append(append(s.buf[:0], subject[:at+1]...), w)
			if sub := s.bySubject[string(s.buf)]; sub != nil {
				return sub.sid
			}
		}
		wildcard = '>' // * stands for one token
	}
	return ""
}
