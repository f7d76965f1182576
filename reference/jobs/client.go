package jobs

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/wreckon/wreckon/reference/rpc"
)

// Client is a worker's way to the queue. An error that is not ErrLost leaves open whether the queue has done what it was asked.
type Client struct {
	rpc   *rpc.Client
	clock func() time.Time
}

// NewClient is a client of the queue at base, a URL. No call takes longer than timeout. clock is that of the worker's machine.
func NewClient(base string, timeout time.Duration, clock func() time.Time) *Client {
	return &Client{rpc.NewClient(base, timeout), clock}
}

// Close drops idle connections.
func (c *Client) Close() { c.rpc.Close() }

// question is what a worker asks a job for.
type question struct {
	Owner string    `json:"owner"`
	At    time.Time `json:"at"` // by the worker's clock
}

// Claim asks for a job; nil if there is none.
func (c *Client) Claim(ctx context.Context, owner string) (grant *Grant, err error) {
	err = c.rpc.Ask(ctx, "claim", question{owner, c.clock()}, &grant)
	return grant, err
}

// Report tells the queue about a job: extend, checkpoint, finish, hand-back or set-aside.
func (c *Client) Report(ctx context.Context, verb string, r Report) error {
	r.At = c.clock()
	err := c.rpc.Ask(ctx, verb, r, &struct{}{})
	var refused *rpc.StatusError
	if errors.As(err, &refused) && refused.Code == http.StatusPreconditionFailed {
		return errors.Join(ErrLost, err)
	}
	return err
}
