package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/wreckon/wreckon/checkers"
	"github.com/wreckon/wreckon/internal/runner"
	"github.com/wreckon/wreckon/internal/undo"
	"github.com/wreckon/wreckon/reports"
	"github.com/wreckon/wreckon/scenarios"
	"github.com/wreckon/wreckon/targets"
)

func newCampaign() *cobra.Command {
	f := runFlags{output: "text", repeat: 1, pull: "never"}
	var runs, parallel int
	cmd := &cobra.Command{
		Use:   "campaign SCENARIO",
		Short: "Run one scenario with many seeds, many at once",
		Long: `Run a scenario with many seeds, as many runs at once as are asked for, all in this process. Each is a whole run: the target is started,
loaded, hurt, healed, drained, observed and judged, and its history is kept. Three things are done once and not each time: the first run
alone has a baseline, what earlier runs left is cleaned up once, and reports are written only of runs that did not come to a pass; of the others,
wreckon report and wreckon check make them from the history.

Runs at once wait for each other's processor, so a scenario whose load comes late, or whose target is slow under such a load, wants fewer.

` + exitCodes + ` Of all runs, the worst.`,
		Example: "  wreckon campaign relay-crash --runs 100 --parallel 4\n  wreckon campaign compose/tally/smallest-crash.yaml --runs 3000 --parallel 48",
		Args:    oneArg("a scenario: the name of a shipped one, or a file"),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return shippedNames(), cobra.ShellCompDirectiveDefault
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			f.seedSet = cmd.Flags().Changed("seed")
			if runs < 1 || parallel < 1 {
				return usage(fmt.Errorf("--runs %d --parallel %d: want at least 1 of each", runs, parallel))
			}
			return runCampaign(cmd, f, args[0], runs, parallel)
		},
	}
	cmd.Flags().IntVar(&runs, "runs", 100, "how many runs, with seeds counted on")
	cmd.Flags().IntVar(&parallel, "parallel", 2*runtime.NumCPU(), "runs at once")
	cmd.Flags().Uint64Var(&f.seed, "seed", 0, "first seed (default: drawn from the clock, and printed)")
	cmd.Flags().StringVar(&f.env, "env", "", "environment that runs the components: "+strings.Join(environmentNames(), " or ")+" (default: what the scenario says, or process)")
	cmd.Flags().StringVar(&f.defect, "defect", "", "switch on a deliberate bug of the target, to test the tester (see: wreckon list defects)")
	cmd.Flags().StringVar(&f.target, "target", "", "run against this target instead: a name, or a target file (docs/targets.md)")
	addExternal(cmd, &f.foreign)
	cmd.Flags().StringVar(&f.out, "out", "runs/campaign", "directory that the run directories go into")
	cmd.Flags().BoolVar(&f.keep, "keep", false, "keep what the components stored, also after a passing run")
	cmd.Flags().BoolVar(&f.early, "fail-fast", false, "end a run's load at the first thing that nothing can make right again")
	return cmd
}

func runCampaign(cmd *cobra.Command, f runFlags, name string, runs, parallel int) error {
	if err := f.check(); err != nil {
		return err
	}
	s, err := loadScenarioIn(name, vocabularyFor(f.target))
	if err != nil {
		return usage(err)
	}
	if !f.seedSet {
		f.seed = uint64(time.Now().UnixNano()) % 1_000_000_000
	}
	t, err := targetFor(f, f.plan(s, 0))
	if err != nil {
		return err
	}
	c := &campaign{flags: f, scenario: s, target: t, name: name, runs: runs, out: cmd.OutOrStdout(), err: cmd.ErrOrStderr(), verdicts: map[checkers.Verdict]int{}, fell: map[string]int{}}
	if _, err := undo.CleanTree(cmd.Context(), f.out, removers()); err != nil {
		fmt.Fprintln(c.err, "wreckon: warning: cleaning up after an earlier run: "+err.Error())
	}
	if err := c.run(cmd.Context(), parallel); err != nil {
		return err
	}
	if err := c.summary(); err != nil {
		return failed(err)
	}
	if code := c.worst(cmd.Context().Err() != nil).ExitCode(); code != 0 {
		return exitError{code: code}
	}
	return nil
}

