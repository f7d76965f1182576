package reports

import (
	"bytes"
	"encoding/json"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/checkers"
	"github.com/wreckon/wreckon/internal/rundir"
)

func schema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(ResultSchema))
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.AssertFormat()
	require.NoError(t, c.AddResource("result.schema.json", doc))
	s, err := c.Compile("result.schema.json")
	require.NoError(t, err)
	return s
}

func TestResultFollowsItsSchema(t *testing.T) {
	s := schema(t)
	odd := sample(false)
	odd.Result.Metrics = append(odd.Result.Metrics, checkers.Metric{Name: "ratio of nothing", Value: math.NaN()}, checkers.Metric{Name: "far", Value: math.Inf(1)})
	odd.Manifest.Seed = math.MaxUint64
	for name, r := range map[string]Run{"violation": sample(true), "mixed": mixed(), "odd": odd, "hostile": hostile(), "nothing": {}, "unknown verdict": {Result: checkers.Result{Verdict: "splendid"}}} {
		text := printed(t, func(w io.Writer) error { return ResultJSON(w, r) })
		doc, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		require.NoError(t, err)
		assert.NoError(t, s.Validate(doc), name)
		var back Document
		require.NoError(t, json.Unmarshal([]byte(text), &back), name)
		assert.Equal(t, back.Verdict.ExitCode(), back.Exit, name)
		lacks(t, text, "null")
	}
}

// A schema that accepts everything would make the test above worthless.
func TestSchemaRefuses(t *testing.T) {
	s := schema(t)
	good := printed(t, func(w io.Writer) error { return ResultJSON(w, sample(true)) })
	for _, change := range [][2]string{
		{`"format": 1,`, `"format": 2,`}, {`"exit": 1,`, `"exit": 2,`}, {`"verdict": "violation",`, `"verdict": "fine",`}, {`"status": "holds"`, `"status": "ok"`},
		{`"begin": 3000000000`, `"begin": "3s"`}, {`"in_flight": 14,`, ``}, {`"events": [`, `"events": null, "x": [`},
	} {
		require.Contains(t, good, change[0])
		doc, err := jsonschema.UnmarshalJSON(strings.NewReader(strings.Replace(good, change[0], change[1], 1)))
		require.NoError(t, err)
		assert.Error(t, s.Validate(doc), change[1])
	}
}

// Every field that the code writes is in the published schema: nothing is published by accident.
func TestSchemaKnowsEveryField(t *testing.T) {
	var strict any
	require.NoError(t, json.Unmarshal(ResultSchema, &strict))
	var close func(v any)
	close = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if v["type"] == "object" && v["properties"] != nil {
				v["additionalProperties"] = false
			}
			for _, e := range v {
				close(e)
			}
		case []any:
			for _, e := range v {
				close(e)
			}
		}
	}
	close(strict)
	c := jsonschema.NewCompiler()
	require.NoError(t, c.AddResource("strict.json", strict))
	s, err := c.Compile("strict.json")
	require.NoError(t, err)
	for _, r := range []Run{sample(true), mixed(), hostile()} {
		doc, err := jsonschema.UnmarshalJSON(strings.NewReader(printed(t, func(w io.Writer) error { return ResultJSON(w, r) })))
		require.NoError(t, err)
		assert.NoError(t, s.Validate(doc))
	}
}

func TestArtifactsCarryDigests(t *testing.T) {
	r := sample(true)
	r.Dir = t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(r.Dir, rundir.HistoryFile), []byte("abc"), 0o644))
	require.NoError(t, os.Mkdir(filepath.Join(r.Dir, rundir.LogsDir), 0o755))
	var doc Document
	require.NoError(t, json.Unmarshal([]byte(printed(t, func(w io.Writer) error { return ResultJSON(w, r) })), &doc))
	byName := map[string]Artifact{}
	for _, a := range doc.Artifacts {
		byName[a.Name] = a
	}
	assert.Equal(t, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", byName[rundir.HistoryFile].SHA256)
	assert.EqualValues(t, 3, byName[rundir.HistoryFile].Bytes)
	assert.Contains(t, byName, "logs/")
	assert.NotContains(t, byName, rundir.PlanFile, "what is not there is not listed")
}
