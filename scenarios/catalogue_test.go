package scenarios

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/faults"
)

// docs/catalogue.md is written from the table and from the scenarios: run this test with -update after changing them.
func TestTheCatalogueIsWritten(t *testing.T) {
	covering := map[string][]*Scenario{}
	for _, info := range Shipped() {
		s, problems := info.Parse(words())
		require.Empty(t, problems, "%v", problems)
		for _, name := range s.Covers {
			covering[name] = append(covering[name], s)
		}
	}
	const path = "../docs/catalogue.md"
	want := cataloguePage(t, covering)
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(want), 0o644))
	}
	got, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, want, string(got), "run go test ./scenarios -update")
}

const catalogueHead = `# The catalogue

<!-- Written by a test in scenarios/ (go test ./scenarios -update) from the scenarios and their key "covers". -->

Where safe completion is at stake, and the scenarios that put it to the test: the ten use cases of the field and four worked examples.
All guarantees are judged that a target has something to show for, unless a scenario names some. ` + "`wreckon explain SCENARIO`" + ` prints its file, and
[scenarios.md](scenarios.md) explains its words.

`

func cataloguePage(t *testing.T, covering map[string][]*Scenario) string {
	var b strings.Builder
	b.WriteString(catalogueHead)
	b.WriteString("| use case | scenarios |\n| --- | --- |\n")
	for _, u := range Catalogue {
		var names []string
		for _, s := range covering[u.Name] {
			names = append(names, "`"+s.Name+"`")
		}
		require.True(t, len(names) > 0 || u.Lacks != "", "%s: no scenario covers it, and nothing says why", u.Name)
		if len(names) == 0 {
			names = []string{"none"}
		}
		fmt.Fprintf(&b, "| [%s](#%s) | %s |\n", u.Name, u.Name, strings.Join(names, ", "))
	}
	for _, u := range Catalogue {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n", u.Name, u.About)
		for _, s := range covering[u.Name] {
			fmt.Fprintf(&b, "\n**`%s`**, on `%s`. %s\n\n", s.Name, s.Target, s.About)
			fmt.Fprintf(&b, "- *Hypothesis*: %s\n", strings.TrimSpace(s.Hypothesis))
			if len(s.Guarantees) > 0 {
				fmt.Fprintf(&b, "- *Guarantees*: %s\n", strings.Join(s.Guarantees, ", "))
			}
			fmt.Fprintf(&b, "- *Faults*: %s\n", strings.Join(counted(s.Faults), ", "))
			fmt.Fprintf(&b, "- *Required*: %s\n", strings.Join(s.Require, "; "))
		}
		if u.Lacks != "" {
			fmt.Fprintf(&b, "\nNot covered: %s\n", u.Lacks)
		}
	}
	return b.String()
}

// counted says which faults there are, and how many of each: those that follow others, too.
func counted(list []Fault) (names []string) {
	var specs []faults.Spec
	var walk func([]Fault)
	walk = func(list []Fault) {
		for _, f := range list {
			specs = append(specs, f.Spec)
			walk(f.Then)
		}
	}
	walk(list)
	times := map[string]int{}
	for _, s := range specs {
		name := s.Kind + " " + s.Target()
		if times[name]++; !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for k, name := range names {
		if n := times[name]; n > 1 {
			names[k] = fmt.Sprintf("%s (%d times)", name, n)
		}
	}
	return names
}
