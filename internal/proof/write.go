package proof

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/wreckon/wreckon/checkers"
)

// About says where a matrix comes from.
type About struct {
	Version, Date, Machine, Command, Took string

	Target      string // whose defects they are; "": those of the reference
	Environment string // that the runs were made in; "": processes
}

// table is what is shown, before anybody has decided how.
type table struct {
	head []string
	rows [][]string
}

func (m *Matrix) defects() table {
	t := table{head: []string{"defect", "must fall", "scenario", "faults", "found", "after", "a run", "also fell"}}
	for _, c := range m.Cells {
		if c.Defect != "" {
			t.rows = append(t.rows, []string{c.Defect, c.Falls, c.Scenario, c.Placed, fmt.Sprintf("%d of %d", c.fell[c.Falls], c.made()),
				median(c.found), median(c.took), tally(c.fell, c.Falls)})
		}
	}
	return t
}

func (m *Matrix) correct() table {
	t := table{head: []string{"correct system", "faults", "false alarms", "passed", "a run", "otherwise"}}
	for _, c := range m.Cells {
		if c.Defect == "" {
			t.rows = append(t.rows, []string{c.Scenario, c.Placed, fmt.Sprint(c.verdicts[checkers.Violation]),
				fmt.Sprintf("%d of %d", c.verdicts[checkers.Pass], c.made()), median(c.took), tally(c.verdicts, checkers.Pass)})
		}
	}
	return t
}

func (m *Matrix) guarantees() table {
	t := table{head: []string{"guarantee", "proven by"}}
	for _, g := range m.wanted() {
		var by []string
		for _, c := range m.Cells {
			if c.Falls == g && c.proves() && !slices.Contains(by, c.Defect) {
				by = append(by, c.Defect)
			}
		}
		if len(by) > 0 {
			t.rows = append(t.rows, []string{g, strings.Join(by, ", ")})
		}
	}
	return t
}

// notes are what the tables do not say, a sentence each.
func (m *Matrix) notes() []string {
	if m.Part {
		return []string{"This is a part of the matrix: whether every guarantee is proven by some defect is not judged."}
	}
	var notes []string
	say := func(what string, names []string) {
		if len(names) > 0 {
			notes = append(notes, fmt.Sprintf("%s (%d): %s.", what, len(names), strings.Join(names, ", ")))
		}
	}
	say("Not proven by any defect yet", m.Unproven())
	say("Scenarios that no defect is claimed to be found by", m.Idle())
	say("Defects found only where faults are placed at exact points", m.Exact())
	return notes
}

// strays are the runs that did not end as they should.
func (m *Matrix) strays() []string {
	var lines []string
	for _, c := range m.Cells {
		for _, o := range c.odd {
			lines = append(lines, "odd: "+c.name()+": "+o)
		}
		for _, o := range c.notMade {
			lines = append(lines, "not made: "+c.name()+": "+o)
		}
	}
	return lines
}

// Text writes the matrix for a terminal: the tables, what they do not say, and last what it comes to.
func (m *Matrix) Text(w io.Writer, complete bool) error {
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, t := range []table{m.defects(), m.correct(), m.guarantees()} {
		if len(t.rows) == 0 {
			continue
		}
		for _, row := range append([][]string{t.head}, t.rows...) {
			fmt.Fprintln(tw, strings.Join(row, "\t"))
		}
		fmt.Fprintln(tw)
		if err := tw.Flush(); err != nil {
			return err
		}
	}
	for _, line := range append(m.notes(), m.strays()...) {
		fmt.Fprintln(w, line)
	}
	outcome, problems := m.Judge(complete)
	for _, p := range problems {
		fmt.Fprintln(w, "✗ "+p.Text)
	}
	mark := "✗"
	if outcome == Proven {
		mark = "✓"
	}
	_, err := fmt.Fprintf(w, "%s %s (exit %d)\n", mark, outcome.Means, outcome.Code)
	return err
}

// Markdown writes the matrix as a page of documentation.
func (m *Matrix) Markdown(w io.Writer, a About, complete bool) error {
	var b strings.Builder
	outcome, problems := m.Judge(complete)
	fmt.Fprintf(&b, "# The proof\n\n<!-- Written by %s: do not edit. -->\n\n", a.Command)
	b.WriteString(a.subject())
	fmt.Fprintf(&b, "Version %s, %s, %s; the runs took %s%s.\n\n**%s.**\n\n", a.Version, a.Date, a.Machine, a.Took, a.where(), capital(outcome.Means))
	for _, p := range problems {
		fmt.Fprintf(&b, "- ✗ %s\n", p.Text)
	}
	if len(problems) > 0 {
		b.WriteString("\n")
	}
	b.WriteString("## Every defect is found\n\n")
	m.defects().markdown(&b)
	b.WriteString("*found*: the runs in which the guarantee that must fall fell. *after*: the median time from the beginning of the first fault that the first\n" +
		"finding has to do with to the last event that proves it; what is lost or left open shows only at the end of a run. *also fell*: guarantees that\n" +
		"fell beside it, and in how many runs.\n\n")
	b.WriteString("## The correct system is left alone\n\n")
	m.correct().markdown(&b)
	b.WriteString("## What is proven, and what is not\n\n")
	m.guarantees().markdown(&b)
	for _, n := range m.notes() {
		fmt.Fprintf(&b, "- %s\n", n)
	}
	if strays := m.strays(); len(strays) > 0 {
		b.WriteString("\n## Runs that did not end as they should\n\n")
		for _, s := range strays {
			fmt.Fprintf(&b, "- %s\n", strings.ReplaceAll(s, "\n", " "))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// subject says what was proven with what.
func (a About) subject() string {
	if a.Target != "" {
		return fmt.Sprintf("A tester that nobody has tested says nothing by its silence. This page is the test of the tester on one target: `%s` with each of the\n"+
			"defects that it declares, under the scenarios that must show it, and the target as it is under each of these scenarios.\n\n", a.Target)
	}
	return "A tester that nobody has tested says nothing by its silence. This page is the test of the tester: the reference system with each of its\n" +
		"deliberate [defects](reference.md#defects), under the scenarios that must show it, and the correct system under every scenario that is\n" +
		"shipped. `make prove` makes it again.\n\n"
}

func (a About) where() string {
	if a.Environment == "" {
		return ""
	}
	return ", with --env " + a.Environment
}

func (t table) markdown(b *strings.Builder) {
	fmt.Fprintf(b, "| %s |\n|%s\n", strings.Join(t.head, " | "), strings.Repeat(" --- |", len(t.head)))
	for _, row := range t.rows {
		fmt.Fprintf(b, "| %s |\n", strings.Join(row, " | "))
	}
	b.WriteString("\n")
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
