package history

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// BenchmarkMapping reads a log through a mapping, beside the same events in text form.
func BenchmarkMapping(b *testing.B) {
	const n = 20_000
	var log strings.Builder
	for i := range n {
		fmt.Fprintf(&log, `{"ts":"2026-11-21T20:04:%02d.%03dZ","level":"info","msg":"charge captured","order":{"id":"A-%d"},"amount":49.9,"key":"c-%d"}`+"\n",
			i/1000%60, i%1000, i, i)
	}
	m := mapping(b, "unit=order.id\nt=ts\nkind=\"effect\", op=\"do\", step=\"charge\", outcome=\"applied\", value=amount where msg=\"charge captured\"\nskip otherwise")
	h, err := Import{Mapping: m}.Read(strings.NewReader(log.String()))
	require.NoError(b, err)
	require.Equal(b, n, h.Len())
	var text strings.Builder
	require.NoError(b, h.WriteJSONL(&text))
	for name, read := range map[string]func() (*History, error){
		"log":  func() (*History, error) { return Import{Mapping: m}.Read(strings.NewReader(log.String())) },
		"text": func() (*History, error) { return ReadJSONL(strings.NewReader(text.String())) },
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := read(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/event")
		})
	}
}
