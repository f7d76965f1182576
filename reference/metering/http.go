package metering

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"

	"github.com/wreckon/wreckon/reference/idempotency"
	"github.com/wreckon/wreckon/reference/rpc"
	"github.com/wreckon/wreckon/reference/telemetry"
)

// Handler serves an intake to its clients. log gets what failed.
func Handler(in *Intake, log *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /readings", func(w http.ResponseWriter, r *http.Request) {
		var reading Reading
		key, trace, err := rpc.Submitted(w, r, &reading)
		if err == nil {
			if err = reading.Validate(); err != nil {
				err = errors.Join(rpc.ErrBad, err)
			}
		}
		if err != nil {
			statuses.Answer(w, r, log, nil, err)
			return
		}
		telemetry.About(r.Context(), telemetry.Job{ID: reading.ReadingID})
		answer, err := in.Accept(r.Context(), key, trace, reading)
		statuses.Answer(w, r, log, json.RawMessage(answer), err)
	})
	mux.HandleFunc("GET /readings/{id}", func(w http.ResponseWriter, r *http.Request) {
		status, err := in.Status(r.Context(), r.PathValue("id"))
		statuses.Answer(w, r, log, status, err)
	})
	return mux
}

var statuses = rpc.Statuses{
	idempotency.ErrMismatch: http.StatusUnprocessableEntity,
	ErrTaken:                http.StatusConflict,
	ErrUnknown:              http.StatusNotFound,
}
