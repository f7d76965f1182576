package undo_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/wreckon/wreckon/internal/rundir"
	"github.com/wreckon/wreckon/internal/undo"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sleeper starts a process that does nothing, in a group of its own. It is reaped as soon as it ends.
func sleeper(t *testing.T, env ...string) (pid int, gone <-chan struct{}) {
	t.Helper()
	cmd := exec.Command("sleep", "600")
	cmd.Env = append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	require.NoError(t, cmd.Start())
	done := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(done)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-done
	})
	return cmd.Process.Pid, done
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// abandon makes a run directory with the undo file of a harness that died: what the log says now, without its lock.
func abandon(t *testing.T, log *undo.Log, dir string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, rundir.UndoFile))
	require.NoError(t, err)
	require.NoError(t, log.Close())
	return leave(t, t.TempDir(), string(b))
}

func leave(t *testing.T, dir, text string) string {
	t.Helper()
	require.NoError(t, os.MkdirAll(dir, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, rundir.UndoFile), []byte(text), 0o644))
	return dir
}

func open(t *testing.T) (*undo.Log, string) {
	t.Helper()
	dir := t.TempDir()
	log, err := undo.Open(dir)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, log.Close()) })
	return log, dir
}

func left(t *testing.T, dir string) []string {
	t.Helper()
	records, err := undo.Leftover(dir)
	require.NoError(t, err)
	var words []string
	for _, r := range records {
		words = append(words, strings.TrimSpace(r.Name+" "+r.ID+" "+r.What))
	}
	return words
}

func TestEveryLineIsOnDiskWhenTheCallReturns(t *testing.T) {
	log, dir := open(t)
	assert.Empty(t, left(t, dir))
	require.NoError(t, log.Begin("f1", "pause relay"))
	assert.Equal(t, []string{"f1 pause relay"}, left(t, dir))
	require.NoError(t, log.Process(os.Getpid(), "relay"))
	assert.Equal(t, []string{"f1 pause relay", "relay"}, left(t, dir))
	require.NoError(t, log.Done("f1"))
	require.NoError(t, log.ProcessGone(os.Getpid()))
	assert.Empty(t, left(t, dir))
	require.NoError(t, log.Begin("f1", "again"))
	assert.Equal(t, []string{"f1 again"}, left(t, dir), "what is begun again is open again")
}

func TestARunThatEndsInOrderLeavesNothing(t *testing.T) {
	log, dir := open(t)
	require.NoError(t, log.Begin("f1", "pause relay"))
	require.NoError(t, log.Close())
	require.NoError(t, log.Close())
	assert.NoFileExists(t, filepath.Join(dir, rundir.UndoFile))
	assert.ErrorIs(t, log.Begin("f2", "x"), os.ErrClosed, "nothing begins that is not written down")
	report, err := undo.Clean(t.Context(), dir, nil)
	require.NoError(t, err)
	assert.Empty(t, report)
}

func TestADirectoryBelongsToOneRun(t *testing.T) {
	_, dir := open(t)
	_, err := undo.Open(dir)
	assert.ErrorIs(t, err, undo.ErrExists)
	_, err = undo.Open(filepath.Join(dir, "missing"))
	assert.ErrorIs(t, err, os.ErrNotExist)
}

func TestARunThatGoesOnIsLeftAlone(t *testing.T) {
	log, dir := open(t)
	pid, gone := sleeper(t)
	require.NoError(t, log.Process(pid, "relay"))
	_, err := undo.Clean(within(t), dir, nil)
	require.ErrorIs(t, err, undo.ErrRunning)
	report, err := undo.CleanTree(within(t), filepath.Dir(dir), nil)
	require.NoError(t, err)
	assert.Empty(t, report)
	assert.FileExists(t, filepath.Join(dir, rundir.UndoFile))
	select {
	case <-gone:
		assert.Fail(t, "the process of a living run was killed")
	default:
	}
}

func TestCleanKillsWhatWasLeftAlsoWhenItIsStopped(t *testing.T) {
	log, dir := open(t)
	pid, gone := sleeper(t)
	require.NoError(t, log.Begin("f3", "pause relay"))
	require.NoError(t, log.Process(pid, "relay"))
	require.NoError(t, syscall.Kill(pid, syscall.SIGSTOP))
	dead := abandon(t, log, dir)

	report, err := undo.Clean(within(t), dead, nil)
	require.NoError(t, err)
	assert.Equal(t, []string{
		fmt.Sprintf("killed relay (process %d), left by a harness that is gone", pid),
		"fault f3 (pause relay) was in force when the harness died; what it was done to is gone",
	}, report)
	<-gone
	assert.NoFileExists(t, filepath.Join(dead, rundir.UndoFile))
}

