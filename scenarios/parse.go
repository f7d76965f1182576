package scenarios

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/wreckon/wreckon/internal/document"
	"github.com/wreckon/wreckon/internal/spelling"
	"github.com/wreckon/wreckon/targets"
)

// The keys of the language, as schema.json has them too.
var documentKeys = []string{
	"scenario", "about", "hypothesis", "covers", "target", "environment", "workload", "faults", "guarantees", "require", "thresholds", "quiesce",
}

const (
	defaultTarget  = "reference"
	defaultQuiesce = 30 * time.Second

	// All guarantees are judged unless a scenario names some, and those about what clients read and update need both to be done.
	defaultReads  = 0.3
	defaultAmends = 0.1
)

// Problems is everything that is wrong with a file, in the order of the file.
type Problems = document.Problems

// parser walks the nodes of a scenario file.
type parser struct {
	document.Reader
	v    Vocabulary
	laid int  // faults, so far
	full bool // of faults
}

// Parse checks the text of a scenario file and reads it. name stands in front of every problem. All problems are reported, in the
// order of the file; the scenario is nil exactly when there are any.
func Parse(name string, src []byte, v Vocabulary) (*Scenario, Problems) {
	p := &parser{v: v}
	p.Kind, p.Begins = "scenario", "a scenario begins with its name, as in scenario: crash-of-the-relay"
	root := p.Read(name, src)
	if root == nil {
		return nil, p.Problems
	}
	s := p.scenario(root)
	if len(p.Problems) > 0 {
		p.Problems.Sort()
		return nil, p.Problems
	}
	return s, nil
}

func (p *parser) scenario(root *document.Node) *Scenario {
	o, ok := p.Object(root, "a scenario")
	if !ok {
		return nil
	}
	p.Unknown(withoutExtensions(o), "a scenario", documentKeys)
	s := &Scenario{
		Name:       p.scenarioName(o),
		About:      p.optionalText(o, "about"),
		Hypothesis: p.optionalText(o, "hypothesis"),
		Covers:     p.covers(o),
	}
	target, known := p.target(o)
	s.Target, s.TargetFile, s.Environment = target.Name, target.File, p.environment(o)
	s.Workload = p.workload(o, target, known)
	s.Faults = p.faults(o, target, known, load(s.Workload))
	s.Guarantees = p.guarantees(o)
	s.Require = p.conditions(o, "require")
	s.Thresholds, s.Abort = p.thresholds(o)
	s.Quiesce = document.Value(&p.Reader, o.Get("quiesce"), "quiesce", defaultQuiesce, length(time.Millisecond, 10*time.Minute))
	return s
}

// withoutExtensions leaves out keys that begin with x-: they are the author's own, a place for anchors.
func withoutExtensions(o document.Object) document.Object {
	o.Entries = slices.DeleteFunc(slices.Clone(o.Entries), func(e document.Entry) bool { return strings.HasPrefix(e.Key.Value, "x-") })
	return o
}

var nameForm = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// scenarioName reads the scenario's name. It becomes part of the name of every run's directory.
func (p *parser) scenarioName(o document.Object) string {
	n := p.required(o, "scenario", "a scenario", "scenario: crash-of-the-relay")
	if n == nil {
		return ""
	}
	name, ok := p.Text(n, "scenario")
	if ok && (!nameForm.MatchString(name) || len(name) > 60) {
		p.Problem(n, "scenario %s is no name: use at most 60 small letters and digits, joined by single hyphens", document.Quote(name))
	}
	return name
}

// required returns the value of a key that must be there.
func (p *parser) required(o document.Object, key, what, example string) *document.Node {
	n := o.Get(key)
	if n == nil {
		p.Problem(o.Node, "%s has no %s: add one, as in %s", what, key, example)
	}
	return n
}

func (p *parser) optionalText(o document.Object, key string) string {
	n := o.Get(key)
	if n == nil {
		return ""
	}
	text, _ := p.Text(n, key)
	return text
}

func (p *parser) target(o document.Object) (targets.Target, bool) {
	name, n := defaultTarget, o.Get("target")
	if n != nil {
		var ok bool
		if name, ok = p.Text(n, "target"); !ok {
			return targets.Target{}, false
		}
	}
	if p.v.Target != "" {
		name, n = p.v.Target, nil
	}
	if p.v.TargetFile != nil && IsPath(name) {
		if n != nil { // a path in a file is meant from where the file is
			name = filepath.Join(filepath.Dir(p.Name()), name)
		}
		t, problems := p.v.TargetFile(name)
		p.Problems = append(p.Problems, problems...)
		return t, len(problems) == 0
	}
	t, ok := p.v.target(name)
	if !ok {
		var known []string
		for _, t := range p.v.Targets {
			known = append(known, t.Name)
		}
		if n == nil {
			n = o.Node
		}
		p.Hinted(n, document.KnownNames(known), "unknown target %s%s", document.Quote(name), spelling.Hint(name, known))
	}
	return t, ok
}

