package checkers

import (
	"fmt"
	"slices"
	"strings"

	"github.com/wreckon/wreckon/internal/spelling"
)

// Guarantees lists every guarantee, in the order of reports and documents.
var Guarantees = []Guarantee{
	noDuplicateEffects,
	noLostWork,
	noPhantomEffects,
	atomicOutcome,
	compensationOrder,
	completeAudit,
	authorisedActions,
	noStuckWork,
	deadLettersAccounted,
	boundedRetries,
	honouredDeadlines,
	fencing,
	idempotentAnswers,
	linearizableState,
	legalLifecycle,
	orderedDelivery,
	checkpointProgress,
	conservedTotals,
	traced,
	boundedRecovery,
	gracefulDrain,
}

// Lookup finds a guarantee by name.
func Lookup(name string) (Guarantee, bool) {
	k := slices.IndexFunc(Guarantees, func(g Guarantee) bool { return g.Name == name })
	if k < 0 {
		return Guarantee{}, false
	}
	return Guarantees[k], true
}

// Explain tells a person what a guarantee promises and what breaks it. For a name that does not exist the error says which was
// probably meant.
func Explain(name string) (string, error) {
	g, ok := Lookup(name)
	if !ok {
		return "", fmt.Errorf("explain guarantee %q: no such guarantee%s", name, spelling.Hint(name, names()))
	}
	return fmt.Sprintf("%s\n\n%s\n\nViolated by:\n%s\n\nNeeds: %s\n", g.Name, g.Promise, wrap(g.Finds, 100), g.Wants()), nil
}

func names() []string {
	all := make([]string, len(Guarantees))
	for i, g := range Guarantees {
		all[i] = g.Name
	}
	return all
}

// wrap breaks text into lines of at most width characters.
func wrap(text string, width int) string {
	var b strings.Builder
	column := 0
	for _, word := range strings.Fields(text) {
		if column > 0 && column+1+len(word) > width {
			b.WriteByte('\n')
			column = 0
		}
		if column > 0 {
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += len(word)
	}
	return b.String()
}
