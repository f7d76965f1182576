package reports

import (
	"fmt"
	"io"
	"strings"

	"github.com/wreckon/wreckon/checkers"
)

// indicator is a measured indicator as a reader wants it: one line, with all the quantiles of a distribution on it.
type indicator struct {
	M, Name, Doc string
	Value        string
}

// quantiles are the endings of the names of a distribution's metrics.
var quantiles = []string{"p50", "p95", "p99", "max"}

// indicators lists what was measured: first the ten indicators of safe completion, then the others.
func indicators(metrics []checkers.Metric) (ten, others []indicator) {
	for i := 0; i < len(metrics); {
		n, x := oneIndicator(metrics[i:])
		if i += n; x.M != "" {
			ten = append(ten, x)
		} else {
			others = append(others, x)
		}
	}
	return ten, others
}

// oneIndicator takes a metric, or all that follow each other of one distribution.
func oneIndicator(metrics []checkers.Metric) (n int, x indicator) {
	first := metrics[0]
	base, _, split := cutQuantile(first.Name)
	if !split {
		return 1, indicator{M: first.M, Name: first.Name, Doc: first.Doc, Value: metric(first)}
	}
	var parts []string
	measured := false
	for _, m := range metrics {
		of, q, split := cutQuantile(m.Name)
		if !split || of != base {
			break
		}
		measured = measured || !m.NA
		parts = append(parts, q+" "+metric(m))
		n++
	}
	doc, _, _ := strings.Cut(first.Doc, ": median")
	x = indicator{M: first.M, Name: base, Doc: doc, Value: strings.Join(parts, " · ")}
	if !measured {
		x.Value = metric(checkers.Metric{NA: true})
	}
	return n, x
}

func cutQuantile(name string) (base, quantile string, ok bool) {
	for _, q := range quantiles {
		if base, ok := strings.CutSuffix(name, "."+q); ok {
			return base, q, true
		}
	}
	return name, "", false
}

// indicatorsMarkdown writes the ten indicators, apart from the guarantees: they have a budget, guarantees have none.
func indicatorsMarkdown(w io.Writer, metrics []checkers.Metric) {
	ten, _ := indicators(metrics)
	if len(ten) == 0 {
		return
	}
	fmt.Fprint(w, "#### Indicators\n\n| | indicator | value |\n| --- | --- | --- |\n")
	for _, x := range ten {
		fmt.Fprintf(w, "| %s | %s | %s |\n", md(x.M), md(x.Name), md(x.Value))
	}
	fmt.Fprintln(w)
}

// indicators writes the ten indicators below what holds without a budget.
func (t *text) indicators(r Run) {
	ten, _ := indicators(r.Result.Metrics)
	if len(ten) == 0 {
		return
	}
	t.section("indicators")
	width := 0
	for _, x := range ten {
		width = max(width, cells(line(x.Name)))
	}
	for _, x := range ten {
		t.wrap("  "+t.paint.grey(pad(line(x.M), 3))+"  "+pad(line(x.Name), width)+"  ", x.Value)
	}
}
