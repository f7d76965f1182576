package main

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/wreckon/wreckon/internal/otlp"
	"github.com/wreckon/wreckon/internal/rundir"
	"github.com/wreckon/wreckon/reports"
)

func newSpans() *cobra.Command {
	return &cobra.Command{
		Use:   "spans RUN UNIT",
		Short: "Print what the components told of a unit, as OpenTelemetry spans",
		Long: `Print the spans of one unit of a run that was made with --spans: when each began after the first, how long it took, which component
tells it and, below what caused it, what it is. All spans of a run are in ` + rundir.SpansFile + ` of its directory, one JSON object a line.

A span that is there proves that its operation ended. One that is not there proves nothing: a component that is killed takes its last ones
with it. No verdict rests on spans, but where a target file says what they tell of units.`,
		Example: "  wreckon run --spans\n  wreckon spans runs/latest o-17",
		Args:    nArgs(2, "a run directory and the id of a unit"),
		RunE: func(cmd *cobra.Command, args []string) error {
			m, err := rundir.ReadManifest(args[0])
			if err != nil {
				return usage(err)
			}
			spans, err := otlp.ReadFile(filepath.Join(args[0], rundir.SpansFile))
			if err != nil {
				return failed(err)
			}
			text := reports.Spans(spans, args[1])
			switch {
			case text == "" && m.Spans == nil:
				return usage(fmt.Errorf("%s has no spans: wreckon run --spans keeps them", args[0]))
			case text == "":
				return usage(fmt.Errorf("none of the %d spans of %s is about %s", len(spans), args[0], args[1]))
			}
			fmt.Fprint(cmd.OutOrStdout(), text)
			return nil
		},
	}
}
