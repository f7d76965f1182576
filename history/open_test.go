package history

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// small is a sealed file of three blocks, with every column in use, and its events.
func small(t testing.TB) (file []byte, events []Event, ends []int) {
	t.Helper()
	events = sample(30)
	events[3].Value, events[4].Trace, events[5].At = "a value with é", "trace-1", -time.Second
	events[7] = Event{Kind: KindPhase, Outcome: OutcomeBegin, Unit: NoUnit, Op: "load"}
	b, err := appendPrelude(nil, blockHeader{Header: Header{Format: FormatVersion, Run: "small", Claims: Claims{Prefix: "o-"}}})
	require.NoError(t, err)
	ends = append(ends, len(b))
	enc := newEncoder()
	for i := 0; i < len(events); i += 10 {
		x := newBatch()
		x.first = uint64(i)
		for j := i; j < i+10; j++ {
			events[j].Seq, events[j].T = uint64(j), time.Duration(j)*time.Millisecond
			x.add(&events[j], events[j].T)
		}
		b = append(b, enc.block(x)...)
		ends = append(ends, len(b))
	}
	return append(b, enc.seal()...), events, ends
}

// prefix fails unless h holds the first n of the events.
func requirePrefix(t *testing.T, events []Event, n int, h *History) {
	t.Helper()
	require.Equal(t, n, h.Len())
	for i := range n {
		require.Equal(t, events[i], h.Event(i))
	}
}

func TestTruncatedAtAnyByte(t *testing.T) {
	file, events, ends := small(t)
	h, err := decode(file)
	require.NoError(t, err)
	require.True(t, h.Sealed)
	requirePrefix(t, events, 30, h)

	for n := range file {
		h, err := decode(file[:n])
		if n < ends[0] {
			require.Error(t, err, "cut at %d", n)
			require.Nil(t, h)
			continue
		}
		require.NoError(t, err, "cut at %d: a truncated tail is no corruption", n)
		require.False(t, h.Sealed, "cut at %d", n)
		blocks := 0
		for blocks+1 < len(ends) && ends[blocks+1] <= n {
			blocks++
		}
		requirePrefix(t, events, 10*blocks, h)
		if n == ends[blocks] {
			require.Contains(t, h.Lost, "it was never sealed", "cut at %d", n)
		} else {
			require.Contains(t, h.Lost, fmt.Sprintf("its end is cut off at byte %d", n))
		}
		if blocks == 3 {
			require.Contains(t, h.Lost, "30 events came back, the last at 29ms")
		}
	}
}

func TestEveryChangedByteIsDetected(t *testing.T) {
	file, events, ends := small(t)
	for i := range file {
		for _, mask := range []byte{0x01, 0x80, 0xff} {
			b := bytes.Clone(file)
			b[i] ^= mask
			h, err := decode(b)
			require.Error(t, err, "byte %d changed by %x", i, mask)
			if i < ends[0] {
				require.Nil(t, h)
				continue
			}
			var corrupt *CorruptError
			require.ErrorAs(t, err, &corrupt, "byte %d", i)
			blocks := 0
			for blocks+1 < len(ends) && ends[blocks+1] <= i {
				blocks++
			}
			requirePrefix(t, events, 10*blocks, h)
			require.Equal(t, int64(ends[blocks]), corrupt.Offset)
			require.False(t, h.Sealed)
			require.Contains(t, h.Lost, corrupt.Reason)
		}
	}
}

func TestWhatFollowsTheSealIsCorrupt(t *testing.T) {
	file, events, _ := small(t)
	h, err := decode(append(bytes.Clone(file), 0))
	var corrupt *CorruptError
	require.ErrorAs(t, err, &corrupt)
	require.Equal(t, int64(len(file)), corrupt.Offset)
	require.Contains(t, corrupt.Reason, "1 byte after its seal")
	requirePrefix(t, events, 30, h)
	require.False(t, h.Sealed)
}

func TestBlocksThatAreMissingOrOutOfOrderAreDetected(t *testing.T) {
	file, events, ends := small(t)
	block := func(i int) []byte { return file[ends[i]:ends[i+1]] }
	join := func(parts ...[]byte) []byte { return bytes.Join(append([][]byte{file[:ends[0]]}, parts...), nil) }
	for name, b := range map[string][]byte{
		"one is missing":     join(block(0), block(2), file[ends[3]:]),
		"one is there twice": join(block(0), block(0), block(1), block(2), file[ends[3]:]),
		"two are exchanged":  join(block(0), block(2), block(1), file[ends[3]:]),
		"the last is gone":   join(block(0), file[ends[3]:]),
	} {
		t.Run(name, func(t *testing.T) {
			h, err := decode(b)
			var corrupt *CorruptError
			require.ErrorAs(t, err, &corrupt)
			requirePrefix(t, events, 10, h)
		})
	}
}

