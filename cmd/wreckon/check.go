package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wreckon/wreckon/checkers"
	"github.com/wreckon/wreckon/history"
	"github.com/wreckon/wreckon/internal/otlp"
	"github.com/wreckon/wreckon/internal/rundir"
	"github.com/wreckon/wreckon/reports"
	"github.com/wreckon/wreckon/scenarios"
)

func newCheck() *cobra.Command {
	var output, claims string
	var rules []string
	cmd := &cobra.Command{
		Use:   "check RUN|HISTORY",
		Short: "Judge a stored run, or any history, with today's checkers",
		Long: `Judge again what was recorded: a run directory, a history file, or JSON Lines from anywhere (docs/history.md says which fields).
Of a run directory the result and the reports are written anew.

A log that was not written for Wreckon needs a mapping, rule by rule or from a file:

  unit=order.id                      a field of an event, and the field of the line that it comes from
  t=ts                               an instant: RFC 3339, or a number with its unit (t=ts in ms)
  kind="effect", op="do", step="charge", outcome="applied" where event="charge.captured"
                                     constants, for the lines that meet a condition
  first kind="invoke" where event="order.accepted"
                                     one more event of the same line, before it
  skip where level="debug"           lines that are no events; also: skip otherwise, skip text
  order by t                         the instants decide the order, not the lines

Nothing is guessed: a line that no rule makes an event of, and no rule leaves out, is an error. What was left out is counted in a
warning. What the target promises stands in the header of a history, or in a file of its own (--claims).

` + exitCodes,
		Example: "  wreckon check runs/latest\n  wreckon check orders.jsonl --map unit=order_id --map kind=event\n" +
			"  wreckon check shop.log --map @shop.map --claims shop.yaml",
		Args: oneArg("a run directory or a history file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			im, err := importOf(rules, claims)
			if err != nil {
				return usage(err)
			}
			r, err := judgePath(args[0], im)
			if err != nil {
				return err
			}
			for _, rule := range rules {
				r.Manifest.Repeat += " --map " + shellQuoted(rule)
			}
			if claims != "" {
				r.Manifest.Repeat += " --claims " + shellQuoted(claims)
			}
			if r.Dir != "" {
				if _, err := reports.Write(r.Dir, r, reports.Options{}); err != nil {
					fmt.Fprintln(os.Stderr, "wreckon: warning: "+err.Error())
				}
			}
			if err := show(cmd, output, r); err != nil {
				return failed(err)
			}
			if code := r.Result.Verdict.ExitCode(); code != 0 {
				return exitError{code: code}
			}
			return nil
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "text", "what goes to standard output: text or json")
	cmd.Flags().StringArrayVar(&rules, "map", nil, "a rule of the mapping, or @FILE with one on each line; repeatable")
	cmd.Flags().StringVar(&claims, "claims", "", "file (YAML or JSON) that says what the target promises")
	return cmd
}

// shellQuoted is an argument as a shell takes it.
func shellQuoted(s string) string {
	if s != "" && !strings.ContainsAny(s, " \t\n\"'`$\\&|;<>()*?[]#~!{}") {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// importOf reads how a history from elsewhere is meant: its mapping, and the claims of its target.
func importOf(rules []string, claims string) (im history.Import, err error) {
	var errs []error
	for _, rule := range rules {
		if im.Mapping == nil {
			im.Mapping = new(history.Mapping)
		}
		name := "--map"
		if file, ok := strings.CutPrefix(rule, "@"); ok {
			name = "--map " + rule
			text, err := os.ReadFile(file)
			if err != nil {
				errs = append(errs, fmt.Errorf("read mapping: %w", err))
				continue
			}
			rule = string(text)
		}
		if err := im.Mapping.Add(rule); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
		}
	}
	if claims != "" {
		c, err := scenarios.LoadClaims(claims)
		if err != nil {
			errs = append(errs, err)
		}
		im.Claims = &c
	}
	return im, errors.Join(errs...)
}

func oneArg(what string) cobra.PositionalArgs { return nArgs(1, what) }

// nArgs wants n arguments, and says what they are.
func nArgs(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			return usage(fmt.Errorf("%s wants %s\nusage: %s", cmd.CommandPath(), what, cmd.UseLine()))
		}
		return nil
	}
}

