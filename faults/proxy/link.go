package proxy

import (
	"context"
	"errors"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/Shopify/toxiproxy/v2/stream"

	"github.com/wreckon/wreckon/faults"
	"github.com/wreckon/wreckon/faults/wire"
	"github.com/wreckon/wreckon/targets"
)

// link is one proxied edge.
type link struct {
	edge     targets.Edge
	upstream string
	server   *toxiproxy.ApiServer
	proxy    *toxiproxy.Proxy
	listener net.Listener   // on an address of this machine, where probes dial
	lent     []net.Listener // in the networks of components
	session  *wire.Session  // nil: its messages are not understood
	starting *conn          // whose two ways are being started; under accepting

	accepting sync.Mutex
	accepted  int // connections; under accepting

	ctx     context.Context // ends with the link
	cancel  context.CancelFunc
	running sync.WaitGroup

	armed atomic.Pointer[armed]

	open, total           atomic.Int64
	delivered             [2]atomic.Int64
	touched, bytes, drops atomic.Int64

	mu     sync.Mutex
	owners map[*handle]faults.Shape
	conns  map[*conn]struct{}
	probes map[int]*visit // by the probe's local port
}

// handle is one fault's hold on a link.
type handle struct{ link *link }

// Set replaces this handle's shape and puts the merged rule in force.
func (h *handle) Set(s faults.Shape) {
	l := h.link
	l.mu.Lock()
	defer l.mu.Unlock()
	if s == (faults.Shape{}) {
		delete(l.owners, h)
	} else {
		l.owners[h] = s
	}
	next := &armed{by: h, changed: make(chan struct{})}
	for _, shape := range l.owners {
		next.rule = next.with(shape)
	}
	close(l.armed.Swap(next).changed)
}

// Session is where traps are armed on the exchanges of the edge. nil: its messages are not understood.
func (h *handle) Session() *wire.Session { return h.link.session }

// Touched counts what the shapes of all handles did, since the link was made.
func (h *handle) Touched() faults.Counters {
	l := h.link
	return faults.Counters{Connections: l.touched.Load(), Bytes: l.bytes.Load(), Dropped: l.drops.Load()}
}

// accept serves a listener until it is closed.
func (l *link) accept(at net.Listener) {
	for {
		client, err := at.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // out of file descriptors, mostly: wait for some to come back, and keep the edge alive
			select {
			case <-l.ctx.Done():
				return
			case <-time.After(5 * time.Millisecond):
				continue
			}
		}
		var v *visit
		if at == l.listener { // nobody else may come from a probe's port
			v = l.visitor(client.RemoteAddr())
		}
		l.start(client.(*net.TCPConn), v)
	}
}

// start hands a connection to two of Toxiproxy's links. Each calls NewState of its toxic before it returns: this is how the two
// ways of one connection find each other.
func (l *link) start(client *net.TCPConn, v *visit) {
	l.accepting.Lock()
	defer l.accepting.Unlock()
	name := strconv.Itoa(l.accepted)
	l.accepted++
	c := newConn(l, client, v)
	l.mu.Lock()
	l.conns[c] = struct{}{}
	l.mu.Unlock()
	if c.probe == nil {
		l.open.Add(1)
		l.total.Add(1)
	}
	if l.session != nil && c.probe == nil {
		c.tap = l.session.NewConn()
		l.running.Add(1) // until its exchanges are recorded
	}
	l.running.Add(len(c.ways))
	l.starting = c
	for dir, suffix := range []string{"upstream", "downstream"} {
		w := &c.ways[dir]
		l.proxy.Toxics.StartLink(l.server, name+suffix, w, w, stream.Direction(dir))
	}
	l.running.Go(c.dial)
}

func (l *link) forget(c *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.conns[c]; ok && c.probe == nil {
		l.open.Add(-1)
	}
	delete(l.conns, c)
}

func (l *link) close() error {
	l.cancel()
	var errs []error
	for _, at := range append([]net.Listener{l.listener}, l.lent...) {
		if err := at.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	l.mu.Lock()
	open := make([]*conn, 0, len(l.conns))
	for c := range l.conns {
		open = append(open, c)
	}
	l.mu.Unlock()
	for _, c := range open {
		c.close()
	}
	l.running.Wait()
	return errors.Join(errs...)
}
