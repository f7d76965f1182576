// Command tally is about the smallest system that has a promise to keep: it takes jobs, and counts each of them once. One process, one file of
// SQLite. It is here to be killed often and fast, knows nothing of Wreckon, and imports nothing of it.
//
// A job is accepted when it is in the file. What is open is counted every few milliseconds, and marked as counted in the same transaction: whenever the
// process is killed, a job has been counted and is done, or has not and is open.
//
// Syncs of the disk are off: a SIGKILL loses nothing that was written, only a power cut would.
package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"syscall"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite", in Go: nothing to install
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "tally:", err)
		os.Exit(1)
	}
}

const schema = `
CREATE TABLE jobs (id text PRIMARY KEY, amount integer NOT NULL, state text NOT NULL) WITHOUT ROWID;
CREATE TABLE entries (n integer PRIMARY KEY, job text NOT NULL, amount integer NOT NULL);
CREATE TABLE total (amount integer NOT NULL);
INSERT INTO total VALUES (0);
`

func run(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return errors.New("usage: tally HOST:PORT; it keeps its file in the directory that it runs in")
	}
	mistake := os.Getenv("MISTAKE")
	if !slices.Contains([]string{"", "memory", "two-steps"}, mistake) {
		return fmt.Errorf("MISTAKE=%s in the environment: want memory, two-steps or nothing", mistake)
	}
	db, err := sql.Open("sqlite", "file:tally.db?_txlock=immediate")
	if err != nil {
		return fmt.Errorf("open file: %w", err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	t := &tally{db: db, mistake: mistake}
	if err := t.open(ctx); err != nil {
		return fmt.Errorf("open file: %w", err)
	}
	counted := make(chan struct{})
	go func() {
		defer close(counted)
		t.count(ctx)
	}()
	server := &http.Server{Addr: args[0], Handler: t.routes(), ReadHeaderTimeout: 5 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.ListenAndServe() }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	err = server.Shutdown(last)
	<-counted
	return err
}

// open makes what is not there yet. What a killed one left open is counted by the next one.
func (t *tally) open(ctx context.Context) (err error) {
	// In this order: a new file is synced when it changes to write-ahead logging.
	if _, err := t.db.ExecContext(ctx, "PRAGMA synchronous=off; PRAGMA locking_mode=exclusive; PRAGMA journal_mode=wal"); err != nil {
		return err
	}
	var there bool
	if err := t.db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE name = 'total')`).Scan(&there); err != nil {
		return err
	}
	if !there {
		if _, err := t.db.ExecContext(ctx, "BEGIN IMMEDIATE;"+schema+"COMMIT"); err != nil {
			return err
		}
	}
	t.news.Store(true)
	for into, text := range map[**sql.Stmt]string{
		&t.insert: `INSERT OR IGNORE INTO jobs VALUES (?, ?, 'open')`,
		&t.enter:  `INSERT INTO entries (job, amount) SELECT id, amount FROM jobs WHERE state = 'open'`,
		&t.add:    `UPDATE total SET amount = amount + (SELECT coalesce(sum(amount), 0) FROM jobs WHERE state = 'open')`,
		&t.mark:   `UPDATE jobs SET state = 'done' WHERE state = 'open'`,
	} {
		if *into, err = t.db.PrepareContext(ctx, text); err != nil {
			return err
		}
	}
	return nil
}

func (t *tally) routes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /jobs", t.accept)
	mux.HandleFunc("GET /jobs/{id}", t.show)
	mux.HandleFunc("GET /jobs", rows(t, `SELECT id, state, 0 FROM jobs`, func(id, state string, _ int64) any { return job{ID: id, State: state} }))
	mux.HandleFunc("GET /entries", rows(t, `SELECT job, n, amount FROM entries WHERE n > ? ORDER BY n`,
		func(id, n string, amount int64) any { return entry{n, id, amount} }))
	mux.HandleFunc("GET /work", t.number(`SELECT count(*) FROM jobs WHERE state = 'open'`))
	mux.HandleFunc("GET /total", t.number(`SELECT amount FROM total`))
	return mux
}

type job struct {
	ID     string `json:"id"`
	Amount int64  `json:"amount,omitempty"`
	State  string `json:"state"`
}

type entry struct {
	N      string `json:"n"`
	Job    string `json:"job"`
	Amount int64  `json:"amount"`
}

// accept writes a job down. The same job again changes nothing.
func (t *tally) accept(w http.ResponseWriter, r *http.Request) {
	var j job
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16)).Decode(&j); err != nil || j.ID == "" || j.Amount <= 0 {
		http.Error(w, "want a job with id and amount", http.StatusBadRequest)
		return
	}
	if err := t.save(r.Context(), j); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	w.WriteHeader(http.StatusCreated)
}

func (t *tally) show(w http.ResponseWriter, r *http.Request) {
	j := job{ID: r.PathValue("id")}
	err := t.db.QueryRowContext(r.Context(), `SELECT state FROM jobs WHERE id = ?`, j.ID).Scan(&j.State)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		http.NotFound(w, r)
	case err != nil:
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
	default:
		_ = json.NewEncoder(w).Encode(j)
	}
}

func (t *tally) number(query string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var n int64
		if err := t.db.QueryRowContext(r.Context(), query).Scan(&n); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintf(w, `{"n":%d}`, n)
	}
}

// rows answers with a row on each line. What comes after is the cursor, where the query has one.
func rows(t *tally, query string, show func(a, b string, n int64) any) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var args []any
		if r.URL.Query().Has("after") {
			after, _ := strconv.ParseInt(r.URL.Query().Get("after"), 10, 64) // none: from the beginning
			args = append(args, after)
		}
		found, err := t.db.QueryContext(r.Context(), query, args...)
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		defer found.Close()
		var lines []byte
		for found.Next() {
			var a, b string
			var n int64
			if err = found.Scan(&a, &b, &n); err != nil {
				break
			}
			line, _ := json.Marshal(show(a, b, n))
			lines = append(append(lines, line...), '\n')
		}
		if err := errors.Join(err, found.Err()); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		_, _ = w.Write(lines)
	}
}
