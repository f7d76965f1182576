package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wreckon/wreckon/checkers"
	"github.com/wreckon/wreckon/faults"
	"github.com/wreckon/wreckon/history"
	"github.com/wreckon/wreckon/internal/rundir"
	"github.com/wreckon/wreckon/internal/runner"
	"github.com/wreckon/wreckon/reports"
	"github.com/wreckon/wreckon/scenarios"
	"github.com/wreckon/wreckon/targets"
)

type runFlags struct {
	seed    uint64
	env     string
	pull    string
	dryRun  bool
	defect  string
	repeat  int
	out     string
	output  string
	junit   string
	keep    bool
	early   bool
	spans   bool
	seedSet bool
	target  string
	foreign []string // components that the harness does not start, and that a person has confirmed
}

func newRun() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run [SCENARIO...]",
		Short: "Run scenarios and say what held",
		Long: `Run each scenario (the name of a shipped one, or a file) against its target: start it behind proxies, drive load, inject the
faults, heal them, wait until it is idle, check the history, write the report. Without a scenario: ` + scenarios.Default + `;
with --target and without one: each fault that the target allows, one after the other.

The seed decides every choice of the harness: which units, when, and where a fault drawn from a range falls. It does not
decide how the operating system schedules the target, so a race may need --repeat.

Components are processes, or with --env docker each is a container (see wreckon doctor --env docker, and docs/containers.md).

` + exitCodes + ` Of several runs, the worst.`,
		Example: "  wreckon run\n  wreckon run relay-crash broker-partition --seed 7\n  wreckon run quick --defect mark-before-publish\n" +
			"  wreckon run my-scenario.yaml --dry-run\n  wreckon run --target my-target.yaml",
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return shippedNames(), cobra.ShellCompDirectiveDefault
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			f.seedSet = cmd.Flags().Changed("seed")
			return runScenarios(cmd, f, args)
		},
	}
	cmd.Flags().Uint64Var(&f.seed, "seed", 0, "seed of every choice (default: drawn from the clock, and printed)")
	cmd.Flags().StringVar(&f.env, "env", "", "environment that runs the components: "+strings.Join(environmentNames(), " or ")+" (default: what the scenario says, or process)")
	cmd.Flags().StringVar(&f.pull, "pull", pulls[0], "which images of containers are pulled: "+pulls[0]+", or those "+pulls[1]+" on the engine")
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "print the plan and start nothing")
	cmd.Flags().StringVar(&f.defect, "defect", "", "switch on a deliberate bug of the target, to test the tester (see: wreckon list defects)")
	cmd.Flags().StringVar(&f.target, "target", "", "run against this target instead: a name, or a target file (docs/targets.md)")
	addExternal(cmd, &f.foreign)
	cmd.Flags().IntVar(&f.repeat, "repeat", 1, "how often to run each scenario, with seeds counted on")
	cmd.Flags().StringVar(&f.out, "out", "runs", "directory that the run directories go into")
	cmd.Flags().StringVarP(&f.output, "output", "o", "text", "what goes to standard output: text, or json (one result.json document for each run)")
	cmd.Flags().StringVar(&f.junit, "junit", "", "write one JUnit file over all runs here")
	cmd.Flags().BoolVar(&f.keep, "keep", false, "keep what the components stored, also after a passing run")
	cmd.Flags().BoolVar(&f.early, "fail-fast", false, "end the load at the first thing that nothing can make right again: a step in force twice, an old token")
	cmd.Flags().BoolVar(&f.spans, "spans", false, "have the components send OpenTelemetry spans, and keep them in "+rundir.SpansFile+" (see: wreckon spans)")
	_ = cmd.RegisterFlagCompletionFunc("defect", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return defectNames(), cobra.ShellCompDirectiveNoFileComp
	})
	return cmd
}

func runScenarios(cmd *cobra.Command, f runFlags, args []string) error {
	if err := f.check(); err != nil {
		return err
	}
	if len(args) == 0 {
		args = []string{scenarios.Default}
		if f.target != "" {
			args = []string{draft}
		}
	}
	loaded, err := loadAll(args, vocabularyFor(f.target))
	if err != nil {
		return usage(err)
	}
	for _, s := range loaded { // before the first one starts
		if _, err := targetFor(f, f.plan(s, 0)); err != nil {
			return err
		}
	}
	if !f.seedSet {
		f.seed = uint64(time.Now().UnixNano()) % 1_000_000_000
	}
	var runs []reports.Run
	for i, s := range loaded {
		for n := range f.repeat {
			plan := f.plan(s, n)
			if f.dryRun {
				fmt.Fprint(cmd.OutOrStdout(), plan.String())
				continue
			}
			if len(runs) > 0 && f.output == "text" {
				fmt.Fprintln(cmd.OutOrStdout())
			}
			r, err := runPlan(cmd, f, plan, args[i])
			if err != nil {
				return err
			}
			runs = append(runs, r)
			if cmd.Context().Err() != nil {
				return finish(cmd, f, runs, len(loaded)*f.repeat)
			}
		}
	}
	return finish(cmd, f, runs, len(runs))
}

