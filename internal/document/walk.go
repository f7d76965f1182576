package document

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"github.com/wreckon/wreckon/internal/spelling"
)

// Reader reads the nodes of one file and collects what is wrong with it. It never stops at a problem: what could not be read is left
// zero, and what depends on it is not judged.
type Reader struct {
	source
	Problems Problems
	Kind     string // of what a file holds one: "scenario"
	Begins   string // what is said of an empty file: "a scenario begins with its name, as in scenario: crash-of-the-relay"
}

// Node is a part of the text of a file, with its place.
type Node = yaml.Node

// The kinds of a node.
const (
	MappingNode  = yaml.MappingNode
	SequenceNode = yaml.SequenceNode
	ScalarNode   = yaml.ScalarNode
)

// Problem notes what is wrong at a node.
func (r *Reader) Problem(at *Node, format string, args ...any) {
	r.Hinted(at, "", format, args...)
}

// Hinted notes what is wrong at a node, and what would be right.
func (r *Reader) Hinted(at *Node, hint, format string, args ...any) {
	r.At(at.Line, at.Column, Width(at), hint, fmt.Sprintf(format, args...))
}

// At notes what is wrong at a place, of so many characters.
func (r *Reader) At(line, column, width int, hint, message string) {
	r.Problems = append(r.Problems, Problem{
		File: r.name, Line: line, Column: column, Message: message, Hint: hint,
		Excerpt: r.excerpt(line, column, width),
	})
}

// Width is how many carets stand below a node: all of a word, the first character of a structure.
func Width(n *Node) int {
	if n.Kind != yaml.ScalarNode || strings.Contains(n.Value, "\n") {
		return 1
	}
	w := utf8.RuneCountInString(n.Value)
	if Quoted(n) {
		w += 2
	}
	return max(w, 1)
}

// Quoted tells that a text stands in quotes.
func Quoted(n *Node) bool {
	return n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0
}

// Entry is one key of a mapping with its value.
type Entry struct{ Key, Value *Node }

// Object is a mapping without repeated keys.
type Object struct {
	Node    *Node
	Entries []Entry
	index   map[string]int // into Entries, by key
}

// Get returns the value of a key, nil when it is not there.
func (o Object) Get(name string) *Node {
	e, _ := o.Entry(name)
	return e.Value
}

// Entry finds a key with its value.
func (o Object) Entry(name string) (Entry, bool) {
	i, ok := o.index[name]
	if !ok {
		return Entry{}, false
	}
	return o.Entries[i], true
}

// maxMerges bounds how deep << may nest; a mapping that merges itself would never end.
const maxMerges = 10

// Object reads a mapping: aliases followed, merged mappings (<<) laid below its own keys, repeated keys reported.
func (r *Reader) Object(n *Node, what string) (Object, bool) {
	n = Resolve(n)
	if n.Kind != yaml.MappingNode {
		r.Problem(n, "%s must be keys with values, not %s", what, Describe(n))
		return Object{}, false
	}
	o := Object{Node: n, index: map[string]int{}}
	r.collect(&o, n, 0)
	return o, true
}

func (r *Reader) collect(o *Object, n *Node, depth int) {
	own := map[string]*Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := Resolve(n.Content[i]), n.Content[i+1]
		switch first, again := own[key.Value]; {
		case key.Kind != yaml.ScalarNode:
			r.Problem(key, "a key must be a word, not %s", Describe(key))
		case again:
			r.Problem(key, "key %s appears twice: it was given on line %d already", Quote(key.Value), first.Line)
		default:
			own[key.Value] = key
			if _, covered := o.index[key.Value]; !covered && !isMerge(key) {
				o.index[key.Value] = len(o.Entries)
				o.Entries = append(o.Entries, Entry{key, value})
			}
		}
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if key := Resolve(n.Content[i]); isMerge(key) && own[key.Value] == key {
			r.merge(o, n.Content[i+1], depth)
		}
	}
}

func isMerge(key *Node) bool { return key.ShortTag() == "!!merge" }

