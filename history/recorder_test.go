package history

import (
	"bytes"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSmoke(t *testing.T) {
	path := filepath.Join(t.TempDir(), "h")
	r, err := Create(path, Header{Run: "x", Claims: Claims{Prefix: "o-"}})
	require.NoError(t, err)
	for i := range 100 {
		require.Equal(t, uint64(i), r.Record(Event{Kind: KindInvoke, Unit: Unit(i / 2), Actor: 1, Op: "submit", Key: "k", Value: "va\"l"}))
	}
	r.Record(Event{Kind: KindPhase, Unit: NoUnit, Outcome: OutcomeBegin, Op: "load"})
	require.NoError(t, r.Seal())
	h, err := OpenAny(path)
	require.NoError(t, err)
	require.True(t, h.Sealed)
	require.Equal(t, 101, h.Len())
	var b bytes.Buffer
	require.NoError(t, h.WriteJSONL(&b))
	t.Log(b.String()[b.Len()-400:])
	g, err := ReadJSONL(&b)
	require.NoError(t, err)
	for i := range h.Len() {
		require.Equal(t, h.Event(i), g.Event(i))
	}
	require.Equal(t, h.Header, g.Header)
}
