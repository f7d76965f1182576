package reports

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/wreckon/wreckon/checkers"
	"github.com/wreckon/wreckon/faults"
)

// The words that all writers share, so that the terminal, the summary and the page say the same thing of the same run.

// clipAt is how much of one text a report shows. The whole of it is in result.json and in the history.
const clipAt = 2000

// why is the one sentence that says why the verdict is what it is.
func why(r Run) string {
	if len(r.Result.Reasons) > 0 && r.Result.Reasons[0] != "" {
		return r.Result.Reasons[0]
	}
	switch r.Result.Verdict {
	case checkers.Pass:
		return "every guarantee named was checked and holds, and every requirement was met"
	case checkers.Violation:
		if f := findings(r); len(f) > 0 {
			return f[0].Sentence
		}
		return "a guarantee does not hold"
	case checkers.Inconclusive:
		return "what was to be shown could not be shown"
	case checkers.Aborted:
		if r.Manifest.Aborted != "" {
			return r.Manifest.Aborted
		}
		return "the run was stopped before its end"
	case checkers.Missed:
		return "every guarantee holds, but a threshold was missed"
	}
	if r.Manifest.Error != "" {
		return r.Manifest.Error
	}
	return "the run failed before it could be judged"
}

// outcome counts what the run came to, part by part: "1 finding, 5 of 8 guarantees hold, 2 not tested".
func outcome(r Run) string {
	res := r.Result
	var parts []string
	if n := total(res); n > 0 {
		parts = append(parts, count(n, "finding"))
	}
	if n := len(res.Guarantees); n > 0 {
		parts = append(parts, fmt.Sprintf("%d of %s", withStatus(res, checkers.Holds), verb(n, "guarantee", "holds", "hold")))
	}
	if n := withStatus(res, checkers.Unknown); n > 0 {
		parts = append(parts, fmt.Sprintf("%d undecided", n))
	}
	if n := withStatus(res, checkers.NotTested); n > 0 {
		parts = append(parts, fmt.Sprintf("%d not tested", n))
	}
	if n := unmet(res.Require); n > 0 {
		parts = append(parts, count(n, "requirement")+" not met")
	}
	if n := unmet(res.Thresholds); n > 0 {
		parts = append(parts, count(n, "threshold")+" missed")
	}
	return strings.Join(parts, ", ")
}

// findings lists the findings that the result holds, in the order of its guarantees.
func findings(r Run) []checkers.Finding {
	var all []checkers.Finding
	for _, j := range r.Result.Guarantees {
		all = append(all, j.Findings...)
	}
	return all
}

// total counts all findings, those that the result does not hold included.
func total(res checkers.Result) int {
	n := 0
	for _, j := range res.Guarantees {
		n += max(j.Total, len(j.Findings))
	}
	return n
}

func withStatus(res checkers.Result, s checkers.Status) int {
	n := 0
	for _, j := range res.Guarantees {
		if j.Status == s {
			n++
		}
	}
	return n
}

func unmet(cs []checkers.Condition) int {
	n := 0
	for _, c := range cs {
		if !c.Met {
			n++
		}
	}
	return n
}

// notTested names the guarantees that were not tested, each with its reason.
func notTested(res checkers.Result) []string {
	var out []string
	for _, j := range res.Guarantees {
		if j.Status == checkers.NotTested {
			out = append(out, paren(j.Guarantee, j.Reason))
		}
	}
	return out
}

func paren(s, in string) string {
	if in == "" {
		return s
	}
	return s + " (" + in + ")"
}

func mark(s checkers.Status) string {
	switch s {
	case checkers.Holds:
		return "✓"
	case checkers.Violated:
		return "✗"
	case checkers.NotTested:
		return "–"
	}
	return "?"
}

func metMark(met bool) string {
	if met {
		return "✓"
	}
	return "✗"
}

func faultMark(v checkers.FaultVerdict) string {
	switch v {
	case checkers.Confirmed:
		return "✓"
	case checkers.Misfired:
		return "✗"
	}
	return "?"
}

// statusWord is what became of a guarantee, as a person says it.
func statusWord(s checkers.Status) string {
	switch s {
	case checkers.NotTested:
		return "not tested"
	case checkers.Unknown, "":
		return "undecided"
	}
	return string(s)
}

func faultWord(v checkers.FaultVerdict) string { return strings.ReplaceAll(string(v), "-", " ") }

// checked says how much a guarantee was checked on: "412 orders checked".
func checked(j checkers.Judgement) string {
	return num(j.Checked) + " " + line(firstOf(j.What, "units")) + " checked"
}

// bite says what a fault touched, which is what makes it count.
func bite(f checkers.FaultResult) string {
	if f.Verdict == checkers.NotReached {
		return ""
	}
	parts := []string{num(f.InFlight) + " in flight", num(f.Hurt) + " hurt"}
	if f.OpenUnits > 0 {
		parts = append(parts, verb(f.OpenUnits, "unit", "open", "open"))
	}
	if f.Conns > 0 {
		parts = append(parts, count(int(f.Conns), "connection"))
	}
	if f.Bytes > 0 {
		parts = append(parts, bytesOf(f.Bytes))
	}
	return strings.Join(parts, ", ")
}

// recovery says how long the target needed after the fault, "" where it was never there.
func recovery(f checkers.FaultResult) string {
	switch {
	case f.Verdict == checkers.NotReached || f.Healed == 0 && f.End == 0:
		return ""
	case f.Recovery < 0:
		return "never recovered"
	}
	return "recovered in " + took(f.Recovery)
}

