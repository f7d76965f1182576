package containers

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/internal/container"
	"github.com/wreckon/wreckon/internal/environment"
)

// What one component writes the others see, whether they may write or not, and by whatever name it is mounted; nobody's files are changed.
func TestComponentsShareWhatOneOfThemWrites(t *testing.T) {
	mine, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	for _, name := range []string{"var/in/file", "conf/file"} {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(mine, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(mine, name), []byte("mine"), 0o644))
	}
	require.NoError(t, os.Symlink(filepath.Join(mine, "var"), filepath.Join(mine, "link")))
	require.NoError(t, os.Chmod(filepath.Join(mine, "var/in"), 0o555))
	t.Cleanup(func() { assert.NoError(t, os.Chmod(filepath.Join(mine, "var/in"), 0o755)) })
	writes := func(sources ...string) (p environment.Process) {
		p.Container = &container.Spec{}
		for _, s := range sources {
			p.Container.Mounts = append(p.Container.Mounts, container.Mount{Path: "/there", Source: filepath.Join(mine, s)})
		}
		return p
	}
	reads := writes("var", "conf", "conf/file", ".")
	for i := range reads.Container.Mounts {
		reads.Container.Mounts[i].ReadOnly = true
	}
	all := []environment.Process{{}, writes("var/in"), writes("link"), reads}
	h := &host{Site: environment.Site{Data: t.TempDir()}, written: written(all)}
	assert.Equal(t, []string{filepath.Join(mine, "var")}, h.written)
	sourcesOf := func(p environment.Process) (list []string) {
		mounts, err := h.mounts(t.Context(), p.Container)
		require.NoError(t, err)
		for _, m := range mounts {
			list = append(list, m.Source)
		}
		return list
	}
	copied := sourcesOf(writes("link"))[0]
	info, err := os.Lstat(copied)
	require.NoError(t, err)
	assert.True(t, info.IsDir(), "no link to the original")
	assert.Equal(t, []string{filepath.Join(copied, "in")}, sourcesOf(writes("var/in")))
	assert.Equal(t, []string{copied, filepath.Join(mine, "conf"), filepath.Join(mine, "conf/file"), mine}, sourcesOf(reads))
	info, err = os.Stat(filepath.Join(copied, "in"))
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o755), info.Mode().Perm(), "who is not root copies into it, and removes it")
	require.NoError(t, os.WriteFile(filepath.Join(copied, "in/file"), []byte("theirs"), 0o644))
	kept, err := os.ReadFile(filepath.Join(mine, "var/in/file"))
	require.NoError(t, err)
	assert.Equal(t, "mine", string(kept))

	_, err = h.mounts(t.Context(), writes("nowhere").Container)
	assert.ErrorContains(t, err, "mount /there: ")
}

// A run in the directory that a component may write to is not copied into itself.
func TestARunIsNotCopiedIntoItself(t *testing.T) {
	project, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	data := filepath.Join(project, "runs/one/data")
	require.NoError(t, os.MkdirAll(data, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(project, "zip"), nil, 0o644))
	h := &host{Site: environment.Site{Data: data}}
	to, err := h.copied(project)
	require.NoError(t, err)
	assert.FileExists(t, filepath.Join(to, "zip"))
	assert.DirExists(t, filepath.Join(to, "runs/one"))
	assert.NoDirExists(t, filepath.Join(to, "runs/one/data"))
}

func TestALimitThatChangesNothingIsRefused(t *testing.T) {
	h := &host{made: map[string]*made{"small": {cpus: 0.5}}}
	for _, cpus := range []float64{0.5, 2} {
		assert.ErrorContains(t, h.LimitCPU(t.Context(), "small", cpus), "it may not use more than 0.5 processors anyway")
	}
}
