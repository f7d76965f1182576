package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"
)

const (
	queueName = "shop:orders"
	hands     = 8
	forgotten = time.Second // an order that nobody has taken up for so long is taken up by the sweep
)

// worker charges for orders.
type worker struct {
	db       *pgxpool.Pool
	queue    *redis.Client
	payments string
	newKeys  bool // a mistake: each attempt has a key of its own
	noSweep  bool // a mistake: what Redis loses stays lost
	http     *http.Client
	working  sync.WaitGroup
}

func newWorker(db *pgxpool.Pool, queue *redis.Client) *worker {
	return &worker{db: db, queue: queue, payments: os.Getenv("PAYMENTS_URL"), newKeys: os.Getenv("KEY") == "attempt", noSweep: os.Getenv("SWEEP") == "off",
		http: &http.Client{Timeout: time.Second}}
}

func (w *worker) run(ctx context.Context) {
	for range hands {
		w.working.Go(func() { w.work(ctx) })
	}
	if !w.noSweep {
		w.working.Go(func() { w.sweep(ctx) })
	}
}

func (w *worker) wait() { w.working.Wait() }

// work takes one order after the other. What it does not finish is for the sweep.
func (w *worker) work(ctx context.Context) {
	for ctx.Err() == nil {
		got, err := w.queue.BRPop(ctx, time.Second, queueName).Result()
		switch {
		case errors.Is(err, redis.Nil):
		case err != nil:
			pause(ctx, 50*time.Millisecond)
		default:
			if err := w.charge(ctx, got[1]); err != nil && ctx.Err() == nil {
				slog.Warn("not charged", "order", got[1], "error", err)
			}
		}
	}
}

// sweep queues again what nobody has taken up.
func (w *worker) sweep(ctx context.Context) {
	for ctx.Err() == nil {
		pause(ctx, forgotten/2)
		rows, err := w.db.Query(ctx, `UPDATE orders SET changed = now() WHERE state = 'new' AND changed < now() - $1::interval RETURNING id`, forgotten)
		if err != nil {
			continue
		}
		ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			continue
		}
		for _, id := range ids {
			_ = w.queue.LPush(ctx, queueName, id) // or the next sweep
		}
	}
}

// charge asks the provider for one order, and writes down what it said.
func (w *worker) charge(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	var o order
	err := w.db.QueryRow(ctx, `SELECT id, amount, card, state FROM orders WHERE id = $1`, id).Scan(&o.ID, &o.Amount, &o.Card, &o.State)
	if err != nil || o.State != "new" {
		return err
	}
	state, err := w.ask(ctx, o)
	if err != nil {
		return err
	}
	return pgx.BeginFunc(ctx, w.db, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `UPDATE orders SET state = $2, version = version + 1, changed = now() WHERE id = $1 AND state = 'new'`, id, state)
		if err != nil || tag.RowsAffected() == 0 {
			return err
		}
		return tell(ctx, tx, id, state)
	})
}

// ask gives the state that the provider's answer puts an order in.
func (w *worker) ask(ctx context.Context, o order) (state string, err error) {
	body, err := json.Marshal(map[string]any{"order": o.ID, "amount": o.Amount, "card": o.Card})
	if err != nil {
		return "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.payments+"/charges", bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	key := "order-" + o.ID
	if w.newKeys {
		key += "-" + rand.Text()
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", key)
	resp, err := w.http.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode < 300:
		return "paid", nil
	case resp.StatusCode == http.StatusPaymentRequired:
		return "declined", nil
	}
	return "", fmt.Errorf("the provider answered %s", resp.Status)
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
