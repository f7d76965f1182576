package spelling

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestHint(t *testing.T) {
	known := []string{"crash", "pause", "partition", "latency", "lost-response"}
	for wrong, want := range map[string]string{
		"partitoin": "partition", "crahs": "crash", "Crash": "crash", "lost-respons": "lost-response", "latncy": "latency", "kill": "",
		"a-name-of-something-else": "", "": "",
	} {
		if want != "" {
			want = ` (did you mean "` + want + `"?)`
		}
		assert.Equal(t, want, Hint(wrong, known), wrong)
	}
	assert.Equal(t, 1, distance("ab", "ba", 9), "swapped neighbours are one mistake")
	assert.Equal(t, 3, distance("kitten", "sitting", 9))
}

func TestNearest(t *testing.T) {
	for _, c := range []struct{ name, want string }{
		{"quik", "quick"}, {"relaycrash", "relay-crash"}, {"xyzzy", ""}, {"", ""}, {strings.Repeat("quick", 1<<16), ""},
	} {
		assert.Equal(t, c.want, Nearest(c.name, []string{"quick", "relay-crash", "everything"}), c.name[:min(len(c.name), 20)])
	}
}
