package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/wreckon/wreckon/checkers"
	"github.com/wreckon/wreckon/internal/proof"
	"github.com/wreckon/wreckon/reports"
)

type proveFlags struct {
	runs, seeds, parallel int
	seed                  uint64
	within                time.Duration
	defects, scenarios    []string
	foreign               []string // components that the harness does not start, and that a person has confirmed
	complete, keep        bool
	dryRun                bool
	target, env           string
	out, write            string
}

func newProve() *cobra.Command {
	var f proveFlags
	cmd := &cobra.Command{
		Use:   "prove",
		Short: "Prove the checkers: every defect is found, the correct system passes",
		Long: `Run the reference with each of its defects under each scenario that must show it, and every shipped scenario on the correct system,
over many seeds. Print what was found, by which guarantee, how often and how soon; what else fell; and what no defect proves yet.

With --target it is the same for a system of your own: each defect that its target file declares, under the scenarios that the file names for
it, and the target as it is under each of these, and under those that --scenario names.

Runs are made in rounds, one of each kind in a round; after the first one it is known how long they take, and it says how long the rest will.

Exit codes, the gravest first, which decides where there are several:
` + proveCodes(),
		Example: "  wreckon prove\n  wreckon prove --runs 5 --seeds 5 --write proof.md\n  wreckon prove --defect mark-before-publish\n" +
			"  wreckon prove --scenario lost-audit --runs 50\n  wreckon prove --target shop.yaml\n" +
			"  wreckon prove --env docker --defect dedup-check-then-act --scenario zombie-payment --runs 3 --seeds 1",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return prove(cmd, f) },
	}
	cmd.Flags().IntVar(&f.runs, "runs", 20, "runs of each defect under each of its scenarios")
	cmd.Flags().IntVar(&f.seeds, "seeds", 10, "runs of each scenario on the correct system, each with a seed of its own")
	cmd.Flags().IntVar(&f.parallel, "parallel", runtime.NumCPU(), "runs at once")
	cmd.Flags().DurationVar(&f.within, "within", 0, "make fewer runs of each defect if all would take longer than this")
	cmd.Flags().Uint64Var(&f.seed, "seed", 1, "first seed")
	cmd.Flags().StringSliceVar(&f.defects, "defect", nil, "only these defects, and the correct system under their scenarios")
	cmd.Flags().StringSliceVar(&f.scenarios, "scenario", nil, "only under these scenarios: names of shipped ones, or with --target files")
	cmd.Flags().StringVar(&f.target, "target", "", "prove with the defects of this target file, and not with those of the reference")
	cmd.Flags().StringVar(&f.env, "env", "", "environment that runs the components: "+strings.Join(environmentNames(), " or ")+" (default: what each scenario says, or process)")
	addExternal(cmd, &f.foreign)
	cmd.Flags().BoolVar(&f.complete, "complete", false, "fail if some guarantee is proven by no defect")
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "say what would be run, and about how long it takes")
	cmd.Flags().BoolVar(&f.keep, "keep", false, "keep the directories of runs that ended as they should, too")
	cmd.Flags().StringVar(&f.out, "out", "runs/prove", "directory that the run directories go into")
	cmd.Flags().StringVar(&f.write, "write", "", "write the proof as a Markdown page here")
	return cmd
}

func proveCodes() string {
	var b strings.Builder
	for _, o := range proof.Outcomes {
		fmt.Fprintf(&b, "  %2d  %s\n", o.Code, o.Means)
	}
	fmt.Fprintf(&b, "  %2d  it was asked for something that does not exist", exitUsage)
	return b.String()
}

func prove(cmd *cobra.Command, f proveFlags) error {
	if f.runs < 1 || f.seeds < 1 || f.parallel < 1 {
		return usage(fmt.Errorf("--runs %d --seeds %d --parallel %d: want at least 1 of each, or nothing is proven", f.runs, f.seeds, f.parallel))
	}
	if f.env != "" && !slices.Contains(environmentNames(), f.env) {
		return unknown("environment", f.env, environmentNames(), "known: "+strings.Join(environmentNames(), ", "))
	}
	m, err := matrix(f)
	if err != nil {
		return err
	}
	if m.Part && f.complete {
		return usage(errors.New("--complete judges the whole matrix, not a part of it"))
	}
	if f.dryRun {
		return announce(cmd, f, m)
	}
	self, err := os.Executable()
	if err != nil {
		return failed(fmt.Errorf("find the wreckon binary: %w", err))
	}
	began := time.Now()
	runMatrix(cmd, f, m, self)
	if err := m.Text(cmd.OutOrStdout(), f.complete); err != nil {
		return failed(fmt.Errorf("print the proof: %w", err))
	}
	if f.write != "" && !m.Stopped {
		if err := writeProof(f, m, began); err != nil {
			return failed(err)
		}
	}
	if outcome, _ := m.Judge(f.complete); outcome != proof.Proven {
		return exitError{code: outcome.Code}
	}
	return nil
}

