package proxy_test

import (
	"context"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/faults"
	"github.com/wreckon/wreckon/faults/proxy"
	"github.com/wreckon/wreckon/faults/wire"
	"github.com/wreckon/wreckon/history"
)

// soaking is how long TestSoak goes on: a moment in the ordinary suite, SOAK where that is set.
func soaking(t *testing.T) time.Duration {
	s := os.Getenv("SOAK")
	if s == "" {
		return 3 * time.Second
	}
	d, err := time.ParseDuration(s)
	require.NoError(t, err, "SOAK")
	return d
}

// nobody keeps no exchange, but counts them.
type nobody struct{ n atomic.Int64 }

func (n *nobody) Record(history.Event) uint64 { return uint64(n.n.Add(1)) }

// Shapes and traps come and go under clients that vanish, for as long as one likes: an edge serves on, nothing hangs, no connection is
// left, no goroutine (TestMain looks), and the memory in use does not grow.
func TestSoak(t *testing.T) {
	limit := soaking(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }))
	t.Cleanup(server.Close)
	var recorded nobody
	all := proxy.NewWith(wire.Options{Record: &recorded, Unit: unitOf})
	t.Cleanup(func() { require.NoError(t, all.Close()) })
	listen, err := all.Add(web, server.Listener.Addr().String())
	require.NoError(t, err)
	link, err := all.Link(web)
	require.NoError(t, err)

	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	var aborted, shaped, trapped atomic.Int64
	var wg sync.WaitGroup
	for seed := range uint64(6) {
		rnd := rand.New(rand.NewPCG(seed, 21))
		wg.Go(func() {
			for ctx.Err() == nil {
				abort(t, listen, rnd)
				aborted.Add(1)
			}
		})
	}
	wg.Go(func() { shapeAtRandom(ctx, link, &shaped) })
	for seed := range uint64(2) {
		rnd := rand.New(rand.NewPCG(seed, 22))
		wg.Go(func() { trapAtRandom(ctx, all.Session(web), rnd, &trapped) })
	}

	// Ten times on the way; the first is taken for warming up.
	var heap []uint64
	for tick := time.NewTicker(limit / 10); ctx.Err() == nil; {
		select {
		case <-ctx.Done():
			tick.Stop()
		case <-tick.C:
			heap = append(heap, inUse())
		}
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		require.Fail(t, "it hangs")
	}
	eventually(t, func() bool { return all.Stats()[0].Open == 0 }, "no connection outlives its client")
	patient, stop := context.WithTimeout(context.Background(), 20*time.Second)
	defer stop()
	require.Equal(t, faults.SawAnswer, link.Probe(patient).Outcome, "the edge serves on")
	require.Greater(t, aborted.Load(), int64(50))
	require.Greater(t, shaped.Load(), int64(50))
	require.Greater(t, trapped.Load(), int64(50))
	t.Logf("%v: %d connections aborted under %d shapes and %d traps, %d exchanges; heap in MiB: %v", limit, aborted.Load(), shaped.Load(), trapped.Load(),
		recorded.n.Load(), inMiB(heap))
	require.GreaterOrEqual(t, len(heap), 6)
	early, late := slices.Min(heap[1:len(heap)/2]), slices.Min(heap[len(heap)/2:])
	require.Less(t, late, early+16<<20, "the memory in use grows: %v MiB", inMiB(heap))
}

// abort asks a few times on one connection and vanishes in the middle of it.
func abort(t *testing.T, listen string, rnd *rand.Rand) {
	c, err := net.Dial("tcp", listen)
	if err != nil {
		return // reset while it was being accepted
	}
	defer c.Close()
	assert.NoError(t, c.SetDeadline(time.Now().Add(time.Duration(1+rnd.IntN(30))*time.Millisecond)))
	body := strings.Repeat("o-1 ", 1+rnd.IntN(20_000)*rnd.IntN(2))
	request := "POST /orders HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + strconv.FormatInt(int64(len(body)), 16) + "\r\n" + body + "\r\n0\r\n\r\n"
	all := strings.Repeat(request, 1+rnd.IntN(3))
	_, _ = io.WriteString(c, all[:1+rnd.IntN(len(all))])
	_, _ = io.CopyN(io.Discard, c, rnd.Int64N(int64(len(all))))
	if rnd.IntN(2) == 0 {
		_ = c.(*net.TCPConn).SetLinger(0)
	}
}

func shapeAtRandom(ctx context.Context, link faults.Link, n *atomic.Int64) {
	rnd := rand.New(rand.NewPCG(1, 23))
	defer link.Set(faults.Shape{})
	for ctx.Err() == nil {
		link.Set(shapes[rnd.IntN(len(shapes))])
		pause(ctx, rnd, 4*time.Millisecond)
		link.Set(faults.Shape{})
		pause(ctx, rnd, 8*time.Millisecond)
		n.Add(1)
	}
}

func trapAtRandom(ctx context.Context, s *wire.Session, rnd *rand.Rand, n *atomic.Int64) {
	for ctx.Err() == nil {
		f := wire.Fate{Action: wire.Action(rnd.IntN(int(wire.Swap) + 1)), End: wire.End(rnd.IntN(4)), After: time.Millisecond, AnswerFirst: rnd.IntN(2) == 0}
		a := s.Arm(wire.Trap{Every: 1 + rnd.Uint64N(4), Since: true, Unit: history.NoUnit, Point: wire.Point(rnd.IntN(2)), Do: func(h wire.Hit) wire.Fate {
			if f.Action == wire.Hold {
				go h.Release(wire.Fate{})
			}
			return f
		}})
		pause(ctx, rnd, 5*time.Millisecond)
		a.Disarm()
		n.Add(1)
	}
}

func pause(ctx context.Context, rnd *rand.Rand, most time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(time.Duration(rnd.Int64N(int64(most)))):
	}
}

func inUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func inMiB(all []uint64) (mib []uint64) {
	for _, n := range all {
		mib = append(mib, n>>20)
	}
	return mib
}
