package proxy

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/wreckon/wreckon/faults"
	"github.com/wreckon/wreckon/targets"
)

const (
	probeTimeout = time.Second           // when the caller gives no deadline
	tcpLinger    = 20 * time.Millisecond // a bare TCP connection that stays open so long counts as answered
)

// visit is what a link knows of a probe's connection.
type visit struct {
	sent, dropped atomic.Int64
	refused       atomic.Pointer[error] // why the listening side could not be dialled
}

// visitor tells whether a client is a probe, by its address.
func (l *link) visitor(addr net.Addr) *visit {
	l.mu.Lock()
	defer l.mu.Unlock()
	port := addr.(*net.TCPAddr).Port
	v := l.probes[port]
	delete(l.probes, port) // the port may be another's next
	return v
}

// Probe makes one exchange through the proxy, on a connection of its own.
func (h *handle) Probe(ctx context.Context) faults.Probe { return h.ProbePadded(ctx, 0) }

// ProbePadded is Probe with at least so many bytes of request, all of which must arrive before the answer. A bare TCP edge has no
// request that could be padded.
func (h *handle) ProbePadded(ctx context.Context, pad int) faults.Probe {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, probeTimeout)
		defer cancel()
	}
	start, v := time.Now(), &visit{}
	err := h.link.exchange(ctx, v, pad)
	p := faults.Probe{Took: time.Since(start), Sent: v.sent.Load(), Dropped: v.dropped.Load(), Err: err}
	if refused := v.refused.Load(); err != nil && refused != nil {
		p.Err = fmt.Errorf("dial %s: %w", h.link.edge.To, *refused)
	}
	p.Outcome = outcome(p.Err)
	return p
}

func outcome(err error) string {
	var timeout net.Error
	switch {
	case err == nil:
		return faults.SawAnswer
	case errors.Is(err, syscall.ECONNREFUSED):
		return faults.SawRefusal
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return faults.SawReset
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), errors.As(err, &timeout) && timeout.Timeout():
		return faults.SawTimeout
	}
	return faults.SawClose
}

// exchange dials the proxy and asks what the edge's protocol lets anyone ask.
func (l *link) exchange(ctx context.Context, v *visit, pad int) (err error) {
	c, err := l.dialAs(ctx, v)
	if err != nil {
		return fmt.Errorf("dial proxy: %w", err)
	}
	defer c.Close()
	// A probe that gets no answer leaves with a reset, so that what it asked is not answered later, when the fault is over.
	defer func() {
		if err != nil {
			_ = c.SetLinger(0)
		}
	}()
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	switch l.edge.Protocol {
	case targets.HTTP:
		return askHTTP(c, pad)
	case targets.NATS:
		return askNATS(c, pad)
	}
	return askTCP(c)
}

// dialAs dials the proxy from a port that is known as the probe's before the proxy can see it.
func (l *link) dialAs(ctx context.Context, v *visit) (*net.TCPConn, error) {
	var port int
	d := net.Dialer{Control: func(_, _ string, raw syscall.RawConn) error {
		var bindErr error
		err := raw.Control(func(fd uintptr) {
			if bindErr = syscall.Bind(int(fd), &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); bindErr != nil {
				return
			}
			var addr syscall.Sockaddr
			if addr, bindErr = syscall.Getsockname(int(fd)); bindErr != nil {
				return
			}
			port = addr.(*syscall.SockaddrInet4).Port
			l.mu.Lock()
			l.probes[port] = v
			l.mu.Unlock()
		})
		return errors.Join(err, bindErr)
	}}
	conn, err := d.DialContext(ctx, "tcp4", l.listener.Addr().String())
	if err != nil {
		l.mu.Lock()
		delete(l.probes, port)
		l.mu.Unlock()
		return nil, err
	}
	return conn.(*net.TCPConn), nil
}

// askHTTP takes any answer: who answers 404 is there. The padding is header lines, which a server reads before it answers.
func askHTTP(c net.Conn, pad int) error {
	const line = 4096
	var b bytes.Buffer
	b.WriteString("GET /.well-known/probe HTTP/1.1\r\nHost: probe\r\nUser-Agent: wreckon-probe\r\nConnection: close\r\n")
	for i := 0; b.Len() < pad; i++ {
		fmt.Fprintf(&b, "X-Pad-%d: %s\r\n", i, strings.Repeat("x", min(line, pad-b.Len())))
	}
	b.WriteString("\r\n")
	if _, err := c.Write(b.Bytes()); err != nil {
		return err
	}
	_, err := c.Read(make([]byte, 1))
	return err
}

// askNATS pings, and pads with more pings. It does not wait for the server's INFO, so that a request is sent even where no
// response comes through.
func askNATS(c net.Conn, pad int) error {
	const ping = "PING\r\n"
	pings := 1 + pad/len(ping)
	hello := `CONNECT {"verbose":false,"pedantic":false,"name":"probe"}` + "\r\n" + strings.Repeat(ping, pings)
	written := make(chan error, 1) // while pongs are read: a server that cannot write stops reading
	go func() {
		_, err := io.WriteString(c, hello)
		written <- err
	}()
	err := readPongs(c, pings)
	_ = c.SetDeadline(time.Unix(1, 0)) // ends the writer
	// The kernel tells of a reset once, to the reader or to the writer; the other sees an ordinary end.
	if writeErr := <-written; err != nil && !errors.Is(writeErr, os.ErrDeadlineExceeded) {
		err = errors.Join(err, writeErr)
	}
	return err
}

func readPongs(c net.Conn, pings int) error {
	r := bufio.NewReader(c)
	for pongs := 0; pongs < pings; {
		line, err := r.ReadString('\n')
		switch {
		case err != nil:
			return err
		case strings.HasPrefix(line, "PONG"):
			pongs++
		case strings.HasPrefix(line, "-ERR"):
			return nil // it wants credentials, say: an answer all the same
		}
	}
	return nil
}

// askTCP can only see that the connection is made and stays.
func askTCP(c net.Conn) error {
	var b [1]byte
	if err := c.SetReadDeadline(time.Now().Add(tcpLinger)); err != nil {
		return err
	}
	_, err := c.Read(b[:])
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return nil
	}
	return err
}
