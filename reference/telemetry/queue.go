package telemetry

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	sdk "go.opentelemetry.io/otel/sdk/trace"

	"github.com/wreckon/wreckon/reference/policy"
)

const (
	// Room is how many spans wait at most. What comes when there is none is lost, and counted.
	Room = 16 << 10
	// Every is how long a span waits at most before it is on its way: a process that is killed takes no more with it.
	Every = 100 * time.Millisecond

	exportBatch   = 512
	exportTimeout = 5 * time.Second
	exportTries   = 6 // with waits that grow to a second: what a collector needs to be started again
)

// queue is the way from spans that have ended to the exporter. The SDK's own would drop silently, or block.
type queue struct {
	exporter sdk.SpanExporter
	tel      *Telemetry
	log      *slog.Logger
	backoff  *policy.Backoff

	spans   chan sdk.ReadOnlySpan
	stop    context.CancelFunc
	closing chan context.Context // gets the context that bounds the last exports
	done    chan struct{}
	once    sync.Once
}

func newQueue(exporter sdk.SpanExporter, t *Telemetry, log *slog.Logger) *queue {
	ctx, stop := context.WithCancel(context.Background())
	q := &queue{
		exporter: exporter, tel: t, log: log, stop: stop,
		backoff: policy.NewBackoff(50*time.Millisecond, time.Second, rand.New(rand.NewPCG(1, 1))),
		spans:   make(chan sdk.ReadOnlySpan, Room), closing: make(chan context.Context, 1), done: make(chan struct{}),
	}
	go q.run(ctx)
	return q
}

func (q *queue) OnStart(context.Context, sdk.ReadWriteSpan) {}

func (q *queue) OnEnd(s sdk.ReadOnlySpan) {
	if !s.SpanContext().IsSampled() {
		return
	}
	select {
	case q.spans <- s:
	default:
		q.tel.add(Spans, 1, "lost-queue-full")
	}
}

// run exports until ctx ends, and then what is left for as long as the closer says.
func (q *queue) run(ctx context.Context) {
	defer close(q.done)
	tick := time.NewTicker(Every)
	defer tick.Stop()
	var batch []sdk.ReadOnlySpan
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
		for len(q.spans) > 0 && ctx.Err() == nil {
			if batch = q.take(); q.export(ctx, batch) {
				batch = nil
			}
		}
	}
	last := <-q.closing
	for len(batch) > 0 || len(q.spans) > 0 {
		if len(batch) == 0 {
			batch = q.take()
		}
		if !q.export(last, batch) {
			q.lost(batch, last.Err())
		}
		batch = nil
	}
}

func (q *queue) take() []sdk.ReadOnlySpan {
	batch := make([]sdk.ReadOnlySpan, min(len(q.spans), exportBatch))
	for i := range batch {
		batch[i] = <-q.spans // only run takes
	}
	return batch
}

// export tries until the batch is with the collector, which may get it twice, since an answer can be lost; or until it is given up and
// counted. settled is false if ctx ended before either.
func (q *queue) export(ctx context.Context, batch []sdk.ReadOnlySpan) (settled bool) {
	for try := 1; ; try++ {
		one, cancel := context.WithTimeout(ctx, exportTimeout)
		err := q.exporter.ExportSpans(one, batch)
		cancel()
		if err == nil {
			q.tel.add(Spans, len(batch), "exported")
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		if try == exportTries {
			q.lost(batch, err)
			return true
		}
		if q.backoff.Wait(ctx, try) != nil {
			return false
		}
	}
}

func (q *queue) lost(batch []sdk.ReadOnlySpan, err error) {
	q.tel.add(Spans, len(batch), "lost-not-exported")
	q.log.Warn("spans lost", "spans", len(batch), "error", err)
}

// Shutdown exports what is queued until ctx ends.
func (q *queue) Shutdown(ctx context.Context) error {
	q.once.Do(func() {
		q.closing <- ctx
		q.stop()
	})
	<-q.done
	return q.exporter.Shutdown(context.WithoutCancel(ctx))
}

// ForceFlush does nothing: what has ended is on its way within Every.
func (q *queue) ForceFlush(context.Context) error { return nil }
