package history

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var timeGen = rapid.Map(rapid.Int64(), func(n int64) time.Duration { return time.Duration(n) })

func create(t *testing.T, h Header) (*Recorder, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "history")
	r, err := Create(path, h)
	require.NoError(t, err)
	t.Cleanup(func() { _ = r.Close() })
	return r, path
}

func TestRecordThenOpenGivesWhatWasRecordedInOrder(t *testing.T) {
	dir := t.TempDir()
	runs := 0
	rapid.Check(t, func(t *rapid.T) {
		runs++
		path := filepath.Join(dir, "h"+string(rune('0'+runs%10)))
		_ = os.Remove(path)
		header := Header{Run: rapid.String().Draw(t, "run"), Seed: rapid.Uint64().Draw(t, "seed"), Claims: Claims{Prefix: "o-"}}
		r, err := Create(path, header)
		require.NoError(t, err)
		defer r.Close()
		events := rapid.SliceOfN(anyEvent(), 0, 50).Draw(t, "events")
		for i := range events {
			require.Equal(t, uint64(i), r.Record(events[i]))
			if rapid.IntRange(0, 9).Draw(t, "flush") == 0 {
				require.NoError(t, r.Flush(context.Background()))
			}
		}
		require.NoError(t, r.Seal())

		h, err := Open(path)
		require.NoError(t, err)
		require.True(t, h.Sealed)
		require.Empty(t, h.Lost)
		require.Equal(t, FormatVersion, h.Header.Format)
		require.Equal(t, header.Run, h.Header.Run)
		require.Equal(t, header.Seed, h.Header.Seed)
		require.True(t, h.Header.Start.Equal(r.Start()))
		require.Equal(t, len(events), h.Len())
		last := time.Duration(0)
		for i, want := range events {
			got := h.Event(i)
			require.GreaterOrEqual(t, got.T, last)
			last = got.T
			want.Seq, want.T = uint64(i), got.T
			require.Equal(t, want, got)
		}
	})
}

func TestEqualStringsHaveOneRefAcrossBlocks(t *testing.T) {
	r, path := create(t, Header{})
	long := strings.Repeat("long ", 200)
	for _, v := range []string{"a", long, "b\xff", "a", long, "b\xff", "b\uFFFD"} {
		r.Record(Event{Kind: KindNote, Unit: NoUnit, Key: "k", Value: v})
		require.NoError(t, r.Flush(t.Context()))
	}
	require.NoError(t, r.Seal())
	h, err := Open(path)
	require.NoError(t, err)
	require.Equal(t, []string{"", "k", "a", long, "b\uFFFD"}, h.Strings)
	require.Equal(t, []Ref{2, 3, 4, 2, 3, 4, 4}, h.Value)
	ref, ok := h.Ref(long)
	require.True(t, ok)
	require.Equal(t, Ref(3), ref)
	_, ok = h.Ref("never said")
	require.False(t, ok)
}

func TestManyGoroutinesRecordOneOrder(t *testing.T) {
	const goroutines, each = 8, 5000 // several batches
	r, path := create(t, Header{})
	var wg sync.WaitGroup
	seqs := make([][]uint64, goroutines)
	for g := range goroutines {
		wg.Go(func() {
			for i := range each {
				seqs[g] = append(seqs[g], r.Record(Event{Kind: KindInvoke, Unit: Unit(i), Actor: uint32(g + 1), Op: "submit"}))
				if i%1000 == 0 {
					assert.NoError(t, r.Flush(context.Background()))
					c := r.Counts()
					assert.Positive(t, c.Events())
				}
			}
		})
	}
	wg.Wait()
	require.NoError(t, r.Seal())

	h, err := Open(path)
	require.NoError(t, err)
	require.Equal(t, goroutines*each, h.Len())
	for g := range goroutines {
		for i, seq := range seqs[g] {
			require.Equal(t, uint32(g+1), h.Actor[seq])
			require.Equal(t, Unit(i), h.Unit[seq])
		}
	}
	for i := 1; i < h.Len(); i++ {
		require.LessOrEqual(t, h.T[i-1], h.T[i], "time goes back at event %d", i)
	}
}

func TestRecordDoesNotAllocate(t *testing.T) {
	r, err := newRecorder(discard{}, Header{})
	require.NoError(t, err)
	defer r.Close()
	e := Event{Kind: KindEffect, Outcome: OutcomeApplied, Unit: 3, Op: "do", Step: "charge", Component: "payments", Key: "o-4/charge/1", Value: "49.90"}
	require.Zero(t, testing.AllocsPerRun(2*batchRows, func() { r.Record(e) }))
}

