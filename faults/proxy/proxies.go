package proxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/Shopify/toxiproxy/v2/toxics"
	"github.com/rs/zerolog"

	"github.com/wreckon/wreckon/faults"
	"github.com/wreckon/wreckon/faults/wire"
	"github.com/wreckon/wreckon/history"
	"github.com/wreckon/wreckon/internal/question"
	"github.com/wreckon/wreckon/targets"
)

// Proxies are the proxied edges of one target. Make them with New; they are safe for use from any goroutine.
type Proxies struct {
	wire   *wire.Options        // nil: no edge's messages are understood
	server *toxiproxy.ApiServer // never listens: it holds what Toxiproxy's links ask of it

	mu     sync.Mutex
	links  map[targets.Edge]*link
	order  []*link
	closed bool
}

var (
	_ faults.Links     = (*Proxies)(nil)
	_ faults.Exchanges = (*Proxies)(nil)
)

// New makes an empty set of proxies. Close it.
func New() *Proxies {
	toxics.Register(toxicType, new(toxic))
	return &Proxies{
		server: toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop()),
		links:  map[targets.Edge]*link{},
	}
}

// NewWith makes an empty set of proxies that understand the messages of their edges, where wire knows the protocol: see Session.
func NewWith(o wire.Options) *Proxies {
	p := New()
	p.wire = &o
	return p
}

// Add is AddAt on loopback: for what a process of this machine dials.
func (p *Proxies) Add(edge targets.Edge, upstream string) (listen string, err error) {
	return p.AddAt("127.0.0.1", edge, upstream)
}

// AddAt puts a proxy on an edge and returns the address that the dialling component must use, a port of host, which is an address of this
// machine. upstream (host:port) need not listen yet: it is dialled anew for each connection.
func (p *Proxies) AddAt(host string, edge targets.Edge, upstream string) (listen string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return "", fmt.Errorf("add proxy %s: proxies are closed", edge.Name())
	}
	if _, ok := p.links[edge]; ok {
		return "", fmt.Errorf("add proxy %s: the edge has one", edge.Name())
	}
	l := &link{edge: edge, upstream: upstream, server: p.server, owners: map[*handle]faults.Shape{}, conns: map[*conn]struct{}{}, probes: map[int]*visit{}}
	if protocol, ok := wire.Lookup(string(edge.Protocol)); ok && p.wire != nil {
		l.session = wire.NewSession(edge.Name(), protocol, *p.wire)
	}
	l.armed.Store(&armed{changed: make(chan struct{})})
	l.proxy = toxiproxy.NewProxy(p.server, edge.Name(), "", upstream)
	for way, stream := range []string{"upstream", "downstream"} {
		w, err := l.proxy.Toxics.AddToxicJson(strings.NewReader(fmt.Sprintf(
			`{"name":%q,"type":%q,"stream":%q,"toxicity":1,"attributes":{}}`, stream, toxicType, stream)))
		if err != nil {
			return "", fmt.Errorf("install toxic on %s: %w", edge.Name(), err)
		}
		t := w.Toxic.(*toxic)
		t.link, t.way = l, way
	}
	l.listener, err = net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return "", fmt.Errorf("listen for %s: %w", edge.Name(), err)
	}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	p.links[edge], p.order = l, append(p.order, l)
	l.running.Go(func() { l.accept(l.listener) })
	return l.listener.Addr().String(), nil
}

// Lend has the proxy of an edge serve another listener, too: one in a network that only the dialling component is in. It is closed with the
// proxies.
func (p *Proxies) Lend(edge targets.Edge, at net.Listener) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	l, ok := p.links[edge]
	if !ok || p.closed {
		return errors.Join(fmt.Errorf("lend to %s: no proxy on this edge", edge.Name()), at.Close())
	}
	l.lent = append(l.lent, at)
	l.running.Go(func() { l.accept(at) })
	return nil
}

// Link gives a hold on an edge, for one fault: what several of them set is merged. A hold that has set the zero shape is as good as none.
func (p *Proxies) Link(edge targets.Edge) (faults.Link, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l, ok := p.links[edge]
	if !ok {
		return nil, fmt.Errorf("link %s: no proxy on this edge", edge.Name())
	}
	if question.Of(edge.Protocol).Padded {
		return padded{&handle{l}}, nil
	}
	return &handle{l}, nil
}

// Session is where traps are armed on the exchanges of an edge. nil: the edge has no proxy, or its messages are not understood.
func (p *Proxies) Session(edge targets.Edge) *wire.Session {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l, ok := p.links[edge]; ok {
		return l.session
	}
	return nil
}

// Arm puts a trap on the exchanges of an edge, for what is asked from now on.
func (p *Proxies) Arm(edge targets.Edge, t wire.Trap) (*wire.Armed, error) {
	if s := p.Session(edge); s != nil {
		return s.Arm(t), nil
	}
	return nil, fmt.Errorf("arm %s: its messages are not understood, or it has no proxy", edge.Name())
}

// UnitID is how a person writes a unit.
func (p *Proxies) UnitID(u history.Unit) string {
	if p.wire == nil {
		return history.UnitID("", u)
	}
	return history.UnitID(p.wire.Prefix, u)
}

// Stats is what went over one edge. Probes are not counted.
type Stats struct {
	Edge        string `json:"edge"`        // its name: "relay -> broker"
	Open        int64  `json:"open"`        // connections now
	Connections int64  `json:"connections"` // connections ever
	Requests    int64  `json:"requests"`    // bytes delivered to the listening component
	Responses   int64  `json:"responses"`   // bytes delivered to the dialling component
}

// Stats counts all edges, in the order they were added.
func (p *Proxies) Stats() []Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make([]Stats, len(p.order))
	for i, l := range p.order {
		all[i] = Stats{l.edge.Name(), l.open.Load(), l.total.Load(), l.delivered[requests].Load(), l.delivered[responses].Load()}
	}
	return all
}

// Close closes every listener and connection, and returns when all pumps have ended. It may be called more than once.
func (p *Proxies) Close() error {
	p.mu.Lock()
	p.closed = true
	links := p.order
	p.mu.Unlock()
	var errs []error
	for _, l := range links {
		if err := l.close(); err != nil {
			errs = append(errs, fmt.Errorf("close proxy %s: %w", l.edge.Name(), err))
		}
	}
	return errors.Join(errs...)
}
