package document_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/internal/document"
)

const form = `{"$defs": {
	"shop": {"type": "object", "required": ["name"], "additionalProperties": false, "properties": {
		"name": {"type": "string", "minLength": 1},
		"env": {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}},
		"ok": {"type": "array", "items": {"type": ["string", "integer"], "pattern": "^[1-5]([0-9][0-9]|xx)$", "description": "a status such as 201, or 2xx"}},
		"till": {"$ref": "other.json#/$defs/till"}}},
	"strange": {"type": "object", "properties": {"a": {"oneOf": []}}}}}`

const other = `{"$defs": {"till": {"type": "integer", "minimum": 1}}}`

func hold(t *testing.T, src string) (string, document.Problems) {
	t.Helper()
	s, err := document.NewSchema([]byte(form), []byte(other))
	require.NoError(t, err)
	require.NoError(t, s.Understood("shop"))
	require.ErrorContains(t, s.Understood("strange"), "oneOf")
	r := &document.Reader{Kind: "shop", Begins: "a shop begins with its name"}
	root := r.Read("shop.yaml", []byte(src))
	if root == nil {
		return "", r.Problems
	}
	return string(r.Hold(root, s, "shop", "a shop")), r.Problems
}

func TestAFileComesOutAsTheJSONThatItMeans(t *testing.T) {
	got, problems := hold(t, "name: corner\nenv: {PORT: 8080, DEBUG: true, HOME: /tmp}\nok: [201, 2xx]\ntill: 3\n")
	require.Empty(t, problems)
	assert.JSONEq(t, `{"name": "corner", "env": {"PORT": "8080", "DEBUG": "true", "HOME": "/tmp"}, "ok": ["201", "2xx"], "till": 3}`, got)
}

func TestWhatIsWrongIsSaidWithItsPlace(t *testing.T) {
	for src, want := range map[string]string{
		"nam: a":                        `shop.yaml:1:1: error: a shop has no name`,
		"name: a\nok: [200, 2000]":      `shop.yaml:2:11: error: an entry of ok: "2000" is none: want a status such as 201, or 2xx`,
		"name: a\ntill: 0":              "shop.yaml:2:7: error: till must be at least 1, not 0",
		"name: a\nenv: {A: [1]}":        "shop.yaml:2:10: error: A must be",
		"name: a\nenv: {A: }":           "shop.yaml:2:10: error: A must be a text, not nothing",
		"":                              "shop.yaml:1:1: error: the file is empty: a shop begins with its name",
		"name: a\n---\nname: b":         "the file goes on after its first document: a file holds one shop",
		strings.Repeat("#", 1<<20+1):    "shop.yaml: error: the file is larger than 1 MB: that is no shop",
		"name: a\n\tok: [200]":          "a tab indents this line",
		"name: a\nname: b\n":            "shop.yaml:2:1: error: key \"name\" appears twice",
		"name: &a [*a]\ntill: {<<: *a}": "shop.yaml:",
	} {
		_, problems := hold(t, src)
		require.NotEmpty(t, problems, "%.40q", src)
		assert.Contains(t, problems.Error(), want, "%.40q", src)
	}
}

func TestANameIsDefinedOnce(t *testing.T) {
	_, err := document.NewSchema([]byte(other), []byte(other))
	require.ErrorContains(t, err, "till is defined twice")
}
