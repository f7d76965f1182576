package history

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTheExamplesOfTheDocumentationAreRead holds docs/history.md to the code: each of its examples can be imported as it stands and is
// valid by the schema, and no kind of event is without one.
func TestTheExamplesOfTheDocumentationAreRead(t *testing.T) {
	page, err := os.ReadFile("../docs/history.md")
	require.NoError(t, err)
	s := compiled(t)
	shown := map[Kind]bool{}
	for _, part := range strings.Split(string(page), "```jsonl\n")[1:] {
		text, _, closed := strings.Cut(part, "```")
		require.True(t, closed)
		for line := range strings.Lines(text) {
			require.NoError(t, validate(t, s, line), line)
		}
		h, err := ReadJSONL(strings.NewReader(text))
		require.NoError(t, err, text)
		for _, w := range h.Warnings {
			require.NotContains(t, w, "not known", "%s", text)
		}
		require.NotContains(t, h.Lost, "counts", text)
		for _, k := range h.Kind {
			shown[k] = true
		}
	}
	for k := KindInvoke; int(k) < numKinds; k++ {
		require.True(t, shown[k], "no example of %s", k)
		require.Contains(t, string(page), "`"+k.String()+"`")
	}
	for _, name := range fieldNames {
		require.Contains(t, string(page), "| `"+name+"` |")
	}
	require.Contains(t, string(page), strings.Join(kindNames[1:], " "), "the numbers of the kinds")
	require.Contains(t, strings.Join(strings.Fields(string(page)), " "), strings.Join(outcomeNames[1:], " "), "the numbers of the outcomes")
}
