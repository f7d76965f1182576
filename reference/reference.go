// Package reference is an order service done right, to learn from and to test a tester with. It runs as separate processes of one
// binary, so that each can be killed alone:
//
//	client -> api -> (outbox) relay -> broker -> saga <-> inventory, payments, shipping -> gateway
//	                                     \-> audit
//
// or, without a saga, by what the services hear of each other (package choreography); and, beside it, a job system of a queue and workers:
//
//	client -> queue <- workers -> gateway
//
// and bookings, whose seats are held for a while:
//
//	client -> bookings <- confirmer -> gateway
//	               ^- reclaimer
//
// and the readings of meters, which are billed in batches:
//
//	client -> intake -> broker -> ingester -> gateway
//
// and transfers in two regions, of which one is active:
//
//	client -> east <-> west -> gateway
//	            \-> coordinator <-/
//
// An order that was accepted ends as completed, compensated or quarantined, once, and leaves a trail that proves it, whatever is killed,
// paused or cut off in the meantime. Each package underneath is one pattern and says what it promises, how, what it costs and where it
// breaks: store, outbox, inbox, idempotency, lease, intent, audit, saga, choreography, quarantine, reconcile, policy, broker, jobs, booking, metering,
// region. Package parts lists the strategies on which the promises hang, and package defects the ways to get them wrong.
//
// This package wires a component together, and takes it apart again when it is told to stop. It must never know that it is being tested.
package reference

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/wreckon/wreckon/reference/defects"
	"github.com/wreckon/wreckon/reference/telemetry"
)

// Components are the names of the order service's processes, in an order in which they can be started, and JobComponents,
// BookingComponents, MeterComponents and RegionComponents those of the job system, of the bookings, of the metering, which has a broker and an
// audit, too, and of the two regions.
var (
	Components        = []string{"broker", "api", "relay", "saga", "inventory", "payments", "shipping", "audit"}
	JobComponents     = []string{"queue", "worker-1", "worker-2"}
	BookingComponents = []string{"bookings", "confirmer", "reclaimer"}
	MeterComponents   = []string{"intake", "ingester"}
	RegionComponents  = []string{"coordinator", "east", "west"}
)

// Defects lists what can be got wrong by name, with --defect.
func Defects() []defects.Defect { return defects.All }

// Exit codes of Main.
const (
	exitStopped = 0 // told to stop, and did
	exitFailed  = 1
	exitUsage   = 2
)

// Main runs one component: args are its name and flags. It returns an exit code when the component has stopped, because ctx ended or
// SIGTERM or SIGINT came; a second signal makes it return at once, with whatever was going on still going on, so the process should exit
// then. Once its addresses are bound, it writes them to stdout as one line of JSON.
func Main(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	cfg, err := parse(args, getenv, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitStopped
	case err != nil:
		fmt.Fprintln(stderr, err)
		return exitUsage
	}
	log := slog.New(telemetry.Logs(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: cfg.level}))).With("component", cfg.component)

	ctx, stop := context.WithCancel(ctx)
	defer stop()
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, os.Interrupt)
	defer signal.Stop(signals)

	stopped := make(chan error, 1)
	go func() { stopped <- run(ctx, cfg, log, stdout) }()
	for told := false; ; told = true {
		select {
		case <-signals:
			if told {
				log.Warn("stopping at once")
				return exitFailed
			}
			log.Info("draining")
			stop()
		case err := <-stopped:
			if err != nil {
				log.Error("component failed", "error", err)
				return exitFailed
			}
			return exitStopped
		}
	}
}
