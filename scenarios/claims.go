package scenarios

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"github.com/wreckon/wreckon/history"
	"github.com/wreckon/wreckon/internal/spelling"
)

// LoadClaims reads what a target promises from a file, YAML or JSON: the claims that stand in the header of a history otherwise. The
// error of a file that is wrong names every place, with its line and column.
func LoadClaims(path string) (history.Claims, error) {
	src, err := readFile(path)
	if err != nil {
		return history.Claims{}, err
	}
	claims, problems := ParseClaims(path, src)
	if len(problems) == 0 {
		return claims, nil
	}
	errs := make([]error, 0, len(problems))
	for _, p := range problems[:min(len(problems), maxShown)] {
		errs = append(errs, p)
	}
	return claims, errors.Join(errs...)
}

// ParseClaims reads the text of a file of claims. name stands in front of every problem.
func ParseClaims(name string, src []byte) (history.Claims, Problems) {
	p := &parser{source: newSource(name, nil)}
	switch {
	case len(src) > maxSize:
		p.at(0, 0, 0, "", "the file is larger than 1 MB: these are no claims")
		return history.Claims{}, p.problems
	case len(bytes.TrimSpace(src)) == 0:
		p.at(1, 1, 1, "", "the file is empty: want what the target promises, as in unit: order")
		return history.Claims{}, p.problems
	}
	p.source = newSource(name, src)
	root := p.document(src)
	if root == nil {
		return history.Claims{}, p.problems
	}
	s := claimsSchema(p)
	value := s.check(root, &shape{Ref: "#/$defs/claims"}, "claims", 0)
	var claims history.Claims
	if len(p.problems) == 0 {
		b, err := json.Marshal(value)
		if err == nil {
			err = json.Unmarshal(b, &claims)
		}
		if err != nil { // what the schema allows and the program does not know
			p.problem(root, "%s", oneLine(err))
		}
	}
	p.problems.sort()
	return claims, p.problems
}

// schemaWalker holds a file to a part of history/schema.json, node by node, so that each problem has its place.
type schemaWalker struct {
	*parser
	defs map[string]json.RawMessage
}

// shape is one schema: the keywords that history/schema.json uses to describe claims, and no others.
type shape struct {
	Description string            `json:"description"`
	Default     any               `json:"default"`
	Ref         string            `json:"$ref"`
	Type        string            `json:"type"`
	Enum        []string          `json:"enum"`
	Pattern     string            `json:"pattern"`
	MinLength   int               `json:"minLength"`
	Minimum     *float64          `json:"minimum"`
	Maximum     *float64          `json:"maximum"`
	Items       *shape            `json:"items"`
	MinItems    int               `json:"minItems"`
	Properties  map[string]*shape `json:"properties"`
	Required    []string          `json:"required"`
	Additional  json.RawMessage   `json:"additionalProperties"`
}

func claimsSchema(p *parser) *schemaWalker {
	var schema struct {
		Defs map[string]json.RawMessage `json:"$defs"`
	}
	_ = json.Unmarshal(history.Schema(), &schema) // of this program: a test reads it
	return &schemaWalker{parser: p, defs: schema.Defs}
}

// resolved follows a reference.
func (s *schemaWalker) resolved(want *shape) (*shape, error) {
	for want.Ref != "" {
		name := strings.TrimPrefix(want.Ref, "#/$defs/")
		next, err := decodeShape(s.defs[name])
		if err != nil {
			return nil, fmt.Errorf("schema of %s: %w", name, err)
		}
		want = next
	}
	return want, nil
}

func decodeShape(b []byte) (*shape, error) {
	var s shape
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields() // a keyword that is not understood is not checked
	err := d.Decode(&s)
	return &s, err
}

// maxNesting bounds how deep claims may nest: they do not, by themselves.
const maxNesting = 20

// check holds a node to a schema and gives its value.
func (s *schemaWalker) check(n *yaml.Node, want *shape, what string, depth int) any {
	n = resolve(n)
	want, err := s.resolved(want)
	switch {
	case err != nil:
		s.problem(n, "%s", oneLine(err))
		return nil
	case depth > maxNesting:
		s.problem(n, "%s nests too deep", what)
		return nil
	}
	switch want.Type {
	case "object":
		return s.object(n, want, what, depth)
	case "array":
		return s.array(n, want, what, depth)
	}
	return s.scalar(n, want, what)
}

