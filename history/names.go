package history

import (
	"fmt"
	"strings"
)

// FormatVersion is the version of the block form and of the text form that this package writes, and the newest that it reads.
const FormatVersion = 1

const (
	numKinds    = int(KindNote) + 1
	numOutcomes = int(OutcomeExited) + 1
)

var kindNames = [numKinds]string{
	"none", "invoke", "ok", "fail", "info", "effect", "start", "finish", "audit", "exchange", "fault", "process", "phase", "observe", "note",
}

var outcomeNames = [numOutcomes]string{
	"", "applied", "deduplicated", "refused", "begin", "confirmed", "end", "healed", "failed", "started", "ready", "killed", "paused",
	"resumed", "terminated", "exited",
}

// String is the kind's word in the text form. KindNone, which no recorded event has, is "none".
func (k Kind) String() string {
	if int(k) < numKinds {
		return kindNames[k]
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// String is the outcome's word in the text form; OutcomeNone is the empty string.
func (o Outcome) String() string {
	if int(o) < numOutcomes {
		return outcomeNames[o]
	}
	return fmt.Sprintf("outcome(%d)", uint8(o))
}

// ParseKind reads what Kind.String wrote. The error of an unknown word says which word is near, or which words there are.
func ParseKind(s string) (Kind, error) {
	for k := KindInvoke; int(k) < numKinds; k++ {
		if kindNames[k] == s {
			return k, nil
		}
	}
	return KindNone, unknownWord("kind", s, kindNames[1:])
}

// ParseOutcome reads what Outcome.String wrote; the empty string is OutcomeNone.
func ParseOutcome(s string) (Outcome, error) {
	for o, name := range outcomeNames {
		if name == s {
			return Outcome(o), nil
		}
	}
	return OutcomeNone, unknownWord("outcome", s, outcomeNames[1:])
}

func valid(k Kind, o Outcome) bool { return k != KindNone && int(k) < numKinds && int(o) < numOutcomes }

func unknownWord(what, word string, known []string) error {
	if near := nearest(word, known); near != "" {
		return fmt.Errorf("%s %q does not exist; did you mean %q?", what, excerpt(word, 0), near)
	}
	return fmt.Errorf("%s %q does not exist; want one of %s", what, excerpt(word, 0), strings.Join(known, ", "))
}

// nearest finds the known word that is one edit away, two for a word of five letters or more, counted without regard to case; "" where
// there is none.
func nearest(word string, known []string) string {
	best, distance := "", 2
	switch {
	case len(word) > 32:
		return ""
	case len(word) >= 5:
		distance = 3
	}
	word = strings.ToLower(word)
	for _, k := range known {
		if d := edits(word, k); d < distance && d < len(k) {
			best, distance = k, d
		}
	}
	return best
}

// edits is the Levenshtein distance of two short words.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
