// Package lent brings listeners from one network to another: a process that is inside of a container's network listens there, hands its
// listeners over a Unix socket to the harness, and keeps none. Whoever dials them from inside is answered by the harness itself, with no hop
// between, at addresses and ports that nobody else can have; and no privilege is needed but that of starting the container.
//
// It must never know what a connection is for.
package lent

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"time"
)

// maxListeners is how many fit into one message of a Unix socket.
const maxListeners = 200

// Lend listens at addresses, hands the listeners to whoever waits at the socket, and closes its own. What goes wrong is told there, too.
func Lend(socket string, addrs []string) error {
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		return fmt.Errorf("hand over listeners: %w", err)
	}
	defer conn.Close()
	var rights []int
	for _, addr := range addrs {
		f, err := listen(addr)
		if err != nil {
			_, werr := conn.Write([]byte(err.Error()))
			return errors.Join(err, werr)
		}
		defer f.Close()
		rights = append(rights, int(f.Fd()))
	}
	if _, _, err := conn.WriteMsgUnix([]byte{0}, syscall.UnixRights(rights...), nil); err != nil {
		return fmt.Errorf("hand over listeners: %w", err)
	}
	return nil
}

func listen(addr string) (*os.File, error) {
	l, err := net.Listen("tcp4", addr)
	if err != nil {
		return nil, err
	}
	defer l.Close()
	return l.(*net.TCPListener).File()
}

// Borrower waits at a Unix socket for listeners.
type Borrower struct{ at *net.UnixListener }

// NewBorrower makes the socket, which must not be there yet.
func NewBorrower(socket string) (*Borrower, error) {
	at, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("wait for listeners: %w", err)
	}
	return &Borrower{at}, nil
}

// Close removes the socket.
func (b *Borrower) Close() error { return b.at.Close() }

// Take returns as many listeners as are wanted, in the order of Lend's addresses. They belong to the caller.
func (b *Borrower) Take(ctx context.Context, n int) ([]net.Listener, error) {
	stop := context.AfterFunc(ctx, func() { _ = b.at.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	conn, err := b.at.AcceptUnix()
	if err != nil {
		return nil, fmt.Errorf("wait for listeners: %w", errors.Join(context.Cause(ctx), err))
	}
	defer conn.Close()
	unhook := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer unhook()
	text, control := make([]byte, 1024), make([]byte, syscall.CmsgSpace(4*maxListeners))
	read, rights, _, _, err := conn.ReadMsgUnix(text, control)
	if err != nil {
		return nil, fmt.Errorf("wait for listeners: %w", errors.Join(context.Cause(ctx), err))
	}
	listeners, err := receive(control[:rights])
	if err == nil && len(listeners) != n {
		err = fmt.Errorf("take listeners: got %d of %d: %s", len(listeners), n, strings.Trim(string(text[:read]), "\x00"))
	}
	if err != nil {
		for _, l := range listeners {
			l.Close()
		}
		return nil, err
	}
	return listeners, nil
}

// receive makes listeners of the rights of a message.
func receive(control []byte) (listeners []net.Listener, err error) {
	messages, err := syscall.ParseSocketControlMessage(control)
	if err != nil {
		return nil, fmt.Errorf("take listeners: %w", err)
	}
	for _, m := range messages {
		fds, err := syscall.ParseUnixRights(&m)
		if err != nil {
			return listeners, fmt.Errorf("take listeners: %w", err)
		}
		for i, fd := range fds {
			f := os.NewFile(uintptr(fd), "lent")
			l, err := net.FileListener(f) // which has its own
			f.Close()
			if err != nil {
				for _, rest := range fds[i+1:] {
					syscall.Close(rest)
				}
				return listeners, fmt.Errorf("take listeners: %w", err)
			}
			listeners = append(listeners, l)
		}
	}
	return listeners, nil
}
