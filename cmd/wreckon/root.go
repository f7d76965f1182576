package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/wreckon/wreckon/internal/spelling"
	"github.com/wreckon/wreckon/reports"
)

// Exit codes that are not a verdict's: checkers.Verdict.ExitCode has those.
const (
	exitUsage   = 2
	exitHarness = 4
)

// exitError ends the command with a code. err is printed; nil: everything has been said.
type exitError struct {
	code int
	err  error
}

func (e exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit %d", e.code)
	}
	return e.err.Error()
}

func (e exitError) Unwrap() error { return e.err }

// failed is a failure of the harness itself, usage one of what it was asked.
func failed(err error) error { return exitError{exitHarness, err} }
func usage(err error) error  { return exitError{exitUsage, err} }

const long = `Wreckon runs a system that promises safe completion (an outbox, a saga, an idempotent API, a job queue) under faults:
duplicates, partitions, crashes. It records one history of everything that happened, checks that history for duplicate
side effects, lost work and audit gaps, and writes a report.

  wreckon run                    the default scenario against the reference system
  wreckon list                   what there is: scenarios, faults, guarantees, metrics, defects
  wreckon explain NAME           what one of them means
  wreckon run SCENARIO --dry-run the plan, without starting anything`

const exitCodes = `Exit codes: 0 pass, 1 violation, 2 usage, 3 inconclusive, 4 error, 5 aborted, 6 a threshold was missed.`

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "wreckon",
		Short:         "Wreck a system, then reckon what held",
		Long:          long + "\n\n" + exitCodes,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return unknown("command", args[0], commandNames(cmd), "wreckon --help lists them")
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usage(fmt.Errorf("%w\nsee %s --help", err, cmd.CommandPath()))
	})
	root.AddCommand(newRun(), newCheck(), newReport(), newHistory(), newSpans(), newValidate(), newList(), newExplain(), newDoctor(), newCleanup(),
		newProve(), newCampaign(), newTarget(), newVersion())
	return root
}

func commandNames(cmd *cobra.Command) []string {
	var names []string
	for _, c := range cmd.Commands() {
		names = append(names, c.Name())
	}
	return names
}

// terminal tells whether a stream is a terminal that wants a live display and colours.
func terminal(f *os.File) bool {
	return term.IsTerminal(int(f.Fd())) && os.Getenv("CI") == "" && os.Getenv("TERM") != "dumb"
}

func coloured(f *os.File) bool { return terminal(f) && os.Getenv("NO_COLOR") == "" }

func width(f *os.File) int {
	if w, _, err := term.GetSize(int(f.Fd())); err == nil && w > 0 {
		return w
	}
	return 120
}

func termOptions() reports.TermOptions {
	return reports.TermOptions{Color: coloured(os.Stdout), Width: width(os.Stdout)}
}

// unknown is the error for a name that does not exist, with the nearest one that does.
func unknown(what, name string, known []string, hint string) error {
	msg := fmt.Sprintf("unknown %s %q", what, name) + spelling.Hint(name, known)
	if hint != "" {
		msg += "\n" + hint
	}
	return usage(errors.New(msg))
}