// reframe gives a file with this payload as its one block, with checksums that are right.
func reframe(count uint32, payload []byte) []byte {
	b, _ := appendPrelude(nil, blockHeader{Header: Header{Format: FormatVersion}})
	var head [frameSize]byte
	frame{tag: tagBlock, length: uint32(len(payload)), count: count, sum: checksum(payload)}.put(head[:])
	return append(append(b, head[:]...), payload...)
}

func TestHostilePayloads(t *testing.T) {
	huge := binary.AppendUvarint(nil, 1<<62)
	shapeOf := func(kind, outcome, has byte, refs ...byte) []byte {
		return append([]byte{0, 1, kind, outcome, has, 0}, refs...)
	}
	for name, c := range map[string]struct {
		count   uint32
		payload []byte
		reason  string
	}{
		"nothing":                    {1, []byte{0, 0}, "there are no shapes"},
		"a huge number of strings":   {1, huge, "number of strings"},
		"a huge string":              {1, append([]byte{1}, huge...), "length of a string"},
		"a string that is not there": {1, []byte{1, 9, 'a'}, "9 bytes are wanted"},
		"an empty string":            {1, []byte{1, 0, 1, 2, 0, 0, 0, 0, 0, 0, 0}, "empty or not UTF-8"},
		"a string that is not UTF-8": {1, []byte{1, 1, 0xff, 1, 2, 0, 0, 0, 0, 0, 0, 0}, "empty or not UTF-8"},
		"a huge number of shapes":    {1, append([]byte{0}, huge...), "number of shapes"},
		"no kind":                    {1, shapeOf(0, 0, 0, 0, 0, 0, 5), "no kind"},
		"an unknown kind":            {1, shapeOf(99, 0, 0, 0, 0, 0, 5), "kind 99"},
		"an unknown outcome":         {1, shapeOf(1, 99, 0, 0, 0, 0, 5), "outcome 99"},
		"an unknown column":          {1, append([]byte{0, 1, 1, 0, 0xff, 1, 0, 0, 0, 0}, 5), "columns that do not exist"},
		"an op that is no string":    {1, shapeOf(1, 0, 0, 1, 0, 0, 5), "op 1 is out of range"},
		"no time":                    {1, shapeOf(1, 0, 0, 0, 0, 0), "50 events in"},
		"time beyond its range":      {2, append(append(shapeOf(1, 0, 0, 0, 0, 0), huge...), binary.AppendUvarint(nil, 1<<62)...), "time goes too far"},
		"a shape that is not there":  {1, []byte{0, 2, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 5, 2}, "shape 2"},
		"a column without bytes":     {1, shapeOf(1, 0, byte(HasUnit), 0, 0, 0, 5), "cut off"},
		"an unknown way to store":    {1, shapeOf(1, 0, byte(HasUnit), 0, 0, 0, 5, 7), "way to store"},
		"a unit that is no unit":     {1, append(shapeOf(1, 0, byte(HasUnit), 0, 0, 0, 5, 0), binary.AppendUvarint(nil, uint64(NoUnit))...), "unit"},
		"a key that is no string":    {1, shapeOf(1, 0, byte(HasKey), 0, 0, 0, 5, 1, 8), "key 4"},
		"too many bytes":             {1, shapeOf(1, 0, 0, 0, 0, 0, 5, 9), "1 byte too many"},
		"too many events":            {maxRows + 1, make([]byte, maxRows+1), "cannot have 65537 events"},
		"no events":                  {0, []byte{0}, "cannot have 0 events"},
		"more events than bytes":     {50, shapeOf(1, 0, 0, 0, 0, 0), "50 events in"},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "no time" {
				c.count = 50
			}
			h, err := decode(reframe(c.count, c.payload))
			var corrupt *CorruptError
			require.ErrorAs(t, err, &corrupt)
			require.Contains(t, corrupt.Reason, c.reason)
			require.Zero(t, h.Len())
			require.Equal(t, []string{""}, h.Strings)
		})
	}
}

func TestHostileLengthsTakeNoMemory(t *testing.T) {
	b := reframe(1, []byte{0})
	frameAt := len(b) - 1 - frameSize
	frame{tag: tagBlock, length: 1 << 31, count: maxRows}.put(b[frameAt:])
	header := append([]byte(magic), 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, errBlock := decode(b)
	_, errHeader := decode(header)
	runtime.ReadMemStats(&after)
	require.ErrorContains(t, errBlock, "cannot have 65536 events in 2147483648 bytes")
	require.ErrorContains(t, errHeader, "claims to have 4294967295 bytes")
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20))
}

