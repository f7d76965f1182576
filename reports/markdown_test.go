package reports

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMarkdownStaysSmall(t *testing.T) {
	r := sample(true)
	j := &r.Result.Guarantees[0]
	for i := range 5000 {
		f := j.Findings[0]
		f.Sentence = fmt.Sprintf("order o-%d was charged twice", i)
		j.Findings = append(j.Findings, f)
	}
	j.Total = 9000
	text := printed(t, func(w io.Writer) error { return Markdown(w, r) })
	assert.LessOrEqual(t, len(text), 900_000)
	assert.Regexp(t, `_[\d,]+ findings are more, left out|_[\d,]+ more findings`, text)
	assert.Contains(t, text, r.Manifest.Repeat, "what comes last is still there")
}

func TestMarkdownTextIsInert(t *testing.T) {
	text := printed(t, func(w io.Writer) error { return Markdown(w, hostile()) })
	text = regexp.MustCompile(`(?m)^    .*$`).ReplaceAllString(text, "") // code, which is shown as it is
	lacks(t, text, "<script")
	lacks(t, text, "<img")
	for _, l := range strings.Split(text, "\n") {
		if strings.HasPrefix(l, "| ") {
			cells := strings.Count(strings.ReplaceAll(l, `\|`, ""), "|") - 1
			assert.Contains(t, []int{3, 4, 5}, cells, "a cell ended early: %s", l)
		}
	}
	assert.Equal(t, `\[x\](y) \*a\* \_b\_ &#64;team &lt;b&gt; \`+"`c\\` \\|", md("[x](y) *a* _b_ @team <b> `c` |"))
}

func TestGitHub(t *testing.T) {
	path := filepath.Join(t.TempDir(), "summary")
	require.NoError(t, os.WriteFile(path, []byte("before\n"), 0o644))
	env := map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": path}
	getenv := func(k string) string { return env[k] }
	r := sample(true)
	r.Result.Guarantees[0].Findings[0].Sentence += " 100%\nover two lines"
	out := printed(t, func(w io.Writer) error { return GitHub(w, getenv, r) })
	lines := strings.Split(strings.TrimSpace(out), "\n")
	require.Len(t, lines, 2)
	assert.Regexp(t, `^::error file=scenarios/everything\.yaml,line=17,title=1 no-duplicate-effects::order o-\d+ was charged twice.*100%25%0Aover two lines$`, lines[0])
	assert.Contains(t, lines[1], "line=20,", "the line of the fault that was in force")
	summary := readFile(t, path)
	assert.True(t, strings.HasPrefix(summary, "before\n### ✗ VIOLATION: everything"), summary[:40])

	env["GITHUB_ACTIONS"] = ""
	assert.Empty(t, printed(t, func(w io.Writer) error { return GitHub(w, getenv, r) }), "elsewhere it does nothing")
	assert.Equal(t, summary, readFile(t, path))

	env = map[string]string{"GITHUB_ACTIONS": "true"}
	assert.Empty(t, printed(t, func(w io.Writer) error { return GitHub(w, getenv, sample(false)) }), "a pass needs no annotation")
	env["GITHUB_STEP_SUMMARY"] = filepath.Join(t.TempDir(), "no", "such", "folder")
	assert.ErrorIs(t, GitHub(io.Discard, getenv, r), fs.ErrNotExist)
}

func TestGitHubAnnotationsAreFew(t *testing.T) {
	r := sample(true)
	j := &r.Result.Guarantees[0]
	for range 20 {
		j.Findings = append(j.Findings, j.Findings[0])
	}
	j.Total = 40
	out := annotations(r)
	require.Len(t, out, 8)
	assert.Contains(t, out[7], "34 more in the report")
	assert.Len(t, annotations(mixed()), 1)
	assert.Equal(t, "a%3Ab%2Cc%25%0D%0A", escapeProperty("a:b,c%\r\n"))
}
