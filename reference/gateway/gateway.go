// Package gateway calls the party outside that moves money and parcels.
//
// Promise: a call ends as one of three things. An answer: it was done, under this key. A refusal: it was not done and never will be
// under this key. An error: nobody knows, and the only thing to do is to ask again with the same key.
//
// A fenced call carries the token of the lease it is made under, and the gateway refuses it once it has seen a newer one: a call that was
// on its way for too long must not land behind that of whoever took over. That is ErrSuperseded, and nobody's business any more.
//
// A call that carries a time is refused from then on: that it was in time when it left says nothing.
//
// A call that the breaker holds back ends with a *policy.OpenError. It was not made: nothing became of it.
//
// Cost: the third case, which no protocol can do away with. Breaks: where the other side forgets a key sooner than we do.
//
// It must never retry by itself, nor make up a key: when to try again, and under which name, is decided where it is written down.
package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/wreckon/wreckon/reference/policy"
	"github.com/wreckon/wreckon/reference/telemetry"
)

// maxAnswer bounds what is read of an answer.
const maxAnswer = 64 << 10

// Client calls one gateway.
type Client struct {
	base, token, name string
	http              *http.Client
	breaker           *policy.Breaker
}

// New is a client of the gateway at base, a URL, which knows us by token. name is who of us calls. breaker holds calls back; nil: nothing does.
func New(base, token, name string, breaker *policy.Breaker) *Client {
	transport := &http.Transport{
		MaxIdleConnsPerHost: 16,
		IdleConnTimeout:     10 * time.Second,
		DisableCompression:  true,
	}
	return &Client{
		base:  strings.TrimRight(base, "/"),
		token: token,
		name:  name,

		breaker: breaker,
		http: &http.Client{
			Transport:     transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// Close drops idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Call says what is asked, under which name, and on the strength of which lease.
type Call struct {
	OrderID string
	Key     string    // idempotency key
	Token   uint64    // fencing token of the lease; the gateway keeps the newest for each step of an order
	Fenced  bool      // the gateway must refuse the call if it has seen a newer token
	Until   time.Time // from when on the gateway must refuse what it has not done yet; zero: never
	Trace   string
	Try     int // which call for the same thing this is, from 1; 0: not counted
}

// ErrSuperseded says that a call was refused because somebody with a newer token has called since.
var ErrSuperseded = errors.New("a newer token was used at the gateway")

// Answer is a final answer.
type Answer struct {
	ID      string // the gateway's name for what it did
	Refused bool
	Reason  string   // of the refusal
	Lines   []uint64 // of a batch that was done: the numbers of the lines that were refused
}

// Line is one part of a batch, with its number among the lines of its account.
type Line struct {
	OrderID string `json:"order_id"`
	Account string `json:"account"`
	Number  uint64 `json:"number"`
	Meter   string `json:"meter"`
	Amount  int64  `json:"amount"`
	Trace   string `json:"trace,omitempty"`
}

// Charge takes amount cents from a card. A refusal is a declined card.
func (c *Client) Charge(ctx context.Context, call Call, amount int64, card string) (Answer, error) {
	return c.post(ctx, paths["charge"], call, http.StatusPaymentRequired, map[string]any{
		"order_id": call.OrderID, "amount": amount, "card": card,
	})
}

// Refund gives amount cents back. It is never refused.
func (c *Client) Refund(ctx context.Context, call Call, amount int64) (Answer, error) {
	return c.post(ctx, paths["refund"], call, 0, map[string]any{"order_id": call.OrderID, "amount": amount})
}

// Ship sends the order to an address. A refusal is an address nobody can deliver to.
func (c *Client) Ship(ctx context.Context, call Call, address string) (Answer, error) {
	return c.post(ctx, paths["ship"], call, http.StatusUnprocessableEntity, map[string]any{
		"order_id": call.OrderID, "address": address,
	})
}

// Process does the n-th part of a piece of work. A refusal is work that cannot be done.
func (c *Client) Process(ctx context.Context, call Call, n int, account string, amount int64) (Answer, error) {
	return c.post(ctx, fmt.Sprintf("/chunks/%d", n), call, http.StatusUnprocessableEntity, map[string]any{
		"order_id": call.OrderID, "address": account, "amount": amount,
	})
}

// Processed lists the parts of a piece of work that were done.
func (c *Client) Processed(ctx context.Context, orderID string) (parts []int, err error) {
	var done struct {
		Chunks []int `json:"chunks"`
	}
	err = c.get(ctx, "/chunks", orderID, &done)
	return done.Chunks, err
}

// paths are where the steps of an order are asked for.
var paths = map[string]string{"charge": "/charges", "refund": "/refunds", "ship": "/shipments"}

// Has says whether a step of an order was done: charge, refund or ship. To ask changes nothing.
func (c *Client) Has(ctx context.Context, step, orderID string) (bool, error) {
	var answer struct {
		Done bool `json:"done"`
	}
	err := c.get(ctx, paths[step], orderID, &answer)
	return answer.Done, err
}

// get asks what there is of an order at path.
func (c *Client) get(ctx context.Context, path, orderID string, into any) (err error) {
	ctx, op := telemetry.Begin(ctx, telemetry.Client, "GET gateway"+path, "")
	defer func() { op.End("asked", err) }()
	telemetry.About(ctx, telemetry.Job{Parent: orderID})
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+path+"?"+url.Values{"order_id": {orderID}}.Encode(), nil)
	if err != nil {
		return fmt.Errorf("ask gateway for %s: %w", path, err)
	}
	req.Header.Set("User-Agent", c.name)
	req.Header.Set("Authorization", "Bearer "+c.token)
	if trace := op.Trace(); trace != "" {
		req.Header.Set("traceparent", trace)
	}
	status, text, err := c.do(req)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("answered %d: %.200s", status, text)
	}
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		return fmt.Errorf("ask gateway for %s: %w", path, err)
	}
	return nil
}

