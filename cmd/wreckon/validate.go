package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func newValidate() *cobra.Command {
	return &cobra.Command{
		Use:   "validate SCENARIO...",
		Short: "Check scenario files without starting anything",
		Long:  "Check scenario files, and print everything that is wrong with them: where, what, and what would be right.\nExit 0 if all are good, 2 if not.",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage(fmt.Errorf("validate wants at least one scenario file\nusage: %s", cmd.UseLine()))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			loaded, err := loadAll(args, vocabulary())
			if err != nil {
				return usage(err)
			}
			for i, s := range loaded {
				fmt.Fprintf(cmd.OutOrStdout(), "%s: ok (%s)\n", args[i], s.Name)
			}
			return nil
		},
	}
}
