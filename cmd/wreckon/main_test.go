package main

import (
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/rogpeppe/go-internal/txtar"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/scenarios"
)

var update = flag.Bool("update", false, "rewrite what the scripts expect")

// TestMain makes the test binary answer to the names wreckon, toyshop and toybus, inside the scripts and as components of targets.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"wreckon": main, "toyshop": toyshop, "toybus": toybus})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		UpdateScripts: *update,
		Cmds:          map[string]func(*testscript.TestScript, bool, []string){"exitcode": exitcode},
		Setup: func(e *testscript.Env) error {
			e.Setenv("NO_COLOR", "1")
			e.Setenv("GITHUB_ACTIONS", "")
			return nil
		},
	})
}

// exitcode runs a command and holds its exit code: exitcode CODE COMMAND...
func exitcode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exitcode CODE COMMAND...")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := 0
	var ex *exec.ExitError
	if errors.As(err, &ex) {
		got = ex.ExitCode()
	} else {
		ts.Check(err)
	}
	if want, err := strconv.Atoi(args[0]); err != nil || got != want {
		ts.Fatalf("%s: exit %d, want %s", strings.Join(args[1:], " "), got, args[0])
	}
}

func TestShippedScenariosLoadAgainstTheRealVocabulary(t *testing.T) {
	require.NotEmpty(t, scenarios.Shipped())
	for _, s := range scenarios.Shipped() {
		_, err := loadScenario(s.Name)
		assert.NoError(t, err, s.Name)
	}
}

func TestEveryNameIsExplained(t *testing.T) {
	for _, tp := range topics {
		es := tp.entries()
		assert.NotEmpty(t, es, tp.name)
		for _, e := range es {
			assert.NotEmpty(t, strings.TrimSpace(e.about), e.name)
			assert.NotEmpty(t, strings.TrimSpace(e.story), e.name)
		}
	}
}

// The example of docs/history.md is the one that the script runs.
func TestTheLogOfTheDocumentationIsChecked(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "history.md"))
	require.NoError(t, err)
	script, err := txtar.ParseFile(filepath.Join("testdata", "script", "foreign.txtar"))
	require.NoError(t, err)
	shown := 0
	for _, f := range script.Files {
		if strings.HasPrefix(f.Name, "shop.") {
			assert.Contains(t, string(page), "\n"+string(f.Data)+"```\n", f.Name)
			shown++
		}
	}
	assert.Equal(t, 3, shown)
}
