package history

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func readerOf(t require.TestingT, file []byte) *Reader {
	r, err := NewReader(bytes.NewReader(file), int64(len(file)))
	require.NoError(t, err)
	return r
}

// events reads all events block by block, each string where it is new or, where it is not, from the file.
func events(t require.TestingT, r *Reader) (all []Event) {
	blocks := []*Block{}
	require.NoError(t, r.Each(func(b *Block) error {
		blocks = append(blocks, b.Clone())
		return nil
	}))
	for _, b := range blocks {
		text := func(ref Ref) string {
			require.Less(t, int(ref), b.Strings())
			s, fresh := b.Fresh(ref)
			texts, err := r.Texts([]Ref{ref})
			require.NoError(t, err)
			if fresh {
				require.Equal(t, string(s), texts[0])
			}
			return texts[0]
		}
		var at [numColumns]int
		place := func(k uint16, col int) int {
			if b.Shapes[k].Has>>col&1 == 0 {
				return -1
			}
			at[col]++
			return at[col] - 1
		}
		for i, k := range b.Which {
			s := b.Shapes[k]
			e := Event{Seq: b.First + uint64(i), T: time.Duration(b.T[i]), Kind: s.Kind, Outcome: s.Outcome, Unit: NoUnit, Attempt: s.Attempt,
				Op: text(s.Op), Step: text(s.Step), Component: text(s.Component)}
			if p := place(k, 0); p >= 0 {
				e.Unit = b.Unit[p]
			}
			if p := place(k, 1); p >= 0 {
				e.Actor = b.Actor[p]
			}
			for col, dst := range []*string{&e.Key, &e.Value, &e.Trace} {
				if p := place(k, 2+col); p >= 0 {
					*dst = text([][]Ref{b.Key, b.Value, b.Trace}[col][p])
				}
			}
			if p := place(k, 5); p >= 0 {
				e.Token = b.Token[p]
			}
			if p := place(k, 6); p >= 0 {
				e.At = time.Duration(b.At[p])
			}
			all = append(all, e)
		}
		require.Equal(t, []int{len(b.Unit), len(b.Actor), len(b.Key), len(b.Value), len(b.Trace), len(b.Token), len(b.At)}, at[:])
	}
	return all
}

func TestWhatAWriterWritesIsReadBackEitherWay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := New(Header{Format: FormatVersion, Run: "r", Claims: Claims{Prefix: "o-"}})
		for _, e := range rapid.SliceOfN(anyEvent(), 0, 40).Draw(t, "events") {
			e.T = time.Duration(rapid.Int64Range(0, 1000).Draw(t, "t")) // in any order
			h.Append(e)
		}
		if h.Sealed = rapid.Bool().Draw(t, "sealed"); !h.Sealed {
			h.Lost, h.Warnings, h.UnitNames = "its end", []string{"a field was left out"}, []string{"a", "b"}
		}
		var file bytes.Buffer
		require.NoError(t, h.WriteBlocks(&file))
		got, err := decode(file.Bytes())
		require.NoError(t, err)
		require.Equal(t, h.Header, got.Header)
		require.Equal(t, []any{h.Sealed, h.Lost, h.Warnings, h.UnitNames}, []any{got.Sealed, got.Lost, got.Warnings, got.UnitNames})
		r := readerOf(t, file.Bytes())
		blocks := events(t, r)
		require.Equal(t, h.Len(), got.Len())
		require.Len(t, blocks, h.Len())
		for i := range h.Len() {
			require.Equal(t, h.Event(i), got.Event(i))
			require.Equal(t, h.Event(i), blocks[i])
		}
		require.Equal(t, blocks, events(t, r), "a second time")
	})
}

func TestAPartIsWhatWasWanted(t *testing.T) {
	file, events, _ := small(t)
	h, seqs, err := readerOf(t, file).Part(nil, func(b *Block, s *Shape, i int, p Place) bool { return (b.First+uint64(i))%3 == 1 })
	require.NoError(t, err)
	require.Equal(t, 10, h.Len())
	require.True(t, h.Sealed)
	for k, seq := range seqs {
		e := h.Event(k)
		e.Seq = seq
		require.Equal(t, events[seq], e)
		require.EqualValues(t, 3*k+1, seq)
	}
}

func TestAPartLeavesOutBlocksThatWereReadBefore(t *testing.T) {
	file, events, _ := small(t)
	r := readerOf(t, file)
	var firsts []uint64
	want := func(block int) bool { return block == 1 }
	all := func(*Block, *Shape, int, Place) bool { return true }
	h, _, err := r.Part(want, all)
	require.NoError(t, err)
	require.Equal(t, len(events), h.Len(), "nobody knows yet how many strings are before a block")
	require.NoError(t, r.Each(func(b *Block) error { firsts = append(firsts, b.First); return nil }))
	require.NoError(t, r.Keep())
	kept, _, err := r.Part(want, all)
	require.NoError(t, err)
	require.EqualValues(t, firsts[2]-firsts[1], kept.Len())

	r = readerOf(t, file)
	require.NoError(t, r.Each(func(*Block) error { return nil }))
	h, seqs, err := r.Part(want, all)
	require.NoError(t, err)
	for k, seq := range seqs {
		e := h.Event(k)
		e.Seq = seq
		require.Equal(t, events[seq], e)
	}
	require.Contains(t, seqs, firsts[1])
	require.NotContains(t, seqs, uint64(0))
}

func TestStringsAreFoundInAnyBlock(t *testing.T) {
	file, events, _ := small(t)
	r := readerOf(t, file)
	words := 0
	require.NoError(t, r.Each(func(b *Block) error { words = b.Strings(); return nil }))
	refs := make([]Ref, words)
	for i := range refs {
		refs[i] = Ref(i)
	}
	texts, err := r.Texts(refs)
	require.NoError(t, err)
	require.Equal(t, "", texts[0])
	for _, e := range events {
		for _, s := range []string{e.Op, e.Step, e.Component, e.Key, e.Value, e.Trace} {
			require.Contains(t, texts, s)
		}
	}
	require.Len(t, slices.Compact(slices.Sorted(slices.Values(texts))), words, "each is there once")
}

func TestAWriterRefusesWhatTheFormCannotHold(t *testing.T) {
	for _, e := range []Event{{Kind: KindNone}, {Kind: KindOK, Outcome: 99}, {Kind: KindOK, T: -1},
		{Kind: KindOK, Value: string(make([]byte, maxPayload))}} {
		var file bytes.Buffer
		w, err := NewWriter(&file, Header{})
		require.NoError(t, err)
		w.Append(Event{Kind: KindOK, Op: "before"})
		w.Append(e)
		w.Append(Event{Kind: KindOK, Op: "after"})
		require.ErrorContains(t, w.Seal(), "write history: event 1: ")
		h, err := decode(file.Bytes())
		require.NoError(t, err)
		require.False(t, h.Sealed)
	}
}

func TestReadingEndsWhereTheReaderWantsItTo(t *testing.T) {
	file, _, _ := small(t)
	enough := errors.New("enough")
	seen := 0
	require.ErrorIs(t, readerOf(t, file).Each(func(*Block) error { seen++; return enough }), enough)
	require.Equal(t, 1, seen)
}

func TestAFileThatIsCutWhileItIsReadIsAnError(t *testing.T) {
	file, _, ends := small(t)
	r, err := NewReader(bytes.NewReader(file[:ends[1]]), int64(len(file)))
	require.Error(t, err)
	require.Nil(t, r)
}
