package main

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wreckon/wreckon/internal/environment"
)

const (
	campaignRuns     = 200
	campaignParallel = 24
)

// BenchmarkCampaign makes many whole runs of the smallest crash scenario, and beside them, as many at once, does only what no run can do without: the
// same program is started in an empty directory, answers, is killed, is started again, answers, is killed. Processor time is that of all processes,
// user and system: it says more than the clock on a machine that is busy.
func BenchmarkCampaign(b *testing.B) {
	dir := tallyDir(b)
	var runs, floor time.Duration // processor time
	var took, floorTook time.Duration
	for b.Loop() {
		at, cpu := time.Now(), processorTime(b)
		cmd := exec.Command("wreckon", "campaign", "smallest-crash.yaml", "--runs", strconv.Itoa(campaignRuns), "--parallel", strconv.Itoa(campaignParallel),
			"--seed", "1", "--out", b.TempDir())
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		require.NoError(b, err, "%s", out)
		took, runs = took+time.Since(at), runs+processorTime(b)-cpu

		at, cpu = time.Now(), processorTime(b)
		startAndKill(b, filepath.Join(dir, "tally"))
		floorTook, floor = floorTook+time.Since(at), floor+processorTime(b)-cpu
	}
	n := float64(b.N * campaignRuns)
	b.ReportMetric(n/took.Minutes(), "runs/min")
	b.ReportMetric(runs.Seconds()*1000/n, "ms-cpu/run")
	b.ReportMetric(n/floorTook.Minutes(), "floor/min")
	b.ReportMetric(floor.Seconds()*1000/n, "ms-cpu/floor")
	b.ReportMetric(runs.Seconds()/floor.Seconds(), "run/floor")
}

// tallyDir is a directory with the smallest system, built, and its scenario.
func tallyDir(b *testing.B) string {
	b.Helper()
	dir, from := b.TempDir(), filepath.Join("..", "..", "compose", "tally")
	out, err := exec.Command("go", "build", "-ldflags", "-s -w", "-o", filepath.Join(dir, "tally"), "./"+from).CombinedOutput()
	require.NoError(b, err, "%s", out)
	for _, name := range []string{"target.yaml", "smallest-crash.yaml"} {
		text, err := os.ReadFile(filepath.Join(from, name))
		require.NoError(b, err)
		require.NoError(b, os.WriteFile(filepath.Join(dir, name), text, 0o644))
	}
	return dir
}

// processorTime is what this process and all that it started and waited for have taken so far.
func processorTime(b *testing.B) (all time.Duration) {
	b.Helper()
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		require.NoError(b, syscall.Getrusage(who, &u))
		all += time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	return all
}

// startAndKill starts the program in an empty directory, waits until it answers and kills it, twice, as often as a campaign does.
func startAndKill(b *testing.B, program string) {
	b.Helper()
	var all sync.WaitGroup
	slots := make(chan struct{}, campaignParallel)
	for range campaignRuns {
		slots <- struct{}{}
		dir := b.TempDir()
		all.Go(func() {
			defer func() { <-slots }()
			port, err := environment.FreePort()
			if err != nil {
				b.Error(err)
				return
			}
			addr := environment.Loopback + ":" + strconv.Itoa(port)
			for range 2 {
				cmd := exec.Command(program, addr)
				cmd.Dir = dir
				if err := cmd.Start(); err != nil {
					b.Error(err)
					return
				}
				for !answers(addr) {
					time.Sleep(2 * time.Millisecond)
				}
				_ = cmd.Process.Kill()
				_ = cmd.Wait() // that it was killed is no news
			}
		})
	}
	all.Wait()
}

func answers(addr string) bool {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get("http://" + addr + "/work")
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}
