package proxy

import (
	"context"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wreckon/wreckon/faults/wire"
	"github.com/wreckon/wreckon/targets"
)

// dialTimeout bounds the dial of an upstream that drops packets. Toxiproxy's own dial has no bound and blocks its accept loop.
const dialTimeout = 5 * time.Second

// conn is one connection through a link: two sockets, two ways.
type conn struct {
	link   *link
	tap    *wire.Tap // what understands its messages; nil: nothing does
	probe  *visit    // set when it was made by a probe, which the counters leave out
	client *net.TCPConn
	ways   [2]way

	ctx     context.Context // ends when the connection is shut
	cancel  context.CancelFunc
	dialled chan struct{} // closed once upstream is set

	silent  atomic.Bool // nothing of it is delivered any more, and it stays open
	lost    atomic.Bool // bytes of it were thrown away: it cannot go on
	torn    atomic.Bool // a side vanished: the other must see a reset, not an orderly end
	touched atomic.Pointer[handle]
	writers atomic.Int32 // ways not yet ended

	mu       sync.Mutex
	upstream *net.TCPConn
	shutOnce sync.Once
}

func newConn(l *link, client *net.TCPConn, probe *visit) *conn {
	c := &conn{link: l, probe: probe, client: client, dialled: make(chan struct{})}
	c.ctx, c.cancel = context.WithCancel(l.ctx)
	c.writers.Store(int32(len(c.ways)))
	for dir := range c.ways {
		c.ways[dir] = way{conn: c, dir: dir, ended: make(chan struct{}), cut: make(chan struct{}), gone: make(chan struct{})}
	}
	return c
}

// dial opens the other side, unless the rule in force keeps a connection from being made: then it waits.
func (c *conn) dial() {
	waited := false
	for {
		a := c.link.armed.Load()
		if !a.hold[requests] && !a.swallow && !a.reset {
			break
		}
		waited = true
		select {
		case <-a.changed:
		case <-c.givenUp():
			c.close()
			return
		case <-c.ctx.Done():
			return
		}
	}
	if c.probe != nil && !waits(c.client, false) || waited && !waits(c.client, c.link.edge.Protocol == targets.TCP) {
		c.close()
		return
	}
	d := net.Dialer{Timeout: dialTimeout}
	up, err := d.DialContext(c.ctx, "tcp", c.link.upstream)
	if err != nil {
		if c.probe != nil {
			c.probe.refused.Store(&err)
		}
		c.close()
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctx.Err() != nil {
		up.Close()
		return
	}
	c.upstream = up.(*net.TCPConn)
	close(c.dialled)
}

// givenUp is closed when the client was seen to leave. A connection that was opened in a cut and given up in it never happened: across
// a real cut its handshake would not have completed. Clients that close their half have left in all protocols that are known; in
// others they may be waiting.
func (c *conn) givenUp() <-chan struct{} {
	if c.link.edge.Protocol == targets.TCP {
		return nil
	}
	return c.ways[requests].ended
}

// close ends the connection in an orderly way, abort with a reset. The first of them wins.
func (c *conn) close() { c.shut(c.torn.Load()) }
func (c *conn) abort() { c.shut(true) }

func (c *conn) shut(reset bool) {
	c.shutOnce.Do(func() {
		c.cancel()
		c.mu.Lock()
		sockets := []*net.TCPConn{c.client, c.upstream}
		c.mu.Unlock()
		for _, s := range sockets {
			if s == nil {
				continue
			}
			if reset {
				_ = s.SetLinger(0) // fails only on a socket that is gone already
			}
			s.Close()
		}
		c.link.forget(c)
	})
}

// way is one direction of a connection. As a Reader it is the link's source, as a WriteCloser the link's destination.
type way struct {
	conn *conn
	dir  int

	ended  chan struct{} // closed when the source gave its last byte
	cut    chan struct{} // closed before it, when the source ended other than by an orderly close
	gone   chan struct{} // closed when nothing can be delivered any more
	failed bool          // of the writing goroutine: delivery failed
	ending atomic.Int32  // a wire.End, set by the pump before it ends: how the connection ends once all is written

	flow // of the pump
}

// socket waits for the side of the connection that bytes of this way come from, or go to. Nil: the connection was shut.
func (w *way) socket(source bool) *net.TCPConn {
	if source == (w.dir == requests) {
		return w.conn.client
	}
	select {
	case <-w.conn.dialled:
		return w.conn.upstream
	case <-w.conn.ctx.Done():
		return nil
	}
}

// Read is called by Toxiproxy's link, from one goroutine, until it fails.
func (w *way) Read(b []byte) (int, error) {
	s := w.socket(true)
	if s == nil {
		close(w.ended)
		return 0, io.EOF
	}
	n, err := s.Read(b)
	if err != nil {
		if err != io.EOF {
			close(w.cut)
		}
		close(w.ended)
	}
	return n, err
}

// Write is called by Toxiproxy's link, from one goroutine.
func (w *way) Write(b []byte) (int, error) {
	s := w.socket(false)
	if s == nil {
		w.failed = true
		return 0, net.ErrClosed
	}
	// Counted before the write: the answer to these bytes may be back before the write returns, and whoever reads it may ask.
	delivered := &w.conn.link.delivered[w.dir]
	if p := w.conn.probe; p != nil {
		delivered = &p.sent[w.dir]
	}
	delivered.Add(int64(len(b)))
	n, err := s.Write(b)
	delivered.Add(int64(n - len(b)))
	if w.conn.tap != nil && n > 0 {
		w.conn.tap.Written(wire.Way(w.dir), n)
	}
	w.failed = w.failed || err != nil
	return n, err
}

// Close is called by Toxiproxy's link, once, after the last Write. An orderly end closes one half of the socket; when delivery
// failed, the receiver is gone, which the other way is made to notice.
func (w *way) Close() error {
	switch wire.End(w.ending.Load()) {
	case wire.Close:
		w.conn.close()
	case wire.Reset:
		w.conn.abort()
	}
	// Once the connection is being shut, how its sockets end is decided there: an orderly end must not overtake a reset.
	if s := w.socket(false); s != nil && w.conn.ctx.Err() == nil {
		if w.failed {
			w.conn.torn.Store(true)
			_ = s.SetReadDeadline(time.Unix(1, 0))
		} else {
			_ = s.CloseWrite()
		}
	}
	close(w.gone)
	if w.conn.writers.Add(-1) == 0 {
		w.conn.close()
		if w.conn.tap != nil {
			w.conn.tap.Close()
			w.conn.link.running.Done()
		}
	}
	return nil
}
