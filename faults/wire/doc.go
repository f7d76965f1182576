// Package wire understands what goes over an edge: it cuts the bytes of a connection into messages, pairs requests with their
// answers, and lets one message be held, dropped, repeated or answered in another's name. It must never know what a fault is for,
// when it comes, or which proxy carries the bytes.
//
// It never guesses and never corrupts: the messages of a way, put together, are its bytes, all of them, in order. What a protocol does
// not understand passes through untouched and is counted.
package wire
