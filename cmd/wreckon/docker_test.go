package main

import (
	"archive/tar"
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v4"

	"github.com/wreckon/wreckon/internal/rundir"
)

// shopImage is that of the shop's own program.
const shopImage = "wreckon-test/shop"

// A shop out of a target file, each component in a container of an image that the file names. First a run of it is killed, so that the next one
// finds all that it left; then it does what it promises, and with a mistake it is found out.
func TestATargetFileInContainers(t *testing.T) {
	wreckon := needEngine(t)
	dir := t.TempDir()
	containedShop(t, dir)
	run := func(args ...string) *exec.Cmd {
		c := exec.Command(wreckon, append([]string{"run", filepath.Join(dir, "scenario.yaml"), "--seed", "1", "--out", filepath.Join(dir, "runs")}, args...)...)
		c.Env = append(os.Environ(), "WRECKON_IMAGE_POSTGRES=wreckon/postgres:15", "WRECKON_IMAGE_REDIS=wreckon/redis:7", "NO_COLOR=1", "GITHUB_ACTIONS=")
		return c
	}
	killed := run()
	said, err := killed.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, killed.Start())
	heard, lines := "", bufio.NewScanner(said)
	for lines.Scan() && !strings.Contains(heard, "chaos") {
		heard += lines.Text() + "\n"
	}
	require.NoError(t, killed.Process.Kill())
	require.Error(t, killed.Wait())
	require.Contains(t, heard, "chaos")
	left, volumes := leftOf(t, dir), volumesOf(t, dir)
	assert.Len(t, left, 4*2+4, "a component, who holds its address, and a network, each four times")
	assert.Len(t, volumes, 2, "of PostgreSQL and of Redis")

	ran := run()
	var notes bytes.Buffer
	ran.Stderr = &notes
	err = ran.Run()
	if err != nil {
		told, _ := exec.Command(wreckon, "report", filepath.Join(dir, "runs", "latest")).CombinedOutput()
		require.NoError(t, err, "%s%s", notes.String(), told)
	}
	assert.Equal(t, 12, strings.Count(notes.String(), ": removed "), notes.String())
	for _, volume := range volumes {
		assert.Error(t, exec.Command("docker", "volume", "inspect", volume).Run(), "volume %s is still there", volume)
	}
	latest, err := filepath.EvalSymlinks(filepath.Join(dir, "runs", "latest"))
	require.NoError(t, err)
	var manifest rundir.Manifest
	text, err := os.ReadFile(filepath.Join(latest, rundir.ManifestFile))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &manifest))
	assert.Equal(t, "docker", manifest.Environment)
	for _, name := range []string{"api", "worker", "postgres", "redis"} {
		assert.Regexp(t, "^sha256:", manifest.Images[name], name)
	}

	mistaken, err := run("--defect", "new-key-per-attempt").CombinedOutput()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit, "%s", mistaken)
	assert.Equal(t, 1, exit.ExitCode(), "%s", mistaken)
	assert.Contains(t, string(mistaken), "✗ no-duplicate-effects")
	assert.Empty(t, leftOf(t, dir))
}

// Its own image is all that wreckon needs to run in a container itself.
func TestWreckonInAContainer(t *testing.T) {
	wreckon := needEngine(t)
	dir := t.TempDir()
	require.NoError(t, exec.Command(wreckon, "doctor", "--env", "docker", "--out", dir).Run(), "which makes the image")
	images, err := exec.Command("docker", "image", "ls", "-q", "--filter", "label=wreckon=image", "--filter", "reference=wreckon/self").Output()
	require.NoError(t, err)
	newest, _, _ := strings.Cut(string(images), "\n")
	out, err := exec.Command("docker", "run", "--rm", "--network", "host", "-v", "/var/run/docker.sock:/var/run/docker.sock", "-v", dir+":"+dir,
		newest, "doctor", "--env", "docker", "--out", dir).CombinedOutput()
	require.NoError(t, err, "%s", out)
	assert.Regexp(t, `✓ containers .*a component was ready after \d+ ms`, string(out))
	out, err = exec.Command("docker", "run", "--rm", "-v", "/var/run/docker.sock:/var/run/docker.sock", "-v", dir+":"+dir,
		newest, "doctor", "--env", "docker", "--out", dir).CombinedOutput()
	require.Error(t, err, "%s", out)
	assert.Contains(t, string(out), "without --network host")
}

// needEngine skips a test unless somebody says that there is a container engine, and the images that make images makes: make test-docker does. It
// builds the program as make does: what runs in an image that holds nothing else needs no libraries.
func needEngine(t *testing.T) (wreckon string) {
	t.Helper()
	if os.Getenv("WRECKON_REQUIRE_DOCKER") != "1" {
		t.Skip("whole runs in containers: make test-docker makes them")
	}
	out, err := exec.Command("docker", "image", "inspect", "wreckon/postgres:15", "wreckon/redis:7").CombinedOutput()
	require.NoError(t, err, "%s: make images makes them", out)
	wreckon = filepath.Join(t.TempDir(), "wreckon")
	static(t, wreckon, ".")
	return wreckon
}

