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

	"github.com/wreckon/wreckon/internal/environment/hunger"
	"github.com/wreckon/wreckon/internal/environment/lent"
	"github.com/wreckon/wreckon/reference"
)

func main() {
	// The reference system is carried inside: its components are this binary, run again. That is decided before anything else,
	// since a component that is killed and restarted must be back in milliseconds.
	if len(os.Args) > 1 && os.Args[1] == "reference" {
		os.Exit(runReference(os.Args[2:]))
	}
	if len(os.Args) > 1 && os.Args[1] == holdCommand {
		os.Exit(hold(os.Args[2:]))
	}
	if len(os.Args) > 1 && os.Args[1] == eatCommand {
		fmt.Fprintln(os.Stderr, "wreckon: "+hunger.Eat().Error())
		os.Exit(exitHarness)
	}
	os.Exit(run())
}

// holdCommand is what the binary is told where nothing but a process is wanted: in a container that holds an address.
const holdCommand = "hold"

// eatCommand is what the binary is told where a component is to have no memory left: in the component's container.
const eatCommand = "eat"

// hold waits until it is told to end. Before that it lends the listeners that it is told to, from where it is: a socket, and addresses.
func hold(args []string) int {
	if len(args) > 0 {
		if err := lent.Lend(args[0], args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, "wreckon: "+err.Error())
			return exitHarness
		}
	}
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGTERM)
	<-told
	return 0
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