// environment reads what the components are to run in: "" when the file does not say.
func (p *parser) environment(o document.Object) string {
	n := o.Get("environment")
	if n == nil {
		return ""
	}
	name, ok := p.Text(n, "environment")
	if ok && !slices.Contains(p.v.Environments, name) {
		p.Hinted(n, document.KnownNames(p.v.Environments), "unknown environment %s%s", document.Quote(name), spelling.Hint(name, p.v.Environments))
	}
	return name
}

// IsPath tells the path of a file from a name: whatever has an extension or a folder is a path.
func IsPath(name string) bool {
	return filepath.Ext(name) != "" || strings.ContainsRune(name, filepath.Separator)
}

// guarantees reads which guarantees must be judged: none by name when the file does not say, so that all are judged that the target
// and its history have something to show for. They come in the order of the report, whatever the order of the file.
func (p *parser) guarantees(o document.Object) []string {
	n := o.Get("guarantees")
	if n == nil {
		return nil
	}
	var named []string
	for _, item := range p.List(n, "guarantees") {
		name, ok := p.Text(item, "a guarantee")
		switch {
		case !ok:
		case !slices.Contains(p.v.Guarantees, name):
			p.Hinted(item, document.KnownNames(p.v.Guarantees), "unknown guarantee %s%s", document.Quote(name), spelling.Hint(name, p.v.Guarantees))
		case slices.Contains(named, name):
			p.Problem(item, "guarantee %s is named twice", document.Quote(name))
		default:
			named = append(named, name)
		}
	}
	slices.SortFunc(named, func(a, b string) int {
		return slices.Index(p.v.Guarantees, a) - slices.Index(p.v.Guarantees, b)
	})
	return named
}

// conditions reads a list of conditions. What they say is the business of whoever judges them.
func (p *parser) conditions(o document.Object, key string) []string {
	n := o.Get(key)
	if n == nil {
		return nil
	}
	var texts []string
	for _, item := range p.List(n, key) {
		if text, ok := p.oneCondition(item, "an entry of "+key); ok {
			texts = append(texts, text)
		}
	}
	return texts
}

func (p *parser) oneCondition(n *document.Node, what string) (text string, ok bool) {
	if text, ok = p.Text(n, what); !ok || p.v.Condition == nil {
		return text, ok
	}
	if err := p.v.Condition(text); err != nil {
		p.conditionProblem(document.Resolve(n), text, err)
		return "", false
	}
	return text, true
}

// thresholds reads a list of bounds on indicators. An entry is a condition, or one with a word on what happens when it is missed:
// {bound: completion_latency.p99 < 2s, abort: true}.
func (p *parser) thresholds(o document.Object) (texts, abort []string) {
	n := o.Get("thresholds")
	if n == nil {
		return nil, nil
	}
	for _, item := range p.List(n, "thresholds") {
		if item = document.Resolve(item); item.Kind != document.MappingNode {
			if text, ok := p.oneCondition(item, "an entry of thresholds"); ok {
				texts = append(texts, text)
			}
			continue
		}
		entry, _ := p.Object(item, "an entry of thresholds")
		p.Unknown(entry, "an entry of thresholds", []string{"bound", "abort"})
		aborts := document.Value(&p.Reader, entry.Get("abort"), "abort", false, truth)
		bound := p.required(entry, "bound", "an entry of thresholds", "{bound: completion_latency.p99 < 2s, abort: true}")
		if bound == nil {
			continue
		}
		text, ok := p.oneCondition(bound, "bound")
		if !ok {
			continue
		}
		texts = append(texts, text)
		if !aborts {
			continue
		}
		if p.v.Abort != nil {
			if err := p.v.Abort(text); err != nil {
				p.conditionProblem(document.Resolve(bound), text, err)
			}
		}
		abort = append(abort, text)
	}
	return texts, abort
}

// Placed is an error of Vocabulary.Condition that says where the text goes wrong: at this character, from 1.
func Placed(column int, message string) error { return placed{message, column} }

type placed struct {
	message string
	column  int
}

func (p placed) Error() string { return p.message }

// conditionProblem reports what is wrong with a condition, at the character where it goes wrong when that is known.
func (p *parser) conditionProblem(n *document.Node, text string, err error) {
	column, wide := n.Column, document.Width(n)
	var where placed
	if errors.As(err, &where) && where.column > 1 && !strings.Contains(n.Value, "\n") {
		skip := where.column - 1
		if document.Quoted(n) {
			skip++
		}
		column, wide = column+skip, wide-skip
		if document.Quoted(n) {
			wide-- // the closing quote
		}
	}
	p.At(n.Line, column, max(wide, 1), "", fmt.Sprintf("condition %s: %s", document.Quote(text), document.OneLine(err)))
}