func TestWhatComesAfterTheEndIsDroppedAndCounted(t *testing.T) {
	for name, end := range map[string]func(*Recorder) error{"seal": (*Recorder).Seal, "close": (*Recorder).Close} {
		t.Run(name, func(t *testing.T) {
			r, path := create(t, Header{})
			require.Equal(t, uint64(0), r.Record(Event{Kind: KindNote, Value: "in time"}))
			require.NoError(t, end(r))
			require.Equal(t, NoSeq, r.Record(Event{Kind: KindNote, Value: "late"}))
			require.Equal(t, NoSeq, r.Record(Event{Kind: KindNote, Value: "later"}))
			c := r.Counts()
			require.Equal(t, uint64(2), c.Dropped)
			require.Equal(t, uint64(1), c.Events())
			require.NoError(t, r.Err())
			require.NoError(t, r.Flush(t.Context()))
			require.NoError(t, r.Seal(), "a second end gives the answer of the first")
			require.NoError(t, r.Close())

			h, err := Open(path)
			require.NoError(t, err)
			require.Equal(t, 1, h.Len())
			require.Equal(t, name == "seal", h.Sealed)
			if name == "close" {
				require.Contains(t, h.Lost, "never sealed")
				require.Contains(t, h.Lost, "1 event came back")
			}
		})
	}
}

func TestCounts(t *testing.T) {
	r, _ := create(t, Header{})
	r.Record(Event{Kind: KindEffect, Outcome: OutcomeApplied})
	r.Record(Event{Kind: KindEffect, Outcome: OutcomeDeduplicated})
	r.Record(Event{Kind: KindEffect, Outcome: OutcomeApplied})
	r.Record(Event{Kind: KindOK})
	c := r.Counts()
	require.Equal(t, uint64(4), c.Events())
	require.Equal(t, uint64(3), c.Kind(KindEffect))
	require.Equal(t, uint64(2), c.Outcome(KindEffect, OutcomeApplied))
	require.Equal(t, uint64(1), c.Kind(KindOK))
	require.Zero(t, c.Kind(KindFail))
	require.Zero(t, c.Kind(Kind(200)))
	require.Zero(t, c.Outcome(KindOK, Outcome(200)))
	require.Zero(t, c.Dropped)
}

func TestAnEventThatCannotExistFailsTheRecording(t *testing.T) {
	for _, e := range []Event{{}, {Kind: Kind(numKinds)}, {Kind: KindOK, Outcome: Outcome(numOutcomes)}} {
		r, path := create(t, Header{})
		r.Record(Event{Kind: KindNote})
		require.Equal(t, NoSeq, r.Record(e))
		<-r.Failed()
		require.ErrorContains(t, r.Err(), "does not exist")
		require.Equal(t, r.Err(), r.Seal(), "what lost an event is never sealed")
		h, err := Open(path)
		require.NoError(t, err)
		require.Equal(t, 1, h.Len())
		require.False(t, h.Sealed)
	}
}

func TestLongStringsAreCutAndSaySo(t *testing.T) {
	r, path := create(t, Header{})
	huge := strings.Repeat("é", 5<<20) // 10 MB
	r.Record(Event{Kind: KindInfo, Key: huge, Value: huge})
	r.Record(Event{Kind: KindInfo, Value: huge[:maxValue]})
	require.NoError(t, r.Seal())
	h, err := Open(path)
	require.NoError(t, err)
	e := h.Event(0)
	require.LessOrEqual(t, len(e.Key), maxText)
	require.LessOrEqual(t, len(e.Value), maxValue)
	require.Contains(t, e.Value, "(cut, was 10485760 bytes)")
	require.True(t, utf8.ValidString(e.Value))
	require.NotContains(t, e.Value, "\uFFFD")
	require.Equal(t, huge[:maxValue], h.Event(1).Value, "what fits is not cut")
}

func TestCreateNeverOverwrites(t *testing.T) {
	r, path := create(t, Header{})
	require.NoError(t, r.Seal())
	before, err := os.ReadFile(path)
	require.NoError(t, err)
	_, err = Create(path, Header{})
	require.ErrorIs(t, err, fs.ErrExist)
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, before, after)

	_, err = Create(filepath.Join(path, "below a file"), Header{})
	require.Error(t, err)
}