// span gives the interval in which a fault could act: from its begin until it was seen to be gone. A fault that was never healed
// lasts to the end of the run.
func span(f checkers.FaultResult, end time.Duration) (from, to time.Duration, ok bool) {
	if f.Verdict == checkers.NotReached {
		return 0, 0, false
	}
	to = max(f.Healed, f.End)
	if to <= f.Begin {
		to = max(end, f.Begin)
	}
	return f.Begin, to, true
}

// shape adds to a fault's target what the plan says of it: "+250ms", "for 1s".
func shape(s faults.Spec) string {
	var p []string
	if s.Delay > 0 {
		p = append(p, "+"+took(s.Delay))
	}
	if s.Rate > 0 {
		p = append(p, bytesOf(s.Rate)+"/s")
	}
	if s.Flap > 0 {
		p = append(p, "flapping every "+took(s.Flap))
	}
	if s.For > 0 {
		p = append(p, "for "+took(s.For))
	}
	if s.Grace > 0 {
		p = append(p, "grace "+took(s.Grace))
	}
	return strings.Join(p, ", ")
}

// elapsed is how long the run took, on the wall clock; 0 where it is not known.
func elapsed(r Run) time.Duration {
	if r.Manifest.Started.IsZero() || r.Manifest.Ended.IsZero() {
		return 0
	}
	return r.Manifest.Ended.Sub(r.Manifest.Started)
}

func scenario(r Run) string { return firstOf(r.Manifest.Scenario, r.Plan.Scenario, "history") }
func target(r Run) string   { return firstOf(r.Manifest.Target, r.Plan.Target) }
func defect(r Run) string   { return firstOf(r.Manifest.Defect, r.Plan.Defect) }

func firstOf(ss ...string) string {
	for _, s := range ss {
		if s != "" {
			return s
		}
	}
	return ""
}

func seed(r Run) uint64 {
	if r.Manifest.Seed != 0 {
		return r.Manifest.Seed
	}
	return r.Plan.Seed
}

// word is the verdict as a headline.
func word(v checkers.Verdict) string {
	if v == "" {
		v = checkers.Errored
	}
	return strings.ToUpper(string(v))
}

// metric is an indicator's value with its unit.
func metric(m checkers.Metric) string {
	if m.NA || math.IsNaN(m.Value) || math.IsInf(m.Value, 0) {
		return "n/a"
	}
	switch m.Unit {
	case "s":
		return took(time.Duration(m.Value * float64(time.Second)))
	case "ratio":
		return strconv.FormatFloat(m.Value*100, 'g', 4, 64) + " %"
	case "count", "":
		if m.Value == math.Trunc(m.Value) && math.Abs(m.Value) < 1e15 {
			return num(int(m.Value))
		}
		return strconv.FormatFloat(m.Value, 'f', 2, 64)
	}
	return strconv.FormatFloat(m.Value, 'g', 4, 64) + " " + line(m.Unit)
}

// num writes 1204 as 1,204.
func num(n int) string {
	s := strconv.Itoa(n)
	sign := ""
	if n < 0 {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}

func count(n int, what string) string { return verb(n, what, "", "") }

// verb makes noun and verb agree with a count: verb(1, "guarantee", "holds", "hold") is "1 guarantee holds".
func verb(n int, what, one, many string) string {
	v := one
	if n != 1 {
		what, v = what+"s", many
	}
	return strings.TrimSuffix(num(n)+" "+what+" "+v, " ")
}

// took writes a duration with three significant digits: 412ms, 2.41s, 1m32s.
func took(d time.Duration) string {
	switch a := d.Abs(); {
	case a == 0:
		return "0s"
	case a < time.Microsecond:
		return d.String()
	case a < time.Millisecond:
		return strconv.FormatFloat(float64(d)/1e3, 'g', 3, 64) + "µs"
	case a < time.Second:
		return trimZero(strconv.FormatFloat(float64(d)/1e6, 'f', digits(float64(a)/1e6), 64)) + "ms"
	case a < time.Minute:
		return trimZero(strconv.FormatFloat(d.Seconds(), 'f', digits(a.Seconds()), 64)) + "s"
	}
	return d.Round(time.Second).String()
}

func digits(v float64) int {
	switch {
	case v < 10:
		return 2
	case v < 100:
		return 1
	}
	return 0
}

func trimZero(s string) string {
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}

// at writes an instant of a run: 2.104s.
func at(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 3, 64) + "s" }

func bytesOf(n int64) string {
	switch {
	case n < 1000:
		return strconv.FormatInt(n, 10) + " B"
	case n < 1000*1000:
		return strconv.FormatFloat(float64(n)/1e3, 'f', 1, 64) + " kB"
	case n < 1000*1000*1000:
		return strconv.FormatFloat(float64(n)/1e6, 'f', 1, 64) + " MB"
	}
	return strconv.FormatFloat(float64(n)/1e9, 'f', 1, 64) + " GB"
}

// clip shortens a text to n bytes at most, at a rune, and says how much is missing.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	cut := n
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return fmt.Sprintf("%s… (%s more)", s[:cut], bytesOf(int64(len(s)-cut)))
}

// line makes recorded text safe for a terminal and for one line: no control character, no escape sequence, no text that runs
// backwards, clipped.
func line(s string) string {
	return strings.Map(func(c rune) rune {
		if c == '\n' || c == '\t' || c == '\r' {
			return ' '
		}
		return visible(c)
	}, clip(s, clipAt))
}

// visible replaces what a reader could not see and a terminal would obey.
func visible(c rune) rune {
	if unicode.IsControl(c) && c != '\n' || unicode.Is(unicode.Bidi_Control, c) || c == utf8.RuneError {
		return '�'
	}
	return c
}

func upperFirst(s string) string {
	c, n := utf8.DecodeRuneInString(s)
	if n == 0 || c == utf8.RuneError {
		return s
	}
	return string(unicode.ToUpper(c)) + s[n:]
}