// plan is that of the n-th run of a scenario.
func (f runFlags) plan(s *scenarios.Scenario, n int) scenarios.Plan {
	plan := s.Plan(f.seed+uint64(n), f.defect)
	plan.Environment = cmp.Or(f.env, plan.Environment)
	return plan
}

// finish reports over all runs and turns the worst verdict into the exit code. Where fewer were made than were asked for, somebody has stopped it
// between two: that is no pass, whatever was made.
func finish(cmd *cobra.Command, f runFlags, runs []reports.Run, asked int) error {
	if f.junit != "" && len(runs) > 0 {
		var b strings.Builder
		if err := reports.JUnit(&b, runs); err != nil {
			return failed(err)
		}
		if err := os.WriteFile(f.junit, []byte(b.String()), 0o644); err != nil {
			return failed(fmt.Errorf("write junit file: %w", err))
		}
	}
	if len(runs) > 1 && f.output == "text" {
		fmt.Fprintln(cmd.OutOrStdout())
		if err := reports.Table(cmd.OutOrStdout(), runs, termOptions()); err != nil {
			return failed(err)
		}
	}
	if len(runs) == 0 { // a dry run
		return nil
	}
	if len(runs) < asked {
		fmt.Fprintf(cmd.ErrOrStderr(), "wreckon: stopped after %d of %d runs\n", len(runs), asked)
		runs = append(runs, cutShort)
	}
	if code := reports.Worst(runs).ExitCode(); code != 0 {
		return exitError{code: code}
	}
	return nil
}

// cutShort stands for runs that were asked for and not made, because somebody stopped it.
var cutShort = reports.Run{Result: checkers.Result{Verdict: checkers.Aborted}}

func (f runFlags) check() error {
	if f.env != "" && !slices.Contains(environmentNames(), f.env) {
		return unknown("environment", f.env, environmentNames(), "known: "+strings.Join(environmentNames(), ", "))
	}
	if !slices.Contains(pulls, f.pull) {
		return unknown("pull", f.pull, pulls, "known: "+strings.Join(pulls, ", "))
	}
	if f.output != "text" && f.output != "json" {
		return unknown("output", f.output, []string{"text", "json"}, "known: text, json")
	}
	if f.repeat < 1 {
		return usage(fmt.Errorf("--repeat %d: want at least 1", f.repeat))
	}
	return nil
}

// loadAll loads every scenario before anything starts, and says all that is wrong with all of them.
func loadAll(names []string, v scenarios.Vocabulary) ([]*scenarios.Scenario, error) {
	var loaded []*scenarios.Scenario
	var errs []error
	for _, name := range names {
		s, err := loadScenarioIn(name, v)
		if err != nil {
			errs = append(errs, err)
		}
		loaded = append(loaded, s)
	}
	return loaded, errors.Join(errs...)
}

func loadScenario(name string) (*scenarios.Scenario, error) {
	return loadScenarioIn(name, vocabulary())
}

func loadScenarioIn(name string, v scenarios.Vocabulary) (*scenarios.Scenario, error) {
	info, err := scenarios.Find(name)
	if name == draft {
		info, err = draftFor(v.Target)
	}
	if err != nil {
		return nil, err
	}
	s, problems := info.Parse(v)
	if len(problems) > 0 {
		return nil, problems
	}
	return s, nil
}

// runPlan runs one plan from start to report.
func runPlan(cmd *cobra.Command, f runFlags, plan scenarios.Plan, name string) (reports.Run, error) {
	live := reports.NewLive(os.Stderr, terminal(os.Stderr), coloured(os.Stderr))
	target, err := targetFor(f, plan)
	if err != nil {
		live.Close()
		return reports.Run{}, err
	}
	o, err := optionsOf(f, target, plan, name, live.Note)
	if err != nil {
		live.Close()
		return reports.Run{}, err
	}
	o.Observer = &observer{Live: live}
	run, err := runner.Run(cmd.Context(), o)
	live.Close()
	if err != nil {
		return reports.Run{}, failed(err)
	}
	judged, err := reckon(run, func(reports.Run) bool { return true }, f.keep)
	if err != nil {
		return reports.Run{}, failed(err)
	}
	return judged, show(cmd, f.output, judged)
}

