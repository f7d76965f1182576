package file

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// A place in a message is written body.a.b, header.NAME, path.NAME (of a pattern such as /orders/{id}) or query.NAME. A place in a row is
// its field, a.b for one inside of another.

// message is what a place is looked for in.
type message struct {
	body   any // as JSON; nil where it is none
	header http.Header
	path   func(name string) string // nil: there is none
	query  func(name string) string
}

// at gives what stands at a place, as text; "" where nothing does.
func (m message) at(place string) string {
	where, name, _ := strings.Cut(place, ".")
	switch where {
	case "body":
		return field(m.body, name)
	case "header":
		return m.header.Get(name)
	case "path":
		if m.path != nil {
			return m.path(name)
		}
	case "query":
		if m.query != nil {
			return m.query(name)
		}
	}
	return ""
}

// place says what is wrong with a place, and which of the kinds of place may be there.
func place(text string, kinds ...string) error {
	for _, k := range kinds {
		if rest, ok := strings.CutPrefix(text, k+"."); ok && rest != "" || text == k && k == "body" {
			return nil
		}
	}
	return fmt.Errorf("%q is no place in it: write %s", clip(text, 60), strings.Join(kinds, ".NAME, ")+".NAME")
}

// field walks into a value by the names between the dots. A text is given as it is, anything else as JSON.
func field(v any, path string) string {
	found, ok := within(v, path)
	if !ok || found == nil {
		return ""
	}
	if s, ok := found.(string); ok {
		return s
	}
	b, err := json.Marshal(found)
	if err != nil {
		return ""
	}
	return string(b)
}

// within finds a value inside of another.
func within(v any, path string) (any, bool) {
	if path == "" {
		return v, true
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, false
	}
	if whole, ok := m[path]; ok { // a name may hold dots
		return whole, true
	}
	name, rest, _ := strings.Cut(path, ".")
	next, ok := m[name]
	if !ok {
		return nil, false
	}
	return within(next, rest)
}

// decode reads JSON with its numbers as they are written; nil where it is none.
func decode(b []byte) any {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return nil
	}
	return v
}
