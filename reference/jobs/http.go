package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"

	"github.com/wreckon/wreckon/reference/idempotency"
	"github.com/wreckon/wreckon/reference/rpc"
	"github.com/wreckon/wreckon/reference/telemetry"
)

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
	var j Job
	key, trace, err := rpc.Submitted(w, r, &j)
	if err == nil {
		if err = j.Validate(); err != nil {
			err = errors.Join(rpc.ErrBad, err)
		}
	}
	if err != nil {
		h.answer(w, r, nil, err)
		return
	}
	telemetry.About(r.Context(), telemetry.Job{ID: j.JobID})
	answer, err := h.queue.Submit(r.Context(), key, trace, j)
	h.answer(w, r, json.RawMessage(answer), err)
}

func (h handler) read(w http.ResponseWriter, r *http.Request) {
	status, err := h.queue.Status(r.Context(), r.PathValue("id"))
	h.answer(w, r, status, err)
}

func (h handler) claim(w http.ResponseWriter, r *http.Request) {
	var who question
	if err := rpc.Read(w, r, &who); err != nil || who.Owner == "" {
		h.answer(w, r, nil, errors.Join(rpc.ErrBad, err))
		return
	}
	grant, err := h.queue.Claim(r.Context(), who.Owner, who.At)
	h.answer(w, r, grant, err)
}

func (h handler) report(w http.ResponseWriter, r *http.Request, do func(context.Context, Report) error) {
	var rep Report
	err := rpc.Read(w, r, &rep)
	if err == nil {
		telemetry.About(r.Context(), telemetry.Job{ID: rep.JobID})
		err = do(r.Context(), rep)
	}
	h.answer(w, r, struct{}{}, err)
}

var statuses = rpc.Statuses{
	idempotency.ErrMismatch: http.StatusUnprocessableEntity,
	ErrTaken:                http.StatusConflict,
	ErrUnknown:              http.StatusNotFound,
	ErrLost:                 http.StatusPreconditionFailed,
}

func (h handler) answer(w http.ResponseWriter, r *http.Request, value any, err error) {
	statuses.Answer(w, r, h.log, value, err)
}
