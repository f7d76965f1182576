package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/wreckon/wreckon/checkers"
	"github.com/wreckon/wreckon/faults"
	"github.com/wreckon/wreckon/scenarios"
	"github.com/wreckon/wreckon/targets"
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
			es = append(es, targetEntry(t))
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
	{"defects", func() []entry { return defectEntries(referenceDefects(), "") }},
}

// topicsFor are the topics, with a target file's own target and defects in place of those that come with the program; "": these.
func topicsFor(file string) ([]topic, error) {
	if file == "" {
		return topics, nil
	}
	t, err := loadTarget(file)
	if err != nil {
		return nil, usage(err)
	}
	own := slices.Clone(topics)
	for i := range own {
		switch own[i].name {
		case "targets":
			own[i].entries = func() []entry { return []entry{targetEntry(t)} }
		case "defects":
			own[i].entries = func() []entry { return defectEntries(t.Defects, file) }
		}
	}
	return own, nil
}

func targetEntry(t targets.Target) entry { return entry{t.Name, t.About, explainTarget(t)} }

func defectEntries(list []targets.Defect, file string) (es []entry) {
	for _, d := range list {
		es = append(es, entry{d.Name, "found by " + d.Falls + " in " + strings.Join(d.Reveals, ", "), explainDefect(d, file)})
	}
	return es
}

func newList() *cobra.Command {
	var names []string
	for _, t := range topics {
		names = append(names, t.name)
	}
	points := newPoints()
	var file string
	cmd := &cobra.Command{
		Use:       "list [TOPIC]",
		Short:     "List scenarios, targets, faults, guarantees, metrics, defects, and the points of a scenario",
		ValidArgs: names,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usage(fmt.Errorf("list wants one topic at most"))
			}
			topics, err := topicsFor(file)
			if err != nil {
				return err
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
				return unknown("topic", args[0], append(names, points.Name()), "known: "+strings.Join(append(names, points.Name()), ", "))
			}
			return nil
		},
	}
	cmd.AddCommand(points)
	cmd.Flags().StringVar(&file, "target", "", "a target file: itself, and its defects, in place of those that come with the program")
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
