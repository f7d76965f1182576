package reports

import (
	"fmt"
	"io"
	"math"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/wreckon/wreckon/checkers"
)

func TestSummaryEndsWithTheVerdict(t *testing.T) {
	for name, r := range map[string]Run{"violation": sample(true), "pass": sample(false), "mixed": mixed()} {
		text := printed(t, func(w io.Writer) error { return Summary(w, r, TermOptions{}) })
		tail := strings.Split(strings.TrimSpace(text), "\n")
		tail = tail[len(tail)-5:]
		assert.True(t, strings.HasPrefix(tail[0], word(r.Result.Verdict)+"  "), "%s: %s", name, tail[0])
		assert.Contains(t, tail[1], fmt.Sprintf("(exit %d)", r.Result.Verdict.ExitCode()))
		assert.Equal(t, "not tested  traced (the target reports no traces), fencing (the target's effects carry no fencing token)", tail[2])
		assert.Equal(t, "report      "+filepath.Join(r.Dir, "report.html"), tail[3])
		assert.Equal(t, "repeat      "+r.Manifest.Repeat, tail[4])
		lacks(t, text, "\x1b")
	}
}

func TestSummaryTellsThreeFindingsInFull(t *testing.T) {
	r := sample(true)
	j := &r.Result.Guarantees[0]
	for i := range 9 {
		f := j.Findings[0]
		f.Sentence = fmt.Sprintf("order o-9%d was charged twice", i)
		j.Findings = append(j.Findings, f)
	}
	j.Total = 25
	text := printed(t, func(w io.Writer) error { return Summary(w, r, TermOptions{}) })
	assert.Equal(t, 3, strings.Count(text, "faults in force: "))
	assert.Contains(t, text, "23 more in the report")
	assert.Contains(t, text, "✗ no-lost-work  order", "one broken guarantee does not hide another")
}

func TestSummaryIsSafeForATerminal(t *testing.T) {
	for _, o := range []TermOptions{{}, {Width: 60}, {Color: true, Width: 60}} {
		text := printed(t, func(w io.Writer) error { return Summary(w, hostile(), o) })
		if o.Color {
			text = regexp.MustCompile(`\x1b\[[0-9;]*m`).ReplaceAllString(text, "")
		}
		assert.Empty(t, regexp.MustCompile(`[\x00-\x09\x0b-\x1f\x7f\x{202e}]`).FindString(text))
	}
}

func TestSummaryWraps(t *testing.T) {
	const width = 70
	text := printed(t, func(w io.Writer) error { return Summary(w, sample(true), TermOptions{Width: width, Color: true}) })
	for _, l := range strings.Split(text, "\n") {
		if strings.Contains(l, "report ") || strings.Contains(l, "repeat ") || strings.Contains(l, "acknowledged, ") || strings.Contains(l, "with defect") || strings.Contains(l, "  \x1b[90m") {
			continue // kept whole, to be copied or because it is a table's row
		}
		assert.LessOrEqual(t, cells(l), width, l)
	}
}

func TestTableCountsAndTakesTheWorst(t *testing.T) {
	run := func(v checkers.Verdict) Run { return Run{Result: checkers.Result{Verdict: v}} }
	for want, runs := range map[checkers.Verdict][]Run{
		checkers.Violation:    {run(checkers.Errored), run(checkers.Violation), run(checkers.Pass)},
		checkers.Errored:      {run(checkers.Inconclusive), run(checkers.Errored), run(checkers.Aborted)},
		checkers.Aborted:      {run(checkers.Inconclusive), run(checkers.Aborted)},
		checkers.Inconclusive: {run(checkers.Missed), run(checkers.Inconclusive)},
		checkers.Missed:       {run(checkers.Pass), run(checkers.Missed)},
		checkers.Pass:         {run(checkers.Pass), run(checkers.Pass)},
	} {
		assert.Equal(t, want, Worst(runs))
	}
	assert.Equal(t, checkers.Errored, Worst(nil), "nothing proves nothing")
	assert.Equal(t, checkers.Errored, Worst([]Run{run("splendid"), run(checkers.Pass)}), "an unknown verdict is no pass")
	assert.Equal(t, "2 violation, 18 pass", Tally(append([]Run{run(checkers.Violation), run(checkers.Violation)}, make18()...)))
}

func make18() []Run {
	runs := make([]Run, 18)
	for i := range runs {
		runs[i].Result.Verdict = checkers.Pass
	}
	return runs
}

func TestWords(t *testing.T) {
	for d, want := range map[time.Duration]string{0: "0s", 1500: "1.5µs", 412 * time.Millisecond: "412ms", 4120 * time.Microsecond: "4.12ms", 2410 * ms: "2.41s", 2400 * ms: "2.4s", 22400 * ms: "22.4s", 92 * time.Second: "1m32s", -time.Second: "-1s"} {
		assert.Equal(t, want, took(d))
	}
	assert.Equal(t, "1,234,567", num(1234567))
	assert.Equal(t, "-1,204", num(-1204))
	assert.Equal(t, "3 guarantees hold", verb(3, "guarantee", "holds", "hold"))
	assert.Equal(t, "abc… (3 B more)", clip("abcdef", 3))
	assert.Equal(t, "a… (3 B more)", clip("a€", 2), "never in the middle of a rune")
	assert.Equal(t, "a�[31m b�", line("a\x1b[31m\nb\u202e"))
	assert.Equal(t, "1.39 %", metric(checkers.Metric{Value: .0139, Unit: "ratio"}))
	assert.Equal(t, "n/a", metric(checkers.Metric{Value: math.NaN(), Unit: "s"}))
	assert.Equal(t, "Äpfel", upperFirst("äpfel"))
}
