package document

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/wreckon/wreckon/internal/spelling"
)

// Schema is the form of a kind of file: the definitions ($defs) of one JSON Schema, or of several that refer to one another.
type Schema struct {
	defs map[string]json.RawMessage
}

// NewSchema reads JSON Schemas. A name that is defined twice is an error.
func NewSchema(sources ...[]byte) (*Schema, error) {
	s := &Schema{defs: map[string]json.RawMessage{}}
	for _, src := range sources {
		var schema struct {
			Defs map[string]json.RawMessage `json:"$defs"`
		}
		if err := json.Unmarshal(src, &schema); err != nil {
			return nil, fmt.Errorf("read schema: %w", err)
		}
		for name, text := range schema.Defs {
			if s.defs[name] != nil {
				return nil, fmt.Errorf("read schema: %s is defined twice", name)
			}
			s.defs[name] = text
		}
	}
	return s, nil
}

// Understood says what of a definition, and of all that it refers to, would not be checked: a keyword that is not known, a value of no
// known type.
func (s *Schema) Understood(definition string) error {
	seen := map[string]bool{}
	var walk func(*shape) error
	walk = func(x *shape) error {
		if x == nil || x.Ref != "" && seen[x.Ref] {
			return nil
		}
		seen[x.Ref] = true
		x, err := s.resolved(x)
		if err != nil {
			return err
		}
		for _, t := range x.Type {
			if !slices.Contains([]string{"object", "array", "string", "boolean", "number", "integer"}, t) {
				return fmt.Errorf("type %q is not known", t)
			}
		}
		if len(x.Type) == 0 && len(x.Enum) == 0 {
			return fmt.Errorf("a value has no type: %q", x.Description)
		}
		errs := []error{walk(x.Items), walk(x.Additional.shape)}
		for name, p := range x.Properties {
			if err := walk(p); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", name, err))
			}
		}
		return errors.Join(errs...)
	}
	return walk(&shape{Ref: definition})
}

// shape is one definition: the keywords that are understood, and no others.
type shape struct {
	Description string            `json:"description"`
	Default     any               `json:"default"`
	Ref         string            `json:"$ref"`
	Type        types             `json:"type"`
	Enum        []string          `json:"enum"`
	Pattern     string            `json:"pattern"`
	MinLength   int               `json:"minLength"`
	Minimum     *float64          `json:"minimum"`
	Maximum     *float64          `json:"maximum"`
	Items       *shape            `json:"items"`
	MinItems    int               `json:"minItems"`
	Properties  map[string]*shape `json:"properties"`
	Required    []string          `json:"required"`
	Additional  additional        `json:"additionalProperties"`
}

// types are the types that a value may have. A value of several is a text: a number, or a truth, is taken as it is written.
type types []string

func (t *types) UnmarshalJSON(b []byte) error {
	if b[0] == '[' {
		return json.Unmarshal(b, (*[]string)(t))
	}
	*t = types{""}
	return json.Unmarshal(b, &(*t)[0])
}

func (t types) is(name string) bool { return len(t) > 0 && t[0] == name }

// additional is the form of the keys that are not named; nil: there are none.
type additional struct{ *shape }

func (a *additional) UnmarshalJSON(b []byte) (err error) {
	if b[0] == '{' {
		a.shape, err = decodeShape(b)
	}
	return err
}

func decodeShape(b []byte) (*shape, error) {
	var s shape
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields() // a keyword that is not understood is not checked
	err := d.Decode(&s)
	return &s, err
}

// resolved follows a reference: the last word of it is the name of a definition, in whichever schema that stands.
func (s *Schema) resolved(want *shape) (*shape, error) {
	for range maxNesting {
		if want.Ref == "" {
			return want, nil
		}
		text := s.defs[path.Base(want.Ref)]
		if text == nil {
			return nil, fmt.Errorf("the schema has no %s", want.Ref)
		}
		next, err := decodeShape(text)
		if err != nil {
			return nil, fmt.Errorf("schema of %s: %w", want.Ref, err)
		}
		if want.Description != "" && next.Description == "" {
			next.Description = want.Description
		}
		want = next
	}
	return nil, errors.New("the schema refers to itself")
}

// Hold holds a node to a definition of a schema, and gives its value as JSON: nil after a problem.
func (r *Reader) Hold(n *Node, s *Schema, definition, what string) json.RawMessage {
	before := len(r.Problems)
	value := (&holder{r, s}).check(n, &shape{Ref: definition}, what, 0)
	if len(r.Problems) > before {
		return nil
	}
	b, err := json.Marshal(value)
	if err != nil {
		r.Problem(n, "%s", OneLine(err))
		return nil
	}
	return b
}