func (r *Reader) merge(o *Object, n *Node, depth int) {
	at := n
	n = Resolve(n)
	switch {
	case depth == maxMerges:
		r.Problem(at, "merged mappings (<<) nest deeper than %d", maxMerges)
	case n.Kind == yaml.MappingNode:
		r.collect(o, n, depth+1)
	case n.Kind == yaml.SequenceNode && len(n.Content) <= maxMerges && depth == 0:
		for _, m := range n.Content {
			r.merge(o, m, depth+1)
		}
	default:
		r.Problem(at, "<< merges a mapping, not %s", Describe(n))
	}
}

// Unknown reports every key that is not among the known ones.
func (r *Reader) Unknown(o Object, what string, known []string) {
	for _, e := range o.Entries {
		if !slices.Contains(known, e.Key.Value) {
			r.Hinted(e.Key, KnownNames(known), "unknown key %s in %s%s", Quote(e.Key.Value), what, spelling.Hint(e.Key.Value, known))
		}
	}
}

// List reads a sequence. An empty one is reported: a key that is there for nothing is a mistake.
func (r *Reader) List(n *Node, what string) []*Node {
	n = Resolve(n)
	switch {
	case n.Kind != yaml.SequenceNode:
		r.Problem(n, "%s must be a list, not %s", what, Describe(n))
	case len(n.Content) == 0:
		r.Problem(n, "%s is empty: leave the key out instead", what)
	}
	if n.Kind != yaml.SequenceNode {
		return nil
	}
	return n.Content
}

// Text reads a string that is not empty.
func (r *Reader) Text(n *Node, what string) (string, bool) {
	n = Resolve(n)
	switch {
	case n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str":
		r.Problem(n, "%s must be text, not %s", what, Describe(n))
	case strings.TrimSpace(n.Value) == "":
		r.Problem(n, "%s is empty", what)
	default:
		return strings.TrimSpace(n.Value), true
	}
	return "", false
}

// Value reads a scalar through a function; absent leaves otherwise.
func Value[T any](r *Reader, n *Node, what string, otherwise T, read func(string) (T, error)) T {
	if n == nil {
		return otherwise
	}
	n = Resolve(n)
	if n.Kind != yaml.ScalarNode || n.ShortTag() == "!!null" {
		r.Problem(n, "%s must be one value, not %s", what, Describe(n))
		return otherwise
	}
	v, err := read(n.Value)
	if err != nil {
		r.Problem(n, "%s: %v", what, err)
		return otherwise
	}
	return v
}

// Resolve follows an alias.
func Resolve(n *Node) *Node {
	if n.Kind == yaml.AliasNode && n.Alias != nil {
		return n.Alias
	}
	return n
}

// Scalar tells whether a node is one value.
func Scalar(n *Node) bool { return Resolve(n).Kind == yaml.ScalarNode }

// Describe names what a node is, in the words of somebody who writes YAML.
func Describe(n *Node) string {
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
		return "the text " + Quote(n.Value)
	case "!!int", "!!float":
		return "the number " + n.Value
	case "!!bool":
		return "the truth value " + n.Value
	default:
		return "a value of type " + Quote(tag)
	}
}

// Find walks from a node by keys (string) and positions (int), for a place to say a problem at: the deepest node there is on that way.
func Find(n *Node, path ...any) *Node {
	n = Resolve(n)
	for _, step := range path {
		next := (*Node)(nil)
		switch at := step.(type) {
		case string:
			for i := 0; n.Kind == MappingNode && i+1 < len(n.Content); i += 2 {
				if n.Content[i].Value == at {
					next = n.Content[i+1]
				}
			}
		case int:
			if n.Kind == SequenceNode && at < len(n.Content) {
				next = n.Content[at]
			}
		}
		if next == nil {
			return n
		}
		n = Resolve(next)
	}
	return n
}

// Keys are those of a mapping, in the order of the file.
func Keys(n *Node) []string {
	n = Resolve(n)
	var keys []string
	for i := 0; n.Kind == MappingNode && i+1 < len(n.Content); i += 2 {
		keys = append(keys, n.Content[i].Value)
	}
	return keys
}
