package checkers

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// docs/guarantees.md is written from the tables: run this test with -update after changing them.
func TestGuaranteesPageIsCurrent(t *testing.T) {
	file := filepath.Join("..", "docs", "guarantees.md")
	want := guaranteesPage()
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte(want), 0o644))
	}
	got, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, want, string(got), "stale: go test ./checkers -run TestGuaranteesPageIsCurrent -update")
}

const pageHead = `<!-- Generated from the tables of package checkers: go test ./checkers -run TestGuaranteesPageIsCurrent -update -->

# Guarantees

A guarantee is a property that a target promises. Each is judged by one checker, from the history of a run and nothing else. A
checker says one of four things:

| status | means |
| --- | --- |
| holds | it was checked, on as many things as are counted beside it, and no violation was found |
| violated | there is at least one finding, each with the events that prove it |
| unknown | it could not be decided: the end of the history is missing, the target was not at rest, something that it rests on may not have been seen, a search ran out of its budget, the checker failed. The reason is given |
| not tested | the target or the history does not show what is needed, or there was nothing to check |

Only *holds* counts for a pass. A unit is *acknowledged* if some attempt to submit it was ok, *refused* if every attempt definitely
failed, and *unknown* otherwise: an operation without an answer may have taken effect.

`

const pageTail = `## Verdict

The first of these that has a reason is the verdict of a run:

1. **violation**: a guarantee has a finding.
2. **error**: the run failed, the baseline failed, or a process went without being told to.
3. **aborted**: a person or a stop condition ended the run.
4. **inconclusive**: a guarantee is unknown, or was asked for by name and could not be tested; a planned fault was not confirmed, was
   masked, or was never reached; a requirement was not met, or a threshold could not be measured; no unit was acknowledged; the end of
   the history is missing; the harness itself was later than its bound.
5. **missed**: a threshold was missed.
6. **pass**: none of these.

## Faults

Every fault has a verdict of its own. *confirmed*: an outside probe showed it in force and later gone, and it touched connections of
the target, or operations or units were in flight while it held. *masked*: in force, but nothing was there for it to touch.
*misfired*: it could not be shown in force, or not be shown gone. *not-reached*: the run ended before its time came.

A fault that acts on messages is judged by the exchanges that it touched, as the proxy recorded them. *confirmed*: at least one shows what
was meant: the request was not delivered, or twice, or late; the answer came and did not reach the caller, or came late, or was an error.
*masked*: it was reached, but nobody could notice: the caller had given up before, the connection was gone before the request could be
delivered again, nothing overtook it. *misfired*: the message fared as if there had been no fault. *not-reached*: no message that
it waited for came by before the load was over. A process fault placed by a message is judged like any other, and not reached where the
message never came.

## Conditions

Requirements (` + "`require:`" + `) and thresholds (` + "`thresholds:`" + `) compare one metric with one number, or are one of two phrases:

` + "```" + `
condition = "every fault confirmed"
          | "operations in flight during every fault"
          | metric op number [unit]
op        = "<" | "<=" | ">" | ">=" | "=="
unit      = "us" | "ms" | "s" | "m" | "%"
` + "```" + `

A metric in seconds needs a unit of time, a ratio takes % or a plain number, a count takes a plain number. A requirement that is not
met makes the run inconclusive, a threshold that is not met makes it missed. A threshold that may abort a run is measured while the run
goes on, too: see the scenario language.

`

const metricsIntro = `Guarantees know no tolerance: one finding is a violation, whatever the numbers say. Indicators have a budget, and a threshold
says how much of it there is. The ten indicators of safe completion, M1 to M10, are measured in every run; one that there was nothing to
measure on is shown as such, and a threshold on it cannot be judged. Quantiles are of the nearest rank: a value that was measured.`

const pageOwn = `## Your own

Most of what a target promises of its own is a claim: data, in the header of every history ([history.md](history.md)), without a line of
code. A lifecycle is ` + "`states.next`" + `; sums that must hold are ` + "`totals`" + `; the order of effects is ` + "`ordering`" + `; bounds on retries, time, recovery and
drain are ` + "`retries`, `deadlines`, `recovery` and `drain`" + `; who may do what is ` + "`privileges`" + `.

What no claim can say is a value in Go: a ` + "`checkers.Guarantee`" + ` with a name, a sentence, the feeds that it needs and a function, handed to
` + "`checkers.Judge`" + ` in ` + "`Spec.Extra`" + `. It is judged, reported and weighed like the others: one that panics or hangs is unknown, one whose feeds are
missing is not tested. Its function sees the history unit by unit (` + "`Units`, `Events`, `Name`, `Acknowledged`, `Rested`" + `) or column by column
(` + "`Case.H`" + `), and ends with ` + "`Case.Judge`" + `: what was looked at, how often, and a ` + "`Breach`" + ` for each finding, with the events that prove it. A
complete one is the example of ` + "`Spec`" + `: [checkers/example_test.go](../checkers/example_test.go).

`

func guaranteesPage() string {
	var b strings.Builder
	b.WriteString(pageHead)
	for _, g := range Guarantees {
		fmt.Fprintf(&b, "## %s\n\n**%s**\n\n%s\n\nNeeds: %s.\n\n", g.Name, g.Promise, wrap(g.Finds, 130), g.Wants())
	}
	b.WriteString(pageTail)
	b.WriteString(pageOwn)
	b.WriteString("## Metrics\n\n" + metricsIntro + "\n\n| metric | | measured as | what it is |\n| --- | --- | --- | --- |\n")
	for _, m := range Metrics {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", m.Name, m.M, m.Unit, m.Doc)
	}
	return b.String()
}

func TestEveryGuaranteeSaysWhatItIs(t *testing.T) {
	for _, g := range Guarantees {
		got, ok := Lookup(g.Name)
		require.True(t, ok)
		assert.Equal(t, g.Promise, got.Promise)
		assert.NotEmpty(t, g.Wants(), g.Name)
		assert.True(t, strings.HasSuffix(g.Promise, ".") && strings.HasSuffix(g.Finds, "."), g.Name)
		text, err := Explain(g.Name)
		require.NoError(t, err)
		assert.Contains(t, text, g.Promise)
	}
	_, ok := Lookup("no-such-thing")
	assert.False(t, ok)
	_, err := Explain("atomic-outcomes")
	assert.EqualError(t, err, `explain guarantee "atomic-outcomes": no such guarantee (did you mean "atomic-outcome"?)`)
	for _, m := range Metrics {
		assert.Contains(t, scales, m.Unit, m.Name)
		_, err := ParseCondition(m.Name + " < 1" + map[string]string{"s": "s"}[m.Unit])
		assert.NoError(t, err, m.Name)
	}
}
