package reports

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/wreckon/wreckon/checkers"
	"github.com/wreckon/wreckon/internal/rundir"
)

// TermOptions says what the terminal can do. The zero value writes plain lines of any length, as a pipeline's log wants them.
type TermOptions struct {
	Color bool
	Width int // columns; longer sentences are wrapped. 0: never wrap
}

// inFull is how many findings the terminal tells with their whole story.
const inFull = 3

// Summary writes the end of a run for people: the faults and whether they bit, the guarantees, the findings with their stories,
// the ten indicators, requirements and thresholds; and last, because that is what stays on the screen, the verdict, what was not tested, the report
// and the command that repeats the run.
func Summary(w io.Writer, r Run, o TermOptions) error {
	t := &text{paint: paint(o.Color), width: o.Width}
	t.head(r)
	t.faults(r)
	t.guarantees(r)
	t.findings(r)
	t.indicators(r)
	t.conditions("requirements", r.Result.Require, "not met")
	t.conditions("thresholds", r.Result.Thresholds, "missed")
	t.warnings(r)
	t.end(r)
	_, err := io.WriteString(w, t.b.String())
	return err
}

type text struct {
	b     strings.Builder
	paint paint
	width int
}

func (t *text) head(r Run) {
	m, c := r.Manifest, r.Result.Counts
	parts := []string{t.paint.bold(line(scenario(r)))}
	if tg := target(r); tg != "" {
		parts = append(parts, "on "+line(tg))
	}
	if d := defect(r); d != "" {
		parts = append(parts, t.paint.amber("with defect "+line(d)))
	}
	parts = append(parts, fmt.Sprintf("seed %d", seed(r)))
	if m.Run != "" {
		parts = append(parts, t.paint.grey("run "+line(m.Run)))
	}
	t.b.WriteString(strings.Join(parts, "  ") + "\n")
	t.b.WriteString(t.paint.grey(countsLine(r)) + "\n")
	if c.Units == 0 && c.Operations == 0 {
		t.b.WriteString(t.paint.grey("nothing was asked of the target") + "\n")
	}
}

// countsLine says how much there was to judge.
func countsLine(r Run) string {
	c := r.Result.Counts
	s := fmt.Sprintf("%s: %s acknowledged, %s refused, %s unknown · %s: %s ok, %s fail, %s info · %s applied, %s deduplicated",
		count(c.Units, "unit"), num(c.Acknowledged), num(c.Refused), num(c.Unknown),
		count(c.Operations, "operation"), num(c.OK), num(c.Fail), num(c.Info), count(c.Effects, "effect"), num(c.Deduplicated))
	if d := elapsed(r); d > 0 {
		s += " · " + took(d)
	}
	for _, m := range r.Result.Metrics { // without it, no latency of a run means anything
		if m.Name == "lateness.p99" && !m.NA {
			s += " · load late by " + took(time.Duration(m.Value*float64(time.Second))) + " (p99)"
		}
	}
	return s
}

func (t *text) section(name string) { fmt.Fprintf(&t.b, "\n%s\n", t.paint.bold(name)) }

func (t *text) faults(r Run) {
	fs := r.Result.Faults
	if len(fs) == 0 {
		return
	}
	t.section("faults")
	idWidth, whatWidth := 0, 0
	for _, f := range fs {
		idWidth = max(idWidth, cells(line(f.ID)))
		whatWidth = max(whatWidth, cells(line(f.Kind+" "+f.Target)))
	}
	whatWidth = min(whatWidth, 44)
	for _, f := range fs {
		word := faultWord(f.Verdict)
		parts := []string{t.paint.fault(f.Verdict, word)}
		if f.Reason != "" {
			parts = append(parts, line(f.Reason))
		}
		for _, p := range []string{bite(f), recovery(f)} {
			if p != "" {
				parts = append(parts, p)
			}
		}
		when := strings.Repeat(" ", 19)
		if from, to, ok := span(f, 0); ok {
			when = fmt.Sprintf("%8s – %8s", at(from), at(to))
		}
		t.item(t.paint.fault(f.Verdict, faultMark(f.Verdict)),
			pad(line(f.ID), idWidth)+"  "+pad(line(f.Kind+" "+f.Target), whatWidth)+"  "+t.paint.grey(when)+"  ", strings.Join(parts, ", "))
	}
}

