package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/faults"
	"github.com/wreckon/wreckon/scenarios"
)

// What explain says that a kind takes is what a scenario may write: each key of the language is accepted where explain names it, and
// refused where it does not.
func TestExplainNamesWhatTheLanguageTakes(t *testing.T) {
	values := map[string]string{
		"at": "1s", "for": "1s", "every": "30s", "times": "2", "when": "", "then": "[{error-after: client -> api, when: {exchange: \"GET *\"}}]",
		"restart": "1s", "delay": "300ms", "rate": "16KB/s", "flap": "50ms", "grace": "1s", "cpus": "0.05", "frame": "drop", "end": "reset", "again": "300ms",
	}
	for _, k := range faults.Kinds {
		explained := explainKind(k)
		byTime, byEvent := scenarios.Keys(k)
		aim, when := "client -> api", `{exchange: "POST *"}`
		switch {
		case k.Name == "rolling-restart":
			aim = "[api]"
		case k.Name == "end-sessions":
			aim = "postgres"
		case k.On == faults.OnComponent:
			aim, when = "api", `{edge: client -> api, exchange: "POST *", point: before}`
		case k.Name == "partition", k.Name == "blackhole", k.Name == "reset", k.Name == "bandwidth", k.Name == "lost-response":
			aim = "client <-> api"
		}
		for place, takes := range map[string][]string{"at": byTime, "when": byEvent} {
			if takes == nil {
				continue
			}
			assert.Contains(t, explained, " it takes: "+strings.Join(takes, ", ")+".", k.Name)
			values["when"] = when
			for key, value := range values {
				entry := map[string]string{place: values[place], key: value}
				needed(k, place, entry, values)
				problem := problems(k, aim, entry)
				if slices.Contains(takes, key) {
					assert.Empty(t, problem, "%s placed with %s: explain says that it takes %s", k.Name, place, key)
				} else {
					assert.NotEmpty(t, problem, "%s placed with %s: explain does not say that it takes %s", k.Name, place, key)
				}
			}
		}
	}
}

// needed adds what an entry cannot be without.
func needed(k faults.Kind, place string, entry, values map[string]string) {
	add := func(key string) { entry[key] = values[key] }
	if _, restarts := entry["restart"]; place == "at" && !restarts {
		add("for")
	}
	if k.Name == "pause" {
		add("for")
	}
	for _, key := range []string{"delay", "rate", "cpus"} {
		if slices.Contains(k.Params, key) {
			add(key)
		}
	}
	for key, other := range map[string]string{"times": "every", "every": "times"} {
		if _, ok := entry[key]; ok {
			add(other)
		}
	}
}

func problems(k faults.Kind, aim string, entry map[string]string) string {
	text := fmt.Sprintf("scenario: one\ntarget: reference-postgres\nworkload: {orders: {rate: 40/s, for: 60s}}\nfaults:\n  - %s: %s\n", k.Name, aim)
	for key, value := range entry {
		text += fmt.Sprintf("    %s: %s\n", key, value)
	}
	_, found := scenarios.Parse("one.yaml", []byte(text), vocabulary())
	var all []string
	for _, p := range found {
		all = append(all, p.Error())
	}
	return strings.Join(all, "\n")
}

func TestExplainTellsEveryKind(t *testing.T) {
	for _, k := range faults.Kinds {
		byTime, byEvent := scenarios.Keys(k)
		require.Equal(t, k.Placed != faults.ByEvent, byTime != nil, k.Name)
		require.Equal(t, k.Placed != faults.ByTime, byEvent != nil, k.Name)
	}
}
