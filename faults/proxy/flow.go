package proxy

import (
	"time"

	"github.com/Shopify/toxiproxy/v2/stream"

	"github.com/wreckon/wreckon/faults/wire"
)

// window is how many bytes of one way may be on their way under a delay, so that a delay does not limit the rate: 40 MB/s at 100 ms.
const window = 4 << 20

// item is a run of bytes on its way. On an edge whose messages are understood it is a piece of them, and may wait, or end the connection.
type item struct {
	*stream.StreamChunk
	piece   wire.Piece
	offered bool // its delivery has begun
}

// maxChunk bounds what the pump hands on at once: of a chunk that is larger than the buffer of its io.Copy, Toxiproxy's ChanReader
// loses what is left over when the next chunk is there already.
const maxChunk = 32 << 10

// flow is what is in flight on a way. Only its pump uses it.
type flow struct {
	queue   []item    // read, not yet delivered; the Timestamp of each says when it was read
	bytes   int       // in queue
	counted int       // chunks at the head of queue that are counted as touched
	end     time.Time // when the source ended; zero before
	moved   time.Time // when bytes were last delivered
	booked  *armed    // the rule whose limiter has booked the head of queue, nil for none ...
	slot    time.Time // ... and when it is through
	timer   *time.Timer
}

// full tells that no more is to be read now. Without a delay the queue holds one chunk, so that a sender soon feels it when nothing moves.
func (w *way) full(a *armed) bool {
	if a.delay[w.dir] > 0 {
		return !w.end.IsZero() || w.bytes >= window
	}
	return !w.end.IsZero() || w.bytes > 0
}

// over tells that the source has ended, and that its end may be passed on.
func (w *way) over(a *armed, held bool) bool {
	return !w.end.IsZero() && len(w.queue) == 0 && !held && time.Until(w.end.Add(a.delay[w.dir])) <= 0 &&
		w.muted() == nil && time.Until(w.lingers()) <= 0
}

// lingerFor bounds how long the end of a way waits for an answer to an ask that was held or repeated. A server that got half of the
// next ask answers nothing more before it has seen the end.
const lingerFor = 5 * time.Second

// lingers is until when the end of a way is kept back for an answer that is still to come; zero if it is not.
func (w *way) lingers() time.Time {
	if w.end.IsZero() || w.conn.tap == nil || w.conn.silent.Load() || !w.conn.tap.Lingers(wire.Way(w.dir)) {
		return time.Time{}
	}
	last := w.end
	if w.moved.After(last) {
		last = w.moved
	}
	return last.Add(lingerFor)
}

// muted is closed when the caller on a connection that fell silent has left; before that, no end is passed to it. It is nil elsewhere.
func (w *way) muted() <-chan struct{} {
	if !w.conn.silent.Load() || w.dir != responses || w.end.IsZero() {
		return nil
	}
	left := w.conn.ways[requests].ended
	select {
	case <-left:
		return nil
	default:
		return left
	}
}

// next is what is to be delivered next, and not before when. It is nil when there is nothing, or only the end.
func (w *way) next(a *armed, held bool) (next *stream.StreamChunk, at time.Time) {
	delay := a.delay[w.dir]
	switch {
	case held:
		return nil, at
	case len(w.queue) == 0:
		if !w.end.IsZero() {
			at = w.end.Add(delay)
			if last := w.lingers(); last.After(at) {
				at = last
			}
		}
		return nil, at
	}
	next = w.queue[0].StreamChunk
	if delay > 0 {
		if at = next.Timestamp.Add(delay); time.Until(at) > 0 {
			return next, at
		}
	}
	if len(next.Data) > maxChunk {
		next = &stream.StreamChunk{Data: next.Data[:maxChunk], Timestamp: next.Timestamp}
	}
	if a.rate > 0 {
		if n := slice(a.rate); n < len(next.Data) {
			next = &stream.StreamChunk{Data: next.Data[:n], Timestamp: next.Timestamp}
		}
		if w.booked != a {
			w.booked, w.slot = a, a.limit[w.dir].pass(len(next.Data), a.rate)
		}
		at = w.slot
	}
	return next, at
}

// handed delivers to a writer that waits, which is nearly always so, and then costs a fraction of the select of everything.
func (w *way) handed(out chan<- *stream.StreamChunk, next *stream.StreamChunk) bool {
	select {
	case out <- next:
		w.sent(len(next.Data))
		return true
	default:
		return false
	}
}

// wake fires at a time to come; it is nil when that is not to come.
func (w *way) wake(at time.Time) <-chan time.Time {
	if at.IsZero() {
		return nil
	}
	d := time.Until(at)
	if d <= 0 {
		return nil
	}
	w.timer.Reset(d)
	return w.timer.C
}

// sent takes n delivered bytes from the head of the queue.
func (w *way) sent(n int) {
	w.booked, w.bytes, w.moved = nil, w.bytes-n, time.Now()
	head := w.queue[0]
	if n < len(head.Data) {
		w.queue[0].StreamChunk = &stream.StreamChunk{Data: head.Data[n:], Timestamp: head.Timestamp}
		return
	}
	w.counted = max(0, w.counted-1)
	if len(w.queue) == 1 {
		w.queue = w.queue[:0]
		return
	}
	w.queue[0] = item{}
	w.queue = w.queue[1:]
}

// cutWhile is closed when the source was reset while its bytes are held. They are lost with it: across a real cut they would still be
// in the sender's kernel, which drops them when it resets the connection.
func (w *way) cutWhile(held bool) <-chan struct{} {
	if held && len(w.queue) > 0 {
		return w.cut
	}
	return nil
}

// count makes what is in flight show in the link's counters, when the rule does something to it.
func (w *way) count(a *armed) {
	if !a.affects(w.dir) {
		return
	}
	for ; w.counted < len(w.queue); w.counted++ {
		w.touch(a, len(w.queue[w.counted].Data))
	}
}

func (w *way) touch(a *armed, n int) {
	c := w.conn
	if c.probe != nil {
		return
	}
	c.link.bytes.Add(int64(n))
	if c.touched.Swap(a.by) != a.by {
		c.link.touched.Add(1)
	}
}

// discard throws away what is in flight. What no rule had touched is not counted: that loss is not our doing.
func (w *way) discard() {
	for i, chunk := range w.queue {
		n := int64(len(chunk.Data))
		switch p := w.conn.probe; {
		case p != nil:
			p.dropped.Add(n)
		case i < w.counted:
			w.conn.link.drops.Add(n)
		}
	}
	w.queue, w.bytes, w.counted, w.booked = nil, 0, 0, nil
}