func TestNowIsTheClockOfTheEvents(t *testing.T) {
	r, path := create(t, Header{})
	before := r.Now()
	r.Record(Event{Kind: KindNote})
	after := r.Now()
	require.NoError(t, r.Seal())
	h, err := Open(path)
	require.NoError(t, err)
	require.LessOrEqual(t, int64(before), h.T[0])
	require.GreaterOrEqual(t, int64(after), h.T[0])
}

func TestTheBackgroundFlushNeedsNoCall(t *testing.T) {
	r, path := create(t, Header{})
	r.Record(Event{Kind: KindNote, Value: "here"})
	require.Eventually(t, func() bool {
		h, err := Open(path)
		return err == nil && h.Len() == 1 && h.Event(0).Value == "here"
	}, 10*time.Second, 10*time.Millisecond)
}

// brokenDisk takes so many bytes and then fails as a full disk does: with a part of what it was given.
type brokenDisk struct {
	*os.File
	room int
}

func (d *brokenDisk) Write(b []byte) (int, error) {
	if len(b) > d.room {
		n, _ := d.File.Write(b[:d.room])
		d.room = 0
		return n, syscall.ENOSPC
	}
	d.room -= len(b)
	return d.File.Write(b)
}

func TestADiskThatIsFullFailsTheRecordingAndLeavesWholeBlocks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history")
	f, err := os.Create(path)
	require.NoError(t, err)
	r, err := newRecorder(&brokenDisk{f, 2000}, Header{})
	require.NoError(t, err)
	sent := uint64(0)
	for r.Err() == nil {
		r.Record(Event{Kind: KindNote, Value: "some text"})
		sent++
		_ = r.Flush(t.Context())
	}
	<-r.Failed()
	require.ErrorIs(t, r.Err(), syscall.ENOSPC)
	require.Equal(t, NoSeq, r.Record(Event{Kind: KindNote}))
	require.ErrorIs(t, r.Seal(), syscall.ENOSPC)

	h, err := Open(path)
	require.NoError(t, err, "what was written in part is removed")
	require.False(t, h.Sealed)
	require.Positive(t, h.Len())
	c := r.Counts()
	require.Equal(t, sent+1, uint64(h.Len())+c.Dropped, "each event is either in the file or counted as dropped")
}

func TestADiskThatIsFullAtOnceIsAnErrorOfCreate(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "history"))
	require.NoError(t, err)
	defer f.Close()
	_, err = newRecorder(&brokenDisk{f, 10}, Header{})
	require.ErrorIs(t, err, syscall.ENOSPC)
	info, err := f.Stat()
	require.NoError(t, err)
	require.Zero(t, info.Size())
}

// stuckDisk takes the header and then nothing until it is released.
type stuckDisk struct {
	discard
	writes  int
	release chan struct{}
}

func (d *stuckDisk) Write(b []byte) (int, error) {
	if d.writes++; d.writes > 1 {
		<-d.release
	}
	return len(b), nil
}

func TestADiskThatHangsNeverBlocksTheWorkload(t *testing.T) {
	disk := &stuckDisk{release: make(chan struct{})}
	r, err := newRecorder(disk, Header{})
	require.NoError(t, err)
	value := strings.Repeat("x", maxValue) // one event fills a batch
	recorded := 0
	for r.Record(Event{Kind: KindNote, Value: value}) != NoSeq {
		recorded++
		require.Less(t, recorded, 2*maxPending, "memory must be bounded")
	}
	<-r.Failed()
	require.ErrorIs(t, r.Err(), ErrStalled)
	require.GreaterOrEqual(t, recorded, maxPending)

	ctx, cancel := context.WithCancelCause(t.Context())
	gaveUp := errors.New("gave up")
	cancel(gaveUp)
	require.ErrorIs(t, r.Flush(ctx), gaveUp)
	close(disk.release)
	require.ErrorIs(t, r.Close(), ErrStalled)
	require.Equal(t, 1+recorded, disk.writes, "what waited is written once the disk answers")
}

// failing fails in Sync or Close.
type failing struct {
	discard
	sync, close error
}

func (f failing) Sync() error  { return f.sync }
func (f failing) Close() error { return f.close }

func TestSealReportsWhatTheDiskSays(t *testing.T) {
	broken := errors.New("input/output error")
	for _, f := range []failing{{sync: broken}, {close: broken}} {
		r, err := newRecorder(f, Header{})
		require.NoError(t, err)
		require.ErrorIs(t, r.Seal(), broken)
		require.ErrorIs(t, r.Err(), broken)
		<-r.Failed()
	}
}
