package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"

	"github.com/wreckon/wreckon/reference/idempotency"
)

// maxBody bounds a request and an answer.
const maxBody = 64 << 10

// Handler serves a queue: to clients, /jobs; to workers, /claim and what they report. log gets what failed.
func Handler(q *Queue, log *slog.Logger) http.Handler {
	h := handler{q, log}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /jobs", h.submit)
	mux.HandleFunc("GET /jobs/{id}", h.read)
	mux.HandleFunc("POST /claim", h.claim)
	for verb, do := range map[string]func(context.Context, Report) error{
		"extend": q.Extend, "checkpoint": q.Checkpoint, "finish": q.Finish, "hand-back": q.HandBack, "set-aside": q.SetAside,
	} {
		mux.HandleFunc("POST /"+verb, func(w http.ResponseWriter, r *http.Request) { h.report(w, r, do) })
	}
	return mux
}

type handler struct {
	queue *Queue
	log   *slog.Logger
}

func (h handler) submit(w http.ResponseWriter, r *http.Request) {
	key, trace := r.Header.Get("Idempotency-Key"), r.Header.Get("traceparent")
	var j Job
	if err := read(w, r, &j); err != nil || key == "" || len(key) > 256 || len(trace) > 256 {
		h.answer(w, r, nil, errors.Join(errBad, err))
		return
	}
	if err := j.Validate(); err != nil {
		h.answer(w, r, nil, errors.Join(errBad, err))
		return
	}
	answer, err := h.queue.Submit(r.Context(), key, trace, j)
	h.answer(w, r, json.RawMessage(answer), err)
}

func (h handler) read(w http.ResponseWriter, r *http.Request) {
	status, err := h.queue.Status(r.Context(), r.PathValue("id"))
	h.answer(w, r, status, err)
}

func (h handler) claim(w http.ResponseWriter, r *http.Request) {
	var who struct {
		Owner string `json:"owner"`
	}
	if err := read(w, r, &who); err != nil || who.Owner == "" {
		h.answer(w, r, nil, errors.Join(errBad, err))
		return
	}
	grant, err := h.queue.Claim(r.Context(), who.Owner)
	h.answer(w, r, grant, err)
}

func (h handler) report(w http.ResponseWriter, r *http.Request, do func(context.Context, Report) error) {
	var rep Report
	if err := read(w, r, &rep); err != nil {
		h.answer(w, r, nil, errors.Join(errBad, err))
		return
	}
	h.answer(w, r, struct{}{}, do(r.Context(), rep))
}

var errBad = errors.New("want a JSON object, and an Idempotency-Key where something is submitted")

func read(w http.ResponseWriter, r *http.Request, into any) error {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return fmt.Errorf("read body: %w", err)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("read body: %w", err)
	}
	return nil
}

// statuses are what errors are answered with. A 4xx says that nothing happened; any other error leaves that open.
var statuses = []struct {
	err  error
	code int
}{
	{errBad, http.StatusBadRequest},
	{idempotency.ErrMismatch, http.StatusUnprocessableEntity},
	{ErrTaken, http.StatusConflict},
	{ErrUnknown, http.StatusNotFound},
	{ErrLost, http.StatusPreconditionFailed},
}

func (h handler) answer(w http.ResponseWriter, r *http.Request, value any, err error) {
	code := http.StatusOK
	if err != nil {
		code = http.StatusServiceUnavailable
		for _, s := range statuses {
			if errors.Is(err, s.err) {
				code = s.code
				break
			}
		}
		value = map[string]string{"error": strings.ReplaceAll(err.Error(), "\n", ": ")}
		h.log.Info("request refused", "path", r.URL.Path, "status", code, "error", err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(value) // a client that is gone will ask again
}