func static(t *testing.T, to, of string) {
	t.Helper()
	build := exec.Command("go", "build", "-ldflags", "-s -w", "-o", to, of)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// containedShop writes the shop's target into a directory, with images for its components, and makes that of the shop itself.
func containedShop(t *testing.T, dir string) {
	t.Helper()
	program := filepath.Join(dir, "shop")
	static(t, program, "../../compose/shop")
	text, err := os.ReadFile(program)
	require.NoError(t, err)
	var layer bytes.Buffer
	archive := tar.NewWriter(&layer)
	require.NoError(t, archive.WriteHeader(&tar.Header{Name: "shop", Mode: 0o755, Size: int64(len(text))}))
	_, err = archive.Write(text)
	require.NoError(t, err)
	require.NoError(t, archive.Close())
	load := exec.Command("docker", "import", "-c", `ENTRYPOINT ["/shop"]`, "-", shopImage)
	load.Stdin = &layer
	out, err := load.CombinedOutput()
	require.NoError(t, err, "%s", out)
	t.Cleanup(func() { assert.NoError(t, exec.Command("docker", "rmi", shopImage).Run()) })

	type object = map[string]any
	edit := func(name string, change func(object)) {
		text, err := os.ReadFile(filepath.Join("..", "..", "compose", "shop", name))
		require.NoError(t, err)
		var doc object
		require.NoError(t, yaml.Unmarshal(bytes.ReplaceAll(text, []byte("postgres://shop@"), []byte("postgres://shop:${token}@")), &doc))
		change(doc)
		text, err = yaml.Marshal(doc)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), text, 0o644))
	}
	edit("target.yaml", func(doc object) {
		components := doc["components"].(object)
		for name, in := range map[string]object{
			"api":      {"image": shopImage, "command": []string{"api"}, "env": components["api"].(object)["env"]},
			"worker":   {"image": shopImage, "command": []string{"worker"}, "env": components["worker"].(object)["env"]},
			"postgres": {"image": "postgres:15", "command": []string{"-p", "${listen.port}"}, "env": object{"POSTGRES_USER": "shop", "POSTGRES_PASSWORD": "${token}", "POSTGRES_DB": "postgres"}},
			"redis":    {"image": "redis:7", "command": []string{"--port", "${listen.port}", "--save", ""}},
		} {
			components[name].(object)["container"] = in
		}
		doc["defects"] = object{"new-key-per-attempt": object{
			"story": "Each attempt has a key of its own.", "scenarios": []string{"./scenario.yaml"}, "falls": "no-duplicate-effects",
			"components": object{"worker": object{"container": object{"env": object{"KEY": "attempt"}}}},
		}}
	})
	edit("scenario.yaml", func(doc object) {
		doc["environment"] = "docker"
		// On a machine that does other things meanwhile, the load may come late: here that is not the question.
		doc["workload"].(object)["orders"].(object)["late"] = "10s"
		doc["guarantees"] = []string{"no-duplicate-effects", "no-lost-work", "no-phantom-effects", "atomic-outcome", "complete-audit", "no-stuck-work"}
	})
}

// leftOf lists the containers and networks of the runs below a directory.
func leftOf(t *testing.T, dir string) (left []string) {
	t.Helper()
	for _, run := range runsBelow(t, dir) {
		for _, kind := range []string{"container", "network"} {
			args := []string{kind, "ls", "-q", "--filter", "label=wreckon.run=" + run}
			if kind == "container" {
				args = append(args, "-a")
			}
			out, err := exec.Command("docker", args...).Output()
			require.NoError(t, err)
			left = append(left, strings.Fields(string(out))...)
		}
	}
	return left
}

// volumesOf lists the volumes of their containers.
func volumesOf(t *testing.T, dir string) (volumes []string) {
	t.Helper()
	for _, run := range runsBelow(t, dir) {
		out, err := exec.Command("docker", "ps", "-a", "--no-trunc", "--filter", "label=wreckon.run="+run, "--format", "{{.ID}}").Output()
		require.NoError(t, err)
		for _, id := range strings.Fields(string(out)) {
			out, err := exec.Command("docker", "inspect", "-f", "{{range .Mounts}}{{.Name}} {{end}}", id).Output()
			require.NoError(t, err)
			volumes = append(volumes, strings.Fields(string(out))...)
		}
	}
	return volumes
}

func runsBelow(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(dir, "runs"))
	require.NoError(t, err)
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names
}
