package environment

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"sync/atomic"
)

// Loopback is where the harness and processes of this machine find each other.
const Loopback = "127.0.0.1"

// Ports are taken from below the range that systems use for outgoing connections (from 32768 on Linux, 49152 elsewhere). A port from
// that range is given away while its component is down: to any connection of anybody, or to one that is dialled to the port
// itself, which then is connected to itself.
const (
	lowestPort = 10240
	portsAbove = 32768 - lowestPort
)

// nextPort goes round, so that the ports of runs at the same time in this process differ; other processes begin elsewhere.
var nextPort atomic.Uint32

func init() { nextPort.Store(uint32(os.Getpid()) * 97) }

// Reserved is a number of distinct loopback ports that nobody else can listen on until Release.
type Reserved struct{ listeners []net.Listener }

// Ports reserves n ports.
func Ports(n int) (*Reserved, error) {
	r := &Reserved{}
	var last error
	for range portsAbove {
		if len(r.listeners) == n {
			return r, nil
		}
		port := lowestPort + nextPort.Add(1)%portsAbove
		l, err := net.Listen("tcp", net.JoinHostPort(Loopback, strconv.Itoa(int(port))))
		if err != nil {
			last = err // taken
			continue
		}
		r.listeners = append(r.listeners, l)
	}
	return nil, errors.Join(fmt.Errorf("reserve %d ports: %w", n, last), r.Release())
}

// Addr is the address of the i-th port, as host:port.
func (r *Reserved) Addr(i int) string { return r.listeners[i].Addr().String() }

// Port is the number of the i-th port.
func (r *Reserved) Port(i int) int { return r.listeners[i].Addr().(*net.TCPAddr).Port }

// Release frees the ports, just before the components that listen on them are started. Addr and Port stay valid.
func (r *Reserved) Release() error {
	var errs []error
	for _, l := range r.listeners {
		if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// FreePort finds one port that nobody listens on now.
func FreePort() (int, error) {
	r, err := Ports(1)
	if err != nil {
		return 0, err
	}
	return r.Port(0), r.Release()
}
