package checkers

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What Porcupine can order has the places from 1 on, and the answer that nothing explains has none.
func TestAnOrderGoesAsFarAsItCan(t *testing.T) {
	files, err := filepath.Glob("testdata/linearizable-state/bad-*.txtar")
	require.NoError(t, err)
	pictured := 0
	for _, file := range files {
		s, err := parseScript(readArchive(t, file).history)
		require.NoError(t, err, file)
		for _, j := range Judge(s.history(), Spec{}).Guarantees {
			for _, f := range j.Findings {
				if j.Guarantee != "linearizable-state" {
					assert.Empty(t, f.Order)
				}
				if len(f.Order) == 0 {
					continue
				}
				pictured++
				var places []int
				out := 0
				for _, o := range f.Order {
					assert.LessOrEqual(t, o.Begin, o.End, file)
					switch {
					case o.Place > 0:
						places = append(places, o.Place)
					case !o.Open:
						out++
					}
				}
				assert.Positive(t, out, "%s: if all of them had a place, the unit would be in order", file)
				slices.Sort(places)
				for k, p := range places {
					assert.Equal(t, k+1, p, file)
				}
			}
		}
	}
	assert.GreaterOrEqual(t, pictured, 3)
}