// campaign is many runs of one scenario, and what became of them.
type campaign struct {
	flags    runFlags
	scenario *scenarios.Scenario
	target   targets.Target
	name     string // of the scenario, as it was asked for
	runs     int
	out, err io.Writer

	mu       sync.Mutex
	began    time.Time // of the runs that are made at once
	took     time.Duration
	verdicts map[checkers.Verdict]int
	fell     map[string]int // guarantee -> runs in which it fell
	failures []error        // runs that left nothing to judge
}

// run makes the first run, alone, and then the others. A target that does not work without faults ends it there.
func (c *campaign) run(ctx context.Context, parallel int) error {
	if v, err := c.one(ctx, 0); err != nil {
		return err
	} else if v == checkers.Errored {
		return nil
	}
	c.began = time.Now()
	// Each run leaves its history behind it as garbage: it is collected by the dozen.
	defer debug.SetGCPercent(debug.SetGCPercent(1000))
	var all sync.WaitGroup
	slots := make(chan struct{}, parallel)
	for n := 1; n < c.runs && ctx.Err() == nil; n++ {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			continue
		}
		all.Go(func() {
			defer func() { <-slots }()
			if _, err := c.one(ctx, n); err != nil {
				c.mu.Lock()
				defer c.mu.Unlock()
				c.failures = append(c.failures, err)
			}
		})
	}
	all.Wait()
	c.took = time.Since(c.began)
	return errors.Join(c.failures...)
}

// one makes the n-th run.
func (c *campaign) one(ctx context.Context, n int) (checkers.Verdict, error) {
	o, err := optionsOf(c.flags, c.target, c.flags.plan(c.scenario, n), c.name, func(string) {})
	if err != nil {
		return "", err
	}
	o.Shown, o.Swept = n > 0, true
	run, err := runner.Run(ctx, o)
	if err != nil {
		return "", failed(err)
	}
	judged, err := reckon(run, func(r reports.Run) bool { return r.Result.Verdict != checkers.Pass }, c.flags.keep)
	if err != nil {
		return "", failed(err)
	}
	c.count(judged)
	return judged.Result.Verdict, nil
}

// count counts a run, and tells of one that did not come to a pass.
func (c *campaign) count(r reports.Run) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.verdicts[r.Result.Verdict]++
	for _, j := range r.Result.Guarantees {
		if j.Status == checkers.Violated {
			c.fell[j.Guarantee]++
		}
	}
	if r.Result.Verdict != checkers.Pass {
		fmt.Fprintf(c.out, "%s  %s\n  report  %s\n  repeat  %s\n", strings.ToUpper(string(r.Result.Verdict)), strings.Join(r.Result.Reasons, "; "), r.Dir, r.Manifest.Repeat)
	}
	done := 0
	for _, n := range c.verdicts {
		done += n
	}
	if done%100 == 0 {
		fmt.Fprintf(c.err, "%d of %d runs\n", done, c.runs)
	}
}

// summary says what all came to.
func (c *campaign) summary() error {
	var parts []string
	done := 0
	for _, v := range slices.Sorted(maps.Keys(c.verdicts)) {
		parts = append(parts, fmt.Sprintf("%d %s", c.verdicts[v], v))
		done += c.verdicts[v]
	}
	text := fmt.Sprintf("%d of %d runs of %s, seeds %d to %d: %s\n", done, c.runs, c.scenario.Name, c.flags.seed, c.flags.seed+uint64(c.runs)-1, strings.Join(parts, ", "))
	for _, g := range slices.Sorted(maps.Keys(c.fell)) {
		text += fmt.Sprintf("  ✗ %s fell in %d runs\n", g, c.fell[g])
	}
	if c.took > 0 && done > 1 {
		text += fmt.Sprintf("  %.0f runs a minute\n", float64(done-1)/c.took.Minutes())
	}
	_, err := io.WriteString(c.out, text+"  histories  "+c.flags.out+string(os.PathSeparator)+"\n")
	return err
}

// worst is the gravest verdict. Where somebody has stopped it before all runs were made, it is no pass, whatever was made.
func (c *campaign) worst(stopped bool) checkers.Verdict {
	var runs []reports.Run
	done := 0
	for v, n := range c.verdicts {
		runs = append(runs, reports.Run{Result: checkers.Result{Verdict: v}})
		done += n
	}
	if stopped && done < c.runs {
		runs = append(runs, cutShort)
	}
	return reports.Worst(runs)
}
