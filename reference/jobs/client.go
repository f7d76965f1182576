package jobs

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/wreckon/wreckon/reference/rpc"
)

// Client is a worker's way to the queue. An error that is not ErrLost leaves open whether the queue has done what it was asked.
type Client struct{ rpc *rpc.Client }

// NewClient is a client of the queue at base, a URL. No call takes longer than timeout.
func NewClient(base string, timeout time.Duration) *Client {
	return &Client{rpc.NewClient(base, timeout)}
}

// Close drops idle connections.
func (c *Client) Close() { c.rpc.Close() }

// Claim asks for a job; nil if there is none.
func (c *Client) Claim(ctx context.Context, owner string) (grant *Grant, err error) {
	err = c.rpc.Ask(ctx, "claim", map[string]string{"owner": owner}, &grant)
	return grant, err
}

// Report tells the queue about a job: extend, checkpoint, finish, hand-back or set-aside.
func (c *Client) Report(ctx context.Context, verb string, r Report) error {
	err := c.rpc.Ask(ctx, verb, r, &struct{}{})
	var refused *rpc.StatusError
	if errors.As(err, &refused) && refused.Code == http.StatusPreconditionFailed {
		return errors.Join(ErrLost, err)
	}
	return err
}
