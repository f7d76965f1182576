package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/wreckon/wreckon/checkers"
	"github.com/wreckon/wreckon/internal/conformance"
	"github.com/wreckon/wreckon/internal/runner"
	"github.com/wreckon/wreckon/reports"
	"github.com/wreckon/wreckon/scenarios"
	"github.com/wreckon/wreckon/targets"
)

func newTarget() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "target",
		Short: "Plug in a system of your own: check its target file, draft a scenario for it",
		Long:  "A target file describes a system that Wreckon does not know: docs/targets.md says how.",
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return unknown("command", args[0], commandNames(cmd), "wreckon target --help lists them")
		},
	}
	cmd.AddCommand(newTargetCheck(), newTargetScenario())
	return cmd
}

func newTargetCheck() *cobra.Command {
	var out, env, pull string
	var named []string
	cmd := &cobra.Command{
		Use:   "check FILE",
		Short: "Try out what a target file declares, and say what can be judged",
		Long: `Read a target file, start the target, and use each ability that is declared: submit, the same submit again, read, effects, audit
trail, final states, idleness. Then end and start each component: SIGTERM, SIGKILL, a pause. At the end stands, ability by ability and
guarantee by guarantee, what can be judged, and what cannot, and why. It takes some ten seconds and a few more for each component.

Exit codes: 0 everything that is declared works; 1 something does not, or a guarantee is violated already; 2 the file is wrong; 4 the
harness failed; 5 stopped.`,
		Example: "  wreckon target check shop.yaml\n  wreckon target check reference",
		Args:    oneArg("a target file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := namedTarget(args[0])
			if err == nil {
				err = confirmed(t, named)
			}
			if err != nil {
				return usage(err)
			}
			binary, err := os.Executable()
			if err != nil {
				return failed(fmt.Errorf("find the wreckon binary: %w", err))
			}
			if env != "" && !slices.Contains(environmentNames(), env) {
				return unknown("environment", env, environmentNames(), "known: "+strings.Join(environmentNames(), ", "))
			}
			if !slices.Contains(pulls, pull) {
				return unknown("pull", pull, pulls, "known: "+strings.Join(pulls, ", "))
			}
			env, err := runsIn(t, env)
			if err != nil {
				return usage(err)
			}
			live := reports.NewLive(os.Stderr, terminal(os.Stderr), coloured(os.Stderr))
			host, err := hostOf(env, pull, live.Note)
			if err != nil {
				live.Close()
				return usage(err)
			}
			r, err := conformance.Check(cmd.Context(), runner.Options{
				Target: t, Root: out, Binary: binary, BinaryArgs: []string{"reference"}, Environment: env, Host: host, Removers: removers(), Args: os.Args[1:],
				Repeat: "wreckon target check " + shellQuoted(args[0]), Tool: toolVersion(), Observer: &observer{Live: live},
			})
			live.Close()
			if perr := printConformance(cmd.OutOrStdout(), t, r); perr != nil {
				err = errors.Join(err, perr)
			}
			switch {
			case cmd.Context().Err() != nil:
				return exitError{checkers.Aborted.ExitCode(), errors.New("stopped")}
			case err != nil:
				return failed(err)
			case !r.Good():
				return exitError{code: checkers.Violation.ExitCode()}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&out, "out", "runs", "directory that the run directories go into")
	cmd.Flags().StringVar(&env, "env", "", "environment that runs the components: "+strings.Join(environmentNames(), " or ")+" (default: what the target needs)")
	cmd.Flags().StringVar(&pull, "pull", pulls[0], "which images of containers are pulled: "+pulls[0]+", or those "+pulls[1]+" on the engine")
	addExternal(cmd, &named)
	return cmd
}

func newTargetScenario() *cobra.Command {
	return &cobra.Command{
		Use:   "scenario FILE",
		Short: "Draft a scenario for a target: each fault that it allows, one after the other",
		Long: `Print a scenario for a target: some load, and each fault that the target allows, one after the other. It can be run as it stands, from
this directory, and is a text to begin with. wreckon run --target FILE, without a scenario, runs the same.`,
		Example: "  wreckon target scenario shop.yaml > everything.yaml\n  wreckon run everything.yaml",
		Args:    oneArg("a target file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := namedTarget(args[0])
			if err != nil {
				return usage(err)
			}
			fmt.Fprint(cmd.OutOrStdout(), scenarios.Draft(t, "."))
			return nil
		},
	}
}

// namedTarget finds a target by its name, or by its file.
func namedTarget(name string) (targets.Target, error) {
	if scenarios.IsPath(name) {
		return loadTarget(name)
	}
	return findTarget(name)
}

var abilityMarks = map[conformance.Status]string{
	conformance.Works: "✓", conformance.Broken: "✗", conformance.Unknown: "?", conformance.Declined: "–",
}

// printConformance prints a table of abilities and one of guarantees.
func printConformance(w io.Writer, t targets.Target, r conformance.Report) error {
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintf(tw, "target %s: what it was used for\n", t.Name)
	for _, a := range r.Abilities {
		fmt.Fprintf(tw, "  %s %s\t%s\n", abilityMarks[a.Status], a.Name, oneLine(a.Saw))
	}
	if len(r.Guarantees) > 0 {
		fmt.Fprintln(tw, "\nwhat can be judged of it")
	}
	judged := 0
	for _, g := range r.Guarantees {
		mark, text := "–", "not tested: "+g.Reason
		switch g.Status {
		case checkers.Holds:
			mark, text = "✓", fmt.Sprintf("%d %s checked", g.Checked, g.What)
			judged++
		case checkers.Violated:
			mark, text = "✗", g.Findings[0].Sentence
			judged++
		case checkers.Unknown:
			mark, text = "?", g.Reason
		}
		if g.Restarts && g.Status != checkers.NotTested {
			text += " (while components were ended and started)"
		}
		fmt.Fprintf(tw, "  %s %s\t%s\n", mark, g.Guarantee, oneLine(text))
	}
	if err := tw.Flush(); err != nil {
		return fmt.Errorf("print what was found: %w", err)
	}
	broken := slices.DeleteFunc(slices.Clone(r.Abilities), func(a conformance.Ability) bool {
		return a.Status != conformance.Broken && a.Status != conformance.Unknown
	})
	fmt.Fprintf(w, "\n%d of %d abilities that are declared work, %d of %d guarantees can be judged\n",
		declared(r.Abilities)-len(broken), declared(r.Abilities), judged, len(r.Guarantees))
	for _, dir := range r.Dirs {
		fmt.Fprintf(w, "run  %s\n", dir)
	}
	return nil
}

func declared(list []conformance.Ability) (n int) {
	for _, a := range list {
		if a.Status != conformance.Declined {
			n++
		}
	}
	return n
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