func TestOpenSaysWhatAFileIs(t *testing.T) {
	dir := t.TempDir()
	file, _, _ := small(t)
	newer, err := appendPrelude(nil, blockHeader{Header: Header{Format: 7}})
	require.NoError(t, err)
	zero, err := appendPrelude(nil, blockHeader{Header: Header{}})
	require.NoError(t, err)
	write := func(b []byte) string {
		path := filepath.Join(dir, "h")
		require.NoError(t, os.WriteFile(path, b, 0o600))
		return path
	}

	path := write(newer)
	_, err = Open(path)
	var version *VersionError
	require.ErrorAs(t, err, &version)
	require.Equal(t, VersionError{Path: path, Found: 7, Known: FormatVersion}, *version)
	require.Equal(t, "history "+path+" has format version 7, and this version of the program reads up to 1: "+
		"use the program that recorded it, or a newer one", err.Error())

	_, err = Open(write(zero))
	require.ErrorContains(t, err, "there is no version 0")

	_, err = Open(write(file[:20]))
	var corrupt *CorruptError
	require.ErrorAs(t, err, &corrupt)
	require.Equal(t, "history "+path+" is corrupt at byte 0: it ends inside its header", err.Error())

	for _, open := range []func(string) (*History, error){Open, OpenAny} {
		for _, b := range []string{"", "PK\x03\x04 a zip", "hello\n", "[1, 2]", magic[:4]} {
			h, err := open(write([]byte(b)))
			require.ErrorIs(t, err, ErrNotHistory, "%q", b)
			require.ErrorContains(t, err, path)
			require.Nil(t, h)
		}
		_, err = open(dir)
		require.Error(t, err)
		require.False(t, errors.Is(err, ErrNotHistory))
		_, err = open(filepath.Join(dir, "missing"))
		require.ErrorIs(t, err, os.ErrNotExist)
	}
}

func TestOpenAnyTellsTheFormsApart(t *testing.T) {
	file, events, _ := small(t)
	path := filepath.Join(t.TempDir(), "h")
	require.NoError(t, os.WriteFile(path, file, 0o600))
	h, err := OpenAny(path)
	require.NoError(t, err)
	requirePrefix(t, events, 30, h)

	var text strings.Builder
	require.NoError(t, h.WriteJSONL(&text))
	for _, before := range []string{"", byteOrderMark, "\n \n"} {
		require.NoError(t, os.WriteFile(path, []byte(before+text.String()), 0o600))
		h, err = OpenAny(path)
		require.NoError(t, err)
		requirePrefix(t, events, 30, h)
		require.True(t, h.Sealed)
	}

	require.NoError(t, os.WriteFile(path, []byte(`{"kind":"ok"}`+"\n"+`{"kind":"okay"}`), 0o600))
	_, err = OpenAny(path)
	require.ErrorContains(t, err, path)
	require.ErrorContains(t, err, "line 2")
}

func TestOpenAnyReadsAPipe(t *testing.T) {
	file, events, _ := small(t)
	h, err := decode(file)
	require.NoError(t, err)
	for name, content := range map[string]string{"block": string(file), "text": jsonl(t, h)} {
		pipe := filepath.Join(t.TempDir(), name)
		require.NoError(t, unix.Mkfifo(pipe, 0o600))
		written := make(chan error, 1)
		go func() { written <- os.WriteFile(pipe, []byte(content), 0) }()
		h, err := OpenAny(pipe)
		require.NoError(t, err)
		require.NoError(t, <-written)
		requirePrefix(t, events, 30, h)
	}
}

func FuzzOpen(f *testing.F) {
	file, _, ends := small(f)
	f.Add(file)
	f.Add(file[:ends[1]])
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := decode(b)
		if err == nil && !h.Sealed && h.Lost == "" {
			t.Fatal("neither sealed, nor lost, nor an error")
		}
		wellFormed(t, h)
	})
}

// FuzzBlock gets past the checksums.
func FuzzBlock(f *testing.F) {
	file, _, ends := small(f)
	for i := range 3 {
		f.Add(uint32(10), file[ends[i]+frameSize:ends[i+1]])
	}
	f.Add(uint32(1), []byte{0, 1, 1, 0, 0, 1, 0, 0, 0, 5})
	f.Fuzz(func(t *testing.T, count uint32, payload []byte) {
		h, err := decode(reframe(count, payload))
		if err == nil && h.Len() != int(count) {
			t.Fatal("events are missing without an error")
		}
		wellFormed(t, h)
		r := readerOf(t, reframe(count, payload))
		got := events(t, r)
		if h == nil || len(got) != h.Len() || r.Len() != h.Len() {
			t.Fatal("block by block it is another history")
		}
		for i, e := range got {
			if h.Event(i) != e {
				t.Fatalf("event %d: %+v, block by block %+v", i, h.Event(i), e)
			}
		}
	})
}

// wellFormed fails unless every event can be used without a check.
func wellFormed(t *testing.T, h *History) {
	if h == nil {
		return
	}
	for i := range h.Len() {
		if e := h.Event(i); !valid(e.Kind, e.Outcome) || e.T < 0 {
			t.Fatalf("event %d: %+v", i, e)
		}
	}
}