func TestAProcessThatWasNeverWrittenDownIsFoundByItsMark(t *testing.T) {
	log, dir := open(t)
	_, gone := sleeper(t, log.Mark())
	_, other := sleeper(t, log.Mark()+"x")
	report, err := undo.Clean(within(t), abandon(t, log, dir), nil)
	require.NoError(t, err)
	require.Len(t, report, 1)
	assert.Contains(t, report[0], "killed a process of the run")
	<-gone
	select {
	case <-other:
		assert.Fail(t, "a process with another mark was killed")
	default:
	}
}

func TestAProcessWithARecycledIDIsNotTouched(t *testing.T) {
	log, dir := open(t)
	pid, gone := sleeper(t)
	require.NoError(t, log.Process(pid, "relay"))
	dead := abandon(t, log, dir)
	path := filepath.Join(dead, rundir.UndoFile)
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	// The same id, started at another time.
	records, err := undo.Leftover(dead)
	require.NoError(t, err)
	require.NotEmpty(t, records[0].Start)
	require.NoError(t, os.WriteFile(path, []byte(strings.Replace(string(b), records[0].Start, records[0].Start+"1", 1)), 0o644))

	report, err := undo.Clean(within(t), dead, nil)
	require.NoError(t, err)
	assert.Empty(t, report)
	assert.NoFileExists(t, path)
	select {
	case <-gone:
		assert.Fail(t, "somebody else's process was killed")
	default:
	}
}

func TestALineThatWasCutShortIsForgiven(t *testing.T) {
	dir := leave(t, t.TempDir(), `{"type":"begin","id":"f1","what":"pause relay"}`+"\n"+`{"type":"done","id":"f`)
	assert.Equal(t, []string{"f1 pause relay"}, left(t, dir))
	_, err := undo.Clean(within(t), dir, nil)
	require.NoError(t, err)
	assert.NoFileExists(t, filepath.Join(dir, rundir.UndoFile))
}

func TestAnEmptyFileIsOfAHarnessThatDiedAtOnce(t *testing.T) {
	dir := leave(t, t.TempDir(), "")
	report, err := undo.Clean(within(t), dir, nil)
	require.NoError(t, err)
	assert.Empty(t, report)
	assert.NoFileExists(t, filepath.Join(dir, rundir.UndoFile))
}

func TestAFileThatIsNoUndoLogIsNotRemoved(t *testing.T) {
	dir := leave(t, t.TempDir(), "{\"type\":\"begin\"}\nmy notes\n{}\n")
	_, err := undo.Clean(within(t), dir, nil)
	require.ErrorContains(t, err, "clean "+dir+": read undo log: line 2:")
	assert.FileExists(t, filepath.Join(dir, rundir.UndoFile))
}

func TestCleanTreeDoesWhatItCan(t *testing.T) {
	root := t.TempDir()
	begun := `{"type":"begin","id":"f1","what":"pause relay"}` + "\n"
	leave(t, filepath.Join(root, "campaign", "a"), begun)
	bad := leave(t, filepath.Join(root, "campaign", "b"), "no\nno\n")
	leave(t, filepath.Join(root, "c"), begun)
	inData := leave(t, filepath.Join(root, "c", rundir.DataDir), begun)
	require.NoError(t, os.Mkdir(filepath.Join(root, "d"), 0o755))
	log, err := undo.Open(filepath.Join(root, "d"))
	require.NoError(t, err)

	report, err := undo.CleanTree(within(t), root, nil)
	require.ErrorContains(t, err, bad)
	require.Len(t, report, 2)
	assert.True(t, strings.HasPrefix(report[0], "c: fault f1") || strings.HasPrefix(report[0], "a: fault f1"), report[0])
	assert.FileExists(t, filepath.Join(inData, rundir.UndoFile), "what components store is not looked into")
	assert.FileExists(t, filepath.Join(root, "d", rundir.UndoFile))
	require.NoError(t, log.Close())

	report, err = undo.CleanTree(within(t), filepath.Join(root, "nothing here"), nil)
	require.NoError(t, err)
	assert.Empty(t, report)
}

// A cleaner that comes by while runs start and end never takes one of them for a leftover.
func TestCleaningAndStartingAtOnce(t *testing.T) {
	root := t.TempDir()
	ctx, stop := context.WithCancel(t.Context())
	cleaned := make(chan []string)
	go func() {
		var all []string
		for ctx.Err() == nil {
			report, _ := undo.CleanTree(context.WithoutCancel(ctx), root, nil)
			all = append(all, report...)
		}
		cleaned <- all
	}()
	for i := range 300 {
		dir := filepath.Join(root, fmt.Sprint(i%3))
		require.NoError(t, os.MkdirAll(dir, 0o755))
		log, err := undo.Open(dir)
		require.NoError(t, err)
		require.NoError(t, log.Begin("f1", "pause relay"))
		require.FileExists(t, filepath.Join(dir, rundir.UndoFile))
		require.NoError(t, log.Close())
	}
	stop()
	assert.Empty(t, <-cleaned)
}
