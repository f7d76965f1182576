package main

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/wreckon/wreckon/internal/rundir"
	"github.com/wreckon/wreckon/reports"
)

func newReport() *cobra.Command {
	var opts reports.Options
	cmd := &cobra.Command{
		Use:   "report RUN",
		Short: "Write the reports of a stored run again, and print its summary",
		Long:  "Judge a stored run, write its " + rundir.ReportFile + ", " + rundir.ResultFile + ", " + rundir.JUnitFile + " and " + rundir.SummaryFile + " again, and print the summary.\nNothing is served and no browser is opened. The exit code says only whether that worked.",
		Args:  oneArg("a run directory"),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := judgeDir(args[0])
			if errors.Is(err, rundir.ErrNotRun) {
				return usage(err)
			}
			if err != nil {
				return failed(err)
			}
			if _, err := reports.Write(r.Dir, r, opts); err != nil {
				return failed(err)
			}
			if err := show(cmd, "text", r); err != nil {
				return failed(err)
			}
			_, err = fmt.Fprintln(cmd.ErrOrStderr(), "wrote "+filepath.Join(r.Dir, rundir.ReportFile))
			return err
		},
	}
	cmd.Flags().BoolVar(&opts.Redact, "redact", false, "leave out the payloads that clients and the target sent")
	return cmd
}
