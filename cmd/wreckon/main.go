// Command wreckon runs a system that promises safe completion under faults, and says what held. This package is wiring only: one
// short file per command, and nothing here decides what a finding is.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/wreckon/wreckon/reference"
)

func main() {
	// The reference system is carried inside: its components are this binary, run again. That is decided before anything else,
	// since a component that is killed and restarted must be back in milliseconds.
	if len(os.Args) > 1 && os.Args[1] == "reference" {
		os.Exit(runReference(os.Args[2:]))
	}
	if len(os.Args) > 1 && os.Args[1] == holdCommand {
		hold()
		return
	}
	os.Exit(run())
}

// holdCommand is what the binary is told where nothing but a process is wanted: in a container that holds an address.
const holdCommand = "hold"

// hold waits until it is told to end.
func hold() {
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGTERM)
	<-told
}

func runReference(args []string) int {
	return reference.Main(context.Background(), args, os.Getenv, os.Stdout, os.Stderr)
}

func run() int {
	// The first signal asks the command to end in order; from then on the default is restored, so that a second one ends it at once.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	go func() {
		<-ctx.Done()
		stop()
	}()
	err := newRoot().ExecuteContext(ctx)
	var ex exitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &ex):
		if ex.err != nil {
			fmt.Fprintln(os.Stderr, "wreckon: "+ex.err.Error())
		}
		return ex.code
	default:
		fmt.Fprintln(os.Stderr, "wreckon: "+err.Error())
		return exitUsage
	}
}
