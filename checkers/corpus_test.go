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

	"github.com/wreckon/wreckon/history"
)

var update = flag.Bool("update", false, "rewrite what the files in testdata want, and docs/guarantees.md")

// The corpus: histories that violate one guarantee or look as if they did, each with everything that the checkers are to say about
// it. A missing finding fails, and so does one that nobody wants.
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
			got := wants(r, guarantee)
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

// wants writes a result as the files hold it. What a history has nothing of is left out, but for the guarantee that the file is about.
func wants(r Result, about string) string {
	var b strings.Builder
	for _, j := range r.Guarantees {
		if j.Status == NotTested && j.Guarantee != about {
			continue
		}
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

// What a line of a history may say beyond the ordinary.
func TestScriptSaysWhatAnEventHolds(t *testing.T) {
	s, err := parseScript(`claims {"fencing": [{"step": "charge"}], "feeds": ["tokens"], "steps": [{"name": "ship", "does": "sent"}]}
c1 submit o-1 {"amount": 12} key=k trace=t1
c1 ok pending
start charge o-1 by=payments-2 t=4 try=2
effect charge do o-1 4990 t=4 trace=t1 dedup
finish charge o-1 t=4 op=checkpoint
audit api released o-1 actor=ann amount=12.5 trace=t1
dead o-1 {"reason": "poison"}
total stock 412`)
	require.NoError(t, err)
	claims := s.header.Claims
	assert.Equal(t, []history.Fencing{{Step: "charge"}}, claims.Fencing)
	assert.Contains(t, claims.Feeds, history.FeedTokens)
	assert.Contains(t, claims.Feeds, history.FeedAudit)
	assert.Len(t, claims.Steps, len(testClaims().Steps))
	for k := range s.events {
		s.events[k].T = 0
	}
	const body = `{"order_id":"o-1","transition":"released","n":1,"actor":"ann","amount":12.5}`
	none := history.NoUnit
	assert.Equal(t, []history.Event{
		{Kind: history.KindInvoke, Actor: 1, Op: "submit", Attempt: 1, Key: "k", Trace: "t1", Value: `{"amount": 12}`},
		{Kind: history.KindOK, Actor: 1, Op: "submit", Attempt: 1, Key: "k", Trace: "t1", Value: "pending"},
		{Kind: history.KindStart, Step: "charge", Component: "payments-2", Attempt: 2, Token: 4},
		{Kind: history.KindEffect, Outcome: history.OutcomeDeduplicated, Op: "do", Step: "charge", Component: "payments", Value: "4990", Token: 4, Trace: "t1"},
		{Kind: history.KindFinish, Step: "charge", Component: "payments", Op: "checkpoint", Attempt: 1, Token: 4},
		{Kind: history.KindAudit, Op: "released", Component: "api", Token: 1, Key: chained("", body), Value: body, Trace: "t1"},
		{Kind: history.KindObserve, Op: "dead-letter", Component: "saga", Value: `{"reason": "poison"}`},
		{Kind: history.KindObserve, Op: "total", Unit: none, Key: "stock", Value: "412"},
	}, s.events[1:])

	for _, wrong := range []string{`claims {"fensing": []}`, `dead o-1 {"reason`, "effect charge do o-1 1 t=four", "start charge"} {
		_, err := parseScript(wrong)
		assert.Error(t, err, wrong)
	}
}
