package wire

import (
	"bytes"
	"testing"

	"github.com/wreckon/wreckon/history"
)

// counter takes exchanges.
type counter struct{ n int }

func (c *counter) Record(history.Event) uint64 { c.n++; return uint64(c.n) }

// BenchmarkTapPublish is what it costs to tell of publishes that nobody answers, as they come in large writes.
func BenchmarkTapPublish(b *testing.B) {
	message := []byte("PUB orders.created 256\r\n" + string(bytes.Repeat([]byte("x"), 256)) + "\r\n")
	var told counter
	tap := NewSession("a -> b", NATS, Options{Record: &told}).NewConn()
	stream := bytes.Repeat(message, 1000)
	const chunk = 32 << 10
	b.ReportAllocs()
	for sent := 0; told.n < b.N; {
		n := min(chunk, len(stream)-sent)
		for _, p := range tap.Feed(Up, stream[sent:sent+n:sent+n]) {
			tap.Offer(Up, p)
			tap.Written(Up, len(p.Bytes))
		}
		sent = (sent + n) % len(stream)
	}
}
