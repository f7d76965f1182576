package scenarios

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"github.com/wreckon/wreckon/internal/spelling"
)

// parser walks the nodes of one file and collects what is wrong with it. It never stops at a problem: what could not be read is left
// zero, and what depends on it is not judged.
type parser struct {
	source
	v        Vocabulary
	problems Problems
	laid     int  // faults, so far
	full     bool // of faults
}

// problem notes what is wrong at a node.
func (p *parser) problem(at *yaml.Node, format string, args ...any) {
	p.hinted(at, "", format, args...)
}

// hinted notes what is wrong at a node, and what would be right.
func (p *parser) hinted(at *yaml.Node, hint, format string, args ...any) {
	p.at(at.Line, at.Column, width(at), hint, fmt.Sprintf(format, args...))
}

func (p *parser) at(line, column, width int, hint, message string) {
	p.problems = append(p.problems, Problem{
		File: p.name, Line: line, Column: column, Message: message, Hint: hint,
		Excerpt: p.excerpt(line, column, width),
	})
}

// width is how many carets stand below a node: all of a word, the first character of a structure.
func width(n *yaml.Node) int {
	if n.Kind != yaml.ScalarNode || strings.Contains(n.Value, "\n") {
		return 1
	}
	w := utf8.RuneCountInString(n.Value)
	if quoted(n) {
		w += 2
	}
	return max(w, 1)
}

func quoted(n *yaml.Node) bool {
	return n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0
}

// entry is one key of a mapping with its value.
type entry struct {
	key, value *yaml.Node
}

// object is a mapping without repeated keys.
type object struct {
	node    *yaml.Node
	entries []entry
	index   map[string]int // into entries, by key
}

// get returns the value of a key, nil when it is not there.
func (o object) get(name string) *yaml.Node {
	e, _ := o.entry(name)
	return e.value
}

func (o object) entry(name string) (entry, bool) {
	i, ok := o.index[name]
	if !ok {
		return entry{}, false
	}
	return o.entries[i], true
}

// maxMerges bounds how deep << may nest; a mapping that merges itself would never end.
const maxMerges = 10

// object reads a mapping: aliases followed, merged mappings (<<) laid below its own keys, repeated keys reported.
func (p *parser) object(n *yaml.Node, what string) (object, bool) {
	n = resolve(n)
	if n.Kind != yaml.MappingNode {
		p.problem(n, "%s must be keys with values, not %s", what, describe(n))
		return object{}, false
	}
	o := object{node: n, index: map[string]int{}}
	p.collect(&o, n, 0)
	return o, true
}

func (p *parser) collect(o *object, n *yaml.Node, depth int) {
	own := map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := resolve(n.Content[i]), n.Content[i+1]
		switch first, again := own[key.Value]; {
		case key.Kind != yaml.ScalarNode:
			p.problem(key, "a key must be a word, not %s", describe(key))
		case again:
			p.problem(key, "key %s appears twice: it was given on line %d already", quote(key.Value), first.Line)
		default:
			own[key.Value] = key
			if _, covered := o.index[key.Value]; !covered && !isMerge(key) {
				o.index[key.Value] = len(o.entries)
				o.entries = append(o.entries, entry{key, value})
			}
		}
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if key := resolve(n.Content[i]); isMerge(key) && own[key.Value] == key {
			p.merge(o, n.Content[i+1], depth)
		}
	}
}

func isMerge(key *yaml.Node) bool { return key.ShortTag() == "!!merge" }

func (p *parser) merge(o *object, n *yaml.Node, depth int) {
	at := n
	n = resolve(n)
	switch {
	case depth == maxMerges:
		p.problem(at, "merged mappings (<<) nest deeper than %d", maxMerges)
	case n.Kind == yaml.MappingNode:
		p.collect(o, n, depth+1)
	case n.Kind == yaml.SequenceNode && len(n.Content) <= maxMerges && depth == 0:
		for _, m := range n.Content {
			p.merge(o, m, depth+1)
		}
	default:
		p.problem(at, "<< merges a mapping, not %s", describe(n))
	}
}

// unknown reports every key that is not among the known ones.
func (p *parser) unknown(o object, what string, known []string) {
	for _, e := range o.entries {
		if !slices.Contains(known, e.key.Value) {
			p.hinted(e.key, knownNames(known), "unknown key %s in %s%s", quote(e.key.Value), what, spelling.Hint(e.key.Value, known))
		}
	}
}

// list reads a sequence. An empty one is reported: a key that is there for nothing is a mistake.
func (p *parser) list(n *yaml.Node, what string) []*yaml.Node {
	n = resolve(n)
	switch {
	case n.Kind != yaml.SequenceNode:
		p.problem(n, "%s must be a list, not %s", what, describe(n))
	case len(n.Content) == 0:
		p.problem(n, "%s is empty: leave the key out instead", what)
	}
	if n.Kind != yaml.SequenceNode {
		return nil
	}
	return n.Content
}

// text reads a string that is not empty.
func (p *parser) text(n *yaml.Node, what string) (string, bool) {
	n = resolve(n)
	switch {
	case n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str":
		p.problem(n, "%s must be text, not %s", what, describe(n))
	case strings.TrimSpace(n.Value) == "":
		p.problem(n, "%s is empty", what)
	default:
		return strings.TrimSpace(n.Value), true
	}
	return "", false
}

// value reads a scalar through one of the readers in values.go; absent leaves otherwise.
func value[T any](p *parser, n *yaml.Node, what string, otherwise T, read func(string) (T, error)) T {
	if n == nil {
		return otherwise
	}
	n = resolve(n)
	if n.Kind != yaml.ScalarNode || n.ShortTag() == "!!null" {
		p.problem(n, "%s must be one value, not %s", what, describe(n))
		return otherwise
	}
	v, err := read(n.Value)
	if err != nil {
		p.problem(n, "%s: %v", what, err)
		return otherwise
	}
	return v
}

// between makes integer a reader for value.
func between(lo, hi int) func(string) (int, error) {
	return func(text string) (int, error) { return integer(text, lo, hi) }
}

// length makes duration a reader for value, with bounds that make sense for its key.
func length(lo, hi time.Duration) func(string) (time.Duration, error) {
	return func(text string) (time.Duration, error) {
		d, err := duration(text)
		switch {
		case err != nil:
			return 0, err
		case d < lo || d > hi:
			return 0, fmt.Errorf("time %s is not between %v and %v", quote(text), lo, hi)
		}
		return d, nil
	}
}

func resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode && n.Alias != nil {
		return n.Alias
	}
	return n
}

// scalar tells whether a node is one value.
func scalar(n *yaml.Node) bool { return resolve(n).Kind == yaml.ScalarNode }

// describe names what a node is, in the words of somebody who writes YAML.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "keys with values"
	case yaml.SequenceNode:
		return "a list"
	}
	switch tag := n.ShortTag(); tag {
	case "!!null":
		return "nothing"
	case "!!str":
		return "the text " + quote(n.Value)
	case "!!int", "!!float":
		return "the number " + n.Value
	case "!!bool":
		return "the truth value " + n.Value
	default:
		return "a value of type " + quote(tag)
	}
}
