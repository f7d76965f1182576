package file

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/targets"
)

// mistaken is a file with defects: of a process, of a container, and of both.
const mistaken = `target: shop
components:
  shop:
    command: [./shop, -listen, "${listen}"]
    env: {KEY: order, SWEEP: on}
    container: {image: "shop:1", command: [-listen, "${listen}"], env: {KEY: order}}
  db: {command: [db, "${listen}"]}
  bank: {address: "10.1.2.3:443"}
edges:
  - {from: client, to: shop, protocol: http}
  - {from: shop, to: bank}
submit: {to: shop, request: POST /orders}
idle: {silence: 1s}
claims: {}
defects:
  new-keys:
    story: Each attempt has a key of its own.
    scenarios: [./lost.yaml, all/crash.yaml]
    falls: no-duplicate-effects
    components:
      shop: {env: {KEY: attempt}, container: {env: {KEY: attempt}}}
  bad-build:
    story: Somebody built it from a branch.
    scenarios: [lost.yaml]
    falls: no-lost-work
    components:
      shop: {container: {image: "shop:bad"}}
  old-program:
    story: Half of it is still the old one.
    scenarios: [lost.yaml]
    falls: no-lost-work
    components:
      shop: {command: [./old, "${listen.port}"]}
`

// besideScenarios makes a place for a target file whose scenarios exist.
func besideScenarios(t *testing.T) string {
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "all"), 0o755))
	for _, name := range []string{"lost.yaml", "all/crash.yaml"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), nil, 0o644))
	}
	return filepath.Join(dir, "target.yaml")
}

func TestAFileDeclaresDefects(t *testing.T) {
	name := besideScenarios(t)
	got, problems := Parse(name, []byte(mistaken))
	require.Empty(t, problems, "%v", problems)
	lost := filepath.Join(filepath.Dir(name), "lost.yaml")
	assert.Equal(t, []targets.Defect{
		{Name: "new-keys", Story: "Each attempt has a key of its own.", Reveals: []string{lost, filepath.Join(filepath.Dir(name), "all", "crash.yaml")},
			Falls: "no-duplicate-effects", Process: true, Container: true},
		{Name: "bad-build", Story: "Somebody built it from a branch.", Reveals: []string{lost}, Falls: "no-lost-work", Container: true},
		{Name: "old-program", Story: "Half of it is still the old one.", Reveals: []string{lost}, Falls: "no-lost-work", Process: true},
	}, got.Defects, "in the order of the file")
}

func TestADefectChangesWhatItSaysAndNothingElse(t *testing.T) {
	name := besideScenarios(t)
	got, problems := Parse(name, []byte(mistaken))
	require.Empty(t, problems, "%v", problems)
	launch := func(defect string) targets.Launch {
		i, err := got.New(targets.Wiring{Defect: defect, Listen: map[string]string{"shop": "127.0.0.1:7", "db": "127.0.0.1:8"}})
		require.NoError(t, err)
		defer i.Close()
		l := i.Launches()
		require.Len(t, l, 2)
		assert.Equal(t, "db", l[1].Component)
		assert.Empty(t, l[1].Env, "no defect is one of the database")
		l[0].Ready = nil
		return l[0]
	}
	right := launch("")
	assert.Equal(t, []string{"KEY=order", "SWEEP=on"}, right.Env)
	assert.Equal(t, targets.Container{Image: "shop:1", Args: []string{"-listen", "127.0.0.1:7"}, Env: []string{"KEY=order"}}, *right.Container)

	keys := launch("new-keys")
	assert.Equal(t, []string{"KEY=attempt", "SWEEP=on"}, keys.Env)
	assert.Equal(t, right.Args, keys.Args)
	assert.Equal(t, targets.Container{Image: "shop:1", Args: []string{"-listen", "127.0.0.1:7"}, Env: []string{"KEY=attempt"}}, *keys.Container)

	bad := launch("bad-build")
	assert.Equal(t, "shop:bad", bad.Container.Image)
	assert.Equal(t, right.Env, bad.Env)

	old := launch("old-program")
	assert.Equal(t, filepath.Join(filepath.Dir(name), "old"), old.Path)
	assert.Equal(t, []string{"7"}, old.Args)
	assert.Equal(t, right, launch(""), "and the target is as it was")
}

func TestWhatIsWrongWithADefectIsSaidWithItsPlace(t *testing.T) {
	for name, tc := range map[string]struct{ old, new, want string }{
		"no such guarantee": {"falls: no-duplicate-effects", "falls: no-duplicate-effect",
			`:19:12: error: falls must be one of no-duplicate-effects, `},
		"nearest guarantee":  {"falls: no-duplicate-effects", "falls: no-duplicate-effect", `(did you mean "no-duplicate-effects"?)`},
		"no such component":  {"shop: {env: {KEY: attempt}", "shpo: {env: {KEY: attempt}", `:21:13: error: "shpo" is none of them (did you mean "shop"?)`},
		"somebody else's":    {"shop: {env: {KEY: attempt}", "bank: {env: {KEY: attempt}", `"bank" is none of them`},
		"no such scenario":   {"[./lost.yaml, all/", "[./lots.yaml, all/", `:18:17: error: there is no scenario file `},
		"no story":           {"    story: Each attempt has a key of its own.\n", "", "new-keys has no story"},
		"no scenario":        {"[./lost.yaml, all/crash.yaml]", "[]", "scenarios must have at least 1 entries"},
		"nothing is changed": {"shop: {command: [./old, \"${listen.port}\"]}", "shop: {}", "nothing is different of shop: say its command, env or container"},
		"nobody is changed":  {"components:\n      shop: {command: [./old, \"${listen.port}\"]}", "components: {}", "old-program changes nothing: say what is different of which component"},
		"a name in a word":   {"${listen.port}", "${listne.port}", `${listne.port} stands for nothing here (did you mean "listen.port"?)`},
		"no image":           {"shop: {command: [./old, \"${listen.port}\"]}", "db: {container: {env: {A: b}}}", "db has no container: say its image"},
		"no name":            {"old-program:", "Old Program:", "is no name: use small letters"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, 1, strings.Count(mistaken, tc.old), "the test changes one place")
			file := besideScenarios(t)
			_, problems := Parse(file, []byte(strings.Replace(mistaken, tc.old, tc.new, 1)))
			require.NotEmpty(t, problems)
			assert.Regexp(t, `^`+file+`:\d+:\d+: error: `, problems.Error())
			assert.Contains(t, problems.Error(), tc.want)
		})
	}
}