// targetFor is the target of a plan, if it may be run against.
func targetFor(f runFlags, plan scenarios.Plan) (targets.Target, error) {
	target, err := targetOf(plan)
	var env string
	if err == nil {
		env, err = runsIn(target, plan.Environment)
	}
	if err == nil {
		err = errors.Join(canMistake(target, plan.Defect, env), faults.CheckEnvironment(plan.Faults, env == "docker"))
	}
	if err == nil && !f.dryRun {
		err = confirmed(target, f.foreign)
	}
	if err != nil {
		return target, usage(err)
	}
	return target, nil
}

// optionsOf says how a plan is run.
func optionsOf(f runFlags, target targets.Target, plan scenarios.Plan, name string, note func(string)) (runner.Options, error) {
	binary, err := os.Executable()
	if err != nil {
		return runner.Options{}, failed(fmt.Errorf("find the wreckon binary: %w", err))
	}
	watch, err := watchOf(f, plan, target)
	if err != nil {
		return runner.Options{}, usage(err)
	}
	env, err := runsIn(target, plan.Environment)
	if err != nil {
		return runner.Options{}, usage(err)
	}
	host, err := hostOf(env, f.pull, note)
	if err != nil {
		return runner.Options{}, usage(err)
	}
	return runner.Options{
		Plan: plan, Target: target, Root: f.out, Binary: binary, BinaryArgs: []string{"reference"}, BinaryEnv: componentEnv,
		Environment: env, Host: host, Removers: removers(),
		Args: os.Args[1:], Repeat: repeatCommand(f, plan, name), Tool: toolVersion(), Watch: watch, Spans: f.spans,
	}, nil
}

// reckon judges a run that is over, writes the reports of one that wants them, and tears it down. What of that fails is a warning, never a lost
// verdict.
func reckon(run *runner.Finished, reported func(reports.Run) bool, keep bool) (reports.Run, error) {
	defer run.Close() // the order that matters is below; this one is for a panic
	judged, err := judgeDir(run.Dir)
	if err != nil {
		return reports.Run{}, errors.Join(err, run.Close())
	}
	var werr error
	if reported(judged) {
		_, werr = reports.Write(run.Dir, judged, reports.Options{})
	}
	if err := run.Close(); err != nil {
		judged.Manifest.Warnings = append(judged.Manifest.Warnings, err.Error())
		werr = errors.Join(werr, rundir.WriteJSON(run.Dir, rundir.ManifestFile, judged.Manifest))
		_, err := reports.Write(run.Dir, judged, reports.Options{})
		werr = errors.Join(werr, err)
	}
	if judged.Result.Verdict == checkers.Pass && !keep {
		werr = errors.Join(werr, os.RemoveAll(filepath.Join(run.Dir, rundir.DataDir)))
	}
	if werr != nil {
		fmt.Fprintln(os.Stderr, "wreckon: warning: "+werr.Error())
	}
	return judged, nil
}

// watchOf is what may end the load early: thresholds that may abort the run, and with --fail-fast what is certain to be a finding. It is
// nil where there is nothing to look for.
func watchOf(f runFlags, plan scenarios.Plan, target targets.Target) (func(history.Event, func() time.Duration) string, error) {
	var looks []func(history.Event, func() time.Duration) string
	if f.early {
		early := checkers.NewEarly(target.Claims)
		looks = append(looks, func(e history.Event, _ func() time.Duration) string { return early.See(&e) })
	}
	if len(plan.Abort) > 0 {
		w, err := checkers.NewWatch(target.Claims, plan.Abort)
		if err != nil {
			return nil, err
		}
		looks = append(looks, func(e history.Event, now func() time.Duration) string { return w.See(now(), e) })
	}
	if len(looks) == 0 {
		return nil, nil
	}
	return func(e history.Event, now func() time.Duration) (why string) {
		for _, look := range looks {
			if why == "" {
				why = look(e, now)
			}
		}
		return why
	}, nil
}

// show prints a judged run on standard output.
func show(cmd *cobra.Command, output string, r reports.Run) error {
	var err error
	if output == "json" {
		err = reports.ResultJSON(cmd.OutOrStdout(), r)
	} else {
		err = reports.Summary(cmd.OutOrStdout(), r, termOptions())
	}
	return errors.Join(err, reports.GitHub(cmd.OutOrStdout(), os.Getenv, r))
}

func repeatCommand(f runFlags, plan scenarios.Plan, name string) string {
	c := "wreckon run"
	if name != draft {
		c += " " + shellQuoted(name)
	}
	c += " --seed " + strconv.FormatUint(plan.Seed, 10)
	if f.target != "" {
		c += " --target " + shellQuoted(f.target)
	}
	for _, name := range f.foreign {
		c += " --external " + name
	}
	if plan.Defect != "" {
		c += " --defect " + plan.Defect
	}
	if f.env != "" {
		c += " --env " + f.env
	}
	if f.early {
		c += " --fail-fast"
	}
	if f.spans {
		c += " --spans"
	}
	if f.out != "runs" {
		c += " --out " + shellQuoted(f.out)
	}
	return c
}
