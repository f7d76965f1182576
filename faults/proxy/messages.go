package proxy

import (
	"slices"
	"time"

	"github.com/Shopify/toxiproxy/v2/stream"

	"github.com/wreckon/wreckon/faults/wire"
)

// What a pump does on an edge whose messages are understood: what arrives goes through the connection's tap, and what the tap gives
// is queued. Shapes then do to the queue what they do on any edge.

// arrive queues what was read.
func (w *way) arrive(chunk *stream.StreamChunk) {
	if w.conn.tap == nil {
		w.queue = append(w.queue, item{StreamChunk: chunk})
		w.bytes += len(chunk.Data)
		return
	}
	pieces := w.conn.tap.Feed(wire.Way(w.dir), chunk.Data)
	if len(pieces) == 1 && len(pieces[0].Bytes) == len(chunk.Data) && &pieces[0].Bytes[0] == &chunk.Data[0] {
		w.queue = append(w.queue, item{StreamChunk: chunk, piece: pieces[0]})
		w.bytes += len(chunk.Data)
		return
	}
	w.enqueue(chunk.Timestamp, pieces)
}

// leave takes the end of the source.
func (w *way) leave() {
	w.end = time.Now()
	if w.conn.tap != nil {
		w.enqueue(w.end, w.conn.tap.End(wire.Way(w.dir)))
	}
}

func (w *way) enqueue(at time.Time, pieces []wire.Piece) {
	for _, p := range pieces {
		w.queue = append(w.queue, newItem(at, p))
		w.bytes += len(p.Bytes)
	}
}

func newItem(at time.Time, p wire.Piece) item {
	return item{StreamChunk: &stream.StreamChunk{Data: p.Bytes, Timestamp: at}, piece: p}
}

// woken has something when the tap has pieces that no arrival brings, or lets the end of this way go.
func (w *way) woken() <-chan struct{} {
	if w.conn.tap == nil {
		return nil
	}
	return w.conn.tap.Wake(wire.Way(w.dir))
}

// settle brings the head of the queue to what can be delivered. gate is what it waits for, if it waits.
func (w *way) settle() (gate <-chan struct{}) {
	tap := w.conn.tap
	if tap == nil {
		return nil
	}
	for len(w.queue) > 0 {
		head := &w.queue[0]
		switch p := head.piece; {
		case p.Gate != nil:
			select {
			case <-p.Gate.Done():
				w.resolve()
			default:
				return p.Gate.Done()
			}
		case p.Then == wire.Silent:
			w.conn.silent.Store(true)
			w.discard()
		case p.Then != 0:
			w.ending.Store(int32(p.Then))
			return nil
		case !head.offered:
			head.offered = true
			tap.Offer(wire.Way(w.dir), p)
			if len(head.Data) == 0 {
				w.sent(0)
			}
		default:
			return nil
		}
	}
	return nil
}

// resolve puts what was decided in place of the head of the queue, which waited for it.
func (w *way) resolve() {
	head := w.queue[0]
	pieces := w.conn.tap.Resolve(wire.Way(w.dir), head.piece)
	items := make([]item, len(pieces))
	w.bytes -= len(head.Data)
	for i, p := range pieces {
		items[i] = newItem(head.Timestamp, p)
		w.bytes += len(p.Bytes)
	}
	w.queue = slices.Replace(w.queue, 0, 1, items...)
	if w.counted > 0 {
		w.counted += len(items) - 1
	}
}
