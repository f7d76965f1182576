package reports

import (
	"fmt"
	"strings"
	"time"

	"github.com/wreckon/wreckon/internal/otlp"
)

// pageSpans bounds how many spans the page shows of one unit.
const pageSpans = 200

// spanView is a line of what components told of a unit.
type spanView struct {
	At, Took, Indent, Service, Name, Attempt, Outcome string
}

// spansOf are the spans of a unit, each under the one that caused it; none for a finding that is about no unit.
func spansOf(spans []otlp.Span, unit string) (views []spanView) {
	if unit == "" {
		return nil
	}
	tree := otlp.Tree(otlp.OfUnit(spans, unit))
	for _, b := range tree[:min(pageSpans, len(tree))] {
		v := spanView{
			At: since(b.Start.Sub(tree[0].Start)), Took: since(b.End.Sub(b.Start)), Indent: strings.Repeat("\u2003", min(b.Depth, 30)),
			Service: b.Service, Name: b.Name, Outcome: b.Status,
		}
		if n, ok := b.Attributes["attempt_number"]; ok {
			v.Attempt = fmt.Sprint(n)
		}
		if o, ok := b.Attributes["outcome"].(string); ok {
			v.Outcome = o
		}
		views = append(views, v)
	}
	return views
}

func since(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
}

// Spans is the spans of a unit as text: when each began after the first, how long it took, who tells it, and, below its cause, what.
func Spans(spans []otlp.Span, unit string) string {
	var out strings.Builder
	tree := otlp.Tree(otlp.OfUnit(spans, unit))
	for _, b := range tree {
		fmt.Fprintf(&out, "%11s %11s  %-10s %s%s", since(b.Start.Sub(tree[0].Start)), since(b.End.Sub(b.Start)), line(b.Service),
			strings.Repeat("  ", b.Depth), line(b.Name))
		for _, key := range []string{"attempt_number", "outcome"} {
			if v, ok := b.Attributes[key]; ok {
				fmt.Fprintf(&out, "  %s=%s", key, line(fmt.Sprint(v)))
			}
		}
		if b.Status == "error" {
			fmt.Fprintf(&out, "  error: %s", line(b.Message))
		}
		out.WriteByte('\n')
	}
	return out.String()
}
