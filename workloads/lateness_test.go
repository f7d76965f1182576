package workloads_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/history"
	"github.com/wreckon/wreckon/workloads"
)

const (
	lateRate    = 5000
	lateFor     = 2 * time.Second
	lateClients = 64
)

// BenchmarkLateness drives 5,000 operations a second at a loopback echo and reports how late they were, beside the same schedule
// paced by time.Sleep in the same run.
func BenchmarkLateness(b *testing.B) {
	spec := workloads.Spec{Phases: []workloads.Phase{{Rate: lateRate, For: lateFor}}, Clients: lateClients}
	ops := spec.Operations(1)
	client := newEcho(b, lateClients)
	for b.Loop() {
		clock := newRecorder()
		s := workloads.Run(b.Context(), ops, spec, client, discard{}, clock)
		require.Equal(b, len(ops), s.Tries[workloads.Submit].OK)
		slept := sleepPaced(ops, client)
		b.ReportMetric(us(s.Late.P50), "late-p50-us")
		b.ReportMetric(us(s.Late.P99), "late-p99-us")
		b.ReportMetric(us(s.Waited.P99), "waited-p99-us")
		b.ReportMetric(us(slept[len(slept)/2]), "sleep-late-p50-us")
		b.ReportMetric(us(slept[len(slept)*99/100]), "sleep-late-p99-us")
		b.ReportMetric(s.Achieved, "ops/s")
	}
}

func us(d time.Duration) float64 { return float64(d) / 1e3 }

// sleepPaced is the obvious generator: a goroutine that sleeps until an operation is due and hands it to a client.
func sleepPaced(ops []workloads.Operation, client workloads.Client) []time.Duration {
	var mu sync.Mutex
	var late []time.Duration
	start := time.Now()
	due := make(chan workloads.Operation, len(ops))
	var clients sync.WaitGroup
	for range lateClients {
		clients.Go(func() {
			for op := range due {
				d := time.Since(start) - op.Due
				client.Do(context.Background(), op)
				mu.Lock()
				late = append(late, d)
				mu.Unlock()
			}
		})
	}
	for _, op := range ops {
		time.Sleep(op.Due - time.Since(start))
		due <- op
	}
	close(due)
	clients.Wait()
	slices.Sort(late)
	return late
}

type discard struct{}

func (discard) Record(history.Event) uint64 { return 0 }

// echo is a client whose operations are one line to a loopback echo and back.
type echo chan *bufio.ReadWriter

func newEcho(b *testing.B, connections int) echo {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer c.Close()
				_, _ = io.Copy(c, c)
			})
		}
	})
	pool := make(echo, connections)
	for range connections {
		c, err := net.Dial("tcp", l.Addr().String())
		require.NoError(b, err)
		b.Cleanup(func() { c.Close() })
		pool <- bufio.NewReadWriter(bufio.NewReader(c), bufio.NewWriterSize(c, 16))
	}
	b.Cleanup(func() { l.Close() })
	return pool
}

func (e echo) Do(context.Context, workloads.Operation) workloads.Answer {
	c := <-e
	defer func() { e <- c }()
	if _, err := c.WriteString("ping\n"); err != nil {
		return workloads.Answer{Kind: history.KindFail, Value: err.Error()}
	}
	if err := c.Flush(); err != nil {
		return workloads.Answer{Kind: history.KindInfo, Value: err.Error()}
	}
	if _, err := c.ReadString('\n'); err != nil {
		return workloads.Answer{Kind: history.KindInfo, Value: err.Error()}
	}
	return workloads.Answer{Kind: history.KindOK}
}
