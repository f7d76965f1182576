package checkers

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "rewrite what the files in testdata want, and docs/guarantees.md")

// The corpus: histories that violate one guarantee or look as if they did, each with everything that all seven checkers are to say
// about it. A missing finding fails, and so does one that nobody wants.
func TestCorpus(t *testing.T) {
	files, err := filepath.Glob("testdata/*/*.txtar")
	require.NoError(t, err)
	kinds := map[string]int{}
	for _, file := range files {
		guarantee := filepath.Base(filepath.Dir(file))
		kind, _, _ := strings.Cut(filepath.Base(file), "-")
		kinds[guarantee+" "+kind]++
		t.Run(guarantee+"/"+filepath.Base(file), func(t *testing.T) {
			a := readArchive(t, file)
			s, err := parseScript(a.history)
			require.NoError(t, err, file)
			r := Judge(s.history(), Spec{})
			got := wants(r)
			checkKind(t, kind, guarantee, r)
			if *update {
				a.want = got
				require.NoError(t, os.WriteFile(file, a.format(), 0o644))
				return
			}
			assert.Equal(t, a.want, got)
		})
	}
	for _, g := range Guarantees {
		assert.GreaterOrEqual(t, kinds[g.Name+" bad"], 3, "%s: histories that violate it", g.Name)
		assert.GreaterOrEqual(t, kinds[g.Name+" fine"], 2, "%s: histories that look suspicious and are fine", g.Name)
	}
}

// checkKind holds what a file's name says, so that -update cannot turn a violation into a pass.
func checkKind(t *testing.T, kind, guarantee string, r Result) {
	k := slices.IndexFunc(r.Guarantees, func(j Judgement) bool { return j.Guarantee == guarantee })
	require.GreaterOrEqual(t, k, 0)
	want := map[string][]Status{"bad": {Violated}, "fine": {Holds}, "unknown": {Unknown, NotTested}}[kind]
	require.NotEmpty(t, want, "a file's name begins with bad-, fine- or unknown-")
	assert.Contains(t, want, r.Guarantees[k].Status, r.Guarantees[k].Reason)
	if kind == "fine" {
		for _, j := range r.Guarantees {
			assert.NotEqual(t, Violated, j.Status, "%s: %v", j.Guarantee, j.Findings)
		}
	}
}

// wants writes a result as the files hold it.
func wants(r Result) string {
	var b strings.Builder
	for _, j := range r.Guarantees {
		fmt.Fprintf(&b, "%s: %s, %d %s\n", j.Guarantee, j.Status, j.Checked, j.What)
		if j.Reason != "" {
			fmt.Fprintf(&b, "  reason: %s\n", j.Reason)
		}
		for _, f := range j.Findings {
			fmt.Fprintf(&b, "  finding: %s\n", f.Sentence)
			if len(f.Faults) > 0 {
				fmt.Fprintf(&b, "    faults: %s\n", strings.Join(f.Faults, " "))
			}
			if f.Twin != "" {
				fmt.Fprintf(&b, "    twin: %s\n", f.Twin)
			}
		}
	}
	return b.String()
}

// archive is a comment, a history in the form of script, and what is wanted of it.
type archive struct{ comment, history, want string }

const (
	historyMark = "-- history --\n"
	wantMark    = "-- want --\n"
)

func readArchive(t *testing.T, file string) (a archive) {
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	var ok bool
	a.comment, a.history, ok = strings.Cut(string(b), historyMark)
	require.True(t, ok, "%s has no %q", file, historyMark)
	require.NotEmpty(t, strings.TrimSpace(a.comment), "%s says what it shows", file)
	a.history, a.want, _ = strings.Cut(a.history, wantMark)
	return a
}

func (a archive) format() []byte {
	return []byte(a.comment + historyMark + a.history + wantMark + a.want)
}