// runMatrix makes the runs of all cells, round by round, as many at once as was asked for.
func runMatrix(cmd *cobra.Command, f proveFlags, m *proof.Matrix, self string) {
	ctx := cmd.Context()
	began := time.Now()
	var mu sync.Mutex // the matrix
	var all sync.WaitGroup
	slots := make(chan struct{}, f.parallel)
	one := func(c *proof.Cell, seed uint64) {
		defer func() { <-slots }()
		r := proveOnce(ctx, self, f, c, seed)
		mu.Lock()
		defer mu.Unlock()
		if ctx.Err() != nil && (r.Err != nil || r.Result.Verdict != checkers.Violation) {
			return // it was cut short
		}
		if c.Count(r) && !f.keep {
			_ = os.RemoveAll(r.Dir) // nobody needs it, and there are hundreds
		}
		if done, total := m.Runs(); done%10 == 0 || done == total {
			fmt.Fprintf(cmd.ErrOrStderr(), "%d of %d runs, %v; about %v to go\n", done, total, rounded(time.Since(began)), rounded(m.Left()/time.Duration(f.parallel)))
		}
	}
	round := func(n int) []*proof.Cell {
		mu.Lock()
		defer mu.Unlock()
		if f.within > 0 {
			m.Fit(f.runs, fewest, time.Duration(f.parallel)*(f.within-time.Since(began)))
		}
		return m.Round(n)
	}
	for n := 0; ctx.Err() == nil; n++ {
		due := round(n)
		if len(due) == 0 {
			break
		}
		for _, c := range due {
			select {
			case slots <- struct{}{}:
				all.Go(func() { one(c, f.seed+uint64(n)) })
			case <-ctx.Done():
			}
		}
	}
	all.Wait()
	m.Stopped = ctx.Err() != nil
}

func rounded(d time.Duration) time.Duration {
	if d < 2*time.Minute {
		return d.Round(time.Second)
	}
	return d.Round(time.Minute / 2)
}

// proveOnce makes one run in a process of its own, so that runs at once share nothing but the machine.
func proveOnce(ctx context.Context, self string, f proveFlags, c *proof.Cell, seed uint64) proof.Run {
	args := []string{"run", c.Scenario, "--seed", strconv.FormatUint(seed, 10), "--out", f.out, "-o", "json"}
	if c.Defect != "" {
		args = append(args, "--defect", c.Defect)
	}
	if f.target != "" {
		args = append(args, "--target", f.target)
	}
	for _, name := range f.foreign {
		args = append(args, "--external", name)
	}
	if f.env != "" {
		args = append(args, "--env", f.env)
	}
	child := exec.CommandContext(ctx, self, args...)
	// A process group of its own: a Ctrl-C reaches it once, through us, and not a second time, which would end it at once.
	child.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	child.Cancel = func() error { return child.Process.Signal(os.Interrupt) }
	child.WaitDelay = 30 * time.Second
	var stderr bytes.Buffer
	child.Stderr = &stderr
	began := time.Now()
	out, err := child.Output()
	took := time.Since(began)
	var doc reports.Document
	if jerr := json.Unmarshal(out, &doc); jerr != nil {
		return proof.Run{Err: fmt.Errorf("wreckon %s: %w: %s", strings.Join(args, " "), errors.Join(err, jerr), stderr.Bytes())}
	}
	return proof.Run{Dir: filepath.Join(f.out, doc.Run), Result: doc.Result, Took: took}
}

func writeProof(f proveFlags, m *proof.Matrix, began time.Time) error {
	var b bytes.Buffer
	err := m.Markdown(&b, proof.About{
		Version: toolVersion(), Date: began.UTC().Format("2 January 2006"), Machine: machine(),
		Command: "`wreckon " + strings.Join(os.Args[1:], " ") + "`", Took: time.Since(began).Round(time.Second).String(), Target: f.target,
		Environment: f.env,
	}, f.complete)
	if err != nil {
		return fmt.Errorf("write the proof: %w", err)
	}
	if err := os.WriteFile(f.write, b.Bytes(), 0o644); err != nil {
		return fmt.Errorf("write the proof: %w", err)
	}
	return nil
}

// machine says how big this machine is and, where it can be known, how busy: runs are a matter of time.
func machine() string {
	said := fmt.Sprintf("%d CPUs", runtime.NumCPU())
	if info, err := os.ReadFile("/proc/meminfo"); err == nil {
		var kb int
		if _, err := fmt.Sscanf(string(info), "MemTotal: %d kB", &kb); err == nil {
			said += fmt.Sprintf(", %d GB of memory", (kb+1<<19)>>20)
		}
	}
	said += fmt.Sprintf(", %s/%s, %s", runtime.GOOS, runtime.GOARCH, runtime.Version())
	if load, err := os.ReadFile("/proc/loadavg"); err == nil {
		if parts := strings.Fields(string(load)); len(parts) > 2 {
			said += ", load average " + parts[2] + " over the last quarter of an hour"
		}
	}
	return said
}