// Confirm makes a booking of a class final. A refusal is one that came too late.
func (c *Client) Confirm(ctx context.Context, call Call, class string) (Answer, error) {
	return c.post(ctx, "/confirmations", call, http.StatusGone, map[string]any{"order_id": call.OrderID, "address": class})
}

// Post moves an amount to an account. It is never refused but for its token, which is compared with those of all transfers.
func (c *Client) Post(ctx context.Context, call Call, amount int64, account string) (Answer, error) {
	return c.post(ctx, "/postings", call, 0, map[string]any{"order_id": call.OrderID, "amount": amount, "address": account})
}

// Bill bills a batch: all its lines but those that it refuses, at once.
func (c *Client) Bill(ctx context.Context, call Call, lines []Line) (Answer, error) {
	return c.post(ctx, "/bills", call, 0, map[string]any{"lines": lines})
}

// post makes a call at path, as an operation.
func (c *Client) post(ctx context.Context, path string, call Call, refusal int, payload any) (Answer, error) {
	ctx, op := telemetry.Begin(ctx, telemetry.Client, "POST gateway"+path, call.Trace)
	telemetry.About(ctx, telemetry.Job{ID: call.Key, Parent: call.OrderID, Attempt: call.Try})
	if call.Try > 1 {
		telemetry.Count(ctx, telemetry.Retries, "POST gateway"+path)
	}
	call.Trace = op.Trace()
	permit, err := c.breaker.Allow()
	if err != nil {
		op.End("held-back", err)
		return Answer{}, fmt.Errorf("call gateway %s: %w", path, err)
	}
	answer, err := c.send(ctx, path, call, refusal, payload)
	if permit.Done(result(err)) {
		telemetry.Count(ctx, telemetry.BreakerOpened)
	}
	switch {
	case errors.Is(err, ErrSuperseded):
		op.End("superseded", err)
	case err != nil:
		op.End("unknown", err)
	case answer.Refused:
		op.End("refused", nil)
	default:
		op.End("done", nil)
	}
	return answer, err
}

// result is what a call tells about the gateway: to refuse is to answer.
func result(err error) policy.Result {
	switch {
	case err == nil, errors.Is(err, ErrSuperseded):
		return policy.Answered
	case errors.Is(err, context.Canceled): // by us, who are stopping or have lost a lease
		return policy.Abandoned
	}
	return policy.Unanswered
}

func (c *Client) send(ctx context.Context, path string, call Call, refusal int, payload any) (Answer, error) {
	body, err := json.Marshal(payload)
	if err != nil {
		return Answer{}, fmt.Errorf("call gateway %s: %w", path, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+path, bytes.NewReader(body))
	if err != nil {
		return Answer{}, fmt.Errorf("call gateway %s: %w", path, err)
	}
	// net/http repeats a request with an Idempotency-Key on its own when a connection breaks, if it can read the body again.
	// It would be harmless, and invisible: attempts are ours to count and to space.
	req.GetBody = nil
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", c.name)
	req.Header.Set("Idempotency-Key", call.Key)
	req.Header.Set("Authorization", "Bearer "+c.token)
	if call.Token != 0 {
		req.Header.Set("Fencing-Token", strconv.FormatUint(call.Token, 10))
	}
	if call.Fenced {
		req.Header.Set("Fencing", "strict")
	}
	if !call.Until.IsZero() {
		req.Header.Set("Valid-Until", call.Until.UTC().Format(time.RFC3339Nano))
	}
	if call.Trace != "" {
		req.Header.Set("traceparent", call.Trace)
	}
	status, text, err := c.do(req)
	if err != nil {
		return Answer{}, fmt.Errorf("call gateway %s: %w", path, err)
	}
	return read(path, status, refusal, text)
}

func (c *Client) do(req *http.Request) (status int, text []byte, err error) {
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	if text, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer)); err != nil {
		return 0, nil, fmt.Errorf("read answer: %w", err)
	}
	return resp.StatusCode, text, nil
}

func read(path string, status, refusal int, text []byte) (Answer, error) {
	switch status {
	case http.StatusOK:
		var done struct {
			ID      string   `json:"id"`
			Refused []uint64 `json:"refused"`
		}
		// Half an answer is no answer.
		if err := json.Unmarshal(text, &done); err != nil {
			return Answer{}, fmt.Errorf("call gateway %s: read answer: %w", path, err)
		}
		return Answer{ID: done.ID, Lines: done.Refused}, nil
	case refusal:
		return Answer{Refused: true, Reason: fmt.Sprintf("gateway answered %d", status)}, nil
	case http.StatusPreconditionFailed:
		return Answer{}, fmt.Errorf("call gateway %s: %w", path, ErrSuperseded)
	}
	return Answer{}, fmt.Errorf("call gateway %s: answered %d: %.200s", path, status, text)
}
