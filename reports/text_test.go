package reports

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
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
	for name, r := range map[string]Run{"violation": sample(true), "pass": sample(false), "inconclusive": mixed()} {
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

func schema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(ResultSchema))
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	require.NoError(t, c.AddResource("result.schema.json", doc))
	s, err := c.Compile("result.schema.json")
	require.NoError(t, err)
	return s
}

func TestResultFollowsItsSchema(t *testing.T) {
	s := schema(t)
	odd := sample(false)
	odd.Result.Metrics = append(odd.Result.Metrics, checkers.Metric{Name: "ratio of nothing", Value: math.NaN()}, checkers.Metric{Name: "far", Value: math.Inf(1)})
	odd.Manifest.Seed = math.MaxUint64
	for name, r := range map[string]Run{"violation": sample(true), "mixed": mixed(), "odd": odd, "hostile": hostile(), "nothing": {}, "unknown verdict": {Result: checkers.Result{Verdict: "splendid"}}} {
		text := printed(t, func(w io.Writer) error { return ResultJSON(w, r) })
		doc, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		require.NoError(t, err)
		assert.NoError(t, s.Validate(doc), name)
		var back Document
		require.NoError(t, json.Unmarshal([]byte(text), &back), name)
		assert.Equal(t, back.Verdict.ExitCode(), back.Exit, name)
		lacks(t, text, "null")
	}
}

// A schema that accepts everything would make the test above worthless.
func TestSchemaRefuses(t *testing.T) {
	s := schema(t)
	good := printed(t, func(w io.Writer) error { return ResultJSON(w, sample(true)) })
	for _, change := range [][2]string{
		{`"format": 1,`, `"format": 2,`}, {`"exit": 1,`, `"exit": 2,`}, {`"verdict": "violation",`, `"verdict": "fine",`}, {`"status": "holds"`, `"status": "ok"`},
		{`"begin": 3000000000`, `"begin": "3s"`}, {`"in_flight": 14,`, ``}, {`"events": [`, `"events": null, "x": [`},
	} {
		require.Contains(t, good, change[0])
		doc, err := jsonschema.UnmarshalJSON(strings.NewReader(strings.Replace(good, change[0], change[1], 1)))
		require.NoError(t, err)
		assert.Error(t, s.Validate(doc), change[1])
	}
}

// Every field that the code writes is in the published schema: nothing is published by accident.
func TestSchemaKnowsEveryField(t *testing.T) {
	var strict any
	require.NoError(t, json.Unmarshal(ResultSchema, &strict))
	var close func(v any)
	close = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if v["type"] == "object" && v["properties"] != nil {
				v["additionalProperties"] = false
			}
			for _, e := range v {
				close(e)
			}
		case []any:
			for _, e := range v {
				close(e)
			}
		}
	}
	close(strict)
	c := jsonschema.NewCompiler()
	require.NoError(t, c.AddResource("strict.json", strict))
	s, err := c.Compile("strict.json")
	require.NoError(t, err)
	for _, r := range []Run{sample(true), mixed(), hostile()} {
		doc, err := jsonschema.UnmarshalJSON(strings.NewReader(printed(t, func(w io.Writer) error { return ResultJSON(w, r) })))
		require.NoError(t, err)
		assert.NoError(t, s.Validate(doc))
	}
}

func TestArtifactsCarryDigests(t *testing.T) {
	r := sample(true)
	r.Dir = t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(r.Dir, rundir.HistoryFile), []byte("abc"), 0o644))
	require.NoError(t, os.Mkdir(filepath.Join(r.Dir, rundir.LogsDir), 0o755))
	var doc Document
	require.NoError(t, json.Unmarshal([]byte(printed(t, func(w io.Writer) error { return ResultJSON(w, r) })), &doc))
	byName := map[string]Artifact{}
	for _, a := range doc.Artifacts {
		byName[a.Name] = a
	}
	assert.Equal(t, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", byName[rundir.HistoryFile].SHA256)
	assert.EqualValues(t, 3, byName[rundir.HistoryFile].Bytes)
	assert.Contains(t, byName, "logs/")
	assert.NotContains(t, byName, rundir.PlanFile, "what is not there is not listed")
}

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

