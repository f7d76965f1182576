package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/wreckon/wreckon/checkers"
	"github.com/wreckon/wreckon/history"
	"github.com/wreckon/wreckon/internal/rundir"
	"github.com/wreckon/wreckon/reports"
	"github.com/wreckon/wreckon/scenarios"
)

func newCheck() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "check RUN|HISTORY",
		Short: "Judge a stored run, or any history, with today's checkers",
		Long: `Judge again what was recorded: a run directory, a history file, or JSON Lines from anywhere (docs/history.md says which fields).
Of a run directory the result and the reports are written anew.

` + exitCodes,
		Args: oneArg("a run directory or a history file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := judgePath(args[0])
			if err != nil {
				return err
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
	return cmd
}

func oneArg(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != 1 {
			return usage(fmt.Errorf("%s wants %s\nusage: %s", cmd.CommandPath(), what, cmd.UseLine()))
		}
		return nil
	}
}

// judgePath judges a run directory or a file that holds a history.
func judgePath(path string) (reports.Run, error) {
	info, err := os.Stat(path)
	if err != nil {
		return reports.Run{}, usage(fmt.Errorf("check: %w", err))
	}
	if info.IsDir() {
		r, err := judgeDir(path)
		if errors.Is(err, rundir.ErrNotRun) {
			return r, usage(err)
		}
		if err != nil {
			return r, failed(err)
		}
		return r, nil
	}
	h, err := openHistory(path)
	if err != nil {
		return reports.Run{}, err
	}
	return reports.Run{
		Manifest: rundir.Manifest{Run: filepath.Base(path), Scenario: h.Header.Scenario, Seed: h.Header.Seed, Tool: toolVersion(),
			Started: h.Header.Start, Target: h.Header.Claims.Target, Repeat: "wreckon check " + path},
		Plan: scenarios.Plan{Scenario: h.Header.Scenario, Seed: h.Header.Seed}, History: h, Result: checkers.Judge(h, checkers.Spec{}),
	}, nil
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
	return reports.Run{Dir: dir, Manifest: m, Plan: plan, History: h, Result: checkers.Judge(h, specOf(plan, reason, m.Aborted))}, nil
}

// openHistory opens a history in any form. A damaged one is an error that says how much of it can be read.
func openHistory(path string) (*history.History, error) {
	h, err := history.OpenAny(path)
	var newer *history.VersionError
	switch {
	case errors.As(err, &newer):
		return nil, usage(err)
	case err != nil && h != nil && h.Len() > 0:
		return nil, failed(fmt.Errorf("%w\n%d events before it are intact: wreckon history prints them", err, h.Len()))
	case err != nil:
		return nil, usage(err)
	}
	return h, nil
}
