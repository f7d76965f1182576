package scenarios

import (
	"slices"
	"strings"
)

// knownNames lists what would have been right, as a hint.
func knownNames(known []string) string {
	if len(known) == 0 {
		return ""
	}
	sorted := slices.Sorted(slices.Values(known))
	return "known: " + strings.Join(sorted, ", ")
}
