package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/wreckon/wreckon/reference/idempotency"
	"github.com/wreckon/wreckon/reference/orders"
	"github.com/wreckon/wreckon/reference/policy"
	"github.com/wreckon/wreckon/reference/telemetry"
)

// The bounds of a request.
const (
	maxBody   = 64 << 10
	maxHeader = 256 // of the headers that are stored
	maxNote   = 1024
)

// Handler serves the API.
func Handler(s *Service, log *slog.Logger) http.Handler {
	h := handler{s, log}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /orders", h.submit)
	mux.HandleFunc("GET /orders/{id}", h.read)
	mux.HandleFunc("PATCH /orders/{id}", h.amend)
	return mux
}

type handler struct {
	service *Service
	log     *slog.Logger
}

func (h handler) submit(w http.ResponseWriter, r *http.Request) {
	key, trace := r.Header.Get("Idempotency-Key"), r.Header.Get("traceparent")
	if key == "" || len(key) > maxHeader || len(trace) > maxHeader {
		refuse(w, http.StatusBadRequest, fmt.Sprintf("Idempotency-Key is needed, of at most %d bytes, and no longer traceparent", maxHeader))
		return
	}
	var o orders.Order
	if !decode(w, r, &o) {
		return
	}
	if err := o.Validate(); err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	telemetry.About(r.Context(), telemetry.Job{ID: o.OrderID})
	answer, err := h.service.Accept(r.Context(), key, trace, o)
	var full *policy.FullError
	switch {
	case errors.As(err, &full):
		telemetry.Count(r.Context(), telemetry.Refused)
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(full.After.Seconds()))))
		refuse(w, http.StatusTooManyRequests, full.Error())
	case err == nil:
		w.Header().Set("ETag", `"1"`)
		send(w, http.StatusCreated, answer)
	case errors.Is(err, idempotency.ErrMismatch):
		refuse(w, http.StatusUnprocessableEntity, idempotency.ErrMismatch.Error())
	case errors.Is(err, ErrTaken):
		refuse(w, http.StatusConflict, ErrTaken.Error())
	default:
		h.unsure(w, r, err)
	}
}

func (h handler) read(w http.ResponseWriter, r *http.Request) {
	telemetry.About(r.Context(), telemetry.Job{ID: r.PathValue("id")})
	st, err := h.service.Read(r.Context(), h.service.DB, r.PathValue("id"))
	switch {
	case err == nil:
		h.status(w, http.StatusOK, st)
	case errors.Is(err, ErrUnknown):
		refuse(w, http.StatusNotFound, ErrUnknown.Error())
	default:
		h.unsure(w, r, err)
	}
}

func (h handler) amend(w http.ResponseWriter, r *http.Request) {
	tag := r.Header.Get("If-Match")
	if tag == "" {
		refuse(w, http.StatusPreconditionRequired, `If-Match: "<version>" is needed`)
		return
	}
	version, err := strconv.ParseUint(strings.Trim(tag, `"`), 10, 63)
	if err != nil {
		refuse(w, http.StatusBadRequest, "If-Match is not a version in quotes")
		return
	}
	var change struct {
		Note string `json:"note"`
	}
	if !decode(w, r, &change) {
		return
	}
	if len(change.Note) > maxNote {
		refuse(w, http.StatusBadRequest, fmt.Sprintf("note is longer than %d bytes", maxNote))
		return
	}
	telemetry.About(r.Context(), telemetry.Job{ID: r.PathValue("id")})
	st, changed, err := h.service.Amend(r.Context(), r.PathValue("id"), version, change.Note)
	switch {
	case err == nil && changed:
		h.status(w, http.StatusOK, st)
	case err == nil:
		h.status(w, http.StatusPreconditionFailed, st)
	case errors.Is(err, ErrUnknown):
		refuse(w, http.StatusNotFound, ErrUnknown.Error())
	default:
		h.unsure(w, r, err)
	}
}

// unsure answers where it is not known whether anything happened.
func (h handler) unsure(w http.ResponseWriter, r *http.Request, err error) {
	h.log.WarnContext(r.Context(), "request failed", "method", r.Method, "path", r.URL.Path, "error", err)
	refuse(w, h.service.Unsure, "try again with the same key")
}

func (h handler) status(w http.ResponseWriter, code int, st Status) {
	body, err := json.Marshal(st)
	if err != nil {
		refuse(w, http.StatusInternalServerError, err.Error())
		return
	}
	w.Header().Set("ETag", strconv.Quote(strconv.FormatUint(st.Version, 10)))
	send(w, code, body)
}

// decode reads a request's body, or refuses it.
func decode(w http.ResponseWriter, r *http.Request, into any) bool {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		refuse(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("body is longer than %d bytes", maxBody))
		return false
	}
	if err == nil {
		err = json.Unmarshal(body, into)
	}
	if err != nil {
		refuse(w, http.StatusBadRequest, "read body: "+err.Error())
		return false
	}
	return true
}

func refuse(w http.ResponseWriter, code int, why string) {
	body, err := json.Marshal(map[string]string{"error": why})
	if err != nil { // cannot happen: it is a string
		body = []byte(`{"error":""}`)
	}
	send(w, code, body)
}

func send(w http.ResponseWriter, code int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(body) // a client that is gone will ask again
}
