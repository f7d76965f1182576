package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	console = regexp.MustCompile("(?s)```console\n(.*?)```")
	exits   = regexp.MustCompile(`^(.*?)\s+# exit (\d+)$`)
	gaps    = regexp.MustCompile(` {2,}`)
)

// parts are those of docs/your-target.md: with containers, and without.
func parts(t *testing.T) (with, without []byte) {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "your-target.md"))
	require.NoError(t, err)
	with, without, found := bytes.Cut(page, []byte("\n## Without containers\n"))
	require.True(t, found)
	return with, without
}

// The commands of docs/your-target.md are run, in their order, and must say what the page shows of them.
func TestTheTutorialDoesWhatItSays(t *testing.T) {
	shopNeeds(t)
	_, page := parts(t)
	follow(t, page)
}

// The same with containers takes two minutes, and images: it is for where somebody asks for it.
func TestTheTutorialDoesWhatItSaysInContainers(t *testing.T) {
	if os.Getenv("WRECKON_REQUIRE_DOCKER") != "1" {
		t.Skip("a container engine with the images of make images is needed: WRECKON_REQUIRE_DOCKER=1 says that there is one")
	}
	t.Setenv("WRECKON_IMAGE_POSTGRES", "wreckon/postgres:15")
	t.Setenv("WRECKON_IMAGE_REDIS", "wreckon/redis:7")
	page, _ := parts(t)
	follow(t, page)
}

// follow runs the commands of a part of the page.
func follow(t *testing.T, page []byte) {
	t.Helper()
	var script strings.Builder
	commands := 0
	for _, block := range console.FindAllSubmatch(page, -1) {
		for _, line := range strings.Split(strings.TrimSpace(string(block[1])), "\n") {
			command, given := strings.CutPrefix(line, "$ ")
			if !given {
				fmt.Fprintf(&script, "stdout '%s'\n", gaps.ReplaceAllString(regexp.QuoteMeta(strings.TrimSpace(line)), " +"))
				continue
			}
			if strings.HasPrefix(command, "make ") || strings.HasPrefix(command, "docker ") || strings.Contains(command, "go build ") {
				continue // done by the test: there is no repository where the script runs
			}
			commands++
			code := "0"
			if m := exits.FindStringSubmatch(command); m != nil {
				command, code = m[1], m[2]
			}
			fmt.Fprintf(&script, "exitcode %s sh -c '%s'\n", code, command)
		}
	}
	require.Equal(t, 4, commands, "the page shows other commands than before: does the test still fit?")

	root, err := os.MkdirTemp("", "wreckon-tutorial-") // PostgreSQL runs as another user, for whom the test's own directories are closed
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, os.RemoveAll(root)) })
	require.NoError(t, os.Chmod(root, 0o755))
	file := filepath.Join(root, "tutorial.txtar")
	require.NoError(t, os.WriteFile(file, []byte(script.String()), 0o644))
	testscript.Run(t, testscript.Params{
		Files: []string{file}, WorkdirRoot: root, Cmds: map[string]func(*testscript.TestScript, bool, []string){"exitcode": exitcode},
		Setup: func(e *testscript.Env) error {
			e.Setenv("NO_COLOR", "1")
			for _, name := range []string{"WRECKON_IMAGE_POSTGRES", "WRECKON_IMAGE_REDIS", "DOCKER_HOST"} {
				e.Setenv(name, os.Getenv(name))
			}
			e.Setenv("GITHUB_ACTIONS", "")
			return shop(filepath.Join(e.WorkDir, "compose", "shop"))
		},
	})
}

// shopNeeds ends the test where what the shop needs is not installed: with an error where it must be there.
func shopNeeds(t *testing.T) {
	t.Helper()
	_, err := exec.LookPath("redis-server")
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	switch {
	case err == nil && len(found) > 0:
	case os.Getenv("WRECKON_REQUIRE_SERVERS") == "1":
		require.FailNow(t, "postgresql and redis-server are needed: install Debian's packages")
	default:
		t.Skip("postgresql and redis-server are needed: install Debian's packages")
	}
}

// shop builds the shop into a directory, and puts what belongs to it beside it.
func shop(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	from := filepath.Join("..", "..", "compose", "shop")
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "shop"), "./"+from)
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // for an image that holds nothing else
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build the shop: %w: %s", err, out)
	}
	for _, name := range []string{"target.yaml", "scenario.yaml", "postgres.sh", "compose-target.yaml", "compose.yaml", "Dockerfile", ".dockerignore"} {
		text, err := os.ReadFile(filepath.Join(from, name))
		if err != nil {
			return err
		}
		// On a machine that does other things meanwhile, the load may come late: here that is not the question.
		text = bytes.Replace(text, []byte("    mix: {"), []byte("    late: 10s\n    mix: {"), 1)
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o755); err != nil {
			return err
		}
	}
	return nil
}
