package scenarios

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/history"
	"github.com/wreckon/wreckon/internal/document"
)

func TestClaimsAreReadFromYAMLAndJSON(t *testing.T) {
	want := history.Claims{
		Unit: "order", Feeds: []string{"effects", "states"},
		Steps:  []history.Step{{Name: "charge", Does: "charged", Required: true}, {Name: "mail", Promise: "at-least-once"}},
		States: history.States{Completed: "DONE", Next: map[string][]string{"NEW": {"DONE"}}},
	}
	for name, src := range map[string]string{
		"yaml": `
unit: order
feeds: [effects, states]
steps:
  - {name: charge, does: charged, required: true}
  - name: mail
    promise: at-least-once
states:
  completed: DONE
  next: {NEW: [DONE]}
`,
		"json": `{"unit": "order", "feeds": ["effects", "states"], "steps": [{"name": "charge", "does": "charged", "required": true},
			{"name": "mail", "promise": "at-least-once"}], "states": {"completed": "DONE", "next": {"NEW": ["DONE"]}}}`,
	} {
		if name == "json" {
			src = strings.ReplaceAll(src, "\t", "  ")
		}
		got, problems := ParseClaims(name, []byte(src))
		require.Empty(t, problems, name)
		require.Equal(t, want, got, name)
	}
}

// Whatever a target can claim can be written in a file: the claims of a history, as they stand there, are read as they are.
func TestWhatAHistoryClaimsCanBeClaimedInAFile(t *testing.T) {
	const second = history.Duration(1e9)
	one := 1.0
	claims := history.Claims{
		Target: "shop", Unit: "order", Retries: []history.Retries{{Step: "charge", Max: 5, Base: second, Factor: 2, Cap: second, Jitter: true}},
		DeadLetters: &history.DeadLetters{Context: []string{"reason"}, MaxRate: 0.1},
		Deadlines:   []history.Deadline{{Name: "hold", From: "effect charge", To: "undo charge", Within: second, Must: true}},
		Totals:      []history.Total{{Name: "stock", Terms: []history.Term{{Observed: "on-hand", Times: -1}}, Equals: &one}},
		Recovery:    &history.Recovery{Success: second, Loss: new(history.Duration)}, Drain: []history.Drain{{Grace: second}},
	}
	src, err := json.Marshal(claims)
	require.NoError(t, err)
	got, problems := ParseClaims("claims.json", src)
	require.Empty(t, problems)
	require.Equal(t, claims, got)
}

func TestClaimsThatAreWrong(t *testing.T) {
	for src, want := range map[string]struct {
		line, column int
		message      string
	}{
		"unti: order":                              {1, 1, `unknown key "unti" in claims (did you mean "unit"?)`},
		"unit: 7":                                  {1, 7, "unit must be a text, not the number 7: put it in quotes"},
		"steps: {name: charge}":                    {1, 8, "steps must be a list"},
		"steps:\n  - {does: charged}":              {2, 5, "an entry of steps has no name"},
		"steps:\n  - {name: ''}":                   {2, 12, "name is empty"},
		"steps: [{name: a, required: maybe}]":      {1, 29, "required must be true or false"},
		"steps: [{name: a, promise: exactly-one}]": {1, 28, `did you mean "exactly-once"?`},
		"feeds: [effect]":                          {1, 9, `did you mean "effects"?`},
		"retries: [{max: -1}]":                     {1, 17, "max must be at least 0, not -1"},
		"retries: [{max: 1.5}]":                    {1, 17, "max must be a whole number"},
		"retries: [{base: 2}]":                     {1, 18, "base must be a text"},
		"retries: [{base: fast}]":                  {1, 18, `base: "fast" is none: want`},
		"dead_letters: {max_rate: 7}":              {1, 26, "max_rate must be at most 1"},
		"totals: [{name: a, terms: []}]":           {1, 27, "terms must have at least 1 entries"},
		"states: {next: {NEW: DONE}}":              {1, 22, "NEW must be a list"},
		"- a":                                      {1, 1, "claims must be keys with values"},
		"unit: order\nunit: job":                   {2, 1, "appears twice"},
		"a: [":                                     {1, 4, ""},
		"":                                         {1, 1, "the file is empty"},
	} {
		_, problems := ParseClaims("claims.yaml", []byte(src))
		require.NotEmpty(t, problems, src)
		p := problems[0]
		assert.Contains(t, p.Message, want.message, src)
		if want.message != "" {
			assert.Equal(t, [2]int{want.line, want.column}, [2]int{p.Line, p.Column}, "%s: %s", src, p.Message)
		}
	}
	_, err := LoadClaims(filepath.Join(t.TempDir(), "none"))
	require.Error(t, err)
	path := filepath.Join(t.TempDir(), "claims.yaml")
	require.NoError(t, os.WriteFile(path, []byte("unti: order\nfeeds: effects\n"), 0o644))
	_, err = LoadClaims(path)
	require.ErrorContains(t, err, path+":1:1: error: unknown key")
	require.ErrorContains(t, err, path+":2:8: error: feeds must be a list")
	require.NotContains(t, err.Error(), "nothing was started")
}

// TestTheWholeSchemaOfClaimsIsUnderstood finds a keyword that is used to describe claims and would not be checked.
func TestTheWholeSchemaOfClaimsIsUnderstood(t *testing.T) {
	schema, err := document.NewSchema(history.Schema())
	require.NoError(t, err)
	require.NoError(t, schema.Understood("claims"))
	require.ErrorContains(t, schema.Understood("event"), "unknown field", "what is not understood is said")
}

func FuzzParseClaims(f *testing.F) {
	f.Add("unit: order\nsteps: [{name: charge, required: true}]\nstates: {next: {a: [b]}}")
	f.Add("retries: [{base: 2s, factor: 1e999}]\ntotals: [{name: x, terms: [{times: .inf}]}]")
	f.Add("a: &a [*a]\n<<: {unit: *a}")
	f.Fuzz(func(t *testing.T, src string) {
		_, problems := ParseClaims("claims.yaml", []byte(src))
		for _, p := range problems {
			require.NotEmpty(t, p.Message)
		}
	})
}
