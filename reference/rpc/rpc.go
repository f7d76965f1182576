// Package rpc carries questions in JSON from one process to another, over HTTP.
//
// Promise: an answer is an answer; a *StatusError is what the other side says of a question that it did not answer; any other error
// leaves open whether it has done what it was asked. It never asks again by itself.
//
// It must never know what is asked.
package rpc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/wreckon/wreckon/reference/telemetry"
)

// maxBody bounds a question and an answer.
const maxBody = 64 << 10

// Client asks one process.
type Client struct {
	base string
	http *http.Client
}

// NewClient is a client of the process at base, a URL. No call takes longer than timeout.
func NewClient(base string, timeout time.Duration) *Client {
	return &Client{
		base: strings.TrimRight(base, "/"),
		http: &http.Client{Timeout: timeout, Transport: &http.Transport{MaxIdleConnsPerHost: 16, IdleConnTimeout: 10 * time.Second}},
	}
}

// Close drops idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// StatusError is an answer that is none.
type StatusError struct {
	Code int
	Text string
}

func (e *StatusError) Error() string { return fmt.Sprintf("answered %d: %.200s", e.Code, e.Text) }

// Ask posts a question to /verb and reads the answer.
func (c *Client) Ask(ctx context.Context, verb string, question, answer any) error {
	ctx, op := telemetry.Begin(ctx, telemetry.Client, "ask to "+verb, "")
	err := c.ask(ctx, verb, question, answer, op.Trace())
	var refused *StatusError
	switch {
	case errors.As(err, &refused):
		op.End("refused", err)
	case err != nil:
		op.End("unknown", err)
	default:
		op.End("answered", nil)
	}
	return err
}

func (c *Client) ask(ctx context.Context, verb string, question, answer any, trace string) error {
	body, err := json.Marshal(question)
	if err != nil {
		return fmt.Errorf("ask to %s: %w", verb, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+"/"+verb, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("ask to %s: %w", verb, err)
	}
	req.Header.Set("Content-Type", "application/json")
	if trace != "" {
		req.Header.Set("traceparent", trace)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("ask to %s: %w", verb, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = &StatusError{resp.StatusCode, string(text)}
	}
	if err != nil {
		return fmt.Errorf("ask to %s: %w", verb, err)
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return fmt.Errorf("ask to %s: read answer: %w", verb, err)
	}
	return nil
}

// ErrBad is what a question is refused with that cannot be read.
var ErrBad = errors.New("want a JSON object, and an Idempotency-Key where something is submitted")

// Read reads a question.
func Read(w http.ResponseWriter, r *http.Request, into any) error {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err == nil {
		err = json.Unmarshal(body, into)
	}
	if err != nil {
		return errors.Join(ErrBad, fmt.Errorf("read body: %w", err))
	}
	return nil
}

// Submitted is the idempotency key and the trace of a request that submits something, which it reads.
func Submitted(w http.ResponseWriter, r *http.Request, into any) (key, trace string, err error) {
	key, trace = r.Header.Get("Idempotency-Key"), r.Header.Get("traceparent")
	if key == "" || len(key) > 256 || len(trace) > 256 {
		return "", "", ErrBad
	}
	return key, trace, Read(w, r, into)
}

// Statuses are what errors are answered with. A 4xx says that nothing happened; what is not among them is a 503, which leaves that open.
type Statuses map[error]int

// Answer answers with a value or, if err is not nil, with what the statuses have for it.
func (s Statuses) Answer(w http.ResponseWriter, r *http.Request, log *slog.Logger, value any, err error) {
	code := http.StatusOK
	if err != nil {
		code = http.StatusServiceUnavailable
		for is, status := range s {
			if errors.Is(err, is) {
				code = status
			}
		}
		if errors.Is(err, ErrBad) {
			code = http.StatusBadRequest
		}
		value = map[string]string{"error": strings.ReplaceAll(err.Error(), "\n", ": ")}
		log.InfoContext(r.Context(), "request refused", "path", r.URL.Path, "status", code, "error", err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(value) // a client that is gone will ask again
}
