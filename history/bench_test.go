package history

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// sample gives events as a run of orders makes them: ten for each unit, overlapping in a window of units, with one key and one trace
// for each unit and a key for each effect.
func sample(n int) []Event {
	rng := rand.New(rand.NewPCG(1, 2))
	story := []Event{
		{Kind: KindInvoke, Op: "submit", Attempt: 1, Value: `{"class":"happy","amount":4990}`},
		{Kind: KindOK, Op: "submit", Attempt: 1, Value: "accepted"},
		{Kind: KindAudit, Op: "accepted", Component: "api"},
		{Kind: KindAudit, Op: "reserved", Component: "inventory"},
		{Kind: KindEffect, Outcome: OutcomeApplied, Op: "do", Step: "charge", Component: "payments", Attempt: 1, Value: "4990"},
		{Kind: KindAudit, Op: "charged", Component: "payments"},
		{Kind: KindEffect, Outcome: OutcomeApplied, Op: "do", Step: "ship", Component: "shipping", Attempt: 1},
		{Kind: KindAudit, Op: "shipped", Component: "shipping"},
		{Kind: KindAudit, Op: "completed", Component: "saga"},
		{Kind: KindObserve, Op: "state", Value: "completed"},
	}
	const window = 64
	events := make([]Event, 0, n)
	type open struct {
		unit Unit
		next int
		keys [2]string // of the unit and of the effect
	}
	units := make([]open, window)
	next := Unit(0)
	begin := func() open {
		u := open{unit: next, keys: [2]string{UnitID("o-", next), UnitID("o-", next) + "/charge/1"}}
		next++
		return u
	}
	for i := range units {
		units[i] = begin()
	}
	for len(events) < n {
		u := &units[rng.IntN(window)]
		e := story[u.next]
		e.Unit = u.unit
		switch e.Kind {
		case KindInvoke, KindOK:
			e.Key, e.Actor = u.keys[0], uint32(u.unit%8)+1
		case KindEffect:
			e.Key = u.keys[1]
		case KindAudit:
			e.Token = uint64(len(events)/10 + 1)
		}
		events = append(events, e)
		if u.next++; u.next == len(story) {
			*u = begin()
		}
	}
	return events
}

func perEvent(b *testing.B, events, bytes int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(events), "ns/event")
	if bytes > 0 {
		b.ReportMetric(float64(bytes)/float64(events), "B/event")
	}
	b.ReportMetric(0, "ns/op")
}

// BenchmarkRecord is the cost of recording to the goroutine that records, with what it cannot do without beside it: the clock alone, and
// the clock with an append to a slice under a mutex. What the writer's goroutine does meanwhile is in sustained.
func BenchmarkRecord(b *testing.B) {
	events := sample(1 << 14)
	b.Run("clock", func(b *testing.B) {
		start := time.Now()
		var sum time.Duration
		for b.Loop() {
			sum += time.Since(start)
		}
		_ = sum
	})
	b.Run("mutex+append", func(b *testing.B) {
		start := time.Now()
		var mu sync.Mutex
		all := make([]Event, 0, batchRows)
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			e := events[i&(len(events)-1)]
			mu.Lock()
			if len(all) == cap(all) {
				all = all[:0]
			}
			e.Seq, e.T = uint64(i), time.Since(start)
			all = append(all, e)
			mu.Unlock()
			i++
		}
	})
	// The recorder is held below its bound by waiting, off the clock, each time a few batches are full.
	record := func(b *testing.B, r *Recorder) {
		b.ReportAllocs()
		for i := 0; i < b.N; i++ {
			if i%(8*batchRows) == 0 {
				b.StopTimer()
				if err := r.Flush(context.Background()); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
			r.Record(events[i&(len(events)-1)])
		}
	}
	b.Run("recorder", func(b *testing.B) {
		r := benchRecorder(b, discard{})
		record(b, r)
	})
	b.Run("recorder to a file", func(b *testing.B) {
		f, err := os.Create(filepath.Join(b.TempDir(), "h"))
		if err != nil {
			b.Fatal(err)
		}
		r := benchRecorder(b, f)
		record(b, r)
	})
	b.Run("sustained", func(b *testing.B) {
		r := benchRecorder(b, discard{})
		b.ReportAllocs()
		for i := 0; i < b.N; i++ {
			if i%batchRows == 0 {
				if err := r.Flush(context.Background()); err != nil {
					b.Fatal(err)
				}
			}
			r.Record(events[i&(len(events)-1)])
		}
	})
}

func benchRecorder(b *testing.B, f file) *Recorder {
	b.Helper()
	r, err := newRecorder(f, Header{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := r.Close(); err != nil {
			b.Error(err)
		}
	})
	return r
}

// discard is a disk without limits.
type discard struct{ io.Writer }

func (discard) Write(b []byte) (int, error) { return len(b), nil }
func (discard) Truncate(int64) error        { return nil }
func (discard) Sync() error                 { return nil }
func (discard) Close() error                { return nil }

