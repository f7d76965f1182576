package file

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/wreckon/wreckon/history"
	"github.com/wreckon/wreckon/targets"
	"github.com/wreckon/wreckon/workloads"
)

// maxBody bounds what is read of one answer or request. A target may send anything.
const maxBody = 16 << 20

// clients does operations as the target's customers would, through the proxied edges of the client.
type clients struct {
	*instance
	http *http.Client
}

func newClients(i *instance) *clients {
	return &clients{i, &http.Client{
		Transport: &http.Transport{MaxIdleConnsPerHost: 256, DialContext: (&net.Dialer{Timeout: 2 * time.Second}).DialContext},
		// An answer that sends the client elsewhere is an answer. Following it would go past the proxies.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (c *clients) close() { c.http.CloseIdleConnections() }

// Do does one try of an operation.
func (c *clients) Do(ctx context.Context, op workloads.Operation) workloads.Answer {
	var how *operation
	unsure := history.KindInfo
	switch op.Op {
	case workloads.Submit:
		how = &c.Submit
		c.states.asked(op)
		defer c.activity.touch()
	case workloads.Read:
		how, unsure = c.Read, history.KindFail // a read changes nothing: without an answer it was not made
	case workloads.Amend:
		how = c.Amend
		defer c.activity.touch()
	}
	if how == nil {
		return workloads.Answer{Kind: history.KindFail, Value: "the target file declares no " + op.Op}
	}
	dial := c.w.Dial[targets.Edge{From: client, To: how.To}.Name()]
	status, m, err := c.ask(ctx, c.http, dial, how, op)
	if err != nil {
		return workloads.Answer{Kind: unsure, Value: clip(err.Error(), 200)}
	}
	return how.meaning(op.Op, status, m)
}

// ask sends an operation's request and reads the answer.
func (i *instance) ask(ctx context.Context, by *http.Client, addr string, how *operation, op workloads.Operation) (int, message, error) {
	req, err := i.request(ctx, addr, how, op)
	if err != nil {
		return 0, message{}, err
	}
	resp, err := by.Do(req)
	if err != nil {
		return 0, message{}, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return 0, message{}, err
	}
	return resp.StatusCode, message{body: decode(raw), header: resp.Header}, nil
}

func (i *instance) request(ctx context.Context, addr string, how *operation, op workloads.Operation) (*http.Request, error) {
	names := i.namesOf(op)
	method, path, _ := strings.Cut(how.Request, " ")
	path, err := expand(path, in(names))
	if err != nil {
		return nil, err
	}
	body, kind := how.Body, "application/json"
	switch {
	case body != "":
		if body, err = expand(body, in(names)); err != nil {
			return nil, err
		}
	case method == http.MethodPost || method == http.MethodPut || method == http.MethodPatch:
		if body, err = i.plain(op, names); err != nil {
			return nil, err
		}
	default:
		kind = ""
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+addr+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	for key, text := range how.Headers {
		if text, err = expand(text, in(names)); err != nil {
			return nil, err
		}
		req.Header.Set(key, text)
	}
	// net/http sends a request with an Idempotency-Key again by itself when a reused connection breaks, and the history would hold
	// one try where there were two. Without GetBody it cannot.
	req.GetBody = nil
	return req, nil
}

// plain is an operation as JSON, for who says nothing else: an adapter, say.
func (i *instance) plain(op workloads.Operation, names map[string]string) (string, error) {
	fields := map[string]any{"op": op.Op, "attempt": op.Attempt}
	for _, name := range []string{"unit", "class", "key", "trace", "traceparent", "note"} {
		if names[name] != "" {
			fields[name] = names[name]
		}
	}
	for name, text := range i.definition.Mix[op.Class] {
		fields[name] = text
	}
	if op.Op == workloads.Submit {
		fields["amount"] = json.Number(names["amount"])
	}
	if op.Op == workloads.Amend {
		fields["version"] = op.Version
	}
	b, err := json.Marshal(fields)
	return string(b), err
}

// namesOf are the names that the text of an operation may hold.
func (i *instance) namesOf(op workloads.Operation) map[string]string {
	names := map[string]string{
		"unit": history.UnitID(i.claims.Prefix, op.Unit), "number": strconv.FormatUint(uint64(op.Unit)+1, 10), "class": op.Class, "key": op.Key,
		"attempt": strconv.FormatUint(uint64(op.Attempt), 10), "amount": strconv.FormatUint(100+op.Nonce%9900, 10),
		"nonce": fmt.Sprintf("%016x", op.Nonce), "trace": op.Trace, "note": op.Note, "version": strconv.FormatUint(op.Version, 10), "token": i.w.Token,
		"traceparent": fmt.Sprintf("00-%s-%016x-01", op.Trace, op.Nonce+uint64(op.Attempt)), // each try is a span of its own
	}
	for name, text := range i.definition.Mix[op.Class] {
		names[name] = text
	}
	return names
}

// meaning is what an answer says of an operation. What nothing is said about leaves it open.
func (o *operation) meaning(op string, status int, m message) workloads.Answer {
	a := workloads.Answer{Kind: history.KindInfo, Value: strconv.Itoa(status)}
	if o.Version != "" {
		a.Token, _ = strconv.ParseUint(strings.Trim(m.at(o.Version), `"`), 10, 64) // an entity tag stands in quotes
	}
	switch {
	case op == workloads.Read && among(status, o.Absent, "404"):
		return workloads.Answer{Kind: history.KindOK, Value: "absent"}
	case among(status, o.OK, "2xx"):
		a.Kind, a.Value = history.KindOK, o.told(op, m)
	case among(status, o.Fail, "4xx") && (len(o.Fail) > 0 || status != http.StatusRequestTimeout), op == workloads.Read:
		a.Kind = history.KindFail
	}
	return a
}

// told is what an answer that is ok says, as the history has it.
func (o *operation) told(op string, m message) string {
	switch {
	case op == workloads.Submit && o.Answer != "":
		return clip(m.at(o.Answer), 1000)
	case op == workloads.Read && o.Note != "":
		return m.at(o.State) + "|" + m.at(o.Note)
	case o.State != "" && op != workloads.Submit:
		return m.at(o.State)
	}
	return ""
}

// among tells whether a status is one of those written, 201 or 2xx; of those that are usual where none are.
func among(status int, written []string, usual string) bool {
	if len(written) == 0 {
		written = []string{usual}
	}
	text := strconv.Itoa(status)
	for _, w := range written {
		if w == text || len(text) == 3 && w == text[:1]+"xx" {
			return true
		}
	}
	return false
}
