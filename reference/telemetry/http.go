package telemetry

import (
	"fmt"
	"net/http"
	"strconv"
)

// Serve makes an operation of each request. The traceparent header becomes that of the operation, so that next stores what continues
// the trace. A request that submits something, which its Idempotency-Key shows, gets a trace if it brings none.
func Serve(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		cause := r.Header.Get("traceparent")
		ctx, op := begin(r.Context(), Server, r.Method, cause, cause == "" && r.Header.Get("Idempotency-Key") != "")
		if op.Trace() != cause {
			r.Header.Set("traceparent", op.Trace())
		}
		r = r.WithContext(ctx)
		answer := &answer{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(answer, r)
		op.rename(r.Pattern) // what the router has found
		var err error
		if answer.status >= http.StatusInternalServerError {
			err = fmt.Errorf("answered %d", answer.status)
		}
		op.End(strconv.Itoa(answer.status), err)
	})
}

func (op *Operation) rename(pattern string) {
	if pattern == "" {
		pattern = "unknown path"
	}
	op.name = pattern
	if op.span != nil {
		op.span.SetName(pattern)
	}
}

// answer remembers the status.
type answer struct {
	http.ResponseWriter
	status int
}

func (a *answer) WriteHeader(status int) {
	a.status = status
	a.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController find what is underneath.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
