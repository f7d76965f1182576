package targets

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/wreckon/wreckon/history"
	"github.com/wreckon/wreckon/workloads"
)

// orderClient does operations against the reference's public API, as its customers would.
type orderClient struct {
	base string
	http *http.Client

	until sync.Map // unit -> when its customer will have gone, if in a hurry: the same however often it is asked for
}

// orderAnswer is the body of every answer of the API.
type orderAnswer struct {
	State   string `json:"state"`
	Version uint64 `json:"version"`
	Note    string `json:"note"`
	Error   string `json:"error"`
}

// Do does one try of an operation.
//
// A 4xx is a definite refusal. A 5xx, a time-out or a cut connection after sending leaves it open whether the operation took
// effect: info. A read changes nothing, so that a read without an answer is a fail.
func (c *orderClient) Do(ctx context.Context, op workloads.Operation) workloads.Answer {
	id := history.UnitID(refPrefix, op.Unit)
	switch op.Op {
	case workloads.Submit:
		until, _ := c.until.LoadOrStore(op.Unit, time.Now().Add(hasty))
		body, err := json.Marshal(payload(op.Class, id, op.Nonce, until.(time.Time)))
		if err != nil {
			return workloads.Answer{Kind: history.KindFail, Value: err.Error()}
		}
		return c.call(ctx, http.MethodPost, "/orders", body, traceparent(op), http.Header{"Idempotency-Key": {op.Key}}, answerSubmit)
	case workloads.Amend:
		body, err := json.Marshal(map[string]string{"note": op.Note})
		if err != nil {
			return workloads.Answer{Kind: history.KindFail, Value: err.Error()}
		}
		match := http.Header{"If-Match": {strconv.Quote(strconv.FormatUint(op.Version, 10))}}
		return c.call(ctx, http.MethodPatch, "/orders/"+id, body, traceparent(op), match, answerAmend)
	default:
		return c.call(ctx, http.MethodGet, "/orders/"+id, nil, traceparent(op), nil, answerRead)
	}
}

func (c *orderClient) call(ctx context.Context, method, path string, body []byte, trace string, header http.Header,
	answer func(status int, a orderAnswer) workloads.Answer) workloads.Answer {
	unsure := history.KindInfo
	if method == http.MethodGet {
		unsure = history.KindFail
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return workloads.Answer{Kind: history.KindFail, Value: err.Error()}
	}
	for k, v := range header {
		req.Header[k] = v
	}
	req.Header.Set("traceparent", trace)
	// net/http sends a request with an Idempotency-Key again by itself when a reused connection breaks, and the history would hold
	// one try where there were two. Without GetBody it cannot.
	req.GetBody = nil
	resp, err := c.http.Do(req)
	if err != nil {
		return workloads.Answer{Kind: unsure, Value: clip(err.Error(), 200)}
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return workloads.Answer{Kind: unsure, Value: clip(err.Error(), 200)}
	}
	var a orderAnswer
	if err := json.Unmarshal(raw, &a); err != nil && resp.StatusCode < 300 {
		return workloads.Answer{Kind: unsure, Value: clip(fmt.Sprintf("an answer that is no JSON: %q", raw), 200)}
	}
	if resp.StatusCode >= 500 {
		return workloads.Answer{Kind: unsure, Value: clip(resp.Status+" "+a.Error, 200)}
	}
	return answer(resp.StatusCode, a)
}

func answerSubmit(status int, a orderAnswer) workloads.Answer {
	if status < 300 {
		return workloads.Answer{Kind: history.KindOK, Value: a.State, Token: a.Version}
	}
	return workloads.Answer{Kind: history.KindFail, Value: clip(fmt.Sprintf("%d %s", status, a.Error), 200)}
}

func answerAmend(status int, a orderAnswer) workloads.Answer {
	if status < 300 {
		return workloads.Answer{Kind: history.KindOK, Value: a.State, Token: a.Version}
	}
	return workloads.Answer{Kind: history.KindFail, Value: clip(fmt.Sprintf("%d %s", status, a.Error), 200), Token: a.Version}
}

func answerRead(status int, a orderAnswer) workloads.Answer {
	switch {
	case status == http.StatusNotFound:
		return workloads.Answer{Kind: history.KindOK, Value: "absent"}
	case status < 300:
		return workloads.Answer{Kind: history.KindOK, Value: a.State + "|" + a.Note, Token: a.Version}
	}
	return workloads.Answer{Kind: history.KindFail, Value: clip(fmt.Sprintf("%d %s", status, a.Error), 200)}
}

// traceparent is the W3C header that carries the unit's trace; each try is a span of its own.
func traceparent(op workloads.Operation) string {
	return fmt.Sprintf("00-%s-%016x-01", op.Trace, op.Nonce+uint64(op.Attempt))
}
