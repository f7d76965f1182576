//go:build !linux

package proxy

import "net"

// waits cannot be told here without reading from the socket: the client is taken to be there.
func waits(*net.TCPConn, bool) bool { return true }