func (s *schemaWalker) object(n *yaml.Node, want *shape, what string, depth int) any {
	o, ok := s.parser.object(n, what)
	if !ok {
		return nil
	}
	var rest *shape // of the keys that are not named; nil: there are none
	if len(want.Additional) > 0 && want.Additional[0] == '{' {
		var err error
		if rest, err = decodeShape(want.Additional); err != nil {
			s.problem(n, "%s", oneLine(err))
			return nil
		}
	}
	var known []string
	for name := range want.Properties {
		known = append(known, name)
	}
	slices.Sort(known)
	if rest == nil {
		s.unknown(o, what, known)
	}
	for _, key := range want.Required {
		if o.get(key) == nil {
			s.problem(n, "%s has no %s", what, key)
		}
	}
	value := map[string]any{}
	for _, e := range o.entries {
		key := e.key.Value
		member := want.Properties[key]
		if member == nil {
			member = rest
		}
		if member != nil {
			value[key] = s.check(e.value, member, key, depth+1)
		}
	}
	return value
}

func (s *schemaWalker) array(n *yaml.Node, want *shape, what string, depth int) any {
	if n.Kind != yaml.SequenceNode {
		s.problem(n, "%s must be a list, not %s", what, describe(n))
		return nil
	}
	if len(n.Content) < want.MinItems {
		s.problem(n, "%s must have at least %d entries", what, want.MinItems)
	}
	value := make([]any, 0, len(n.Content))
	for _, item := range n.Content {
		value = append(value, s.check(item, want.Items, "an entry of "+what, depth+1))
	}
	return value
}

func (s *schemaWalker) scalar(n *yaml.Node, want *shape, what string) any {
	tag := n.ShortTag()
	text := n.Kind == yaml.ScalarNode && tag == "!!str"
	switch {
	case len(want.Enum) > 0:
		if !text || !slices.Contains(want.Enum, n.Value) {
			s.problem(n, "%s must be one of %s, not %s%s", what, strings.Join(want.Enum, ", "), describe(n), spelling.Hint(n.Value, want.Enum))
		}
		return n.Value
	case want.Type == "string":
		s.text(n, want, what, text)
		return n.Value
	case want.Type == "boolean":
		if n.Kind != yaml.ScalarNode || tag != "!!bool" {
			s.problem(n, "%s must be true or false, not %s", what, describe(n))
		}
		return strings.EqualFold(n.Value, "true")
	}
	return s.number(n, want, what)
}

func (s *schemaWalker) text(n *yaml.Node, want *shape, what string, text bool) {
	switch {
	case !text && n.Kind == yaml.ScalarNode && n.ShortTag() != "!!null":
		s.problem(n, "%s must be a text, not %s: put it in quotes", what, describe(n))
	case !text:
		s.problem(n, "%s must be a text, not %s", what, describe(n))
	case utf8.RuneCountInString(n.Value) < want.MinLength:
		s.problem(n, "%s is empty", what)
	case want.Pattern != "":
		if ok, err := regexp.MatchString(want.Pattern, n.Value); err != nil || !ok {
			s.problem(n, "%s: %s is none: want %s", what, quote(n.Value), coalesce(want.Description, "a text of the form "+want.Pattern))
		}
	}
}

func (s *schemaWalker) number(n *yaml.Node, want *shape, what string) any {
	kind := "a number"
	if want.Type == "integer" {
		kind = "a whole number"
	}
	v, err := strconv.ParseFloat(n.Value, 64)
	tag := n.ShortTag()
	switch {
	case n.Kind != yaml.ScalarNode || err != nil || !json.Valid([]byte(n.Value)) || tag != "!!int" && (want.Type == "integer" || tag != "!!float"):
		s.problem(n, "%s must be %s, not %s", what, kind, describe(n))
	case want.Minimum != nil && v < *want.Minimum:
		s.problem(n, "%s must be at least %v, not %s", what, *want.Minimum, n.Value)
	case want.Maximum != nil && v > *want.Maximum:
		s.problem(n, "%s must be at most %v, not %s", what, *want.Maximum, n.Value)
	}
	return json.Number(n.Value)
}

func coalesce(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