// judgePath judges a run directory or a file that holds a history.
func judgePath(path string, im history.Import) (reports.Run, error) {
	info, err := os.Stat(path)
	if err != nil {
		return reports.Run{}, usage(fmt.Errorf("check: %w", err))
	}
	if info.IsDir() {
		if im != (history.Import{}) {
			return reports.Run{}, usage(fmt.Errorf("check: %s is a run directory: it holds its own claims, and needs no --map and no --claims", path))
		}
		r, err := judgeDir(path)
		if errors.Is(err, rundir.ErrNotRun) {
			return r, usage(err)
		}
		if err != nil {
			return r, failed(err)
		}
		return r, nil
	}
	r, err := judgeRecorded(path, info, im)
	if errors.Is(err, history.ErrNotHistory) {
		r, err = judgeText(path, im)
	}
	if err != nil {
		return reports.Run{}, err
	}
	r.Manifest.Run, r.Manifest.Tool, r.Manifest.Repeat = filepath.Base(path), toolVersion(), "wreckon check "+path
	return r, nil
}

// judgeRecorded judges a file that Wreckon wrote, block by block: it may be longer than what memory holds.
func judgeRecorded(path string, info os.FileInfo, im history.Import) (reports.Run, error) {
	if !info.Mode().IsRegular() || im != (history.Import{}) { // a pipe can be read only once
		return reports.Run{}, history.ErrNotHistory
	}
	r, err := history.OpenReader(path)
	switch {
	case errors.Is(err, history.ErrNotHistory):
		return reports.Run{}, err
	case err != nil:
		return reports.Run{}, usage(err)
	}
	defer r.Close()
	result, err := checkers.JudgeReader(r, checkers.Spec{})
	if err != nil {
		return reports.Run{}, failed(err)
	}
	if err := r.Damage(); err != nil {
		return reports.Run{}, damaged(err, r.Len())
	}
	return runOf(r.Header, result), nil
}

// judgeText judges a history in any form, in memory.
func judgeText(path string, im history.Import) (reports.Run, error) {
	h, err := openHistory(path, im)
	if err != nil {
		return reports.Run{}, err
	}
	r := runOf(h.Header, checkers.Judge(h, checkers.Spec{}))
	r.History = h
	return r, nil
}

// runOf is what a history alone says of its run.
func runOf(h history.Header, result checkers.Result) reports.Run {
	return reports.Run{Manifest: rundir.Manifest{Scenario: h.Scenario, Seed: h.Seed, Started: h.Start, Target: h.Claims.Target},
		Plan: scenarios.Plan{Scenario: h.Scenario, Seed: h.Seed}, Result: result}
}

// judgeDir judges a run directory. A history whose end is damaged is judged as far as it goes, and the run is an error at best.
func judgeDir(dir string) (reports.Run, error) {
	m, err := rundir.ReadManifest(dir)
	if err != nil {
		return reports.Run{}, err
	}
	var plan scenarios.Plan
	if err := rundir.ReadJSON(dir, rundir.PlanFile, &plan); err != nil {
		return reports.Run{}, err
	}
	h, err := history.Open(filepath.Join(dir, rundir.HistoryFile))
	if h == nil {
		return reports.Run{}, err
	}
	reason := m.Error
	if err != nil && reason == "" {
		reason = err.Error()
	}
	if m.Ended.IsZero() && reason == "" && m.Aborted == "" {
		reason = "the harness ended before the run did"
	}
	spans, err := otlp.ReadFile(filepath.Join(dir, rundir.SpansFile))
	if err != nil { // no verdict rests on them
		m.Warnings = append(m.Warnings, err.Error())
	}
	return reports.Run{Dir: dir, Manifest: m, Plan: plan, History: h, Result: checkers.Judge(h, specOf(plan, reason, m.Aborted)), Spans: spans}, nil
}

// openHistory opens a history in any form. A damaged one is an error that says how much of it can be read.
func openHistory(path string, im history.Import) (*history.History, error) {
	h, err := im.Open(path)
	var newer *history.VersionError
	switch {
	case errors.As(err, &newer):
		return nil, usage(err)
	case err != nil && h != nil:
		return nil, damaged(err, h.Len())
	case err != nil:
		return nil, usage(err)
	}
	return h, nil
}

// damaged is the error of a history of which only the first events can be read.
func damaged(err error, intact int) error {
	if intact == 0 {
		return usage(err)
	}
	return failed(fmt.Errorf("%w\n%d events before it are intact: wreckon history prints them", err, intact))
}
