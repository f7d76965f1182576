package reports

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/wreckon/wreckon/checkers"
)

// gravity orders the verdicts, worst first. A violation wins over everything: it is the one thing that was shown.
var gravity = []checkers.Verdict{checkers.Violation, checkers.Errored, checkers.Aborted, checkers.Inconclusive, checkers.Missed, checkers.Pass}

// Worst is the verdict that several runs come to together: their gravest. No runs at all prove nothing and are an error.
func Worst(runs []Run) checkers.Verdict {
	for _, v := range gravity {
		for _, r := range runs {
			if known(r.Result.Verdict) == v {
				return v
			}
		}
	}
	return checkers.Errored
}

// Tally counts the verdicts of several runs, gravest first: "2 violation, 18 pass".
func Tally(runs []Run) string {
	n := map[checkers.Verdict]int{}
	for _, r := range runs {
		n[known(r.Result.Verdict)]++
	}
	var parts []string
	for _, v := range gravity {
		if n[v] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n[v], v))
		}
	}
	return strings.Join(parts, ", ")
}

// known maps a verdict that this version does not know to error: never to a pass.
func known(v checkers.Verdict) checkers.Verdict {
	for _, g := range gravity {
		if v == g {
			return v
		}
	}
	return checkers.Errored
}

// Table writes several runs as one compact table, a line each, and under it how many came to which verdict and the exit code that
// they have together.
func Table(w io.Writer, runs []Run, o TermOptions) error {
	rows := [][]string{{"verdict", "scenario", "seed", "findings", "faults", "units", "took", "run"}}
	for _, r := range runs {
		confirmed := 0
		for _, f := range r.Result.Faults {
			if f.Verdict == checkers.Confirmed {
				confirmed++
			}
		}
		name := line(scenario(r))
		if d := defect(r); d != "" {
			name += " (" + line(d) + ")"
		}
		rows = append(rows, []string{
			string(known(r.Result.Verdict)), name, strconv.FormatUint(seed(r), 10), num(total(r.Result)),
			fmt.Sprintf("%d/%d", confirmed, len(r.Result.Faults)), num(r.Result.Counts.Units), took(elapsed(r)), line(firstOf(r.Dir, r.Manifest.Run)),
		})
	}
	width := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, c := range row {
			width[i] = max(width[i], cells(c))
		}
	}
	p := paint(o.Color)
	var b strings.Builder
	for n, row := range rows {
		var out []string
		for i, c := range row {
			s := pad(c, width[i])
			switch {
			case i >= 2 && i <= 6: // numbers, to the right
				s = strings.Repeat(" ", width[i]-cells(c)) + c
			case i == len(row)-1:
				s = c
			}
			switch {
			case n == 0:
				s = p.grey(s)
			case i == 0:
				s = p.verdict(checkers.Verdict(c), s)
			}
			out = append(out, s)
		}
		b.WriteString(strings.Join(out, "  ") + "\n")
	}
	v := Worst(runs)
	fmt.Fprintf(&b, "\n%s  %s in %s, exit %d\n", p.verdict(v, word(v)), Tally(runs), count(len(runs), "run"), v.ExitCode())
	_, err := io.WriteString(w, b.String())
	return err
}
