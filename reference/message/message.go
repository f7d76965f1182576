// Package message is what travels between the services: an id that stays the same however often it is sent, a subject, the trace
// it belongs to, and bytes. It must never know a broker, a database or what the bytes mean.
package message

// Message is one message, to be sent or received. Two messages with the same ID are the same message, sent twice.
type Message struct {
	ID      string // unique per sender for ever: "<sender>-<row of its outbox>"
	Subject string
	Trace   string // W3C traceparent of the order, as its client sent it; may be empty
	Data    []byte
}

// Delivery is one arrival of a message at a consumer.
type Delivery struct {
	Message
	Number int    // how often the broker has delivered it to this consumer, from 1. The broker may forget: see inbox
	Extend func() // tells the broker that the work goes on, so that it does not redeliver yet. Best effort, never blocks
}
