package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"
)

// api takes orders.
type api struct {
	db    *pgxpool.Pool
	queue *redis.Client
}

const schema = `
CREATE TABLE IF NOT EXISTS orders (
	id text PRIMARY KEY, amount bigint NOT NULL, card text NOT NULL, state text NOT NULL, version bigint NOT NULL DEFAULT 1,
	changed timestamptz NOT NULL DEFAULT now());
CREATE TABLE IF NOT EXISTS events (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, order_id text NOT NULL, what text NOT NULL, at timestamptz NOT NULL DEFAULT now());
`

func (a *api) migrate(ctx context.Context) error {
	_, err := a.db.Exec(ctx, schema)
	return err
}

func (a *api) routes(mux *http.ServeMux) {
	mux.HandleFunc("POST /orders", a.accept)
	mux.HandleFunc("GET /orders/{id}", a.show)
}

type order struct {
	ID      string `json:"id"`
	Amount  int64  `json:"amount"`
	Card    string `json:"card"`
	State   string `json:"state"`
	Version int64  `json:"version"`
}

// accept writes an order down, and its event with it. The same order again changes nothing.
func (a *api) accept(w http.ResponseWriter, r *http.Request) {
	var o order
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16)).Decode(&o); err != nil || o.ID == "" || o.Amount <= 0 {
		http.Error(w, "want an order with id and amount", http.StatusBadRequest)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	err := pgx.BeginFunc(ctx, a.db, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `INSERT INTO orders (id, amount, card, state) VALUES ($1, $2, $3, 'new') ON CONFLICT DO NOTHING`, o.ID, o.Amount, o.Card)
		if err != nil || tag.RowsAffected() == 0 {
			return err
		}
		return tell(ctx, tx, o.ID, "accepted")
	})
	if err != nil {
		slog.Error("accept", "order", o.ID, "error", err)
		http.Error(w, "try again", http.StatusServiceUnavailable)
		return
	}
	if err := a.queue.LPush(ctx, queueName, o.ID).Err(); err != nil {
		slog.Warn("not queued", "order", o.ID, "error", err) // the worker looks for what is left behind
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(w).Encode(map[string]string{"id": o.ID})
}

// tell writes an event, in the transaction that makes it true.
func tell(ctx context.Context, tx pgx.Tx, id, what string) error {
	_, err := tx.Exec(ctx, `INSERT INTO events (order_id, what) VALUES ($1, $2)`, id, what)
	return err
}

func (a *api) show(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	o := order{ID: r.PathValue("id")}
	err := a.db.QueryRow(ctx, `SELECT amount, card, state, version FROM orders WHERE id = $1`, o.ID).Scan(&o.Amount, &o.Card, &o.State, &o.Version)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		http.NotFound(w, r)
	case err != nil:
		http.Error(w, "try again", http.StatusServiceUnavailable)
	default:
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(o)
	}
}
