package scenarios

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v4"
)

// validate is what an editor does with a file: YAML to plain values, and these against the schema.
func validate(t *testing.T, src []byte) error {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	require.NoError(t, err)
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	require.NoError(t, compiler.AddResource("schema.json", document))
	compiled, err := compiler.Compile("schema.json")
	require.NoError(t, err)

	var plain any
	require.NoError(t, yaml.Unmarshal(src, &plain))
	text, err := json.Marshal(plain)
	require.NoError(t, err)
	instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	require.NoError(t, err)
	return compiled.Validate(instance)
}

func TestShippedScenariosMatchTheSchema(t *testing.T) {
	assert.NoError(t, validate(t, []byte(whole)))
	assert.NoError(t, validate(t, []byte(told)))
	for _, info := range Shipped() {
		assert.NoError(t, validate(t, info.Source), info.Name)
		assert.Contains(t, string(info.Source), "# yaml-language-server: $schema=schema.json\n", info.Name)
	}
}

// What the schema can see, it must see: only names, times that do not fit together, and sums are beyond it.
func TestTheSchemaRefusesWhatTheParserRefuses(t *testing.T) {
	beyond := []string{ // for the parser alone
		"conditions", "guarantees", "target", "mix", "impossible-times", "overlap", "rivals", "too-much", "too-many-faults", "too-many-operations",
	}
	archives, err := filepath.Glob("testdata/*.txtar")
	require.NoError(t, err)
	for _, path := range archives {
		archive, err := txtar.ParseFile(path)
		require.NoError(t, err)
		src := archive.Files[0].Data
		name := filepath.Base(path[:len(path)-len(".txtar")])
		if slices.Contains(beyond, name) || yaml.Unmarshal(src, new(any)) != nil || bytes.Contains(src, []byte("\n---\n")) {
			continue
		}
		t.Run(name, func(t *testing.T) { assert.Error(t, validate(t, src)) })
	}
}

func TestSchemaAndParserKnowTheSameKeys(t *testing.T) {
	type object struct {
		Properties map[string]json.RawMessage `json:"properties"`
	}
	var s struct {
		object
		Defs map[string]object `json:"$defs"`
	}
	require.NoError(t, json.Unmarshal(Schema(), &s))
	keys := func(o object) []string { return slices.Sorted(maps.Keys(o.Properties)) }

	assert.ElementsMatch(t, documentKeys, keys(s.object))
	assert.ElementsMatch(t, workloadKeys, keys(s.Defs["load"]))
	assert.ElementsMatch(t, phaseKeys, keys(s.Defs["phase"]))
	assert.ElementsMatch(t, slices.Concat(words().kindNames(), commonKeys, placeKeys, paramKeys), keys(s.Defs["fault"]))
	assert.ElementsMatch(t, whenKeys, keys(s.Defs["when"]))

	var w object
	require.NoError(t, json.Unmarshal(s.Properties["workload"], &w))
	var units []string
	for _, target := range words().Targets {
		units = append(units, workloadKey(target))
	}
	slices.Sort(units) // two targets may have the same units
	assert.ElementsMatch(t, slices.Compact(units), keys(w))
}

// The lists of keys are only as good as the parser's obedience to them: each key, put into a file, must be known to it.
func TestTheParserKnowsEachKey(t *testing.T) {
	for _, key := range documentKeys {
		_, problems := Parse("keys.yaml", []byte(key+": 1\n"), words())
		assert.NotContains(t, problems.Error(), "unknown key", key)
	}
	for _, key := range workloadKeys {
		_, problems := Parse("keys.yaml", []byte("workload: {orders: {"+key+": [1]}}\n"), words())
		assert.NotContains(t, problems.Error(), "unknown key", key)
	}
	for _, key := range slices.Concat(commonKeys, placeKeys, paramKeys) {
		_, problems := Parse("keys.yaml", []byte("faults: [{crash: relay, "+key+": [1]}]\n"), words())
		assert.NotContains(t, problems.Error(), "unknown key", key)
	}
	for _, key := range whenKeys {
		_, problems := Parse("keys.yaml", []byte("faults: [{crash: relay, when: {"+key+": [1]}}]\n"), words())
		assert.NotContains(t, problems.Error(), "unknown key", key)
	}
}

var yamlBlock = regexp.MustCompile("(?s)```yaml\n(.*?)```")

// Whatever the page on the language shows as a whole scenario is one.
func TestTheDocumentedExamplesAreRight(t *testing.T) {
	page, err := os.ReadFile("../docs/scenarios.md")
	require.NoError(t, err)
	found := 0
	for _, block := range yamlBlock.FindAllSubmatch(page, -1) {
		if !bytes.Contains(block[1], []byte("scenario:")) {
			continue
		}
		found++
		_, problems := Parse("docs/scenarios.md", block[1], words())
		assert.Empty(t, problems, "%v", problems)
		assert.NoError(t, validate(t, block[1]))
	}
	assert.Positive(t, found)
	for _, key := range slices.Concat(documentKeys, workloadKeys, words().kindNames(), commonKeys, placeKeys, whenKeys, paramKeys) {
		assert.Contains(t, string(page), "`"+key, "every key is explained")
	}
}
