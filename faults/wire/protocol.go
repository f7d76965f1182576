package wire

// Way is a direction of a connection.
type Way int

// The ways of a connection.
const (
	Up   Way = iota // from the component that dialled
	Down            // and back to it
)

// Role says what a message is to an exchange.
type Role int

// The roles.
const (
	Plain  Role = iota // belongs to no exchange: a handshake, a heartbeat, whatever is not understood
	Ask                // opens an exchange; on either way: a broker asks a consumer to take a message
	Answer             // belongs to an exchange that an Ask opened, on the other way
)

// Message is a run of bytes of one way that is delivered, held, dropped or repeated as a whole. Its Bytes may share memory with what
// was fed, and are used before the next call. An Answer may be given out in parts as it comes, each of them an Answer of its exchange.
type Message struct {
	Bytes     []byte
	Role      Role
	Exchange  uint64 // of the connection, from 1: an Ask and its Answers share it; Plain: 0, or that of the Ask whose part it is
	More      bool   // this message goes on in the next one of its way: it is a part, and no other message may come between them
	Signature string // of an Ask: what is asked, the same from run to run: ids, numbers and times are normalised away
	Last      bool   // of an Answer: nothing more belongs to its exchange; of an Ask: it is never answered
	Refused   bool   // of an Answer: it says that the request failed

	Also []uint64 // of a last Answer: earlier exchanges that it ends too, answered all alike: an AMQP confirm of many publishes
	Tag  uint64   // of an Ask: what its answer calls it by, where its bytes do not say so: an AMQP delivery tag

	sid string // of an Ask of NATS: the subscription that takes its answer, "" for none that was seen
}

// Conn decodes one connection. Calls are serialised by the caller; it starts no goroutine. It keeps what does not yet make a
// message, in bounded memory: a message that is larger than its bound is given out in parts, of which only the first has a role.
type Conn interface {
	// Feed takes the next bytes of a way and gives the messages that they complete, in order. b is not kept. Given out late or in
	// pieces, the messages of a way are always its bytes, in order, and nothing else.
	Feed(w Way, b []byte) []Message
	// End takes the end of a way, and gives what was kept for it.
	End(w Way) []Message
	// Opaque is how many bytes passed without being understood, and why: "TLS", "HTTP/2", "not HTTP: ...". Once a connection is
	// opaque it stays so, on both ways.
	Opaque() (bytes int64, why string)
}

// Protocol is one protocol, as a value.
type Protocol struct {
	Name string
	New  func() Conn
	// Repeat makes the bytes that deliver an ask a second time on the same connection. swallow tells that the second delivery is
	// answered too, and that this answer must not reach the caller, who would take it for another's. nil, or an error: this protocol,
	// or this ask, cannot be repeated on its connection, and why.
	Repeat func(ask Message) (again []byte, swallow bool, err error)
	// Refuse makes an answer that tells the caller that its ask failed on the other side. nil, or an error: there is no such answer.
	Refuse func(ask Message) ([]byte, error)
	// Unordered tells that answers name what they answer, so that the asks of a connection may be delivered in another order.
	Unordered bool
}
