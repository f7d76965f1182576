package reference_test

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/reference"
)

// BenchmarkOrders carries orders through the whole system, eight clients at a time, and counts what all processes together burn.
func BenchmarkOrders(b *testing.B) {
	s := start(b)
	before := s.cpu()
	b.ResetTimer()
	var next atomic.Int64
	var clients sync.WaitGroup
	for range 8 {
		clients.Go(func() {
			for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
				if status, _, err := s.submit(order(fmt.Sprintf("o-%d", n), "happy")); err != nil || status != http.StatusCreated {
					b.Errorf("submit: %d, %v", status, err)
				}
			}
		})
	}
	clients.Wait()
	s.waitSettled()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "orders/s")
	b.ReportMetric((s.cpu()-before).Seconds()*1000/float64(b.N), "cpu-ms/order")
}

// BenchmarkIdle says what all processes together burn when there is nothing to do.
func BenchmarkIdle(b *testing.B) {
	s := start(b)
	before, began := s.cpu(), time.Now()
	for b.Loop() {
		time.Sleep(time.Second)
	}
	b.ReportMetric((s.cpu()-before).Seconds()/time.Since(began).Seconds()*100, "%core")
}

// BenchmarkStart says how long it takes until all components are ready.
func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		start(b).stop()
	}
}

// BenchmarkRestart says how long it takes from the start of a killed component until it is ready.
func BenchmarkRestart(b *testing.B) {
	for _, c := range reference.Components {
		b.Run(c, func(b *testing.B) {
			s := start(b)
			_, _, err := s.submit(order("o-1", "happy"))
			require.NoError(b, err)
			s.waitSettled()
			var took time.Duration
			b.ResetTimer()
			for range b.N {
				took += s.restart(c)
			}
			b.ReportMetric(float64(took.Milliseconds())/float64(b.N), "ms/restart")
		})
	}
}

// cpu is the processor time of all components.
func (s *system) cpu() time.Duration {
	var ticks int64
	for c := range s.procs {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.procs[c].Process.Pid))
		require.NoError(s.t, err)
		fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		for _, f := range fields[11:13] { // utime and stime, in hundredths of a second
			var n int64
			_, err := fmt.Sscan(f, &n)
			require.NoError(s.t, err)
			ticks += n
		}
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}
