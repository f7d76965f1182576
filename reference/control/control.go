// Package control is the small server by which a component can be asked how it is: whether it can serve, whether it has anything left
// to do, and what it has come to. Everything is behind a token. It must never know what the component does.
package control

import (
	"bytes"
	"context"
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"strconv"
)

// maxPage bounds how many records one request can ask for.
const maxPage = 10_000

// Idle says how much there is left to do. What does not apply to a component is 0.
type Idle struct {
	Backlog    int64 `json:"backlog"`     // messages in the outbox that were not sent
	Pending    int64 `json:"pending"`     // messages at the broker that were not acknowledged
	InProgress int64 `json:"in_progress"` // handlers at work
	Open       int64 `json:"open"`        // orders or sagas that have not ended
	Done       int64 `json:"done"`        // handlers that have returned since the process started
}

// Emit writes one record, as a line of JSON.
type Emit = func(record any) error

// Server answers questions about one component. Its functions are called from any goroutine.
type Server struct {
	Token   string // must not be empty
	Ready   func(ctx context.Context) error
	Idle    func(ctx context.Context) (Idle, error)
	Observe func(ctx context.Context, emit Emit) error
	// Records serves the component's own records after a cursor; nil where there are none.
	Records func(ctx context.Context, after int64, limit int, emit Emit) error
	// Quarantine serves the people who work on what was set aside; nil where nothing is.
	Quarantine http.Handler
	// Metrics serves the component's numbers; nil: there are none.
	Metrics http.Handler
}

// Handler serves /live, /ready, /idle, /observe and, where there are such things, /metrics, /audit and /quarantine/.
func (s Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /live", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	mux.HandleFunc("GET /ready", s.ready)
	mux.HandleFunc("GET /idle", s.idle)
	mux.HandleFunc("GET /observe", func(w http.ResponseWriter, r *http.Request) {
		lines(w, func(emit Emit) error { return s.Observe(r.Context(), emit) })
	})
	if s.Records != nil {
		mux.HandleFunc("GET /audit", s.records)
	}
	if s.Metrics != nil {
		mux.Handle("GET /metrics", s.Metrics)
	}
	if s.Quarantine != nil {
		mux.Handle("/quarantine/", s.Quarantine)
	}
	return s.guard(mux)
}

func (s Server) guard(next http.Handler) http.Handler {
	want := []byte("Bearer " + s.Token)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.Token == "" || subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), want) != 1 {
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, "not with this token", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (s Server) ready(w http.ResponseWriter, r *http.Request) {
	if err := s.Ready(r.Context()); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	w.WriteHeader(http.StatusOK)
}

func (s Server) idle(w http.ResponseWriter, r *http.Request) {
	idle, err := s.Idle(r.Context())
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	lines(w, func(emit Emit) error { return emit(idle) })
}

func (s Server) records(w http.ResponseWriter, r *http.Request) {
	after, err1 := number(r, "after", 0)
	limit, err2 := number(r, "limit", maxPage)
	if err1 != nil || err2 != nil {
		http.Error(w, "after and limit are numbers, from 0", http.StatusBadRequest)
		return
	}
	lines(w, func(emit Emit) error { return s.Records(r.Context(), int64(after), int(min(limit, maxPage)), emit) })
}

func number(r *http.Request, name string, otherwise uint64) (uint64, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return otherwise, nil
	}
	return strconv.ParseUint(text, 10, 63)
}

// lines answers with records, all of them or none: half of the truth would look like the whole.
func lines(w http.ResponseWriter, write func(Emit) error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := write(func(record any) error { return enc.Encode(record) }); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/jsonl")
	_, _ = w.Write(out.Bytes()) // whoever is gone does not need it
}
