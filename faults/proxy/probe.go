package proxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/wreckon/wreckon/faults"
	"github.com/wreckon/wreckon/internal/question"
)

// probeTimeout is for when the caller gives no deadline.
const probeTimeout = time.Second

// visit is what a link knows of a probe's connection.
type visit struct {
	sent    [2]atomic.Int64 // by way
	dropped atomic.Int64
	refused atomic.Pointer[error] // why the listening side could not be dialled
}

// visitor tells whether a client is a probe, by its address. A probe always comes from loopback, also to a proxy that listens elsewhere:
// a client in a container may come from the same port.
func (l *link) visitor(addr net.Addr) *visit {
	client := addr.(*net.TCPAddr)
	if !client.IP.IsLoopback() {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	v := l.probes[client.Port]
	delete(l.probes, client.Port) // the port may be another's next
	return v
}

// Probe makes one exchange through the proxy, on a connection of its own.
func (h *handle) Probe(ctx context.Context) faults.Probe { return h.probe(ctx, 0) }

// padded is a handle on an edge whose probes can be made as large as one likes.
type padded struct{ *handle }

var _ faults.Padded = padded{}

// ProbePadded is Probe with at least so many bytes of request, all of which must arrive before the answer; where a server takes less
// in one question, with further questions, each on a connection of its own.
func (h padded) ProbePadded(ctx context.Context, pad int) faults.Probe { return h.probe(ctx, pad) }

func (h *handle) probe(ctx context.Context, pad int) faults.Probe {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, probeTimeout)
		defer cancel()
	}
	start, v := time.Now(), &visit{}
	err := h.link.exchange(ctx, v, pad)
	p := faults.Probe{Took: time.Since(start), Sent: v.sent[requests].Load(), Dropped: v.dropped.Load(), Err: err}
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

// exchange dials the proxy and asks what the edge's protocol lets anyone ask, until pad bytes were answered.
func (l *link) exchange(ctx context.Context, v *visit, pad int) error {
	q := question.Of(l.edge.Protocol)
	for {
		asked, err := l.askOnce(ctx, v, q, pad)
		if pad -= asked; err != nil || pad <= 0 || !q.Padded {
			return err
		}
	}
}

func (l *link) askOnce(ctx context.Context, v *visit, q question.Question, pad int) (asked int, err error) {
	c, err := l.dialAs(ctx, v)
	if err != nil {
		return 0, fmt.Errorf("dial proxy: %w", err)
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
	return q.Ask(c, pad)
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
