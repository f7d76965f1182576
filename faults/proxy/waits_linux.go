package proxy

import (
	"net"

	"golang.org/x/sys/unix"
)

// States of a TCP socket, as the kernel counts them.
const (
	tcpEstablished = 1
	tcpCloseWait   = 8 // the other side has closed its half
)

// waits tells whether a client is still there, or, if half is enough, may be. It asks the kernel: who reads from the socket learns it only behind
// all that is still to be read, and only when it comes to read.
func waits(c *net.TCPConn, half bool) (waits bool) {
	raw, err := c.SyscallConn()
	if err != nil {
		return false
	}
	err = raw.Control(func(fd uintptr) {
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		waits = err != nil || info.State == tcpEstablished || half && info.State == tcpCloseWait
	})
	return err == nil && waits
}
