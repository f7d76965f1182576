package booking

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

// Handler serves an office: to clients, /bookings; to confirmers, /claim and what they are told; to reclaimers, /due and /expire. log
// gets what failed.
func Handler(o *Office, log *slog.Logger) http.Handler {
	answer := func(w http.ResponseWriter, r *http.Request, value any, err error) {
		statuses.Answer(w, r, log, value, err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /bookings", func(w http.ResponseWriter, r *http.Request) {
		var wish Wish
		key, trace, err := rpc.Submitted(w, r, &wish)
		if err == nil {
			if err = wish.Validate(); err != nil {
				err = errors.Join(rpc.ErrBad, err)
			}
		}
		if err != nil {
			answer(w, r, nil, err)
			return
		}
		telemetry.About(r.Context(), telemetry.Job{ID: wish.BookingID})
		text, err := o.Take(r.Context(), key, trace, wish)
		answer(w, r, json.RawMessage(text), err)
	})
	mux.HandleFunc("GET /bookings/{id}", func(w http.ResponseWriter, r *http.Request) {
		b, err := o.Status(r.Context(), r.PathValue("id"))
		answer(w, r, b, err)
	})
	mux.HandleFunc("POST /claim", func(w http.ResponseWriter, r *http.Request) {
		var who Report
		err := rpc.Read(w, r, &who)
		if err == nil && who.Owner == "" {
			err = rpc.ErrBad
		}
		if err != nil {
			answer(w, r, nil, err)
			return
		}
		grant, err := o.Claim(r.Context(), who.Owner)
		answer(w, r, grant, err)
	})
	mux.HandleFunc("POST /due", func(w http.ResponseWriter, r *http.Request) {
		ids, err := o.Due(r.Context())
		answer(w, r, ids, err)
	})
	for verb, do := range map[string]func(context.Context, Report) error{
		"confirmed": o.Confirm, "refused": o.Refuse, "expire": func(ctx context.Context, r Report) error { return o.Expire(ctx, r.BookingID) },
	} {
		mux.HandleFunc("POST /"+verb, func(w http.ResponseWriter, r *http.Request) {
			var rep Report
			err := rpc.Read(w, r, &rep)
			if err == nil {
				telemetry.About(r.Context(), telemetry.Job{ID: rep.BookingID})
				err = do(r.Context(), rep)
			}
			answer(w, r, struct{}{}, err)
		})
	}
	return mux
}

var statuses = rpc.Statuses{
	idempotency.ErrMismatch: http.StatusUnprocessableEntity,
	ErrTaken:                http.StatusConflict,
	ErrSoldOut:              http.StatusConflict,
	ErrUnknown:              http.StatusNotFound,
	ErrLost:                 http.StatusPreconditionFailed,
}

// Client is the way to an office. An error that is not ErrLost leaves open whether it has done what it was asked.
type Client struct{ rpc *rpc.Client }

// NewClient is a client of the office at base, a URL. No call takes longer than timeout.
func NewClient(base string, timeout time.Duration) *Client {
	return &Client{rpc.NewClient(base, timeout)}
}

// Close drops idle connections.
func (c *Client) Close() { c.rpc.Close() }

// Claim asks for a booking to confirm; nil if there is none.
func (c *Client) Claim(ctx context.Context, owner string) (grant *Grant, err error) {
	err = c.rpc.Ask(ctx, "claim", Report{Owner: owner}, &grant)
	return grant, err
}

// Report tells the office what became of a confirmation: confirmed or refused.
func (c *Client) Report(ctx context.Context, verb string, r Report) error {
	err := c.rpc.Ask(ctx, verb, r, &struct{}{})
	var refused *rpc.StatusError
	if errors.As(err, &refused) && refused.Code == http.StatusPreconditionFailed {
		return errors.Join(ErrLost, err)
	}
	return err
}

// Due asks for bookings whose time is up.
func (c *Client) Due(ctx context.Context) (ids []string, err error) {
	err = c.rpc.Ask(ctx, "due", struct{}{}, &ids)
	return ids, err
}

// Expire has a booking expire whose time is up.
func (c *Client) Expire(ctx context.Context, id string) error {
	return c.rpc.Ask(ctx, "expire", Report{BookingID: id}, &struct{}{})
}