func (t *text) guarantees(r Run) {
	js := r.Result.Guarantees
	if len(js) == 0 {
		return
	}
	t.section("guarantees")
	width := 0
	for _, j := range js {
		width = max(width, cells(line(j.Guarantee)))
	}
	for _, j := range js {
		says := checked(j)
		switch j.Status {
		case checkers.Violated:
			says += ", " + t.paint.red(count(max(j.Total, len(j.Findings)), "finding"))
		case checkers.NotTested:
			says = t.paint.grey("not tested")
		case checkers.Holds:
		default:
			says += ", " + t.paint.violet("undecided")
		}
		if j.Reason != "" {
			says += ": " + line(j.Reason)
		}
		t.item(t.paint.status(j.Status, mark(j.Status)), pad(line(j.Guarantee), width)+"  ", says)
	}
}

func (t *text) findings(r Run) {
	fs := findings(r)
	if len(fs) == 0 {
		return
	}
	t.section("findings")
	for i, f := range fs[:min(inFull, len(fs))] {
		if i > 0 {
			t.b.WriteByte('\n')
		}
		t.item(t.paint.red("✗"), t.paint.bold(line(f.Guarantee))+"  ", t.paint.bold(line(f.Sentence)))
		t.story(f.Story)
		if len(f.Faults) > 0 {
			t.wrap("    ", t.paint.grey("faults in force: "+line(strings.Join(f.Faults, ", "))))
		}
		if f.Twin != "" {
			t.wrap("    ", line(f.Twin))
		}
	}
	if more := total(r.Result) - min(inFull, len(fs)); more > 0 {
		fmt.Fprintf(&t.b, "  %s more in the report\n", num(more))
	}
}

func (t *text) story(lines []checkers.StoryLine) {
	who, note := 0, 0
	for _, l := range lines {
		who = max(who, cells(whoOf(l)))
		if l.Note != "" {
			note = max(note, cells(line(l.Text)))
		}
	}
	who, note = min(who, 24), min(note, 60)
	for _, l := range lines {
		says := line(l.Text)
		if l.Note != "" {
			says = pad(says, note) + "  " + line(l.Note)
		}
		lead := fmt.Sprintf("    %8s  %s  ", at(l.T), pad(whoOf(l), who))
		switch {
		case l.Fault:
			t.wrap(lead, t.paint.amber(says))
		case l.Proof:
			t.wrap(lead, t.paint.red(says+"  ←"))
		default:
			t.wrap(lead, says)
		}
	}
}

func whoOf(l checkers.StoryLine) string {
	if l.Fault {
		return "↯ " + line(l.Who)
	}
	return line(l.Who)
}

func (t *text) conditions(name string, cs []checkers.Condition, unmet string) {
	if len(cs) == 0 {
		return
	}
	t.section(name)
	width := 0
	for _, c := range cs {
		width = max(width, cells(line(c.Text)))
	}
	for _, c := range cs {
		m, says := t.paint.green(metMark(true)), line(c.Actual)
		if !c.Met {
			m = t.paint.amber(metMark(false))
			says = strings.TrimSpace(says + "  " + t.paint.amber(unmet))
		}
		if c.Reason != "" {
			says += ": " + line(c.Reason)
		}
		t.item(m, pad(line(c.Text), min(width, 48))+"  ", says)
	}
}

// warnings are what limits the verdict without changing it.
func (t *text) warnings(r Run) {
	ws := append(append([]string{}, r.Result.Warnings...), r.Manifest.Warnings...)
	if len(ws) == 0 {
		return
	}
	t.section("warnings")
	for _, w := range ws {
		t.item(t.paint.amber("!"), "", line(w))
	}
}

