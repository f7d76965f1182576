package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/wreckon/wreckon/history"
	"github.com/wreckon/wreckon/internal/rundir"
)

func newHistory() *cobra.Command {
	return &cobra.Command{
		Use:     "history RUN|HISTORY",
		Short:   "Print a history as JSON Lines",
		Long:    "Print the history of a run directory, or a history file in any form, as JSON Lines on standard output.\nOf a damaged history everything before the damage is printed; the damage is said on standard error, with exit 4.",
		Example: "  wreckon history runs/latest | grep '\"o-17\"'",
		Args:    oneArg("a run directory or a history file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := historyPath(args[0])
			if err != nil {
				return usage(err)
			}
			h, err := history.OpenAny(path)
			if h == nil || (err != nil && h.Len() == 0) {
				return usage(err)
			}
			out := bufio.NewWriterSize(cmd.OutOrStdout(), 1<<20)
			werr := h.WriteJSONL(out)
			if werr == nil {
				werr = out.Flush()
			}
			if errors.Is(werr, syscall.EPIPE) {
				return nil // the reader has seen enough
			}
			if h.Lost != "" && err == nil {
				fmt.Fprintln(os.Stderr, "wreckon: warning: "+h.Lost)
			}
			if err = errors.Join(err, werr); err != nil {
				return failed(err)
			}
			return nil
		},
	}
}

// historyPath finds the history file of what a person named.
func historyPath(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("history: %w", err)
	}
	if !info.IsDir() {
		return path, nil
	}
	if _, err := rundir.ReadManifest(path); err != nil {
		return "", err
	}
	return filepath.Join(path, rundir.HistoryFile), nil
}
