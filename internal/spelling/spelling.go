// Package spelling finds the name that a misspelt one was probably meant to be. Every message about an unknown name ends with what it
// says; it must never know what the names are of.
package spelling

import (
	"fmt"
	"strings"
)

// Hint suggests the known name nearest to a wrong one, as a clause to append to a message: ` (did you mean "relay"?)`; "" where none
// is near.
func Hint(wrong string, known []string) string {
	if near := Nearest(wrong, known); near != "" {
		return fmt.Sprintf(" (did you mean %q?)", near)
	}
	return ""
}

// Nearest is the known name nearest to a wrong one, whatever its capitals; "" where none is near.
func Nearest(wrong string, known []string) string {
	best, least := "", len(wrong)/3+2 // a name of which more than a third is wrong is another name
	for _, k := range known {
		if d := distance(strings.ToLower(wrong), strings.ToLower(k), least); d < least {
			best, least = k, d
		}
	}
	return best
}

// distance is the optimal string alignment distance: insertions, deletions, substitutions and swapped neighbours each cost one.
// It gives up, and returns limit, when the lengths alone put it there.
func distance(a, b string, limit int) int {
	x, y := []rune(a), []rune(b)
	if len(x)-len(y) >= limit || len(y)-len(x) >= limit {
		return limit
	}
	before, previous, current := make([]int, len(y)+1), make([]int, len(y)+1), make([]int, len(y)+1)
	for j := range previous {
		previous[j] = j
	}
	for i := 1; i <= len(x); i++ {
		current[0] = i
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			current[j] = min(previous[j]+1, current[j-1]+1, previous[j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				current[j] = min(current[j], before[j-2]+1)
			}
		}
		before, previous, current = previous, current, before
	}
	return previous[len(y)]
}
