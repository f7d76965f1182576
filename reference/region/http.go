package region

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/wreckon/wreckon/reference/idempotency"
	"github.com/wreckon/wreckon/reference/rpc"
	"github.com/wreckon/wreckon/reference/telemetry"
)

var statuses = rpc.Statuses{
	idempotency.ErrMismatch: http.StatusUnprocessableEntity,
	ErrTaken:                http.StatusConflict,
	ErrUnknown:              http.StatusNotFound,
	ErrElsewhere:            http.StatusMisdirectedRequest,
	ErrOld:                  http.StatusPreconditionFailed,
}

// Handler serves a region: to clients, /transfers; to the other region, /mirror. log gets what failed.
func Handler(r *Region, log *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /transfers", func(w http.ResponseWriter, req *http.Request) {
		var t Transfer
		key, trace, err := rpc.Submitted(w, req, &t)
		if err == nil {
			if err = t.Validate(); err != nil {
				err = errors.Join(rpc.ErrBad, err)
			}
		}
		if err != nil {
			statuses.Answer(w, req, log, nil, err)
			return
		}
		telemetry.About(req.Context(), telemetry.Job{ID: t.TransferID})
		answer, err := r.Accept(req.Context(), key, trace, t)
		statuses.Answer(w, req, log, json.RawMessage(answer), err)
	})
	mux.HandleFunc("GET /transfers/{id}", func(w http.ResponseWriter, req *http.Request) {
		status, err := r.Status(req.Context(), req.PathValue("id"))
		statuses.Answer(w, req, log, status, err)
	})
	mux.HandleFunc("POST /mirror", func(w http.ResponseWriter, req *http.Request) { answer(w, req, log, r.Mirror) })
	return mux
}

// SeatHandler serves the coordinator to the regions.
func SeatHandler(c *Coordinator, log *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /renew", func(w http.ResponseWriter, req *http.Request) {
		var r Renewal
		err := rpc.Read(w, req, &r)
		var s Seat
		if err == nil {
			s, err = c.Renew(req.Context(), r)
		}
		statuses.Answer(w, req, log, s, err)
	})
	mux.HandleFunc("POST /alone", func(w http.ResponseWriter, req *http.Request) { answer(w, req, log, c.Alone) })
	mux.HandleFunc("POST /joined", func(w http.ResponseWriter, req *http.Request) { answer(w, req, log, c.Joined) })
	return mux
}

// answer serves a question that is answered with nothing.
func answer[Q any](w http.ResponseWriter, req *http.Request, log *slog.Logger, do func(context.Context, Q) error) {
	var q Q
	err := rpc.Read(w, req, &q)
	if err == nil {
		err = do(req.Context(), q)
	}
	statuses.Answer(w, req, log, struct{}{}, err)
}

// Client is a region's way to the other and to the coordinator. An error that is not ErrOld leaves open whether it was done.
type Client struct{ rpc *rpc.Client }

// NewClient is a client of the process at base, a URL. No call takes longer than timeout.
func NewClient(base string, timeout time.Duration) *Client {
	return &Client{rpc.NewClient(base, timeout)}
}

// Close drops idle connections.
func (c *Client) Close() { c.rpc.Close() }

// Mirror has the other region take a page.
func (c *Client) Mirror(ctx context.Context, p Page) error { return c.tell(ctx, "mirror", p) }

// Renew asks for the seat.
func (c *Client) Renew(ctx context.Context, r Renewal) (s Seat, err error) {
	err = c.rpc.Ask(ctx, "renew", r, &s)
	return s, err
}

// Alone says that the other region does not have everything any more.
func (c *Client) Alone(ctx context.Context, r Report) error { return c.tell(ctx, "alone", r) }

// Joined says that it has.
func (c *Client) Joined(ctx context.Context, r Report) error { return c.tell(ctx, "joined", r) }

func (c *Client) tell(ctx context.Context, verb string, q any) error {
	err := c.rpc.Ask(ctx, verb, q, &struct{}{})
	var refused *rpc.StatusError
	if errors.As(err, &refused) && refused.Code == http.StatusPreconditionFailed {
		return errors.Join(ErrOld, err)
	}
	return err
}
