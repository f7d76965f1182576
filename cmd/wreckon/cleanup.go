package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/wreckon/wreckon/internal/undo"
)

func newCleanup() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "cleanup",
		Short: "Finish what a killed run left: processes and containers of its components",
		Long:  "Go through the run directories and end the processes, and remove the containers and networks, that a killed wreckon left\nbehind. Runs that are still going on are left alone, and so is everything that no undo record names. Each run does the same when it starts.",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			done, err := undo.CleanTree(cmd.Context(), out, removers())
			for _, d := range done {
				fmt.Fprintln(cmd.OutOrStdout(), d)
			}
			if err != nil {
				return failed(err)
			}
			if len(done) == 0 {
				fmt.Fprintln(cmd.OutOrStdout(), "nothing was left")
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&out, "out", "runs", "directory that the run directories are in")
	return cmd
}
