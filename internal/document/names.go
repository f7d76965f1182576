package document

import (
	"slices"
	"strings"
)

// KnownNames lists what would have been right, as a hint.
func KnownNames(known []string) string {
	if len(known) == 0 {
		return ""
	}
	sorted := slices.Sorted(slices.Values(known))
	return "known: " + strings.Join(sorted, ", ")
}
