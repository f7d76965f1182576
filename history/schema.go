package history

import (
	_ "embed"
	"slices"
)

//go:embed schema.json
var schema []byte

// Schema is the JSON Schema (draft 2020-12) of one line of the text form.
func Schema() []byte { return slices.Clone(schema) }
