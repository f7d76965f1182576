// Package architecture holds the lines of the house: who may import whom, which libraries stay behind which door, and that every
// package says what it is for.
package architecture

import (
	"encoding/json"
	"errors"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/wreckon/wreckon"

// arrows says what each package of ours may import of ours. A package that is not here fails the test: a new room is a decision.
// An entry ending in /... stands for a tree.
var arrows = map[string][]string{
	"history":              {},
	"workloads":            {"history"},
	"targets":              {"history", "workloads", "internal/postgres", "internal/container"},
	"targets/compose":      {"targets", "internal/container", "internal/document", "internal/spelling"},                                                                                      // compose files, with the specification's own loader
	"internal/container":   {},                                                                                                                                                               // what may be asked of a container, whoever runs it
	"targets/file":         {"history", "targets", "workloads", "internal/document", "internal/question", "internal/spelling", "internal/container", "internal/postgres", "targets/compose"}, // any system, described in YAML
	"faults":               {"history", "targets", "faults/wire", "internal/spelling"},
	"faults/proxy":         {"internal/question", "faults", "faults/wire", "targets", "history"},
	"faults/wire":          {"history"},
	"scenarios":            {"faults", "targets", "workloads", "history", "internal/document", "internal/spelling"},
	"checkers":             {"history", "internal/spelling"},
	"reports":              {"checkers", "history", "scenarios", "faults", "workloads", "internal/rundir", "internal/otlp"},
	"reference/...":        {"reference/..."},
	"internal/rundir":      {},
	"internal/undo":        {"internal/rundir"},
	"internal/environment": {"history", "internal/container"},
	"internal/runner": {"history", "workloads", "targets", "faults", "faults/proxy", "faults/wire", "scenarios", "internal/rundir", "internal/undo",
		"internal/environment", "internal/otlp"},
	// A host apart: whoever runs processes links no engine's client.
	"internal/environment/containers": {
		"internal/environment", "internal/environment/lent", "internal/container"},
	"internal/environment/hunger": {},                                                                                                           // run in containers
	"internal/environment/lent":   {},                                                                                                           // run in containers, too
	"internal/document":           {"internal/spelling"},                                                                                        // the YAML files that people write, whatever they are about: scenarios, claims, targets
	"internal/conformance":        {"history", "workloads", "targets", "faults", "scenarios", "checkers", "internal/rundir", "internal/runner"}, // tries a target out
	"internal/question":           {"targets"},                                                                                                  // what anyone may ask a server: for probes of edges, and of components
	"internal/proof":              {"checkers"},
	"internal/otlp":               {},
	"internal/architecture":       {},
	"internal/servers":            {"internal/postgres"},
	"internal/postgres":           {},
	"internal/spelling":           {},
	"compose/shop":                {}, // somebody else's: it knows nothing of the harness
	"compose/tally":               {}, // likewise
	"cmd/wreckon":                 {"..."},
}

// doors says which outside libraries may be imported by which package alone.
var doors = map[string]string{
	"github.com/Shopify/toxiproxy":      "faults/proxy",
	"github.com/anishathalye/porcupine": "checkers",
	"github.com/compose-spec":           "targets/compose",
	"github.com/testcontainers":         "internal/environment/containers",
	"github.com/moby/moby":              "internal/environment/containers",
	"modernc.org/sqlite":                "reference/store",
	"github.com/nats-io/nats-server":    "reference/broker",
	"github.com/spf13/cobra":            "cmd/wreckon",
	"go.yaml.in/yaml":                   "internal/document",
	"go.opentelemetry.io/otel":          "reference/telemetry",
	"github.com/prometheus":             "reference/telemetry",
	"go.opentelemetry.io/collector":     "internal/otlp",
}

type pkg struct {
	ImportPath string
	Dir        string
	Imports    []string
	GoFiles    []string
}

func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Dir,Imports,GoFiles", module+"/...")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	var ps []pkg
	for dec := json.NewDecoder(out); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else {
			require.NoError(t, err)
		}
		if len(p.GoFiles) > 0 {
			ps = append(ps, p)
		}
	}
	require.NoError(t, cmd.Wait())
	require.Greater(t, len(ps), 10, "go list found too few packages to check anything")
	return ps
}

func matches(pattern, name string) bool {
	if tree, ok := strings.CutSuffix(pattern, "..."); ok {
		return strings.HasPrefix(name+"/", tree)
	}
	return pattern == name
}

func TestArrowsPointOneWay(t *testing.T) {
	for _, p := range packages(t) {
		name := strings.TrimPrefix(p.ImportPath, module+"/")
		var allowed []string
		found := false
		for pattern, to := range arrows {
			if matches(pattern, name) {
				allowed, found = to, true
			}
		}
		if !found {
			t.Errorf("package %s is not on the map of this test: say what it may import", name)
			continue
		}
		for _, imp := range p.Imports {
			to, ours := strings.CutPrefix(imp, module+"/")
			if ours && !slices.ContainsFunc(allowed, func(a string) bool { return matches(a, to) }) {
				t.Errorf("%s imports %s: only %v is allowed", name, to, allowed)
			}
			for lib, door := range doors {
				if strings.HasPrefix(imp, lib) && name != door && !strings.HasPrefix(name, "compose/") { // where programs are somebody else's
					t.Errorf("%s imports %s: only %s may", name, imp, door)
				}
			}
		}
	}
}

// TestOneFileHoldsPorcupine keeps the exponential checker in one place.
func TestOneFileHoldsPorcupine(t *testing.T) {
	for _, p := range packages(t) {
		for _, f := range p.GoFiles {
			src, err := os.ReadFile(filepath.Join(p.Dir, f))
			require.NoError(t, err)
			if strings.Contains(string(src), `"github.com/anishathalye/porcupine"`) && f != "linearizability.go" {
				t.Errorf("%s/%s imports porcupine: only checkers/linearizability.go may", p.ImportPath, f)
			}
		}
	}
}

func TestPackagesSayWhatTheyAreFor(t *testing.T) {
	for _, p := range packages(t) {
		documented := false
		for _, f := range p.GoFiles {
			file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, f), nil, parser.PackageClauseOnly|parser.ParseComments)
			require.NoError(t, err)
			documented = documented || file.Doc.Text() != ""
		}
		if !documented {
			t.Errorf("package %s has no package comment", p.ImportPath)
		}
	}
}

// TestNothingEndsTheProcess keeps decisions about the process in cmd, and in the reference's entry for a component of its own.
func TestNothingEndsTheProcess(t *testing.T) {
	for _, p := range packages(t) {
		name := strings.TrimPrefix(p.ImportPath, module+"/")
		if strings.HasPrefix(name, "cmd/") || strings.HasPrefix(name, "compose/") { // programs, ours and somebody else's
			continue
		}
		for _, f := range p.GoFiles {
			src, err := os.ReadFile(filepath.Join(p.Dir, f))
			require.NoError(t, err)
			for _, call := range []string{"os.Exit(", "log.Fatal", "\tpanic("} {
				// A panic that was recovered in one goroutine may be raised again in the one that deals with it.
				text := strings.ReplaceAll(string(src), "\tpanic(p) // in the goroutine", "")
				if strings.Contains(text, call) {
					t.Errorf("%s/%s calls %s): return an error", name, f, strings.TrimSpace(call))
				}
			}
		}
	}
}
