package reports

import (
	"encoding/xml"
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/checkers"
	"github.com/wreckon/wreckon/internal/rundir"
)

func parseJUnit(t *testing.T, text string) junitSuites {
	t.Helper()
	var doc junitSuites
	require.NoError(t, xml.Unmarshal([]byte(text), &doc))
	return doc
}

func TestJUnitMapsWhatBecameOfEachPart(t *testing.T) {
	doc := parseJUnit(t, printed(t, func(w io.Writer) error { return JUnit(w, []Run{mixed(), sample(true)}) }))
	require.Len(t, doc.Suites, 2)
	what := map[string]string{}
	for _, c := range doc.Suites[0].Cases {
		switch {
		case c.Failure != nil:
			what[c.Name] = "failure " + c.Failure.Type
		case c.Error != nil:
			what[c.Name] = "error"
		case c.Skipped != nil:
			what[c.Name] = "skipped " + c.Skipped.Message
		default:
			what[c.Name] = "passed"
		}
	}
	assert.Equal(t, "passed", what["no-lost-work"])
	assert.Equal(t, "skipped inconclusive: the budget of 10s ran out at order o-88", what["linearizable-state"])
	assert.Equal(t, "skipped not tested: the target reports no traces", what["traced"])
	assert.Equal(t, "skipped inconclusive: redeliveries >= 1: no effect was deduplicated", what["require: redeliveries >= 1"])
	assert.Equal(t, "failure missed", what["threshold: completion_latency.p99 < 2s"])
	assert.Equal(t, "passed", what["threshold: recovery_time < 1s"])
	assert.Contains(t, what["run"], "skipped inconclusive: fault f3 was masked")

	broken := doc.Suites[1]
	assert.Equal(t, 3, broken.Failures, "two violated guarantees, one missed threshold")
	assert.Contains(t, broken.Cases[1].Failure.Message, "was charged twice")
	assert.Contains(t, broken.Cases[1].Failure.Body, "5.012s")
	assert.Equal(t, doc.Tests, len(doc.Suites[0].Cases)+len(broken.Cases))
}

func TestJUnitRunThatFailedIsAnError(t *testing.T) {
	for v, why := range map[checkers.Verdict]string{checkers.Errored: "api did not get ready", checkers.Aborted: "interrupted"} {
		r := Run{Result: checkers.Result{Verdict: v}}
		r.Manifest.Error, r.Manifest.Aborted = "api did not get ready", "interrupted"
		doc := parseJUnit(t, printed(t, func(w io.Writer) error { return JUnit(w, []Run{r}) }))
		require.Equal(t, 1, doc.Errors)
		assert.Equal(t, why, doc.Suites[0].Cases[0].Error.Message)
	}
}

func TestJUnitHoldsNothingThatReadersRefuse(t *testing.T) {
	r := hostile()
	r.Result.Guarantees[0].Findings[0].Sentence += strings.Repeat(" long", 10_000)
	for range 300 {
		f := r.Result.Guarantees[0].Findings[0]
		r.Result.Guarantees[0].Findings = append(r.Result.Guarantees[0].Findings, f)
	}
	text := printed(t, func(w io.Writer) error { return JUnit(w, []Run{r, r, r}) })
	assert.Empty(t, regexp.MustCompile(`[\x00-\x08\x0b\x0c\x0e-\x1f\x{fffe}\x{ffff}]|&#x[0-8BCEF];|&#x1.;`).FindString(text))
	seen := map[string]bool{}
	for _, s := range parseJUnit(t, text).Suites {
		for _, c := range s.Cases {
			assert.False(t, seen[c.Classname+"\x00"+c.Name], "%s %s is there twice", c.Classname, c.Name)
			seen[c.Classname+"\x00"+c.Name] = true
			for _, e := range []*junitEvent{c.Failure, c.Error, c.Skipped} {
				if e != nil {
					assert.LessOrEqual(t, len(e.Message), 1<<10)
					assert.LessOrEqual(t, len(e.Body), 16<<10)
				}
			}
		}
	}
}

func TestJUnitClassnames(t *testing.T) {
	r := func(name string, seed uint64, run string) Run {
		return Run{Manifest: rundir.Manifest{Scenario: name, Seed: seed, Run: run}}
	}
	assert.Equal(t, []string{"quick"}, classnames([]Run{r("quick", 1, "a")}))
	assert.Equal(t, []string{"quick", "lost-acks"}, classnames([]Run{r("quick", 1, "a"), r("lost-acks", 1, "b")}))
	assert.Equal(t, []string{"quick.seed-1", "quick.seed-2"}, classnames([]Run{r("quick", 1, "a"), r("quick", 2, "b")}))
	assert.Equal(t, []string{"quick.seed-1.a", "quick.seed-1.b"}, classnames([]Run{r("quick", 1, "a"), r("quick", 1, "b")}))
	assert.Equal(t, []string{"quick.seed-1.1", "quick.seed-1.2"}, classnames([]Run{r("quick", 1, "a"), r("quick", 1, "a")}))
}