// BenchmarkEncode is what the recorder's own goroutine does.
func BenchmarkEncode(b *testing.B) {
	batches := batchesOf(sample(1 << 18))
	size := 0
	for b.Loop() {
		e := newEncoder()
		size = 0
		for _, x := range batches {
			size += len(e.block(x))
		}
	}
	perEvent(b, 1<<18, size)
}

func batchesOf(events []Event) (batches []*batch) {
	x := newBatch()
	for i := range events {
		if !x.fits(textSize(&events[i])) {
			batches = append(batches, x)
			x = newBatch()
			x.first = uint64(i)
		}
		x.add(&events[i], time.Duration(i)*50*time.Microsecond)
	}
	return append(batches, x)
}

// encoded is a sealed file with these events.
func encoded(tb testing.TB, h Header, events []Event) []byte {
	tb.Helper()
	h.Format = FormatVersion
	b, err := appendPrelude(nil, blockHeader{Header: h})
	if err != nil {
		tb.Fatal(err)
	}
	e := newEncoder()
	if len(events) > 0 {
		for _, x := range batchesOf(events) {
			b = append(b, e.block(x)...)
		}
	}
	return append(b, e.seal()...)
}

func BenchmarkOpen(b *testing.B) {
	for _, n := range []int{100_000, 1_000_000} {
		file := encoded(b, Header{}, sample(n))
		path := filepath.Join(b.TempDir(), "h")
		if err := os.WriteFile(path, file, 0o644); err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if h, err := Open(path); err != nil || h.Len() != n || !h.Sealed {
					b.Fatal(err)
				}
			}
			perEvent(b, n, len(file))
		})
	}
}

// BenchmarkEach reads a file block by block, and keeps nothing.
func BenchmarkEach(b *testing.B) {
	const n = 1_000_000
	file := encoded(b, Header{}, sample(n))
	r, err := NewReader(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		events := 0
		if err := r.Each(func(x *Block) error { events += x.Len(); return nil }); err != nil || events != n || r.Damage() != nil {
			b.Fatal(err)
		}
	}
	perEvent(b, n, len(file))
}

func BenchmarkWriteJSONL(b *testing.B) {
	h := historyOf(sample(100_000))
	size := &counter{}
	for b.Loop() {
		size.n = 0
		if err := h.WriteJSONL(size); err != nil {
			b.Fatal(err)
		}
	}
	perEvent(b, h.Len(), size.n)
}

// BenchmarkReadJSONL reads the text form, beside the least that the standard library must do with it.
func BenchmarkReadJSONL(b *testing.B) {
	h := historyOf(sample(100_000))
	var text bytes.Buffer
	if err := h.WriteJSONL(&text); err != nil {
		b.Fatal(err)
	}
	b.Run("read", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := ReadJSONL(bytes.NewReader(text.Bytes())); err != nil {
				b.Fatal(err)
			}
		}
		perEvent(b, h.Len(), text.Len())
	})
	b.Run("library", func(b *testing.B) { // what the standard library takes only to see that each line is JSON
		for b.Loop() {
			for line := range bytes.Lines(text.Bytes()) {
				if !json.Valid(line) {
					b.Fatal("not JSON")
				}
			}
		}
		perEvent(b, h.Len(), text.Len())
	})
}

func historyOf(events []Event) *History {
	h := New(Header{Claims: Claims{Prefix: "o-"}})
	for _, e := range events {
		h.Append(e)
	}
	return h
}

type counter struct{ n int }

func (c *counter) Write(b []byte) (int, error) {
	c.n += len(b)
	return len(b), nil
}

// BenchmarkShare is what recording takes of a program that does 20,000 events a second: processor time for the same work, about 50
// microseconds for each event, with and without a recorder that writes to a file, its own goroutine included. The two take
// turns, so that both see the same machine; share-% is the median over all turns.
func BenchmarkShare(b *testing.B) {
	events := sample(1 << 14)
	work := fiftyMicroseconds()
	r, err := Create(filepath.Join(b.TempDir(), "h"), Header{})
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	const turn = 5000 // what a recorder writes at once at this rate
	var shares []float64
	for b.Loop() {
		begin := processorTime(b)
		for range turn {
			work()
		}
		middle := processorTime(b)
		for i := range turn {
			work()
			r.Record(events[(i+turn*len(shares))&(len(events)-1)])
		}
		if err := r.Flush(context.Background()); err != nil {
			b.Fatal(err)
		}
		without, with := middle-begin, processorTime(b)-middle
		shares = append(shares, 100*(1-without.Seconds()/with.Seconds()))
	}
	slices.Sort(shares)
	b.ReportMetric(shares[len(shares)/2], "share-%")
	b.ReportMetric(0, "ns/op")
}

// fiftyMicroseconds gives work that takes about so long on this machine.
func fiftyMicroseconds() (work func()) {
	block := make([]byte, 1<<10)
	rounds := 1
	work = func() {
		for range rounds {
			s := sha256.Sum256(block)
			block[0] = s[0]
		}
	}
	for ; ; rounds++ {
		begin := time.Now()
		for range 20 {
			work()
		}
		if time.Since(begin) >= 20*50*time.Microsecond {
			return work
		}
	}
}

func processorTime(b *testing.B) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
