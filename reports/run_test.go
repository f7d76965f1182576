package reports

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/checkers"
	"github.com/wreckon/wreckon/internal/rundir"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(path, got, 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err, "run the tests with -update once")
	assert.Equal(t, string(want), string(got), "%s differs: if it should, run the tests with -update", path)
}

// lacks fails without printing the whole of a long text.
func lacks(t *testing.T, text, banned string) {
	t.Helper()
	if at := strings.Index(text, banned); at >= 0 {
		assert.Fail(t, fmt.Sprintf("%q is there", banned), "… %q …", text[max(0, at-80):min(len(text), at+80)])
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(b)
}

func printed(t *testing.T, write func(io.Writer) error) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, write(&b))
	return b.String()
}

// mixed is a run with one of everything that is not a plain pass or violation.
func mixed() Run {
	r := sample(false)
	res := &r.Result
	res.Verdict = checkers.Inconclusive
	res.Reasons = []string{"fault f3 was masked: nothing was there for it to touch", "requirement not met: redeliveries >= 1"}
	res.Guarantees[6].Status, res.Guarantees[6].Reason = checkers.Unknown, "the budget of 10s ran out at order o-88"
	res.Faults[0].Verdict, res.Faults[0].Reason = checkers.NotReached, "the run ended before it"
	res.Faults[2].Verdict, res.Faults[2].Reason, res.Faults[2].InFlight = checkers.Masked, "nothing was there for it to touch", 0
	res.Faults[3].Verdict, res.Faults[3].Reason, res.Faults[3].Recovery = checkers.Misfired, "it could not be healed within 5s", -1
	res.Require[1] = checkers.Condition{Text: "redeliveries >= 1", Actual: "0", Reason: "no effect was deduplicated"}
	res.Thresholds[0].Met, res.Thresholds[0].Actual = false, "2.41s"
	return r
}

func TestGolden(t *testing.T) {
	for name, r := range map[string]Run{"violation": sample(true), "pass": sample(false), "inconclusive": mixed(), "bitten": bitten()} {
		t.Run(name, func(t *testing.T) {
			golden(t, name+".txt", []byte(printed(t, func(w io.Writer) error { return Summary(w, r, TermOptions{}) })))
			golden(t, name+".junit.xml", []byte(printed(t, func(w io.Writer) error { return JUnit(w, []Run{r}) })))
			golden(t, name+".md", []byte(printed(t, func(w io.Writer) error { return Markdown(w, r) })))
			golden(t, name+".result.json", []byte(printed(t, func(w io.Writer) error { return ResultJSON(w, r) })))
		})
	}
	golden(t, "violation.80.ansi.txt", []byte(printed(t, func(w io.Writer) error { return Summary(w, sample(true), TermOptions{Color: true, Width: 80}) })))
	golden(t, "table.txt", []byte(printed(t, func(w io.Writer) error { return Table(w, several(), TermOptions{}) })))
}

func several() []Run {
	runs := []Run{sample(false), sample(true), mixed()}
	for i := range runs {
		runs[i].Manifest.Seed, runs[i].Plan.Seed = uint64(9-i), uint64(9-i)
	}
	return append(runs, runs[0])
}

func TestWriteGoesOnWhenOneWriterFails(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, rundir.JUnitFile, "in the way"), 0o755))
	r := sample(true)
	paths, err := Write(dir, r, Options{})
	require.ErrorContains(t, err, "write junit.xml: ")
	assert.Equal(t, []string{filepath.Join(dir, "result.json"), filepath.Join(dir, "summary.md"), filepath.Join(dir, "report.html")}, paths)
	assert.Equal(t, checkers.Violation, r.Result.Verdict)
	for _, p := range paths {
		assert.NotEmpty(t, readFile(t, p))
	}
	left, err := filepath.Glob(filepath.Join(dir, ".*"))
	require.NoError(t, err)
	assert.Empty(t, left, "no half file is left")

	paths, err = Write(filepath.Join(dir, "no such folder"), r, Options{})
	assert.ErrorIs(t, err, fs.ErrNotExist)
	assert.Empty(t, paths)
}

func TestWriterThatPanicsCostsOnlyItsFile(t *testing.T) {
	err := writeFile(t.TempDir(), "x", func(io.Writer) error { panic("odd data") })
	require.EqualError(t, err, "write x: odd data")
	failed := errors.New("no space left")
	assert.ErrorIs(t, writeFile(t.TempDir(), "x", func(io.Writer) error { return failed }), failed)
}

// BenchmarkWrite writes all reports of a run with about 100,000 events: it must stay well below half a second.
func BenchmarkWrite(b *testing.B) {
	for _, units := range []int{2_000, 14_500} {
		r := sampleOf(units, true)
		b.Run(fmt.Sprintf("events=%d", r.History.Len()), func(b *testing.B) {
			dir := b.TempDir()
			for b.Loop() {
				_, err := Write(dir, r, Options{})
				require.NoError(b, err)
			}
		})
	}
}