func TestMarkdownStaysSmall(t *testing.T) {
	r := sample(true)
	j := &r.Result.Guarantees[0]
	for i := range 5000 {
		f := j.Findings[0]
		f.Sentence = fmt.Sprintf("order o-%d was charged twice", i)
		j.Findings = append(j.Findings, f)
	}
	j.Total = 9000
	text := printed(t, func(w io.Writer) error { return Markdown(w, r) })
	assert.LessOrEqual(t, len(text), 900_000)
	assert.Regexp(t, `_[\d,]+ findings are more, left out|_[\d,]+ more findings`, text)
	assert.Contains(t, text, r.Manifest.Repeat, "what comes last is still there")
}

func TestMarkdownTextIsInert(t *testing.T) {
	text := printed(t, func(w io.Writer) error { return Markdown(w, hostile()) })
	text = regexp.MustCompile(`(?m)^    .*$`).ReplaceAllString(text, "") // code, which is shown as it is
	lacks(t, text, "<script")
	lacks(t, text, "<img")
	for _, l := range strings.Split(text, "\n") {
		if strings.HasPrefix(l, "| ") {
			cells := strings.Count(strings.ReplaceAll(l, `\|`, ""), "|") - 1
			assert.Contains(t, []int{4, 5}, cells, "a cell ended early: %s", l)
		}
	}
	assert.Equal(t, `\[x\](y) \*a\* \_b\_ &#64;team &lt;b&gt; \`+"`c\\` \\|", md("[x](y) *a* _b_ @team <b> `c` |"))
}

func TestGitHub(t *testing.T) {
	path := filepath.Join(t.TempDir(), "summary")
	require.NoError(t, os.WriteFile(path, []byte("before\n"), 0o644))
	env := map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": path}
	getenv := func(k string) string { return env[k] }
	r := sample(true)
	r.Result.Guarantees[0].Findings[0].Sentence += " 100%\nover two lines"
	out := printed(t, func(w io.Writer) error { return GitHub(w, getenv, r) })
	lines := strings.Split(strings.TrimSpace(out), "\n")
	require.Len(t, lines, 2)
	assert.Regexp(t, `^::error file=scenarios/everything\.yaml,line=17,title=1 no-duplicate-effects::order o-\d+ was charged twice.*100%25%0Aover two lines$`, lines[0])
	assert.Contains(t, lines[1], "line=20,", "the line of the fault that was in force")
	summary := readFile(t, path)
	assert.True(t, strings.HasPrefix(summary, "before\n### ✗ VIOLATION: everything"), summary[:40])

	env["GITHUB_ACTIONS"] = ""
	assert.Empty(t, printed(t, func(w io.Writer) error { return GitHub(w, getenv, r) }), "elsewhere it does nothing")
	assert.Equal(t, summary, readFile(t, path))

	env = map[string]string{"GITHUB_ACTIONS": "true"}
	assert.Empty(t, printed(t, func(w io.Writer) error { return GitHub(w, getenv, sample(false)) }), "a pass needs no annotation")
	env["GITHUB_STEP_SUMMARY"] = filepath.Join(t.TempDir(), "no", "such", "folder")
	assert.ErrorIs(t, GitHub(io.Discard, getenv, r), fs.ErrNotExist)
}

func TestGitHubAnnotationsAreFew(t *testing.T) {
	r := sample(true)
	j := &r.Result.Guarantees[0]
	for range 20 {
		j.Findings = append(j.Findings, j.Findings[0])
	}
	j.Total = 40
	out := annotations(r)
	require.Len(t, out, 8)
	assert.Contains(t, out[7], "34 more in the report")
	assert.Len(t, annotations(mixed()), 1)
	assert.Equal(t, "a%3Ab%2Cc%25%0D%0A", escapeProperty("a:b,c%\r\n"))
}

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
