package otlp

import (
	"cmp"
	"slices"
	"strings"
)

// OfUnit is every span of the traces in which some span is about a unit of work: an attribute of it is the unit's id, or begins with that and a
// slash, as the name of a step does.
func OfUnit(spans []Span, id string) []Span {
	traces := map[string]bool{}
	for _, s := range spans {
		for _, v := range s.Attributes {
			text, ok := v.(string)
			if rest, found := strings.CutPrefix(text, id); ok && found && (rest == "" || rest[0] == '/') {
				traces[s.Trace] = true
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(spans), func(s Span) bool { return !traces[s.Trace] })
}

// Branch is a span and how many spans it is under.
type Branch struct {
	Span
	Depth int
}

// Tree puts each span under the one that caused it, in the order in which they began. A span whose cause is not among them stands at the
// top: what caused it may have been lost, or may be somebody who tells no spans.
func Tree(spans []Span) []Branch {
	spans = slices.Clone(spans)
	slices.SortStableFunc(spans, func(a, b Span) int { return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.ID, b.ID)) })
	index := map[[2]string]bool{}
	for _, s := range spans {
		index[[2]string{s.Trace, s.ID}] = true
	}
	under := map[[2]string][]Span{}
	for _, s := range spans {
		parent := [2]string{s.Trace, s.Parent}
		if !index[parent] || s.Parent == s.ID {
			parent = [2]string{}
		}
		under[parent] = append(under[parent], s)
	}
	var tree []Branch
	var grow func(at [2]string, depth int)
	grow = func(at [2]string, depth int) {
		here := under[at]
		delete(under, at) // each once, also where senders made a circle
		for _, s := range here {
			tree = append(tree, Branch{s, depth})
			grow([2]string{s.Trace, s.ID}, depth+1)
		}
	}
	grow([2]string{}, 0)
	return tree
}
