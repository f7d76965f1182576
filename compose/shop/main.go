// Command shop is a small shop, as somebody would write it who has never heard of Wreckon: an API that takes orders, and a worker that charges
// for them at a payment provider. It keeps orders in PostgreSQL and hands them to the worker through a list in Redis. It is here to be
// plugged into Wreckon by a target file, as processes or out of its compose file, and imports nothing of it.
//
// What it promises: an order that was accepted is charged once, or declined. Redis may lose what it holds, so the worker also looks for orders that
// nobody has taken up (SWEEP=off leaves that out). A charge that got no answer is asked for again under the same key (KEY=attempt takes a
// new one each time). Both are mistakes that real shops make.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		slog.Error("shop ends", "error", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return errors.New("usage: shop api|worker, with LISTEN, DATABASE_URL, REDIS_ADDR and, for the worker, PAYMENTS_URL")
	}
	db, err := pgxpool.New(ctx, os.Getenv("DATABASE_URL"))
	if err != nil {
		return fmt.Errorf("open database: %w", err)
	}
	defer db.Close()
	queue := redis.NewClient(&redis.Options{Addr: os.Getenv("REDIS_ADDR"), DisableIdentity: true, ReadTimeout: 2 * time.Second})
	defer queue.Close()
	var ready func(context.Context) error
	mux := http.NewServeMux()
	switch args[0] {
	case "api":
		a := &api{db, queue}
		ready = a.migrate
		a.routes(mux)
	case "worker":
		w := newWorker(db, queue)
		ready = func(ctx context.Context) error { return db.Ping(ctx) }
		defer w.wait()
		go w.run(ctx)
	default:
		return fmt.Errorf("shop %s: want api or worker", args[0])
	}
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) {
		if err := ready(r.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		}
	})
	return serve(ctx, mux)
}

// serve answers until ctx ends, and then finishes what is under way.
func serve(ctx context.Context, mux *http.ServeMux) error {
	s := &http.Server{Addr: os.Getenv("LISTEN"), Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- s.ListenAndServe() }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if err := s.Shutdown(last); err != nil {
		return s.Close()
	}
	return nil
}
