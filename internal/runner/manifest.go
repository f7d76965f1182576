package runner

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/wreckon/wreckon/history"
	"github.com/wreckon/wreckon/internal/rundir"
)

func (r *run) newManifest(name string) rundir.Manifest {
	host, _ := os.Hostname() // a run on a host without a name is still a run
	return rundir.Manifest{
		Format: 1, Run: name, Scenario: r.Plan.Scenario, Target: r.Plan.Target, Defect: r.Plan.Defect, Environment: r.Environment,
		Seed: r.Plan.Seed, Args: r.Args, Repeat: r.Repeat, Tool: r.Tool, Go: runtime.Version(),
		OS: runtime.GOOS + "/" + runtime.GOARCH, CPUs: runtime.NumCPU(), Host: host, Git: gitState(), Started: r.began,
	}
}

// gitState is the commit of the working directory, with + where it was changed; "" where there is no git. It is asked once: a program of
// its own takes as long as many a run.
var gitState = sync.OnceValue(func() string {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty=+", "--abbrev=12").Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
})

// absolute is the run directory for the components, which run elsewhere.
func (r *run) absolute() string {
	abs, err := filepath.Abs(r.dir)
	if err != nil {
		return r.dir
	}
	return abs
}

// clock places wall-clock times of this host on the run's clock.
type clock struct{ rec *history.Recorder }

func (c clock) At(unixNano int64) int64 { return unixNano - c.rec.Start().UnixNano() }
