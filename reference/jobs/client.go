package jobs

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// Client is a worker's way to the queue. An error that is not ErrLost leaves open whether the queue has done what it was asked.
type Client struct {
	base string
	http *http.Client
}

// NewClient is a client of the queue at base, a URL. No call takes longer than timeout.
func NewClient(base string, timeout time.Duration) *Client {
	return &Client{
		base: strings.TrimRight(base, "/"),
		http: &http.Client{Timeout: timeout, Transport: &http.Transport{MaxIdleConnsPerHost: 16, IdleConnTimeout: 10 * time.Second}},
	}
}

// Close drops idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Claim asks for a job; nil if there is none.
func (c *Client) Claim(ctx context.Context, owner string) (grant *Grant, err error) {
	err = c.post(ctx, "claim", map[string]string{"owner": owner}, &grant)
	return grant, err
}

// Report tells the queue about a job: extend, checkpoint, finish, hand-back or set-aside.
func (c *Client) Report(ctx context.Context, verb string, r Report) error {
	return c.post(ctx, verb, r, &struct{}{})
}

func (c *Client) post(ctx context.Context, path string, payload, into any) error {
	body, err := json.Marshal(payload)
	if err != nil {
		return fmt.Errorf("ask queue to %s: %w", path, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+"/"+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("ask queue to %s: %w", path, err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("ask queue to %s: %w", path, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	switch {
	case err != nil:
		return fmt.Errorf("ask queue to %s: %w", path, err)
	case resp.StatusCode == http.StatusPreconditionFailed:
		return fmt.Errorf("ask queue to %s: %w", path, ErrLost)
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("ask queue to %s: answered %d: %.200s", path, resp.StatusCode, text)
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("ask queue to %s: read answer: %w", path, err)
	}
	return nil
}
