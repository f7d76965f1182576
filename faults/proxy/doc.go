// Package proxy stands on the edges of a target: every connection from one component to another runs through it, so that it can
// be held, slowed, lost or broken. It is the one package that imports Toxiproxy, and must never know what a fault is for, when
// it comes, or who is on either side.
//
// Toxiproxy is used as a library: its proxies, its links and its toxic contract, without its HTTP interface and without its
// accept loop. Each proxy carries one pair of toxics, installed before the first connection and never added to, removed or updated:
// those operations deadlock a proxy for good when a connection is aborted at the same moment (Shopify/toxiproxy#760). A fault is
// armed by swapping a value that the toxics read.
//
// The accept loop is our own, and hands both sockets to Toxiproxy's links. This gives what a toxic cannot have: the address of the
// client (probes are told apart), its socket (an existing connection can be reset), a dial with a deadline, and a half-close that
// stays one. It costs nothing: no byte takes another hop.
//
// A connection is two ways, each read, pumped and written by goroutines of Toxiproxy's link:
//
//	client socket -> way.Read -> noop -> toxic (way.pump) -> way.Write -> upstream socket
//
// The pump decides; its queue is all that is in flight. It never blocks on anything but a select that a change of shape, the end
// of the connection and the loss of the reader all wake.
package proxy
