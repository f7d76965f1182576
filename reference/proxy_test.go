package reference_test

import (
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// fault is what a proxy does to the bytes of its edge.
type fault string

const (
	none          fault = ""
	hold          fault = "hold"         // nothing passes, nothing is lost, connections stay
	holdAnswers   fault = "hold answers" // requests pass, answers wait
	swallow       fault = "swallow"      // everything is taken and thrown away, connections stay until the end of the fault
	loseAnswers   fault = "lose answers" // requests pass, the first byte of an answer cuts the connection
	reset         fault = "reset"        // connections are cut, new ones at once
	slow          fault = "slow"         // everything takes 150 ms each way
	slowness            = 150 * time.Millisecond
	bufferOfProxy       = 16 << 10
)

// proxy stands on one edge.
type proxy struct {
	net.Listener
	to string

	mu     sync.Mutex
	shape  fault
	change chan struct{} // closed when shape changes
	conns  map[net.Conn]bool
}

func newProxy(t testing.TB, to string) *proxy {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &proxy{Listener: l, to: to, change: make(chan struct{}), conns: map[net.Conn]bool{}}
	go p.serve()
	t.Cleanup(func() { l.Close(); p.set(reset) })
	return p
}

// set puts a fault on the edge, or takes it off.
func (p *proxy) set(f fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	was := p.shape
	p.shape = f
	close(p.change)
	p.change = make(chan struct{})
	if f == reset || was == swallow { // a stream with a hole in it cannot go on
		for c := range p.conns {
			_ = c.Close()
		}
	}
}

func (p *proxy) now() (fault, chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.shape, p.change
}

func (p *proxy) track(c net.Conn, on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if on {
		p.conns[c] = true
	} else {
		delete(p.conns, c)
	}
}

func (p *proxy) serve() {
	for {
		down, err := p.Accept()
		if err != nil {
			return
		}
		if shape, _ := p.now(); shape == reset {
			_ = down.(*net.TCPConn).SetLinger(0)
			_ = down.Close()
			continue
		}
		go p.join(down)
	}
}

func (p *proxy) join(down net.Conn) {
	up, err := net.Dial("tcp", p.to)
	if err != nil {
		_ = down.Close()
		return
	}
	p.track(down, true)
	p.track(up, true)
	var both sync.WaitGroup
	both.Go(func() { p.pump(down, up, false) })
	both.Go(func() { p.pump(up, down, true) })
	both.Wait()
	p.track(down, false)
	p.track(up, false)
}

// pump moves bytes one way until either end is gone, then closes both.
func (p *proxy) pump(from, to net.Conn, answers bool) {
	defer from.Close()
	defer to.Close()
	buf := make([]byte, bufferOfProxy)
	for {
		n, err := from.Read(buf)
		if err != nil || !p.pass(to, buf[:n], answers) {
			return
		}
	}
}

func (p *proxy) pass(to net.Conn, data []byte, answers bool) bool {
	for {
		shape, change := p.now()
		switch {
		case shape == hold, shape == holdAnswers && answers:
			<-change
			continue
		case shape == swallow:
			return true
		case shape == loseAnswers && answers:
			return false
		case shape == slow:
			time.Sleep(slowness)
		}
		_, err := to.Write(data)
		return err == nil
	}
}