// holder holds a file to a schema, node by node, so that each problem has its place.
type holder struct {
	*Reader
	*Schema
}

// maxNesting bounds how deep a file may nest: its form does not, by itself.
const maxNesting = 20

// check holds a node to a schema and gives its value.
func (h *holder) check(n *Node, want *shape, what string, depth int) any {
	n = Resolve(n)
	want, err := h.resolved(want)
	switch {
	case err != nil:
		h.Problem(n, "%s", OneLine(err))
		return nil
	case depth > maxNesting:
		h.Problem(n, "%s nests too deep", what)
		return nil
	}
	switch {
	case want.Type.is("object"):
		return h.object(n, want, what, depth)
	case want.Type.is("array"):
		return h.array(n, want, what, depth)
	}
	return h.scalar(n, want, what)
}

func (h *holder) object(n *Node, want *shape, what string, depth int) any {
	o, ok := h.Reader.Object(n, what)
	if !ok {
		return nil
	}
	rest := want.Additional.shape
	var known []string
	for name := range want.Properties {
		known = append(known, name)
	}
	slices.Sort(known)
	if rest == nil {
		h.Unknown(o, what, known)
	}
	for _, key := range want.Required {
		if o.Get(key) == nil {
			h.Problem(n, "%s has no %s", what, key)
		}
	}
	value := map[string]any{}
	for _, e := range o.Entries {
		key := e.Key.Value
		member := want.Properties[key]
		if member == nil {
			member = rest
		}
		if member != nil {
			value[key] = h.check(e.Value, member, key, depth+1)
		}
	}
	return value
}

func (h *holder) array(n *Node, want *shape, what string, depth int) any {
	if n.Kind != SequenceNode {
		h.Problem(n, "%s must be a list, not %s", what, Describe(n))
		return nil
	}
	if len(n.Content) < want.MinItems {
		h.Problem(n, "%s must have at least %d entries", what, want.MinItems)
	}
	value := make([]any, 0, len(n.Content))
	for _, item := range n.Content {
		value = append(value, h.check(item, want.Items, "an entry of "+what, depth+1))
	}
	return value
}

func (h *holder) scalar(n *Node, want *shape, what string) any {
	tag := n.ShortTag()
	text := n.Kind == ScalarNode && tag == "!!str"
	switch {
	case len(want.Enum) > 0:
		if !text || !slices.Contains(want.Enum, n.Value) {
			h.Problem(n, "%s must be one of %s, not %s%s", what, strings.Join(want.Enum, ", "), Describe(n), spelling.Hint(n.Value, want.Enum))
		}
		return n.Value
	case len(want.Type) > 1 && n.Kind == ScalarNode && tag != "!!null":
		h.text(n, want, what, true)
		return n.Value
	case want.Type.is("string"):
		h.text(n, want, what, text)
		return n.Value
	case want.Type.is("boolean"):
		if n.Kind != ScalarNode || tag != "!!bool" {
			h.Problem(n, "%s must be true or false, not %s", what, Describe(n))
		}
		return strings.EqualFold(n.Value, "true")
	}
	return h.number(n, want, what)
}

func (h *holder) text(n *Node, want *shape, what string, text bool) {
	switch {
	case !text && n.Kind == ScalarNode && n.ShortTag() != "!!null":
		h.Problem(n, "%s must be a text, not %s: put it in quotes", what, Describe(n))
	case !text:
		h.Problem(n, "%s must be a text, not %s", what, Describe(n))
	case utf8.RuneCountInString(n.Value) < want.MinLength:
		h.Problem(n, "%s is empty", what)
	case want.Pattern != "":
		if ok, err := regexp.MatchString(want.Pattern, n.Value); err != nil || !ok {
			h.Problem(n, "%s: %s is none: want %s", what, Quote(n.Value), coalesce(want.Description, "a text of the form "+want.Pattern))
		}
	}
}

func (h *holder) number(n *Node, want *shape, what string) any {
	kind := "a number"
	if want.Type.is("integer") {
		kind = "a whole number"
	}
	v, err := strconv.ParseFloat(n.Value, 64)
	tag := n.ShortTag()
	switch {
	case n.Kind != ScalarNode || err != nil || !json.Valid([]byte(n.Value)) || tag != "!!int" && (want.Type.is("integer") || tag != "!!float"):
		h.Problem(n, "%s must be %s, not %s", what, kind, Describe(n))
	case want.Minimum != nil && v < *want.Minimum:
		h.Problem(n, "%s must be at least %v, not %s", what, *want.Minimum, n.Value)
	case want.Maximum != nil && v > *want.Maximum:
		h.Problem(n, "%s must be at most %v, not %s", what, *want.Maximum, n.Value)
	}
	return json.Number(n.Value)
}

func coalesce(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