func (t *text) end(r Run) {
	v := known(r.Result.Verdict)
	t.b.WriteByte('\n')
	t.wrap(t.paint.verdict(v, word(v))+"  ", line(why(r)))
	if s := outcome(r); s != "" {
		t.wrap("result      ", s+t.paint.grey(fmt.Sprintf("  (exit %d)", v.ExitCode())))
	}
	if nt := notTested(r.Result); len(nt) > 0 {
		t.wrap("not tested  ", line(strings.Join(nt, ", ")))
	} else if len(r.Result.Guarantees) > 0 {
		t.wrap("not tested  ", "nothing that the scenario names")
	}
	if r.Dir != "" {
		fmt.Fprintf(&t.b, "report      %s\n", line(filepath.Join(r.Dir, rundir.ReportFile)))
	}
	if r.Manifest.Repeat != "" {
		fmt.Fprintf(&t.b, "repeat      %s\n", line(r.Manifest.Repeat))
	}
}

// item writes a marked line: what wraps hangs under its text.
func (t *text) item(mark, lead, says string) { t.wrap("  "+mark+" "+lead, says) }

// wrap writes lead and text, breaking at spaces where the terminal is too narrow; what follows is indented to the text. A lead
// wider than half the terminal is not hung under: eight columns then do.
func (t *text) wrap(lead, says string) {
	indent := cells(lead)
	if t.width > 0 && indent > t.width/2 {
		indent = 8
	}
	t.b.WriteString(lead)
	col := cells(lead)
	for i, wd := range strings.Split(says, " ") {
		n := cells(wd)
		switch {
		case i == 0:
		case t.width > 0 && col+1+n > t.width && col > indent:
			t.b.WriteString("\n" + strings.Repeat(" ", indent))
			col = indent
		default:
			t.b.WriteByte(' ')
			col++
		}
		t.b.WriteString(wd)
		col += n
	}
	t.b.WriteByte('\n')
}

// cells counts the columns a text takes: its runes, without colour sequences.
func cells(s string) int {
	n := 0
	for i := 0; i < len(s); {
		if s[i] == 0x1b {
			end := strings.IndexByte(s[i:], 'm')
			if end < 0 {
				break
			}
			i += end + 1
			continue
		}
		_, size := utf8.DecodeRuneInString(s[i:])
		i += size
		n++
	}
	return n
}

func pad(s string, n int) string { return s + strings.Repeat(" ", max(0, n-cells(s))) }

// paint colours text, or leaves it alone.
type paint bool

func (p paint) sgr(code, s string) string {
	if !p || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func (p paint) bold(s string) string   { return p.sgr("1", s) }
func (p paint) grey(s string) string   { return p.sgr("90", s) }
func (p paint) red(s string) string    { return p.sgr("31", s) }
func (p paint) green(s string) string  { return p.sgr("32", s) }
func (p paint) amber(s string) string  { return p.sgr("33", s) }
func (p paint) violet(s string) string { return p.sgr("35", s) }

func (p paint) status(st checkers.Status, s string) string {
	switch st {
	case checkers.Holds:
		return p.green(s)
	case checkers.Violated:
		return p.red(s)
	case checkers.NotTested:
		return p.grey(s)
	}
	return p.violet(s)
}

func (p paint) fault(v checkers.FaultVerdict, s string) string {
	switch v {
	case checkers.Confirmed:
		return p.green(s)
	case checkers.Misfired:
		return p.red(s)
	}
	return p.violet(s)
}

func (p paint) verdict(v checkers.Verdict, s string) string {
	switch v {
	case checkers.Pass:
		return p.sgr("1;32", s)
	case checkers.Violation:
		return p.sgr("1;31", s)
	case checkers.Inconclusive:
		return p.sgr("1;35", s)
	}
	return p.sgr("1;33", s)
}
