package reports

import (
	"fmt"
	"strings"
	"time"

	"github.com/wreckon/wreckon/checkers"
	"github.com/wreckon/wreckon/faults"
)

// The words that all writers share, so that the terminal, the summary and the page say the same thing of the same run.

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

// findings lists the findings that the result holds: first one of each guarantee, then the others, so that a guarantee with many
// findings does not hide another.
func findings(r Run) []checkers.Finding {
	var first, others []checkers.Finding
	for _, j := range r.Result.Guarantees {
		if len(j.Findings) > 0 {
			first = append(first, j.Findings[0])
			others = append(others, j.Findings[1:]...)
		}
	}
	return append(first, others...)
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
	if len(f.Bites) > 0 || f.Exchange != "" {
		return bitAt(f)
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

// bitAt says at which exchange a fault bit, and what that did: "bit at POST /charges #12 of o-17, after: answer dropped".
func bitAt(f checkers.FaultResult) string {
	if len(f.Bites) == 0 {
		return "bit at " + line(f.Exchange)
	}
	b := f.Bites[0]
	s := "bit at " + exchangeName(b)
	if b.Unit != "" {
		s += " of " + line(b.Unit)
	}
	if b.Point != "" {
		s += ", " + line(b.Point)
	}
	if edge := b.From + " -> " + b.To; b.To != "" && edge != f.Target {
		s += ", on " + line(edge)
	}
	if f.Verdict == checkers.Confirmed && b.Did != "" {
		s += ": " + line(b.Did)
	}
	if more := f.Hits - 1; more > 0 {
		s += fmt.Sprintf(", and at %s more", num(more))
	}
	return s
}

// exchangeName is how a person names an exchange: "POST /charges #12".
func exchangeName(b checkers.Bite) string {
	name := clip(line(b.Exchange), 120)
	if b.Nth > 0 {
		name += fmt.Sprintf(" #%d", b.Nth)
	}
	return name
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
	if w := s.When; w != nil {
		p = append(p, waits(*w))
	}
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
	if s.Frame != "" {
		p = append(p, "then the message: "+line(s.Frame))
	}
	if s.End != "" {
		p = append(p, "then the connection: "+line(s.End))
	}
	if s.Again != "" {
		p = append(p, "again "+line(s.Again))
	}
	return strings.Join(p, ", ")
}

// waits is the exchange that a fault is placed at: "at POST /charges #3 of o-17, after".
func waits(w faults.When) string {
	s := "at " + clip(line(w.Exchange), 120)
	switch {
	case w.Nth > 0:
		s += fmt.Sprintf(" #%d", w.Nth)
	case w.Every > 0:
		s += fmt.Sprintf(", one in %d", w.Every)
	}
	if w.Unit != "" {
		s += " of " + line(w.Unit)
	}
	if w.Point != "" {
		s += ", " + line(w.Point)
	}
	return s
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
