package proxy

import (
	"time"

	"github.com/Shopify/toxiproxy/v2/toxics"

	"github.com/wreckon/wreckon/faults/wire"
)

// toxicType is the name of our toxic in Toxiproxy's registry.
const toxicType = "wreckon"

// toxic is the one kind of toxic on our proxies. Toxiproxy makes one value for each proxy and direction, by reflection, and calls
// NewState for each connection.
type toxic struct {
	link *link
	way  int
}

// NewState gives a new connection's way to the stub that will pump it.
func (t *toxic) NewState() interface{} { return &t.link.starting.ways[t.way] }

// Pipe moves the bytes of one way until it ends.
func (t *toxic) Pipe(stub *toxics.ToxicStub) {
	w := stub.State.(*way)
	if interrupted := w.pump(stub); interrupted {
		return
	}
	stub.Close()
	for range stub.Input { // or the link's reader could never end
	}
	w.conn.link.running.Done()
}

// pump returns when the way has ended: its source has and all is delivered, or nothing can be delivered any more. What is in flight
// is in the way, not in this function: an interrupted pump can be entered again.
func (w *way) pump(stub *toxics.ToxicStub) (interrupted bool) {
	if w.timer == nil {
		w.timer = time.NewTimer(0)
	}
	defer w.timer.Stop()
	c := w.conn
	for {
		lost := c.lost.Load() // before the rule: bytes can have been lost only under a rule that is at least as old
		a := c.link.armed.Load()
		w.count(a)
		switch {
		case a.reset:
			w.touch(a, 0)
			c.abort()
		case lost && !a.swallow:
			c.abort()
		case c.silent.Load() && len(w.queue) > 0:
			w.discard()
		case a.swallow && len(w.queue) > 0:
			c.lost.Store(true)
			w.discard()
		case a.lose && w.dir == responses && len(w.queue) > 0:
			w.discard()
			c.close()
		}
		gate := w.settle()
		if w.ending.Load() != 0 {
			w.discard()
			return false
		}
		held := a.hold[w.dir] || a.swallow
		if w.over(a, held) {
			select {
			case <-w.cut:
				c.abort()
			default:
			}
			return false
		}
		next, at := w.next(a, held || gate != nil)
		out, wake := stub.Output, w.wake(at)
		if next == nil || wake != nil {
			out = nil
		}
		if out != nil && w.handed(out, next) {
			continue
		}
		in := stub.Input
		if w.full(a) {
			in = nil
		}
		select {
		case <-stub.Interrupt:
			return true
		case <-a.changed:
		case <-c.ctx.Done():
			w.discard()
			c.close() // the link may have been closed while it was accepting this connection
			return false
		case <-w.gone:
			w.discard()
			return false
		case <-w.cutWhile(held):
			w.discard()
		case <-wake:
		case <-gate:
		case <-w.muted():
		case <-w.woken():
			w.enqueue(time.Now(), c.tap.Take(wire.Way(w.dir)))
		case out <- next:
			w.sent(len(next.Data))
		case arrived, open := <-in:
			if open {
				w.arrive(arrived)
			} else {
				w.leave()
			}
		}
	}
}
