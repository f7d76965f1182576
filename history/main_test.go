package history

import (
	"os"
	"testing"

	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(childVariable); path != "" {
		os.Exit(child(path))
	}
	goleak.VerifyTestMain(m)
}

// anyEvent draws events as a recorder may be given them, with strings that repeat and strings that do not.
func anyEvent() *rapid.Generator[Event] {
	text := rapid.OneOf(rapid.Just(""), rapid.SampledFrom([]string{"submit", "charge", "api", "o-17/charge/1", `{"a":"<script>"}`}), rapid.String())
	return rapid.Custom(func(t *rapid.T) Event {
		e := Event{
			Kind:      Kind(rapid.IntRange(1, numKinds-1).Draw(t, "kind")),
			Outcome:   Outcome(rapid.IntRange(0, numOutcomes-1).Draw(t, "outcome")),
			Unit:      Unit(rapid.Uint32Range(0, 1000).Draw(t, "unit")),
			Actor:     rapid.Uint32().Draw(t, "actor"),
			Attempt:   rapid.Uint32().Draw(t, "attempt"),
			Op:        text.Draw(t, "op"),
			Step:      text.Draw(t, "step"),
			Component: text.Draw(t, "component"),
			Key:       text.Draw(t, "key"),
			Value:     text.Draw(t, "value"),
			Trace:     text.Draw(t, "trace"),
		}
		if rapid.Bool().Draw(t, "has a unit") {
			e.Unit = NoUnit
		}
		if rapid.Bool().Draw(t, "has numbers") {
			e.Token = rapid.Uint64().Draw(t, "token")
			e.At = timeGen.Draw(t, "at")
		}
		return e
	})
}
