package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wreckon/wreckon/checkers"
	"github.com/wreckon/wreckon/faults"
	"github.com/wreckon/wreckon/scenarios"
	"github.com/wreckon/wreckon/targets"
)

func newExplain() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "explain NAME",
		Short: "Explain a scenario, target, fault, guarantee, metric or defect",
		Args:  oneArg("one name (wreckon list shows them)"),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			var names []string
			for _, t := range topics {
				names = append(names, namesOf(t.name)...)
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			topics, err := topicsFor(file)
			if err != nil {
				return err
			}
			var names []string
			found := false
			for _, t := range topics {
				for _, e := range t.entries() {
					names = append(names, e.name)
					if e.name == args[0] {
						found = true
						fmt.Fprintf(cmd.OutOrStdout(), "%s (%s)\n\n%s\n", e.name, strings.TrimSuffix(t.name, "s"), strings.TrimSpace(e.story))
					}
				}
			}
			if !found {
				return unknown("name", args[0], names, "wreckon list shows every name")
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&file, "target", "", "a target file: explain its target or a defect of it")
	return cmd
}

func explainTarget(t targets.Target) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\nComponents:\n", t.About)
	for _, c := range t.Topology.Components {
		note := ""
		if c.External {
			note = " (hosted by wreckon)"
		}
		fmt.Fprintf(&b, "  %-10s %s%s\n", c.Name, c.About, note)
	}
	b.WriteString("\nEdges, each through a proxy:\n")
	for _, e := range t.Topology.Edges {
		fmt.Fprintf(&b, "  %-22s %s\n", e.Name(), e.Protocol)
	}
	fmt.Fprintf(&b, "\nKinds of unit: %s\n", strings.Join(t.Mix, ", "))
	return b.String()
}

func explainKind(k faults.Kind) string {
	var takes []string
	byTime, byEvent := scenarios.Keys(k)
	if byTime != nil {
		takes = append(takes, "Placed by time it takes: "+strings.Join(byTime, ", ")+".")
	}
	if byEvent != nil {
		takes = append(takes, "Placed by an event it takes: "+strings.Join(byEvent, ", ")+".")
	}
	return fmt.Sprintf("%s\n\nIn real systems: %s\n\nAimed at: one %s. %s", k.Doc, k.Story, k.On, strings.Join(takes, " "))
}

func explainGuarantee(g checkers.Guarantee) string {
	return fmt.Sprintf("%s\n\nA violation: %s\n\nNeeds: %s. On a target that does not show them it is not tested.",
		g.Promise, g.Finds, g.Wants())
}

func explainMetric(m checkers.MetricKind) string {
	text := fmt.Sprintf("%s\n\nUnit: %s. Usable in require and thresholds.", m.Doc, m.Unit)
	if m.M != "" {
		text += fmt.Sprintf(" One of the ten indicators of safe completion: %s.", m.M)
	}
	if m.Live() {
		text += " As an upper bound it may abort a run: {bound: ..., abort: true}."
	}
	return text
}

// explainDefect tells of a defect of a target file, or of one that comes with the program.
func explainDefect(d targets.Defect, file string) string {
	against := ""
	if file != "" {
		against = " --target " + shellQuoted(file)
	}
	return fmt.Sprintf("%s\n\nRevealed by: %s. The guarantee that must fall: %s.\n\n  wreckon run %s%s --defect %s",
		strings.TrimSpace(d.Story), strings.Join(d.Reveals, ", "), d.Falls, d.Reveals[0], against, d.Name)
}
