package reports

import (
	"fmt"
	"io"
	"strings"

	"github.com/wreckon/wreckon/checkers"
)

// markdownMax is how long a summary may get: GitHub drops a step's whole summary above 1 MiB.
const markdownMax = 900_000

// markdownStory is how many lines of a story the summary tells.
const markdownStory = 40

// Markdown writes the summary that is shown beside a pipeline's result: the verdict, the guarantees in one table, each finding
// folded, and the command that repeats the run. It stays below 900 kB and says so where it had to leave findings out.
func Markdown(w io.Writer, r Run) error {
	head, tail := markdownHead(r), markdownTail(r)
	var b strings.Builder
	b.WriteString(head)
	fs := findings(r)
	if len(fs) > 0 {
		b.WriteString("#### Findings\n\n")
	}
	shown := 0
	for _, f := range fs {
		s := markdownFinding(f)
		if b.Len()+len(s)+len(tail)+200 > markdownMax {
			break
		}
		b.WriteString(s)
		shown++
	}
	if more := total(r.Result) - shown; more > 0 {
		fmt.Fprintf(&b, "_%s more, left out of this summary: see report.html and result.json._\n\n", verb(more, "finding", "is", "are"))
	}
	b.WriteString(tail)
	out := b.String()
	if len(out) > markdownMax {
		out = clip(out, markdownMax-200) + "\n\n_Cut at 900 kB: see report.html and result.json._\n"
	}
	_, err := io.WriteString(w, out)
	return err
}

func markdownHead(r Run) string {
	var b strings.Builder
	fmt.Fprintf(&b, "### %s %s: %s\n\n", verdictMark(r.Result.Verdict), word(known(r.Result.Verdict)), md(scenario(r)))
	fmt.Fprintf(&b, "%s.\n\n", strings.TrimRight(md(upperFirst(why(r))), "."))
	if s := outcome(r); s != "" {
		fmt.Fprintf(&b, "**%s.** ", s)
	}
	fmt.Fprintf(&b, "Seed `%d`", seed(r))
	if d := defect(r); d != "" {
		fmt.Fprintf(&b, ", with defect %s", md(d))
	}
	fmt.Fprintf(&b, ". %s.\n\n", md(countsLine(r)))
	if js := r.Result.Guarantees; len(js) > 0 {
		b.WriteString("| | guarantee | checked | result |\n| --- | --- | ---: | --- |\n")
		for _, j := range js {
			checkedN := num(j.Checked) + " " + j.What
			if j.Status == checkers.NotTested {
				checkedN = "–"
			}
			says := statusWord(j.Status)
			if n := max(j.Total, len(j.Findings)); n > 0 {
				says += ", " + count(n, "finding")
			}
			if j.Reason != "" {
				says += ": " + j.Reason
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", mark(j.Status), md(j.Guarantee), md(checkedN), md(says))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func markdownFinding(f checkers.Finding) string {
	var b strings.Builder
	fmt.Fprintf(&b, "<details><summary><b>%s</b>: %s</summary>\n\n", markup(line(f.Guarantee)), markup(line(f.Sentence)))
	b.WriteString("| when | who | what | |\n| ---: | --- | --- | --- |\n")
	for _, l := range f.Story[:min(markdownStory, len(f.Story))] {
		note := md(l.Note)
		if l.Proof {
			note = strings.TrimSpace(note + " ←")
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", at(l.T), md(whoOf(l)), md(l.Text), note)
	}
	b.WriteByte('\n')
	if more := len(f.Story) - markdownStory; more > 0 {
		fmt.Fprintf(&b, "_%s more in report.html._\n\n", count(more, "line"))
	}
	if len(f.Faults) > 0 {
		fmt.Fprintf(&b, "Faults in force: %s.\n\n", md(strings.Join(f.Faults, ", ")))
	}
	if f.Twin != "" {
		fmt.Fprintf(&b, "%s\n\n", md(upperFirst(f.Twin)))
	}
	b.WriteString("</details>\n\n")
	return b.String()
}

func markdownTail(r Run) string {
	var b strings.Builder
	if fs := r.Result.Faults; len(fs) > 0 {
		b.WriteString("#### Faults\n\n| | fault | verdict | did it bite | recovery |\n| --- | --- | --- | --- | --- |\n")
		for _, f := range fs {
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", faultMark(f.Verdict), md(f.ID+" "+f.Kind+" "+f.Target),
				md(paren(faultWord(f.Verdict), f.Reason)), md(bite(f)), md(recovery(f)))
		}
		b.WriteByte('\n')
	}
	indicatorsMarkdown(&b, r.Result.Metrics)
	for _, s := range []struct {
		name string
		cs   []checkers.Condition
	}{{"Requirements", r.Result.Require}, {"Thresholds", r.Result.Thresholds}} {
		if len(s.cs) == 0 {
			continue
		}
		fmt.Fprintf(&b, "#### %s\n\n", s.name)
		for _, c := range s.cs {
			fmt.Fprintf(&b, "- %s %s: %s\n", metMark(c.Met), md(c.Text), md(paren(c.Actual, c.Reason)))
		}
		b.WriteByte('\n')
	}
	if ws := append(append([]string{}, r.Result.Warnings...), r.Manifest.Warnings...); len(ws) > 0 {
		b.WriteString("#### Warnings\n\n")
		for _, s := range ws[:min(100, len(ws))] {
			fmt.Fprintf(&b, "- %s\n", md(s))
		}
		b.WriteByte('\n')
	}
	if r.Manifest.Repeat != "" {
		fmt.Fprintf(&b, "Repeat it with\n\n    %s\n\n", line(r.Manifest.Repeat))
	}
	if r.Dir != "" {
		fmt.Fprintf(&b, "The whole report is %s in %s.\n", "`report.html`", md(r.Dir))
	}
	return b.String()
}

func verdictMark(v checkers.Verdict) string {
	switch v {
	case checkers.Pass:
		return "✓"
	case checkers.Violation, checkers.Missed:
		return "✗"
	case checkers.Inconclusive:
		return "?"
	}
	return "!"
}

// md makes recorded text inert in Markdown: one line, no markup, no HTML, no table cell that ends early, nobody mentioned.
func md(s string) string {
	s = line(s)
	var b strings.Builder
	for _, c := range s {
		switch c {
		case '<':
			b.WriteString("&lt;")
		case '>':
			b.WriteString("&gt;")
		case '&':
			b.WriteString("&amp;")
		case '@':
			b.WriteString("&#64;")
		case '\\', '`', '*', '_', '[', ']', '|', '~', '#', '!', '$':
			b.WriteByte('\\')
			b.WriteRune(c)
		default:
			b.WriteRune(c)
		}
	}
	return b.String()
}

// markup makes text inert inside an HTML element.
func markup(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&#34;", "'", "&#39;", "@", "&#64;").Replace(s)
}
