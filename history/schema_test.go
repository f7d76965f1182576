package history

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
)

func compiled(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	require.NoError(t, c.AddResource("schema.json", doc))
	s, err := c.Compile("schema.json")
	require.NoError(t, err)
	return s
}

func validate(t *testing.T, s *jsonschema.Schema, line string) error {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(line))
	require.NoError(t, err)
	return s.Validate(doc)
}

// full has every field of a header in use.
func full() Header {
	const second = Duration(time.Second)
	one := 1.0
	return Header{
		Format: FormatVersion, Run: "run", Scenario: "quick", Seed: 1<<64 - 1, Start: time.Unix(1700000000, 5).UTC(), Tool: "wreckon 1.0",
		Claims: Claims{
			Target: "reference", Unit: "order", Prefix: "o-", Feeds: []string{FeedEffects, FeedAudit, FeedSpans, FeedStates, FeedSteps, FeedReads, FeedTokens, FeedStarts, FeedLetters, FeedTotals, FeedTraces},
			Steps: []Step{{Name: "charge", Does: "charged", Undoes: "refunded", Component: "payments", Required: true, Observed: true,
				Promise: "at-most-once", AuditDo: "charged", AuditUndo: "refunded"}},
			States: States{Open: []string{"accepted"}, Completed: "completed", Compensated: "compensated", Quarantined: "quarantined",
				Expired: "expired", Audits: map[string]string{"completed": "completed"}, Next: map[string][]string{"accepted": {"completed"}}},
			Compensation: "reverse", Retries: []Retries{{Step: "charge", Max: 5, Base: second, Factor: 2, Cap: second, Jitter: true}},
			DeadLetters: &DeadLetters{Context: []string{"reason"}, MaxRate: 0.1},
			Privileges:  []Privilege{{Action: "released", Actors: []string{"anna"}, From: "quarantined", Approval: "approved", Above: 100}},
			Deadlines:   []Deadline{{Name: "hold", From: "effect charge", To: "undo charge", Within: second, Must: true}},
			Fencing:     []Fencing{{Step: "charge", Resource: "unit"}}, Ordering: []Ordering{{Step: "charge", Key: "key", Gaps: true}},
			Checkpoints: []Checkpoints{{Step: "chunk", Every: 10}},
			Totals: []Total{{Name: "stock", Terms: []Term{{Observed: "on-hand", Effects: "charge", Count: "charge", Times: -1}},
				Equals: &one, AtLeast: &one, AtMost: &one}},
			Recovery: &Recovery{Success: second, Backlog: second, Loss: new(Duration)}, Drain: []Drain{{Component: "relay", Grace: second}},
			Traced: []string{"effect"},
		},
	}
}

func TestWhatIsWrittenIsValid(t *testing.T) {
	s := compiled(t)
	h := New(full())
	h.Sealed, h.Lost, h.Warnings = true, "the end", []string{"left out"}
	for _, e := range sample(500) {
		h.Append(e)
	}
	for k := KindInvoke; int(k) < numKinds; k++ {
		for o := range Outcome(numOutcomes) {
			h.Append(Event{T: -1, Kind: k, Outcome: o, Unit: NoUnit, Actor: 1<<32 - 1, Attempt: 1<<32 - 1, Token: 1<<64 - 1, At: -1,
				Op: "op", Step: "step", Component: "component", Key: "\x00\"\\\n<script>", Value: "\u2028", Trace: "trace"})
		}
	}
	var text bytes.Buffer
	require.NoError(t, h.WriteJSONL(&text))
	for line := range strings.Lines(text.String()) {
		require.NoError(t, validate(t, s, line), line)
	}
}

func TestTheSchemaRefusesWhatReadJSONLRefuses(t *testing.T) {
	s := compiled(t)
	for _, line := range []string{
		`{}`, `[]`, `{"seq":1}`, `{"kind":"okay"}`, `{"kind":"ok","outcome":"done"}`, `{"kind":"ok","unit":true}`, `{"kind":"ok","unit":""}`,
		`{"kind":"ok","actor":-1}`, `{"kind":"ok","actor":4294967296}`, `{"kind":"ok","t":1.5}`, `{"kind":"ok","op":{}}`, `{"kind":"ok","seq":"1"}`,
		`{"wreckon_history":0,"claims":{}}`,
	} {
		require.Error(t, validate(t, s, line), line)
		_, err := ReadJSONL(strings.NewReader(line))
		require.Error(t, err, line)
	}
	for _, line := range []string{
		`{"kind":"ok"}`, `{"kind":"ok","unit":7,"key":8,"value":{"a":[1]},"more":1}`, `{"wreckon_history":1,"claims":{"states":{}}}`,
	} {
		require.NoError(t, validate(t, s, line), line)
		_, err := ReadJSONL(strings.NewReader(line))
		require.NoError(t, err, line)
	}
}

func TestTheSchemaAndTheFieldsAgree(t *testing.T) {
	type object struct {
		Properties map[string]struct {
			Enum        []string
			Description string
		}
	}
	var doc struct {
		Defs map[string]object `json:"$defs"`
	}
	require.NoError(t, json.Unmarshal(Schema(), &doc))
	names := func(def string) (names []string) {
		for name := range doc.Defs[def].Properties {
			names = append(names, name)
		}
		slices.Sort(names)
		return names
	}
	require.ElementsMatch(t, fieldNames[:], names("event"))
	for name, p := range doc.Defs["event"].Properties {
		require.NotEmpty(t, p.Description, name)
	}
	require.Equal(t, kindNames[1:], doc.Defs["event"].Properties["kind"].Enum)
	require.Equal(t, outcomeNames[1:], doc.Defs["event"].Properties["outcome"].Enum)

	header := slices.DeleteFunc(jsonNames(reflect.TypeFor[textHeader]()), func(s string) bool { return s == "format" })
	slices.Sort(header)
	require.Equal(t, slices.Compact(header), names("header"))
	require.ElementsMatch(t, jsonNames(reflect.TypeFor[Claims]()), names("claims"))
	require.ElementsMatch(t, jsonNames(reflect.TypeFor[Step]()), names("step"))
	require.ElementsMatch(t, jsonNames(reflect.TypeFor[States]()), names("states"))
	for def, claim := range map[string]reflect.Type{
		"retries": reflect.TypeFor[Retries](), "dead_letters": reflect.TypeFor[DeadLetters](), "privilege": reflect.TypeFor[Privilege](),
		"deadline": reflect.TypeFor[Deadline](), "fencing": reflect.TypeFor[Fencing](), "ordering": reflect.TypeFor[Ordering](),
		"checkpoints": reflect.TypeFor[Checkpoints](), "total": reflect.TypeFor[Total](), "term": reflect.TypeFor[Term](),
		"recovery": reflect.TypeFor[Recovery](), "drain": reflect.TypeFor[Drain](),
	} {
		require.ElementsMatch(t, jsonNames(claim), names(def), def)
	}
	// Each field of Event is a field of the text form: none can be added to the one and forgotten in the other.
	for i := range reflect.TypeFor[Event]().NumField() {
		require.Contains(t, fieldNames, strings.ToLower(reflect.TypeFor[Event]().Field(i).Name))
	}
	require.Len(t, fieldNames, reflect.TypeFor[Event]().NumField())
}

func jsonNames(t reflect.Type) (names []string) {
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			names = append(names, jsonNames(f.Type)...)
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}
