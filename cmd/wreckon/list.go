package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/wreckon/wreckon/checkers"
	"github.com/wreckon/wreckon/faults"
	"github.com/wreckon/wreckon/reference"
	"github.com/wreckon/wreckon/scenarios"
)

// entry is one thing that can be listed and explained.
type entry struct{ name, about, story string }

// topic is a kind of thing that can be listed.
type topic struct {
	name    string
	entries func() []entry
}

// topics is everything there is to list and to explain, from the tables that the tool itself works by.
var topics = []topic{
	{"scenarios", func() (es []entry) {
		for _, s := range scenarios.Shipped() {
			es = append(es, entry{s.Name, s.About, string(s.Source)})
		}
		return es
	}},
	{"targets", func() (es []entry) {
		for _, t := range knownTargets() {
			es = append(es, entry{t.Name, t.About, explainTarget(t)})
		}
		return es
	}},
	{"faults", func() (es []entry) {
		for _, k := range faults.Kinds {
			es = append(es, entry{k.Name, k.Doc, explainKind(k)})
		}
		return es
	}},
	{"guarantees", func() (es []entry) {
		for _, g := range checkers.Guarantees {
			es = append(es, entry{g.Name, g.Promise, explainGuarantee(g)})
		}
		return es
	}},
	{"metrics", func() (es []entry) {
		for _, m := range checkers.Metrics {
			es = append(es, entry{m.Name, m.Doc, explainMetric(m)})
		}
		return es
	}},
	{"defects", func() (es []entry) {
		for _, d := range reference.Defects() {
			es = append(es, entry{d.Name, "found by " + d.Falls + " in " + strings.Join(d.Reveals, ", "), explainDefect(d)})
		}
		return es
	}},
}

func newList() *cobra.Command {
	var names []string
	for _, t := range topics {
		names = append(names, t.name)
	}
	points := newPoints()
	cmd := &cobra.Command{
		Use:       "list [TOPIC]",
		Short:     "List scenarios, targets, faults, guarantees, metrics, defects, and the points of a scenario",
		ValidArgs: names,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usage(fmt.Errorf("list wants one topic at most"))
			}
			found := false
			for _, t := range topics {
				if len(args) == 0 || args[0] == t.name {
					found = true
					if err := printTopic(cmd.OutOrStdout(), t, len(args) == 0); err != nil {
						return err
					}
				}
			}
			if !found {
				return unknown("topic", args[0], append(names, points.Name()), "")
			}
			return nil
		},
	}
	cmd.AddCommand(points)
	return cmd
}

func printTopic(w io.Writer, t topic, titled bool) error {
	indent := ""
	if titled {
		fmt.Fprintln(w, t.name)
		indent = "  "
	}
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, e := range t.entries() {
		fmt.Fprintf(tw, "%s%s\t%s\n", indent, e.name, e.about)
	}
	if titled {
		fmt.Fprintln(tw)
	}
	return tw.Flush()
}

func namesOf(topicName string) []string {
	var names []string
	for _, t := range topics {
		if t.name == topicName {
			for _, e := range t.entries() {
				names = append(names, e.name)
			}
		}
	}
	return names
}

func shippedNames() []string { return namesOf("scenarios") }
func defectNames() []string  { return namesOf("defects") }
