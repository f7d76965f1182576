// Package document reads the YAML files that people write: with the place of everything, so that whatever is wrong is said with file,
// line and column, all at once, and with what would be right. A file whose form is a JSON Schema is held to that schema, and comes out as
// the JSON that it means.
//
// It must never know what a file is about.
package document
